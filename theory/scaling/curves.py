"""Learning curves of kernel ridge regression, and their exponents.

The kernel has eigenvalues lambda and the target squared coefficients c2. Training points are n different ones
of a population of N whose eigenvectors are in general position (Haar); N = oo is a population of independent
features.
"""

from __future__ import annotations

from functools import cache

import sympy
from sympy import Eq, Expr, Min, Symbol, oo, symbols

from theory.calculus.law import Law
from theory.calculus.steps import Step

__all__ = [
    "curve_amplitude",
    "curve_exponent",
    "distinct_points",
    "learning_curve",
    "mode",
    "self_consistency",
]

CURVE_SOURCE = (
    "N infinite: Sollich, NeurIPS 1998; Canatar, Bordelon and Pehlevan, Nat. Commun. 2021; "
    "N finite: derived here"
)

_LAM, _KAP = symbols("lambda kappa", positive=True)
_N, _POP, _S1, _S2, _BIAS = symbols("n N S1 S2 B", positive=True)
_U = Symbol("u", nonnegative=True)
_DELTA, _NOISE = symbols("delta sigma2", nonnegative=True)
_SUMS = {
    _N: "different training points",
    _U: "one over the points of the population, 0 for independent features",
    _KAP: "effective ridge",
    _S1: "sum of lambda/(lambda + kappa)",
}


@cache
def mode() -> Law:
    """Share of an eigenfunction that is learned, lambda/(lambda + kappa): the cavity of one mode."""
    s = Symbol("s", positive=True)
    whole = sympy.simplify(_LAM * (s - _LAM * s**2 / (1 + _LAM * s)))
    value = sympy.simplify(whole.subs(s, 1 / _KAP))
    return Law(
        "Share of a mode that is learned",
        Eq(Symbol("T"), value),
        {Symbol("T"): "learned share", _LAM: "eigenvalue", _KAP: "effective ridge"},
        "many modes are learned together, so that 1/kappa is the same for all",
        (
            Step(
                "One mode apart",
                "K = K' + lambda phi phi^T and s = phi^T (K' + delta)^-1 phi; Sherman and Morrison.",
                Eq(Symbol("T"), whole),
            ),
            Step("s = 1/kappa", "s concentrates, as phi knows nothing of K'.", value),
        ),
        CURVE_SOURCE,
    )


def _ridge() -> tuple[Expr, tuple[Step, ...]]:
    """Delta as a function of kappa and S1."""
    omega, share, tau = symbols("omega p tau", positive=True)
    (own,) = sympy.solve(Eq(share / (1 + omega), tau), omega)
    ridge = sympy.simplify(
        (_POP * _KAP * own * tau / (1 - tau)).subs({share: _N / _POP, tau: _S1 / _POP})
    )
    infinite = sympy.limit(ridge, _POP, oo)
    return ridge, (
        Step(
            "The sample as a projection",
            "Of N points n are kept, a share p = n/N; the share of modes tau = S1/N that is learned fixes "
            "its omega by E w/(w + omega) = tau, with w = 1 for the kept points and 0 for the others.",
            Eq(omega, own),
        ),
        Step(
            "Free multiplication",
            "S-transforms of kernel and projection multiply: delta = N kappa omega tau/(1 - tau).",
            Eq(_DELTA, ridge),
        ),
        Step("Many points", "As N grows: n = S1 + delta/kappa.", Eq(_DELTA, infinite)),
    )  # fmt: skip


@cache
def self_consistency() -> Law:
    """Sum rule n = S1 + (delta/kappa)(1 - u S1), of which kappa is the only root; u = 1/N."""
    ridge, steps = _ridge()
    (points,) = sympy.solve(Eq(_DELTA, ridge), _N)
    points = _S1 + sympy.factor((points - _S1).subs(_POP, 1 / _U))
    return Law(
        "The effective ridge",
        Eq(_N, points),
        {_DELTA: "ridge", **_SUMS},
        "eigenvectors in general position (Haar); n < 1/u, or a ridge",
        (*mode().steps, *steps),
        CURVE_SOURCE,
    )


