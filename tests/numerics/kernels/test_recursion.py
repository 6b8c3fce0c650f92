"""The compiled loops are within their stated error of theory's equations, evaluated in fifty digits."""

import warnings
from functools import cache

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from numerics import AccuracyWarning, kernel
from numerics.kernels.inputs import model_scales
from theory import DEQ, MLP
from theory.calculus.price import K1, K2, C
from theory.kernels import recursion
from theory.kernels.recursion import S1, S12, SIGMA_B, SIGMA_U, SIGMA_V, SIGMA_W, THETA

SCALES = (SIGMA_W, SIGMA_U, SIGMA_B, SIGMA_V)
# each compiles its loops: homogeneous ones with angles as state, the others with covariances
NAMES = ("relu", "leaky_relu:0.2", "erf", "sin")
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("abs", "gelu", "cos", "gabor")]


@cache
def programs(kind: type[MLP | DEQ], name: str):
    """Theory's right-hand sides for mpmath, in symbols for all scales."""
    model = kind(name).generic
    found = model.dual
    names = (
        ("layer", "tangent", "nngp", "ntk") if kind is MLP else ("fixed_point", "tangent", "ntk")
    )
    pair = [getattr(model.equations, name).rhs for name in names]
    w2, b2 = SIGMA_W**2, SIGMA_B**2
    # on the diagonal the limit of D' at correlation 1 takes the place of D'
    alone = [recursion.layer(found.diagonal, w2, b2 if kind is MLP else S1)]
    if kind is MLP:
        alone.append(recursion.tangent(alone[0], found.derivative_diagonal, THETA, w2))
    else:
        alone.append(recursion.equilibrium_tangent(K1, found.derivative_diagonal, w2))
    alone += recursion.readout(found.diagonal, found.derivative_diagonal, THETA, SIGMA_V**2)
    return (
        sympy.lambdify((K1, C, K2, THETA, S12, *SCALES), pair, "mpmath"),
        sympy.lambdify((K1, THETA, S1, *SCALES), alone, "mpmath"),
    )


def grams(model: MLP | DEQ, x: np.ndarray) -> tuple[dict, list, list]:
    """Scales of a model in many digits, and the covariances that enter it."""
    scales = {s: mpmath.mpf(model_scales(model).get(str(s), 0.0)) for s in SCALES}
    entering = scales[SIGMA_W if isinstance(model, MLP) else SIGMA_U]
    rows = [[mpmath.mpf(float(v)) for v in row] for row in x]
    dots = [[mpmath.fdot(a, b) / len(a) for b in rows] for a in rows]
    made = [[recursion.layer(g, entering**2, scales[SIGMA_B] ** 2) for g in row] for row in dots]
    return scales, made, [made[i][i] for i in range(2)]


def perceptron(model: MLP, x: np.ndarray):
    """NNGP and NTK of two inputs: a pair, and each of them."""
    pair, alone = programs(MLP, str(model.phi))
    scales, cov, ks = grams(model, x)
    rest = tuple(scales.values())
    c, (a, b) = cov[0][1], ks
    theta, own = c, list(ks)
    for _ in range(model.depth - 1):
        c, theta, _, _ = map(mpmath.re, pair(a, c, b, theta, 0, *rest))
        (a, own[0], *_), (b, own[1], *_) = (
            alone(k, t, 0, *rest) for k, t in zip((a, b), own, strict=True)
        )
    ends = map(mpmath.re, pair(a, c, b, theta, 0, *rest)[2:])
    singles = [alone(k, t, 0, *rest)[2:] for k, t in zip((a, b), own, strict=True)]
    return [*zip(ends, *singles, strict=True)]


