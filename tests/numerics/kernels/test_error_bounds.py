"""Error bounds of kernels: they hold against integrals and many digits, in order and in chaos."""

import itertools
import math
import sys
import warnings
from pathlib import Path

import flint
import mpmath
import numpy as np
import pytest
from flint import arb

from numerics import DivergenceError, deq_kernel, kernel, mlp_kernel
from numerics.kernels import refine as refining
from numerics.kernels.error_bounds import AccuracyWarning
from numerics.kernels.loops.hermite import curvature
from numerics.kernels.mlp import MLPKernel
from numerics.kernels.series.series import Series
from theory import Dense, Sequential
from theory.kernels.activations import activation

sys.path.insert(0, str(Path(__file__).parent))
from reference import (
    deq_reference,
    gaussian_mean,
    integral,
    integrated_mlp,
    mlp_reference,
    single_reference,
)

PAIR = np.array([[1.2, 0.9, -0.4], [0.3, 1.1, 0.5]])


def step(x: arb) -> arb:
    return arb(1) if bool(x > 0) else arb(0)


def clip(x: arb) -> arb:
    return max(arb(-1), min(arb(1), x))


def inside(x: arb) -> arb:
    return step(1 - abs(x))


CASES = {
    # text: phi, its slope, and its kinks, written by hand
    "tanh": (lambda x: x.tanh(), lambda x: 1 - x.tanh() ** 2, []),
    "min(1, max(-1, x))": (clip, inside, [-1, 1]),
    "(abs(x + 1) - abs(x - 1))/2": (clip, inside, [-1, 1]),
    "x*max(0, 1 - x)": (
        lambda x: x * max(arb(0), 1 - x),
        lambda x: step(1 - x) * (1 - 2 * x),
        [1],
    ),
    "max(x, 0) + min(0, exp(x) - 1)": (  # elu
        lambda x: x if bool(x > 0) else x.expm1(),
        lambda x: arb(1) if bool(x > 0) else x.exp(),
        [0],
    ),
    "abs(x - 1)": (lambda x: abs(x - 1), lambda x: 2 * step(x - 1) - 1, [1]),
    "sign(x)*erf(x)": (
        lambda x: abs(x.erf()),
        lambda x: (2 * step(x) - 1) * 2 / arb.pi().sqrt() * (-x * x).exp(),
        [0],
    ),
    "max(erf(x), 1/2)": (  # a kink at the inverse of erf
        lambda x: max(x.erf(), arb(0.5)),
        lambda x: 2 / arb.pi().sqrt() * (-x * x).exp() * step(x.erf() - arb(0.5)),
        ["0.476936276204469873381418353643130559808969749"],
    ),
    "abs(x^3 - x - 1)": (  # and at a root
        lambda x: abs(x**3 - x - 1),
        lambda x: (3 * x * x - 1) * (2 * step(x**3 - x - 1) - 1),
        ["1.32471795724474602596090885447809734073440405"],
    ),
    "x/(1 + abs(x))": (lambda x: x / (1 + abs(x)), lambda x: 1 / (1 + abs(x)) ** 2, [0]),
}
SOME = ("tanh", "min(1, max(-1, x))", "x*max(0, 1 - x)", "max(erf(x), 1/2)")


def relative(found: np.ndarray, pair: float, one: float, two: float) -> float:
    """The largest error of a 2 x 2 matrix relative to sqrt(k_ii k_jj)."""
    true = np.array([[one, pair], [pair, two]])
    return float((np.abs(found - true) / np.sqrt(np.outer(*[np.diag(true)] * 2))).max())


