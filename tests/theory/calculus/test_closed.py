"""Piecewise Gaussian integrals: splitting at kinks, and closed forms proved by differentiation."""

import pytest
from sympy import (
    Abs,
    Max,
    Min,
    Piecewise,
    S,
    Symbol,
    exp,
    expand,
    log,
    oo,
    pi,
    powsimp,
    sign,
    simplify,
    sin,
    sqrt,
)

from theory.calculus.closed import _smooth_integral, gaussian_integral, pieces

u, x = Symbol("u", real=True), Symbol("x", real=True)
k, w = Symbol("k", positive=True), Symbol("w", positive=True)
upper, lower = Symbol("upper", real=True), Symbol("lower", real=True)


@pytest.mark.parametrize(
    "integrand", [S.One, u, u**4, exp(x * u), u**2 * exp(-k * u**2 + x * u + 1), u * exp(-u)]
)
def test_antiderivative_is_proved_by_differentiating(integrand):
    """d/d(upper) of the truncated integral is the integrand times the density; it is 0 at once."""
    value = _smooth_integral(integrand, u, lower, upper)
    assert value is not None
    density = exp(-(upper**2) / 2) / sqrt(2 * pi)
    ratio = value.diff(upper) / (integrand.subs(u, upper) * density)
    assert simplify(powsimp(expand(simplify(ratio)))) == 1
    assert expand(value.subs(lower, upper)) == 0 or simplify(value.subs(lower, upper)) == 0


def test_pieces_of_the_symmetric_penalty():
    split = pieces(Max(Abs(x + w * u) - k, 0), u)
    assert split is not None
    assert [s.simplify() for _, _, s in split] == [-k - u * w - x, 0, 0, -k + u * w + x]
    edges = [(a, b) for a, b, _ in split]
    assert (edges[0][0], edges[-1][1]) == (-oo, oo)
    assert simplify(edges[0][1] - (-k - x) / w) == 0
    assert simplify(edges[-1][0] - (k - x) / w) == 0


def test_pieces_of_other_kinks():
    assert pieces(sign(u - 1), u) == [(-oo, 1, -1), (1, oo, 1)]
    assert pieces(Min(u, 2), u) == [(-oo, 2, u), (2, oo, 2)]
    assert pieces(Piecewise((1, u > k), (0, True)), u) == [(-oo, k, 0), (k, oo, 1)]
    assert pieces(exp(u), u) == [(-oo, oo, exp(u))]
    assert pieces(Abs(u), u, 1, 2) == [(1, 2, u)]
    assert pieces(Abs(u**2 - 2), u) == [
        (-oo, -sqrt(2), u**2 - 2),
        (-sqrt(2), sqrt(2), 2 - u**2),
        (sqrt(2), oo, u**2 - 2),
    ]
    assert [(a, b) for a, b, _ in pieces(Abs(Abs(u) - 1), u)] == [
        (-oo, -1),
        (-1, 0),
        (0, 1),
        (1, oo),
    ]
    assert pieces(Max(exp(u), 2), u) == [(-oo, log(2), 2), (log(2), oo, exp(u))]


def test_undecidable_kinks_give_nothing():
    assert pieces(Abs(x * u - 1), u) is None
    assert pieces(Abs(sin(u) - u / 2), u) is None
    assert pieces(Abs(u - x) + Abs(u), u) is None
    assert gaussian_integral(Abs(x * u - 1), u) is None
    assert gaussian_integral(exp(u**2), u) is None  # diverges
