"""The iteration of an equilibrium model towards its equilibrium, z_k = phi(W z_{k-1} + U x + b) from z_0 = 0.

The weights are the same in every step, so that as the width grows the pre-activations of all steps are
jointly normal: their covariances follow from each other, and with them how fast steps get smaller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sympy
from sympy import Eq, Function, Symbol, series

from theory.calculus.law import Law
from theory.calculus.steps import Step
from theory.kernels.recursion import SIGMA_W, layer

__all__ = ["LAWS", "depth_rate", "iterates", "residual", "residual_rate", "residuals"]

Rows = Sequence[Sequence[Any]]
_D, _SLOPE = Function("D"), Symbol("D'")
_K, _S, _R = Symbol("K", positive=True), Symbol("S", positive=True), Symbol("R", nonnegative=True)
_SOURCE = "derived here; rates claimed by Gao, Huo, Liu and Gao, NeurIPS 2023"
_MEANING = {
    SIGMA_W: "standard deviation of W, times the root of the width",
    _SLOPE: "D' at the fixed point: E phi'(u)^2, u ~ N(0, K)",
}


def iterates(dual: Callable[[Rows], Rows], w2: Any, s: Any, count: int) -> Rows:
    """Covariances of the pre-activations of the first steps at one input, in any arithmetic.

    Parameters
    ----------
    dual : callable
        Takes a covariance matrix, and returns that of D of its entries, D(k_ii, k_ij, k_jj).
    w2, s
        sigma_w^2, and sigma_u^2 <x, x>/d + sigma_b^2.
    count : int

    Returns
    -------
    list of list
        Entry k, l is that of steps k + 1 and l + 1.
    """
    rows = [[s] * count for _ in range(count)]
    for size in range(1, count):
        inner = dual([row[:size] for row in rows[:size]])
        for k in range(size):
            rows[k + 1][1 : size + 1] = [layer(value, w2, s) for value in inner[k]]
    return rows


def residuals(values: Rows) -> list[Any]:
    """Mean squares of z_{k+1} - z_k, from the matrix of D of `iterates`."""
    return [
        values[k][k] - 2 * values[k][k + 1] + values[k + 1][k + 1] for k in range(len(values) - 1)
    ]


def residual() -> Law:
    """The residual of a step in terms of D."""
    u, v, name = Symbol("K_k"), Symbol("K_{k+1}"), Symbol("C")
    values = [[_D(u, u, u), _D(u, name, v)], [_D(u, name, v), _D(v, v, v)]]
    first, second = Symbol("z_k"), Symbol("z_{k+1}")
    square = sympy.expand((second - first) ** 2)
    expected = square.subs(
        {first**2: values[0][0], second**2: values[1][1], first * second: values[0][1]}
    )
    statement = Eq(_R, residuals(values)[0])
    assert expected == statement.rhs
    return Law(
        "The residual of the iteration",
        statement,
        {
            _R: "mean square of z_{k+1} - z_k over the units",
            u: "variance of step k's pre-activations",
            v: "of step k + 1's",
            name: "their covariance",
        },
        "As the width grows, at every fixed step.",
        (
            Step("The square", "Its mean over the units tends to its expectation.", square),
            Step(
                "Covariances of the steps",
                "The same W in both: C of steps k and l is sigma_w^2 D of steps k - 1 and l - 1, plus S.",
                Eq(name, layer(_D(Symbol("K_{k-1}"), Symbol("C_{k-1}"), u), SIGMA_W**2, _S)),
            ),
            Step("The residual", "E phi(u) phi(v) is D.", statement),
        ),
        _SOURCE,
    )


def residual_rate() -> Law:
    """The factor by which the residual falls in a step, in the end: chi."""
    c = Symbol("C")
    at_fixed_point = residual().value.subs(
        {Symbol("K_k"): _K, Symbol("K_{k+1}"): _K}, simultaneous=True
    )
    own, mixed = layer(_D(_K, _K, _K), SIGMA_W**2, _S), layer(_D(_K, c, _K), SIGMA_W**2, _S)
    # K - C of the next step in terms of this step's residual
    gap = sympy.simplify((own - mixed) / at_fixed_point) * _R
    following = at_fixed_point.subs(c, _K - gap)
    lead = series(following, _R, 0, 2).removeO().coeff(_R, 1)
    slope = lead.doit().replace(
        lambda e: isinstance(e, sympy.Subs | sympy.Derivative), lambda _e: _SLOPE
    )
    statement = Eq(Symbol("rate"), slope)
    return Law(
        "The rate of the iteration's residual",
        statement,
        {statement.lhs: "R of the next step over R, as R tends to 0", **_MEANING},
        "Wide equilibrium models near their equilibrium; chi < 1 there, and phi Lipschitz.",
        (
            Step(
                "The residual near the end", "Variances are K, C is near K.", Eq(_R, at_fixed_point)
            ),
            Step("Distance of C from K, a step on", "K = sigma_w^2 D(K) + S.", Eq(_K - c, gap)),
            Step("The next residual", "With this C.", following),
            Step("To first order in R", "dD/dC is D'.", statement),
        ),
        _SOURCE,
    )


def depth_rate() -> Law:
    """The factor by which the distance of the variance from its fixed point falls in a step, in the end."""
    step = Symbol("delta")
    d = Function("E")  # E(k) = D(k, k, k)
    image = layer(d(_K + step), SIGMA_W**2, _S) - layer(d(_K), SIGMA_W**2, _S)
    lead = series(image, step, 0, 2).removeO().coeff(step, 1).doit()
    slope = Symbol("E'")
    lead = lead.replace(lambda e: isinstance(e, sympy.Subs | sympy.Derivative), lambda _e: slope)
    statement = Eq(Symbol("rate"), lead)
    return Law(
        "The rate of convergence in depth",
        statement,
        {
            statement.lhs: "K_{l+1} - K over K_l - K, as l grows",
            SIGMA_W: _MEANING[SIGMA_W],
            slope: "d/dk of E phi(u)^2, u ~ N(0, k), at the fixed point K",
        },
        "Wide equilibrium models, of which depth l is the l-th step; the rate is below 1.",
        (
            Step("A step away from K", "K = sigma_w^2 E(K) + S, with E(k) = E phi(u)^2.", image),
            Step("To first order", "The derivative of the map at its fixed point.", statement),
        ),
        _SOURCE,
    )


LAWS: dict[str, Callable[[], Law]] = {
    "residual": residual,
    "residual-rate": residual_rate,
    "depth-rate": depth_rate,
}
"""Laws by name."""