@pytest.mark.long
@pytest.mark.parametrize(
    "name",
    [name if name in SOME else pytest.param(name, marks=pytest.mark.slow) for name in CASES],
)
@pytest.mark.parametrize("depth", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_duals_are_the_integrals_of_the_activation(name: str, depth: int) -> None:
    kernel = mlp_kernel(PAIR, None, name, depth, 1.3, 0.2, 0.8)
    nngp, ntk = integrated_mlp(*PAIR, *CASES[name], depth, 1.3, 0.2, 0.8)
    assert kernel.error < 1e-12
    assert relative(kernel.nngp, *nngp) <= kernel.error
    assert relative(kernel.ntk, *ntk) <= kernel.error


@pytest.mark.parametrize("name", ["max(erf(x), 1/2)", "abs(x^3 - x - 1)"])
def test_opposite_inputs_see_kinks_whose_places_are_no_simple_numbers(name: str) -> None:
    """At correlation -1, where a quadrature takes the place of the series: one integral."""
    f, slope, places = CASES[name]
    x = np.array([[0.8, -0.3], [-0.8, 0.3]])
    kernel = mlp_kernel(x, None, name, 1, 2.5, 0.0, 1.4)
    before, flint.ctx.prec = flint.ctx.prec, 100
    try:
        k = arb(2.5) ** 2 / 2 * sum(arb(float(v)) ** 2 for v in x[0])
        both = [s * arb(p) for p in places for s in (1, -1)]
        pairs = [(a, s) for a in (f, slope) for s in (1, -1)]
        value, one, turned, rate = (
            gaussian_mean(lambda u, a=a, s=s: a(u) * a(-s * u), both, arb(0), k.sqrt())
            for a, s in pairs
        )
        v2 = arb(1.4) ** 2
        true = [float(v) for v in (v2 * value, v2 * (value - k * turned))]
        size = [float(v) for v in (v2 * one, v2 * (one + k * rate))]
    finally:
        flint.ctx.prec = before
    assert kernel.error < 1e-11
    for found, right, edge in zip((kernel.nngp, kernel.ntk), true, size, strict=True):
        assert abs(found[0, 1] - right) <= kernel.error * edge
        assert abs(found[0, 0] - edge) <= kernel.error * edge


@pytest.mark.parametrize("name", ["sign(x - 1)", pytest.param("sign(x)+x", marks=pytest.mark.slow)])
def test_jumps_are_where_they_are(name: str) -> None:
    """NNGP from the integral; the tangent's slope from its derivative in k12."""
    place = 1 if "1" in name else 0
    f = (lambda x: 2 * step(x - 1) - 1) if place else (lambda x: 2 * step(x) - 1 + x)
    kernel = mlp_kernel(PAIR, None, name, 1, 1.0, 0.2, 1.0)
    before, flint.ctx.prec = flint.ctx.prec, 100
    try:
        k = [[arb(float(p @ q)) / 3 + arb(0.2) ** 2 for q in PAIR] for p in PAIR]
        h = arb(1e-5)
        low, true, high = (
            float(integral(f, [place], k[0][0], k[0][1] + s * h, k[1][1])) for s in (-1, 0, 1)
        )
    finally:
        flint.ctx.prec = before
    size = math.sqrt(kernel.nngp[0, 0] * kernel.nngp[1, 1])
    assert abs(kernel.nngp[0, 1] - true) <= kernel.error * size
    slope = (kernel.ntk[0, 1] - kernel.nngp[0, 1]) / float(k[0][1])
    assert slope == pytest.approx((high - low) / 2e-5, rel=1e-6)
    assert np.isinf(np.diag(kernel.ntk)).all()


def test_opposite_inputs_never_pass_a_jump_at_once() -> None:
    """Never u > 1 and -u > 1: the slope between x and -x is 0, that of x and x infinite."""
    with pytest.warns(AccuracyWarning):
        kernel = mlp_kernel([[0.4], [-0.4]], None, "sign(x - 1)", 1, 1.0, 0.0, 1.0)
    assert kernel.ntk[0, 1] == kernel.nngp[0, 1]
    true = 1.0 - 2.0 * math.erfc(2.5 / math.sqrt(2.0))
    assert kernel.nngp[0, 1] == pytest.approx(true, rel=1e-13)
    assert np.isinf(np.diag(kernel.ntk)).all()


@pytest.mark.long
def test_tangent_kernels_that_double_precision_cannot_see_have_no_bound() -> None:
    """sign(x - 1) of units that hardly ever pass 1: layer 2 has 1 - rho = 1e-30 and the slope 1e15."""
    x, w2 = np.array([[0.03, 0.06], [0.045, -0.009]]), 2.5**2
    with pytest.warns(AccuracyWarning):
        kernel = mlp_kernel(x, None, "sign(x - 1)", 2, 2.5, 0.0, 1.0)
    # at least: 1 - D <= 2 (P(u > 1) + P(v > 1)), and the slope is a density at (1, 1) times 2^2
    k1 = w2 / 2 * (x * x).sum(axis=1)
    gap = sum(math.erfc(1 / math.sqrt(2 * k)) for k in k1)
    least = 4 * math.exp(-1 / w2) / (2 * math.pi * math.sqrt(2 * gap))
    assert kernel.ntk[0, 1] * (1.0 + kernel.error) >= least


@pytest.mark.parametrize("name", ["sign", "rectified_monomial:0"])
def test_slopes_of_zero_carry_no_errors(name: str) -> None:
    """Of a step almost everywhere: the tangent kernel is the NNGP, at any depth."""
    x = np.random.default_rng(0).standard_normal((3, 3))
    for diag in (True, False):
        kernel = mlp_kernel(x, None, name, 100, 2.7, 0.0, tangent="almost_everywhere", diag=diag)
        assert kernel.error < 1e-12
        assert np.allclose(kernel.ntk, kernel.nngp, rtol=1e-13)


@pytest.mark.parametrize("diag", [True, False])
def test_variances_that_double_precision_loses_are_reported(diag: bool) -> None:
    """The variance is squared in every layer, beside the unstable fixed point 1: so errors double."""
    x, depth = np.array([[3.0, 3.0], [0.0, 18.0**0.5]]) / 3.0**0.5, 40
    scale = 3.0**-0.5
    with pytest.warns(AccuracyWarning, match="single inputs"):
        kernel = mlp_kernel(x, None, "monomial:2", depth, scale, 0.0, 1.0, diag=diag)
    with mpmath.workdps(60):
        w2, k = mpmath.mpf(scale) ** 2, mpmath.mpf(x[0, 0]) ** 2
        k *= w2
        for layer in range(depth):
            k = 3 * k * k * (w2 if layer < depth - 1 else 1)
    found = float(kernel.nngp.flat[0])
    assert 1e-10 < kernel.error < 0.1
    assert abs(found - k) <= kernel.error * k


def test_both_tangent_kernels_of_a_jump() -> None:
    x = np.array([[1.0, 2.0], [2.0, -1.0], [-1.0, -2.0]])
    limit = mlp_kernel(x, None, "sign", 2, 1.0, 0.0, 1.0)
    assert np.isinf(limit.ntk[0, 0])
    assert limit.ntk[0, 2] == -math.inf
    flat = mlp_kernel(x, None, "sign", 2, 1.0, 0.0, 1.0, tangent="almost_everywhere")
    assert np.abs(flat.nngp - limit.nngp).max() <= flat.error + limit.error
    assert np.abs(flat.ntk - flat.nngp).max() <= 2 * flat.error  # the slope is 0 almost everywhere
    with pytest.raises(ValueError, match="tangent must be 'limit' or 'almost_everywhere'"):
        mlp_kernel(x, None, "sign", tangent="other")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "sigma_w", "depth"),
    [
        ("erf", 2.0, 100),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (("sin", 2.5, 60), ("gabor", 3.0, 40), ("x/2+sin(x)", 1.6, 40))
        ),
    ],
)
def test_chaotic_diagonals_are_those_of_single_inputs(
    name: str, sigma_w: float, depth: int
) -> None:
    x = np.random.default_rng(0).standard_normal((200, 784))
    x[7], x[9] = x[3], -x[3]
    kernel = mlp_kernel(x, None, name, depth, sigma_w, 0.1, 0.9)
    assert kernel.error < 1e-10
    for i in (0, 3, 150):
        nngp, ntk = single_reference(x[i], name, depth, sigma_w, 0.1, 0.9)
        assert abs(kernel.nngp[i, i] - nngp) <= kernel.error * nngp
        assert abs(kernel.ntk[i, i] - ntk) <= kernel.error * ntk
    assert kernel.nngp[3, 7] == kernel.nngp[3, 3]
    alone = mlp_kernel(x, None, name, depth, sigma_w, 0.1, 0.9, diag=True)
    assert (alone.nngp == np.diag(kernel.nngp)).all()
    assert (alone.ntk == np.diag(kernel.ntk)).all()


