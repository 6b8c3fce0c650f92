"""The recursions of wide networks in many digits: from theory's derived expressions, and from integrals."""

import itertools
import math

import flint
import mpmath
import numpy as np
import sympy
from flint import arb

from theory import dual
from theory.calculus.price import K1, K2, C

DIGITS = 55


def maps(name: str):
    """D and D' of an activation for mpmath; correlations beyond 1 by rounding are clipped."""
    found = dual(name)
    both = sympy.lambdify((K1, C, K2), [found.expr, found.derivative], "mpmath", cse=True)

    def evaluate(k11, k12, k22):
        edge = mpmath.sqrt(k11 * k22)
        if edge == 0:
            k11, k22 = (k if k else mpmath.mpf(10) ** -400 for k in (k11, k22))
            edge = mpmath.sqrt(k11 * k22)
        inside = edge * (1 - mpmath.mpf(10) ** (3 - DIGITS))
        if abs(k12) > edge * (1 - mpmath.mpf(10) ** -22):
            k12 = inside if k12 > 0 else -inside
        return [mpmath.re(v) for v in both(k11, k12, k22)]

    return evaluate


def inputs(x1, x2, scale, b2):
    """Layer-1 covariances of exact inputs."""

    def dot(a, b):
        return mpmath.fsum(
            mpmath.mpf(float(p)) * mpmath.mpf(float(q)) for p, q in zip(a, b, strict=True)
        )

    k1 = [scale * dot(a, a) + b2 for a in x1]
    k2 = [scale * dot(b, b) + b2 for b in x2]
    return k1, k2, [[scale * dot(a, b) + b2 for b in x2] for a in x1]


def mlp_reference(x1, x2, name, depth, sigma_w, sigma_b, sigma_v):
    """NNGP, NTK and sqrt(k_ii k_jj) of the readout, as arrays of mpf."""
    evaluate = maps(name)
    with mpmath.workdps(DIGITS):
        w2, b2, v2 = (mpmath.mpf(s) ** 2 for s in (sigma_w, sigma_b, sigma_v))
        k1, k2, cov = inputs(x1, x2, w2 / x1.shape[1], b2)
        out = np.empty((2, len(x1), len(x2)), dtype=object)
        for i, start1 in enumerate(k1):
            for j, start2 in enumerate(k2):
                a, b, c = start1, start2, cov[i][j]
                theta = c
                for layer in range(depth):
                    d, slope = evaluate(a, c, b)
                    scale, bias = (v2, 0) if layer == depth - 1 else (w2, b2)
                    if layer < depth - 1:
                        a = scale * evaluate(a, a, a)[0] + bias
                        b = scale * evaluate(b, b, b)[0] + bias
                    c = scale * d + bias
                    theta = c + scale * slope * theta
                out[:, i, j] = c, theta
        return out


def single_reference(x, name, depth, sigma_w, sigma_b, sigma_v):
    """NNGP and NTK of one input with itself, by the recursion of its variance alone."""
    found = dual(name)
    both = sympy.lambdify(K1, [found.diagonal, found.derivative_diagonal], "mpmath")
    with mpmath.workdps(DIGITS):
        w2, b2, v2 = (mpmath.mpf(s) ** 2 for s in (sigma_w, sigma_b, sigma_v))
        (k,), _, _ = inputs(x[None], x[None], w2 / len(x), b2)
        theta = k
        for layer in range(depth):
            d, slope = map(mpmath.re, both(k))
            scale, bias = (v2, 0) if layer == depth - 1 else (w2, b2)
            k = scale * d + bias
            theta = k + scale * slope * theta
        return k, theta


def deq_reference(x1, x2, name, sigma_w, sigma_u, sigma_b, sigma_v):
    """NNGP, NTK and fixed point by plain iteration."""
    evaluate = maps(name)
    with mpmath.workdps(DIGITS):
        w2, u2, b2, v2 = (mpmath.mpf(s) ** 2 for s in (sigma_w, sigma_u, sigma_b, sigma_v))
        s1, s2, cov = inputs(x1, x2, u2 / x1.shape[1], b2)

        def iterate(step, start):
            here = start
            # relative to sigma_w^2 D, which may be tiny beside S
            for _ in range(3000):
                there = step(here)
                # parallel inputs have a determinant of 0 only up to rounding, of which D feels the root
                if (
                    abs(there - here)
                    <= mpmath.mpf(10) ** -24 * abs(there - start) + mpmath.mpf(10) ** -60
                ):
                    return there
                here = there
            raise AssertionError("the plain iteration did not converge")

        alone = [
            [iterate(lambda k, s=s: w2 * evaluate(k, k, k)[0] + s, s) for s in side]
            for side in (s1, s2)
        ]
        out = np.empty((3, len(x1), len(x2)), dtype=object)
        for i, a in enumerate(alone[0]):
            for j, b in enumerate(alone[1]):
                s = cov[i][j]
                c = iterate(lambda k, a=a, b=b, s=s: w2 * evaluate(a, k, b)[0] + s, s)
                d, slope = evaluate(a, c, b)
                out[:, i, j] = v2 * d, v2 * (d + slope * c / (1 - w2 * slope)), c
        return out