def equilibrium(model: DEQ, x: np.ndarray):
    """NNGP, NTK and fixed point of two inputs: a pair, and each of them."""
    pair, alone = programs(DEQ, str(model.phi))
    scales, cov, (s1, s2) = grams(model, x)
    rest = tuple(scales.values())

    def iterate(step, k):
        for _ in range(2000):
            k, before = mpmath.re(step(k)), k
            if abs(k - before) <= mpmath.mpf(10) ** -40 * abs(k):
                return k
        raise AssertionError("no fixed point")

    a, b = (iterate(lambda k, s=s: alone(k, 0, s, *rest)[0], s) for s in (s1, s2))
    s12 = cov[0][1]
    c = iterate(lambda k: pair(a, k, b, 0, s12, *rest)[0], s12)
    theta = mpmath.re(pair(a, c, b, 0, s12, *rest)[1])
    ntk = mpmath.re(pair(a, c, b, theta, s12, *rest)[2])
    d = [
        (k - s) / scales[SIGMA_W] ** 2 * scales[SIGMA_V] ** 2
        for k, s in ((c, s12), (a, s1), (b, s2))
    ]
    tangents = [alone(k, alone(k, 0, s, *rest)[1], s, *rest)[3] for k, s in ((a, s1), (b, s2))]
    return [tuple(d), (ntk, *tangents), (c, a, b)]


inputs = st.lists(
    st.lists(st.floats(-4.0, 4.0).map(lambda v: round(v, 3)), min_size=3, max_size=3),
    min_size=2,
    max_size=2,
).map(np.array)


def within(matrices: list[np.ndarray], truth: list, error: float) -> None:
    for found, (pair, one, two) in zip(matrices, truth, strict=True):
        size = mpmath.sqrt(one * two)
        assert abs(mpmath.mpf(found[0, 1]) - pair) <= error * size
        assert abs(mpmath.mpf(found[0, 0]) - one) <= error * one
        assert abs(mpmath.mpf(found[1, 1]) - two) <= error * two


def not_parallel(x: np.ndarray) -> None:
    """Fifty digits of D at a correlation of 1 would be twenty five."""
    norms = np.linalg.norm(x, axis=1)
    assume(norms.min() > 0.05)
    assume(abs(x[0] @ x[1]) < 0.999 * norms.prod())


@pytest.mark.parametrize("name", [*NAMES, *SLOW])
@settings(max_examples=25, deadline=None)
@given(
    x=inputs,
    depth=st.integers(1, 6),
    sigma_w=st.floats(0.2, 1.8),
    sigma_b=st.sampled_from([0.0, 0.1, 0.7]),
    sigma_v=st.floats(0.5, 2.0),
)
def test_perceptrons(name, x, depth, sigma_w, sigma_b, sigma_v) -> None:
    not_parallel(x)
    model = MLP(name, depth, sigma_w, sigma_b, sigma_v)
    with mpmath.workdps(50), warnings.catch_warnings():
        warnings.simplefilter("ignore", AccuracyWarning)
        found = kernel(model, x)
        within([found.nngp, found.ntk], perceptron(model, x), found.error)


@pytest.mark.parametrize("name", [*NAMES, *SLOW])
@settings(max_examples=25, deadline=None)
@given(
    x=inputs,
    sigma_w=st.floats(0.1, 0.9),
    sigma_u=st.floats(0.3, 2.0),
    sigma_b=st.sampled_from([0.0, 0.1, 0.7]),
    sigma_v=st.floats(0.5, 2.0),
)
def test_equilibria(name, x, sigma_w, sigma_u, sigma_b, sigma_v) -> None:
    not_parallel(x)
    lip = float(DEQ(name).phi.lipschitz or 2)
    model = DEQ(name, sigma_w / lip, sigma_u, sigma_b, sigma_v)
    with mpmath.workdps(50), warnings.catch_warnings():
        warnings.simplefilter("ignore", AccuracyWarning)
        found = kernel(model, x)
        truth = equilibrium(model, x)
        within([found.nngp, found.ntk, found.fixed_point], truth, found.error)
        # the three conditions, too, are theory's
        by_name = {c.name: c for c in model.equations.conditions}
        at = [{SIGMA_W: mpmath.mpf(model_scales(model)["sigma_w"]), K1: k} for k in truth[2][1:]]
        for which, c in by_name.items():
            if which == "equilibrium" and c.value.has(sympy.Symbol("Lip", positive=True)):
                continue  # an upper bound that is found numerically
            worst = max(abs(float(c.value.subs(values))) for values in at)
            assert getattr(found.conditions, which) == pytest.approx(worst, rel=1e-9)