CLOSE = [
    # activation, depth, sigma_w, sigma_b, sense and distance of the second row
    ("erf", 50, 2.0, 0.0, 1, 1e-8),
    ("erf", 50, 2.0, 0.0, -1, 1e-8),
    ("relu", 30, 1.6, 0.1, 1, 1e-9),
    ("relu", 1, 1.0, 0.0, -1, 1e-8),
]
CLOSE_SLOW = [
    ("sin", 50, 2.0, 0.1, 1, 1e-8),
    ("sin", 50, 2.0, 0.0, -1, 1e-6),
    ("gabor", 30, 3.0, 0.0, -1, 1e-8),
    ("gabor", 30, 3.0, 0.1, 1, 1e-10),
    ("abs", 1, 1.0, 0.0, -1, 1e-8),
    ("abs", 30, 1.0, 0.0, -1, 1e-10),
    ("gelu", 20, 2.0, 0.1, 1, 1e-9),
]


@pytest.mark.parametrize(
    ("name", "depth", "sigma_w", "sigma_b", "sense", "gap"),
    [*CLOSE, *(pytest.param(*case, marks=pytest.mark.slow) for case in CLOSE_SLOW)],
)
def test_nearly_collinear_inputs_are_resolved_or_reported(
    name: str, depth: int, sigma_w: float, sigma_b: float, sense: int, gap: float
) -> None:
    x = np.array([[1.0, 2.0, -0.5], [0.0, 0.0, 0.0]])
    x[1] = sense * (x[0] + gap * np.array([0.3, -1.0, 0.8]))
    reference = mlp_reference(x, x, name, depth, sigma_w, sigma_b, 1.0)
    for refine in (True, False):
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always")
            kernel = mlp_kernel(x, None, name, depth, sigma_w, sigma_b, 1.0, refine=refine)
        assert all(note.category is AccuracyWarning for note in notes)
        assert (kernel.error > 1e-10) == bool(notes)
        if refine:
            assert kernel.error < 1e-12
        for found, true in zip((kernel.nngp, kernel.ntk), reference, strict=True):
            assert (
                relative(found, *map(float, (true[0, 1], true[0, 0], true[1, 1]))) <= kernel.error
            )