def relative_error(found, reference, scale=None) -> float:
    """Largest |found - reference|/|reference|, zeros compared exactly.

    With ``scale``, sqrt(k_ii k_jj), an entry that is nearly zero by cancellation counts as if it were
    a hundredth of that.
    """
    worst = 0.0
    sizes = np.zeros(np.size(found)) if scale is None else np.ravel(scale)
    for value, true, size in zip(np.ravel(found), np.ravel(reference), sizes, strict=True):
        assert np.isfinite(value)
        against = max(abs(true), mpmath.mpf(float(size)) / 100)
        if against < mpmath.mpf(10) ** -250:
            assert abs(value) < 1e-250
        else:
            worst = max(worst, float(abs(mpmath.mpf(float(value)) - true) / against))
    return worst


def _rule(nodes: int = 16) -> list[tuple[arb, arb]]:
    return [arb.legendre_p_root(nodes, k, weight=True) for k in range(nodes)]


def gaussian_mean(f, places, middle: arb, deviation: arb) -> arb:
    """E f(middle + deviation z) by Gauss and Legendre between kinks, to some twenty digits."""
    low, high = (middle + s * 10 * deviation for s in (-1, 1))
    inside = [p for p in map(arb, places) if bool(low < p) and bool(p < high)]
    ends = [low, *sorted(inside, key=float), high]
    total = arb(0)
    for a, b in itertools.pairwise(ends):
        count = max(1, math.ceil(float((b - a) / deviation) / 1.25))
        half = (b - a) / (2 * count)
        for n in range(count):
            for x, w in _RULE:
                u = (a + (2 * n + 1 + x) * half).mid()
                z = (u - middle) / deviation
                total += w * half * (-z * z / 2).exp() * f(u)
    return (total / (deviation * (2 * arb.pi()).sqrt())).mid()


def integral(f, places, k11: arb, k12: arb, k22: arb) -> arb:
    """E f(u) f(v) straight from f, given where it has kinks; correlations not near 1."""
    slope, rest = k12 / k11, ((k11 * k22 - k12 * k12) / k11).sqrt()
    return gaussian_mean(
        lambda u: f(u) * gaussian_mean(f, places, slope * u, rest), places, arb(0), k11.sqrt()
    )


def integrated_mlp(x1, x2, f, slope, places, depth, sigma_w, sigma_b, sigma_v):
    """NNGP and NTK of one pair of inputs by `integral`, of f and of its slope almost everywhere.

    Returns
    -------
    tuple
        Both kernels of the pair, and of each input.
    """
    before, flint.ctx.prec = flint.ctx.prec, 100
    try:
        w2, b2, v2 = (arb(s) ** 2 for s in (sigma_w, sigma_b, sigma_v))

        def dot(a, b):
            products = (arb(float(p)) * arb(float(q)) for p, q in zip(a, b, strict=True))
            return w2 / len(a) * sum(products, start=arb(0)) + b2

        a, c, b = (dot(p, q) for p, q in ((x1, x1), (x1, x2), (x2, x2)))
        thetas = [c, a, b]
        for layer in range(depth):
            scale, bias = (v2, arb(0)) if layer == depth - 1 else (w2, b2)
            values, slopes = [], []
            for g, made in ((f, values), (slope, slopes)):
                made.append(integral(g, places, a, c, b))
                for k in (a, b):
                    made.append(gaussian_mean(lambda u, g=g: g(u) ** 2, places, arb(0), k.sqrt()))
            c, a, b = (scale * v + bias for v in values)
            thetas = [k + scale * s * t for k, s, t in zip((c, a, b), slopes, thetas, strict=True)]
        return [float(v) for v in (c, a, b)], [float(v) for v in thetas]
    finally:
        flint.ctx.prec = before


_RULE = _rule()
