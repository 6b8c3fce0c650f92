"""Nodes and weights of the mixture tanh(x) = E erf(a x), a = 1/(sqrt(2) kappa), for any number of digits.

The density of Kolmogorov's statistic kappa is p(kappa) = 8 kappa sum_n (-1)^(n+1) n^2 exp(-2 n^2 kappa^2). In
y = log(kappa) everything is analytic for |Im y| < pi/4, so the trapezoid rule with spacing h has a
relative error of order exp(-pi^2/(2 h)), uniformly in x.
"""

from __future__ import annotations

from functools import lru_cache

import mpmath

__all__ = ["mixture_nodes"]


def _density(kappa: mpmath.mpf) -> mpmath.mpf:
    """P(kappa) by whichever of its two theta series converges fast."""
    total, n = mpmath.mpf(0), 1
    if kappa > 1:
        while True:
            term = (-1) ** (n + 1) * n * n * mpmath.exp(-2 * n * n * kappa**2)
            total += term
            if abs(term) < mpmath.eps * 1e-10:
                return 8 * kappa * total
            n += 1
    while True:
        q = ((2 * n - 1) * mpmath.pi) ** 2
        term = (q / (4 * kappa**4) - 1 / kappa**2) * mpmath.exp(-q / (8 * kappa**2))
        total += term
        if abs(term) < mpmath.eps * 1e-10:
            return mpmath.sqrt(2 * mpmath.pi) * total
        n += 1


@lru_cache(maxsize=8)
def mixture_nodes(digits: int = 16) -> tuple[tuple[mpmath.mpf, ...], tuple[mpmath.mpf, ...]]:
    """Scales a_m and weights w_m with sum 1.

    Parameters
    ----------
    digits : int
        Relative accuracy of sum_m w_m erf(a_m x), for every x.

    Returns
    -------
    tuple of tuple of mpf
        Scales and weights; 30 of them for 16 digits, proportional to the digits.
    """
    with mpmath.workdps(digits + 15):
        h = mpmath.pi**2 / (2 * (digits + 3) * mpmath.log(10))
        small = mpmath.mpf(10) ** (-digits - 4)
        nodes = []
        for sense in (1, -1):
            j = 0 if sense > 0 else -1
            while True:
                kappa = mpmath.exp(h * j)
                weight = h * kappa * _density(kappa)
                # the weight times erf(a x) relative to tanh(x): a is largest for small kappa
                if abs(j) * h > 0.5 and weight / min(kappa, 1) < small:
                    break
                nodes.append((1 / (mpmath.sqrt(2) * kappa), weight))
                j += sense
        total = mpmath.fsum(w for _, w in nodes)
        nodes.sort()
        return tuple(a for a, _ in nodes), tuple(w / total for _, w in nodes)