@pytest.mark.parametrize("seed", range(3))
def test_equilibria_of_waves_exist_where_they_contract(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.vstack([[[1.0], [-1.0]], rng.standard_normal((3, 1)) * 10.0 ** rng.uniform(-2, 2)])
    sigma_w, sigma_b = rng.uniform(0.05, 0.95), rng.choice([0.0, 0.5])
    kernel = deq_kernel(x, None, "cos", sigma_w, 1.0, sigma_b, 1.0)
    reference = deq_reference(x, x, "cos", sigma_w, 1.0, sigma_b, 1.0)
    assert kernel.error < 1e-12
    for found, true in zip((kernel.nngp, kernel.ntk, kernel.fixed_point), reference, strict=True):
        true = true.astype(float)
        off = np.abs(found - true) / np.sqrt(np.outer(*[np.diag(true)] * 2))
        assert off.max() <= kernel.error


NOT_THERE = [
    ("1/x", "infinite at every variance: phi = 1/x is too large at x = 0"),
    ("1/(x - 1)", "too large at x = 1"),
    ("1/sqrt(abs(x))", "too large at x = 0"),
    ("exp(x^4)", "too large at infinity"),
    ("exp(exp(x))", "too large at infinity"),
    ("exp:6", "outside the range of doubles"),
    ("exp(x^2/3)", "exists for variances below 0.75 only"),
]


@pytest.mark.parametrize(("name", "says"), NOT_THERE)
def test_what_does_not_exist_is_refused(name: str, says: str) -> None:
    with pytest.raises(DivergenceError, match=says) as caught:
        mlp_kernel(10 * PAIR, None, name, 1)
    assert "\n" not in str(caught.value)


@pytest.mark.long
def test_tangent_kernels_that_are_infinite_on_the_diagonal_say_so() -> None:
    kernel = mlp_kernel(PAIR, None, "sqrt(abs(x))", 2)
    assert kernel.error < 1e-10
    assert np.isinf(np.diag(kernel.ntk)).all()
    assert np.isfinite(kernel.ntk[0, 1])
    assert np.isfinite(kernel.nngp).all()


@pytest.mark.parametrize("name", ["tanh", "erf"])
def test_inputs_below_the_range_of_doubles_are_refused(name: str) -> None:
    for made in (deq_kernel, mlp_kernel):
        with pytest.raises(DivergenceError, match="below the range of doubles; scale the"):
            made(1e-90 * PAIR, None, name, sigma_b=0.0)


def test_zero_inputs_have_one_zero() -> None:
    kernel = mlp_kernel([[1.0, 2.0], [0.0, 0.0]], None, "erf", 2, 1.0, 0.0, 1.0)
    for matrix in (kernel.nngp, kernel.ntk):
        assert (matrix[1] == 0.0).all()
        assert not np.signbit(matrix[1]).any()


@pytest.mark.parametrize(
    ("name", "even", "odd"), [("rectified_monomial:0", 0.5, 0.5), ("sign", 0.0, 1.0)]
)
def test_steps_of_a_zero_input_are_their_value_at_zero(name: str, even: float, odd: float) -> None:
    """D(0, v) = phi(0) E phi, and asin(rho) where neither is 0."""
    x = np.array([[1.0, 2.0], [0.0, 0.0], [0.3, -1.0]])
    true = x @ x.T / 2.0
    for depth in (1, 2, 3):
        size = np.sqrt(np.outer(np.diag(true), np.diag(true)))
        rho = np.divide(true, size, out=np.zeros_like(true), where=size > 0.0)
        np.fill_diagonal(rho, np.diag(true) > 0.0)
        true = even**2 + odd**2 * 2.0 / np.pi * np.arcsin(rho)
        layers = (*[Dense(1, None), name] * depth, Dense(1, None))
        kernels = (
            mlp_kernel(x, None, name, depth, 1.0, 0.0, 1.0),
            kernel(Sequential((*layers, "identity", Dense(1, None))), x),
        )
        for found in kernels:
            assert np.abs(found.nngp - true).max() < 1e-15
        alone = mlp_kernel(x, None, name, depth, 1.0, 0.0, 1.0, diag=True)
        assert np.abs(alone.nngp - np.diag(true)).max() < 1e-15
        assert (alone.ntk == np.diag(kernels[0].ntk)).all()


@pytest.mark.parametrize(
    ("name", "depth", "size"),
    [("relu", 900, 1.0), ("monomial:5", 1, 1e-65), ("rectified_monomial:3", 12, 1.0)],
)
@pytest.mark.parametrize("diag", [True, False])
def test_variances_below_the_range_of_doubles_are_no_zeros(
    name: str, depth: int, size: float, diag: bool
) -> None:
    with pytest.raises(
        DivergenceError, match="below the range of doubles; scale the inputs or sigma_w"
    ):
        mlp_kernel(size * PAIR, None, name, depth, 0.3, 0.0, 1.0, diag=diag)


@pytest.mark.parametrize("name", ["sign(x-1)", "sign(x-0.01)"])
def test_means_of_constants_are_known_to_what_is_stated(name: str) -> None:
    """Interpolated in the variance: phi^2 is 1."""
    own = Series(activation(name))
    for k in np.linspace(1.0, 4.0, 435).reshape(-1, 87):
        assert np.abs(own.second_moments(k)[0] - 1.0).max() <= own.tables(k).own[0]


def test_what_is_not_computed_again_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    x = 1e6 * np.random.default_rng(3).standard_normal((8, 5))
    x[6] = x[0] + 1e-3 * x[1] / 1e6
    exact = mlp_kernel(x, None, "gelu", 3, 1.0, 0.3, 1.0)
    monkeypatch.setattr(refining, "WORK", 0)
    x = np.vstack([x, x + 1e-3])
    with pytest.warns(AccuracyWarning):
        kernel = mlp_kernel(x, None, "gelu", 3, 1.0, 0.3, 1.0)
    off = np.abs(kernel.ntk[:8, :8] / exact.ntk - 1.0).max()
    assert off <= kernel.error
    assert kernel.error > 1e-10


def test_the_bound_is_not_silly() -> None:
    """Within some hundred units in the last place for ordinary inputs, at any depth of the ordered phase."""
    x = np.random.default_rng(1).standard_normal((20, 10))
    for name, sigma_w in (("relu", 1.2), ("erf", 0.8), ("tanh", 0.9)):
        for depth in (1, 30):
            assert mlp_kernel(x, None, name, depth, sigma_w, 0.3).error < 1e-13 * (1 + depth / 10)
    assert deq_kernel(x, None, "erf", 0.4).error < 1e-13


@pytest.mark.slow
def test_random_activations_have_true_values_or_one_line() -> None:
    """Thousands of strings: no traceback, no NaN, symmetry, and Cauchy and Schwarz."""
    rng = np.random.default_rng(7)
    refused = 0
    for _ in range(2000):
        text = random_activation(rng)
        x = rng.standard_normal((3, 2)) * 10.0 ** rng.uniform(-1, 1)
        x[2] = x[0] * (1 + 1e-9 * rng.standard_normal())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AccuracyWarning)
            kernel, message = one_line(x, text, int(rng.choice([1, 2, 5])))
        if kernel is None:
            refused += 1
            assert "\n" not in message
            continue
        assert np.isfinite(kernel.nngp).all(), text
        assert not np.isnan(kernel.ntk).any(), text
        assert (kernel.nngp == kernel.nngp.T).all(), text
        edge = np.sqrt(np.outer(*[np.diag(kernel.nngp)] * 2))
        assert (np.abs(kernel.nngp) <= edge * (1 + 2 * kernel.error)).all(), text
    assert refused < 800