@cache
def learning_curve() -> Law:
    """Mean squared error over the population."""
    ridge, steps = _ridge()
    lam, other = symbols("lambda_j lambda_i", positive=True)
    share = _LAM / (_LAM + _KAP)
    # dS1/dkappa = -(S1 - S2)/kappa, mode by mode
    fall = sympy.simplify(-_KAP * sympy.diff(share, _KAP) - (share - share**2))
    assert fall == 0
    d_kappa, d_sum = sympy.diff(ridge, _KAP), sympy.diff(ridge, _S1)
    total = d_kappa - d_sum * (_S1 - _S2) / _KAP
    by_eigenvalue = -d_sum * sympy.diff(lam / (lam + _KAP), lam) / total
    spread = -sympy.diff(other / (other + _KAP), _KAP) * other * by_eigenvalue
    ratio = spread / ((_KAP / (lam + _KAP)) * (other / (other + _KAP))) ** 2
    # written so that nothing cancels where nearly all is learned, and finite at u = 0
    left = (_N - _S1) * (1 - _U * _S1)
    below = left + (1 - _U * _N) * (_S1 - _S2)
    factor = (left + (1 - _U * _N) * _S1) / below
    noise = _S2 * (1 - _U * _S1) ** 2 / below
    for derived, written in ((1 + _S2 * ratio, factor), (_S2 / total, noise)):
        assert sympy.simplify(derived - written.subs(_U, 1 / _POP)) == 0
    many = sympy.simplify(factor.subs(_U, 0))
    error = factor * _BIAS + noise * _NOISE
    return Law(
        "The learning curve of kernel regression",
        Eq(Symbol("MSE"), error),
        {
            Symbol("MSE"): "mean squared error over the population",
            **_SUMS,
            _S2: "sum of (lambda/(lambda + kappa))^2",
            _BIAS: "sum of c2 (kappa/(lambda + kappa))^2",
            _NOISE: "variance of the labels' noise",
        },
        "as the effective ridge; the larger n, the better",
        (
            *steps,
            Step(
                "Squares from derivatives",
                "T_ij = lambda_i phi_i^T (K + delta)^-1 phi_j, so dT_ii/dlambda_j = -T_ij^2/lambda_i.",
                Eq(Symbol("T_ij^2"), spread),
            ),
            Step(
                "A mode's error",
                "(1 - T_jj)^2 on average, and what leaks into all modes.",
                factor * (_KAP / (lam + _KAP)) ** 2,
            ),
            Step("With many points", "1/(1 - gamma), gamma = S2/n; without ridge at any u.", many),
            Step("Noise", "Likewise by d/ddelta: sigma2 S2 dkappa/ddelta.", noise),
        ),
        CURVE_SOURCE,
    )  # fmt: skip


@cache
def distinct_points() -> Law:
    """Different points among n draws with replacement from N."""
    draws, index, whole = (
        Symbol("k", positive=True),
        Symbol("i"),
        Symbol("N", integer=True, positive=True),
    )
    missed = (1 - 1 / whole) ** draws
    value = sympy.summation(1 - missed, (index, 1, whole)).subs(whole, _POP)
    missed = missed.subs(whole, _POP)
    return Law(
        "Different points among draws with replacement",
        Eq(_N, value),
        {_N: "different points on average", draws: "draws", _POP: "points of the population"},
        "draws are independent and uniform",
        (Step("A point is missed", "By every draw.", missed), Step("All points", "", value)),
        "derived here",
    )


_ALPHA, _G = symbols("alpha g", positive=True)


def _power_laws() -> tuple[Expr, Expr, tuple[Step, ...]]:
    y = Symbol("y", positive=True)
    integrals = [
        sympy.simplify(sympy.gammasimp(sympy.integrate(f, (y, 0, oo), conds="none")))
        for f in (
            1 / (1 + y**_ALPHA),
            1 / (1 + y**_ALPHA) ** 2,
            _G * y ** (2 * _ALPHA - 1 - _G) / (1 + y**_ALPHA) ** 2,
        )
    ]
    factor = sympy.simplify(1 / (1 - integrals[1] / integrals[0]))
    return integrals[0], sympy.simplify(factor * integrals[2]), (
        Step(
            "The effective ridge",
            "Without ridge n = S1; with y = i kappa^(1/alpha) the sum is n = y_0 kappa^(-1/alpha).",
            Eq(Symbol("y_0"), integrals[0]),
        ),
        Step("The factor 1/(1 - gamma)", "gamma = S2/S1 does not depend on n.", factor),
        Step(
            "The bias",
            "c2_i = g i^(-1-g): kappa^(g/alpha) times an integral that exists at 0 for g < 2 alpha. For "
            "larger g the first modes decide, and their bias is kappa^2 c2/lambda^2.",
            integrals[2],
        ),
    )  # fmt: skip


@cache
def curve_exponent() -> Law:
    """MSE ~ n^-min(g, 2 alpha)."""
    _, _, steps = _power_laws()
    saturated = sympy.series((_KAP / (_LAM + _KAP)) ** 2, _KAP, 0, 3).removeO()
    return Law(
        "Exponent of the learning curve",
        Eq(Symbol("e"), Min(_G, 2 * _ALPHA)),
        {
            Symbol("e"): "MSE falls as n^-e",
            _ALPHA: "eigenvalues fall as i^-alpha, alpha > 1",
            _G: "the target's tail beyond mode n falls as n^-g",
        },
        "no ridge, no noise, many modes; at g = 2 alpha times log n",
        (*steps, Step("A mode with lambda >> kappa", "Its bias; kappa ~ n^-alpha.", saturated)),
        "Bordelon, Canatar and Pehlevan, ICML 2020; Cui et al., NeurIPS 2021",
    )


@cache
def curve_amplitude() -> Law:
    """MSE n^g where the target's tail beyond mode n is n^-g, g < 2 alpha."""
    ridge, bias, steps = _power_laws()
    return Law(
        "Amplitude of the learning curve",
        Eq(Symbol("MSE/tail"), sympy.simplify(bias * ridge**_G)),
        {
            Symbol("MSE/tail"): "MSE over the target's tail beyond mode n",
            _ALPHA: "eigenvalues fall as i^-alpha, alpha > 1",
            _G: "the tail falls as n^-g, g < 2 alpha",
        },
        "no ridge, no noise, many modes",
        steps,
        "derived here",
    )