def one_line(x: np.ndarray, text: str, depth: int) -> tuple[MLPKernel | None, str]:
    """The kernel, or why there is none; anything but a ValueError is a failure."""
    try:
        return mlp_kernel(x, None, text, depth, 1.1, 0.1), ""
    except ValueError as error:
        return None, str(error)


def random_activation(rng: np.random.Generator) -> str:
    """A sum, product, maximum or composition of simple functions with shifts and scales."""
    places = ["x", "x", "x-1", "2*x", "1-x", "x+0.5", "x/3", "-x"]
    names = ["sin", "cos", "tanh", "erf", "abs", "sign", "sigmoid", "atan", "exp"]

    def atom() -> str:
        place = str(rng.choice(places))
        forms = [
            *(f"{rng.choice(names)}({place})" for _ in range(3)),
            f"max({place}, {rng.choice(['0', '1', '-0.5', 'x'])})",
            f"max(-1, min(1, {place}))",
            f"exp(-({place})^2)",
            *("x^2", "1/(1+x^2)", "x/(1+abs(x))", "log(1+exp(x))", "sqrt(abs(x))", "abs(x)^3"),
        ]
        return str(rng.choice(forms))

    text = atom()
    for _ in range(int(rng.integers(3))):
        other = atom()
        text = str(
            rng.choice([f"{text}+{other}", f"({text})*({other})", f"{rng.choice(names)}({text})"])
        )
    return text


@pytest.mark.filterwarnings("ignore::numerics.kernels.error_bounds.AccuracyWarning")
@pytest.mark.parametrize("apart", [1e-2, 1e-3, 1e-4])
def test_layers_that_expand_make_no_error_smaller(apart):
    """Where phi jumps D' is not the slope almost everywhere: it is large between nearly parallel inputs."""
    x = np.array([[1.0, 0.5, 0.3], [1.0, 0.5 + apart, 0.3 - apart]])
    made = [
        mlp_kernel(x, None, "sign(x-1)", depth, 1.5, 0.3, 1.0, tangent="almost_everywhere")
        for depth in (1, 2, 3)
    ]
    for before, after in itertools.pairwise(made):
        falls = [
            1.0 - k.nngp[0, 1] / math.sqrt(k.nngp[0, 0] * k.nngp[1, 1]) for k in (before, after)
        ]
        assert falls[1] > falls[0]
        assert after.error > before.error


def test_parallel_inputs_next_to_a_jump_are_computed_again_with_what_d_moves():
    """The slope almost everywhere of sign is 0, and says nothing about D."""
    x = np.array([[-0.025441994325532395], [-0.06360498581383099], [0.006010336458811396]])
    made = mlp_kernel(x, None, "sign", 5, math.sqrt(2.0), 0.0, 1.0, tangent="almost_everywhere")
    sense = np.sign(x[:, 0])
    assert np.abs(made.nngp - np.outer(sense, sense)).max() <= made.error < 1e-14
    assert np.abs(made.ntk - np.outer(sense, sense)).max() <= made.error


def test_a_narrow_bump_breaks_a_symmetry():
    """Orders are not left out that only even functions lack: four orthants at correlation 0.9, by mpmath."""
    x = np.array([[1.0, 0.0], [0.9, math.sqrt(1.0 - 0.81)]])
    made = mlp_kernel(x, None, "sign(x-1)-sign(x-1.001)", 1, math.sqrt(2.0), 0.0, 1.0)
    off = abs(made.nngp[0, 1] - 8.6237958259175514e-7)
    assert off <= made.error * made.nngp[0, 0] + 1e-15 < 1e-12


def test_waves_and_exponentials_together_have_kernels():
    x = np.array([[0.3, -0.2], [0.1, 0.4]])
    made = mlp_kernel(x, None, "exp(-x)-sin(x)", 1, 1.0, 0.0, 1.0, diag=True)
    k = (x * x).sum(axis=1) / 2.0
    second = np.exp(2.0 * k) + 2.0 * np.sin(k) + (1.0 - np.exp(-2.0 * k)) / 2.0
    assert np.abs(made.nngp / second - 1.0).max() <= made.error + 1e-15


def test_the_curvature_of_powers_is_bounded_tightly() -> None:
    """The largest n (n - 1) rho^(n-2) (1 - rho)^2 is near n = 2/(1 - rho), and tends to 4/e^2."""
    for gap in np.geomspace(1e-6, 1.0, 200):
        largest = math.ceil(4.0 / gap)
        n = np.unique(np.append(np.geomspace(2, largest + 2, 4000).astype(int), [2, 3, 4, 5]))
        true = (n * (n - 1.0) * (1.0 - gap) ** (n - 2.0) * gap**2).max()
        assert true <= curvature(gap)
    assert curvature(0.0) < 4.0 / math.e**2 * 1.02


def test_steps_on_a_large_constant_have_bounds_without_warnings() -> None:
    x = np.array([[1.9, 0.3], [-0.4, 1.1]])
    made = mlp_kernel(x, None, "sign(x+1)+(1e3)^4", 1, 1.1, 0.1, 1.0, tangent="almost_everywhere")
    assert made.error < 1e-13
    assert made.nngp == pytest.approx(1e24, rel=1e-11)
