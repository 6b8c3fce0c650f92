"""Kernels of wide perceptrons: fifty digits, degenerate inputs, invariances, refusals."""

import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from numerics import DivergenceError, KernelMemoryError, MLPKernel, deq_kernel, mlp_kernel
from numerics.kernels.balls import Maps, Precision, first_layer, path, through
from numerics.kernels.loops.primitives import angle, exact_dot
from theory import dual

sys.path.insert(0, str(Path(__file__).parent))
from reference import mlp_reference, relative_error

# compiling takes seconds for each activation
FAST = ("relu", "erf", "gelu", "rectified_monomial:2")
SLOW = (
    *("identity", "leaky_relu:0.2", "abrelu:-0.5:2", "abs", "sin", "cos", "gabor", "gaussian:-1"),
    *("exp:0.2", "hermite:3", "monomial:2"),
)
CLOSED = (*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW))


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    """Eight inputs with a duplicate, parallel and opposite ones."""
    made = np.random.default_rng(3).standard_normal((8, 5))
    made[3], made[4], made[5] = made[0], -2 * made[1], 3 * made[2]
    made[6] = made[0] + 1e-9 * made[1]
    return made


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("name", CLOSED)
def test_thirteen_digits_of_fifty(name: str, depth: int, x: np.ndarray) -> None:
    kernel = mlp_kernel(x, None, name, depth, 1.1, 0.2, 0.9)
    reference = mlp_reference(x, x, name, depth, 1.1, 0.2, 0.9)
    for found, true in ((kernel.nngp, reference[0]), (kernel.ntk, reference[1])):
        root = np.sqrt(np.diag(found))
        assert relative_error(found, true, np.outer(root, root)) < 1e-13


@pytest.mark.parametrize(
    "name",
    [
        "relu",
        "erf",
        "rectified_monomial:2",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("abs", "sign", "sin")),
    ],
)
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_degenerate_inputs_without_bias(name: str, size: float, x: np.ndarray) -> None:
    if name == "rectified_monomial:2":
        size = min(size, 1e3)
    inputs = np.vstack([size * x, np.zeros(5)])
    kernel = mlp_kernel(inputs, None, name, 1, 1.0, 0.0, 1.0)
    assert not np.isnan(kernel.ntk).any()
    assert np.isfinite(kernel.nngp).all()
    some = [0, 1, 2, 3, 4, 6]
    if name == "sign":  # D' is infinite at correlation 1
        assert np.isinf(np.diag(kernel.ntk)[:8]).all()
        return
    reference = mlp_reference(inputs[some], inputs[some], name, 1, 1.0, 0.0, 1.0)
    scale = np.sqrt(np.outer(*[np.diag(kernel.ntk)[some]] * 2))
    assert (
        np.abs(kernel.nngp[np.ix_(some, some)] - reference[0].astype(float)) <= 1e-13 * scale
    ).all()
    assert (
        np.abs(kernel.ntk[np.ix_(some, some)] - reference[1].astype(float)) <= 1e-13 * scale
    ).all()
    assert (kernel.nngp[8] == 0).all()


def test_opposite_inputs_of_relu_vanish_and_nearly_opposite_ones_keep_their_digits() -> None:
    x1 = np.array([[1.0, 2.0, -0.5]])
    x2 = np.array([[-2.0, -4.0, 1.0], [-1.0, -2.0, 0.5 + 1e-3], [-1.0, -2.01, 0.5]])
    kernel = mlp_kernel(x1, x2, "relu", 1, 1.0, 0.0, 1.0)
    reference = mlp_reference(x1, x2, "relu", 1, 1.0, 0.0, 1.0)
    assert kernel.nngp[0, 0] == 0.0
    assert kernel.ntk[0, 0] == 0.0
    assert relative_error(kernel.nngp[:, 1:], reference[0][:, 1:]) < 1e-10
    assert relative_error(kernel.ntk[:, 1:], reference[1][:, 1:]) < 1e-10


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "sigma_w"), [("relu", 1.2), ("relu", math.sqrt(2)), ("erf", 0.8), ("gelu", 0.9)]
)
def test_ten_thousand_layers(name: str, sigma_w: float, x: np.ndarray) -> None:
    kernel = mlp_kernel(x, None, name, 10_000, sigma_w, 0.1, 1.0)
    assert np.isfinite(kernel.nngp).all()
    assert np.isfinite(kernel.ntk).all()
    assert (
        np.abs(kernel.nngp) <= np.sqrt(np.outer(*[np.diag(kernel.nngp)] * 2)) * (1 + 1e-14)
    ).all()
    assert (kernel.nngp[0] == kernel.nngp[3]).all()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "sigma_w"), [("relu", 1.2), ("erf", 0.8)])
def test_a_thousand_layers_to_thirteen_digits(name: str, sigma_w: float, x: np.ndarray) -> None:
    kernel = mlp_kernel(x[:3], x[3:6], name, 1000, sigma_w, 0.1, 1.0)
    reference = mlp_reference(x[:3], x[3:6], name, 1000, sigma_w, 0.1, 1.0)
    assert relative_error(kernel.nngp, reference[0]) < 1e-13
    assert relative_error(kernel.ntk, reference[1]) < 1e-12


@given(
    hnp.arrays(float, (4, 3), elements=st.floats(-3, 3, width=16)),
    st.sampled_from(["relu", "erf", "gelu", "rectified_monomial:2"]),
    st.integers(1, 5),
)
def test_laws(x: np.ndarray, name: str, depth: int) -> None:
    kernel = mlp_kernel(x, None, name, depth)
    for matrix in (kernel.nngp, kernel.ntk):
        assert np.isfinite(matrix).all()
        assert (matrix == matrix.T).all()
        size = max(1e-30, float(np.diag(matrix).max()))
        assert np.linalg.eigvalsh(matrix).min() > -1e-13 * size
    turn, _ = np.linalg.qr(np.arange(9.0).reshape(3, 3) ** 2 + np.eye(3))
    turned = mlp_kernel(x @ turn, None, name, depth)
    assert turned.nngp == pytest.approx(kernel.nngp, rel=1e-11, abs=1e-13)
    both = mlp_kernel(x, x.copy(), name, depth)
    assert both.ntk == pytest.approx(kernel.ntk, rel=1e-13, abs=1e-15)


def test_relu_is_homogeneous(x: np.ndarray) -> None:
    one = mlp_kernel(x, None, "relu", 4, 1.3, 0.0, 1.0)
    four = mlp_kernel(4 * x, None, "relu", 4, 1.3, 0.0, 1.0)
    assert four.nngp == pytest.approx(16 * one.nngp, rel=1e-15)
    assert four.ntk == pytest.approx(16 * one.ntk, rel=1e-14)


def test_blocks_of_a_matrix_are_its_parts() -> None:
    x = np.random.default_rng(0).standard_normal((700, 3))
    whole = mlp_kernel(x, None, "relu", 70)
    part = mlp_kernel(x[:20], x[510:], "relu", 70)
    assert part.nngp == pytest.approx(whole.nngp[:20, 510:], rel=1e-14)
    assert part.ntk == pytest.approx(whole.ntk[:20, 510:], rel=1e-14)


@pytest.mark.parametrize("compute", [mlp_kernel, deq_kernel])
def test_series_of_both_sides_have_as_many_terms(compute: Callable[..., MLPKernel]) -> None:
    # small variances need few terms, large ones many: sums must not run beyond the shorter table
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((6, 4)), rng.standard_normal((3, 4))
    x[5] *= 3.0
    whole = compute(np.vstack([x, y]), None, "tanh", sigma_w=0.7, refine=False)
    for one, two, block in ((x, y, np.s_[:6, 6:]), (y, x, np.s_[6:, :6])):
        parts = [compute(one, two, "tanh", sigma_w=0.7, refine=False) for _ in range(8)]
        for name in ("nngp", "ntk"):
            found, true = getattr(parts[0], name), getattr(whole, name)
            size = np.sqrt(np.outer(np.diag(true), np.diag(true)))[block]
            assert (abs(found - true[block]) <= (whole.error + parts[0].error) * size).all()
        # what else is in memory does not matter
        assert len({(p.error, p.nngp.tobytes(), p.ntk.tobytes()) for p in parts}) == 1


def test_progress_is_told() -> None:
    told: list[float] = []
    mlp_kernel(np.ones((40, 2)), None, "relu", 130, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_angles_and_dots_to_the_last_place() -> None:
    rng = np.random.default_rng(1)
    for y, x in rng.standard_normal((2000, 2)) * 10.0 ** rng.integers(-8, 8, (2000, 2)):
        assert angle(y, abs(x)) == pytest.approx(math.atan2(y, abs(x)), rel=7e-16, abs=0)
    assert angle(0.0, 0.0) == 0.0
    assert angle(2.0, 0.0) == math.pi / 2
    assert exact_dot(np.array([1e16, 1.0, -1e16]), np.ones(3)) == 1.0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"x1": [[1.0, math.nan]]}, "NaN or infinite entries, the first in row 0"),
        ({"x1": [[1.0, 2.0]], "x2": [[1.0]]}, "as many columns, got 2 and 1"),
        ({"x1": np.zeros((2, 2, 2))}, "shape"),
        ({"x1": np.zeros((0, 2))}, "shape"),
        ({"x1": [["a"]]}, "real numbers"),
        ({"x1": [[1.0]], "depth": 0}, "depth must be an integer >= 1"),
        ({"x1": [[1.0]], "sigma_w": -1.0}, "sigma_w must be a finite number >= 0"),
        ({"x1": [[1.0]], "sigma_b": math.nan}, "sigma_b must be"),
        ({"x1": [[1.0]], "activation": "rleu"}, "unknown activation 'rleu'"),
    ],
)
def test_bad_input(arguments: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        mlp_kernel(**arguments)


@pytest.mark.parametrize(
    ("name", "sigma_w", "says"),
    [
        ("relu", 10.0, "the kernel map does not contract: layer"),
        ("monomial:3", 2.0, "the kernel map does not contract: layer"),
        ("gaussian:0.2", 2.0, "exists for variances below 1.25 only"),
    ],
)
def test_divergent_parameters_name_the_layer(name: str, sigma_w: float, says: str) -> None:
    with pytest.raises(DivergenceError, match=says):
        mlp_kernel(np.eye(3) * 3, None, name, 1000, sigma_w)


def test_too_large_a_matrix_says_how_much_it_needs() -> None:
    with pytest.raises(KernelMemoryError, match="GiB"):
        mlp_kernel(np.zeros((3_000_000, 1)))


def test_opposite_inputs_stay_opposite_through_odd_layers() -> None:
    x = np.array([[1.0, 2.0], [-1.0, -2.0]])
    kernel = mlp_kernel(
        x, None, "x + abs(x)*0 + sign(x)*0 + 2*max(x, 0) + 2*min(x, 0)", 3, 1.0, 0.0, 1.0
    )
    assert kernel.nngp[0, 1] == pytest.approx(-kernel.nngp[0, 0], rel=1e-14)
    assert kernel.ntk[0, 1] == pytest.approx(-kernel.ntk[0, 0], rel=1e-14)


@pytest.mark.slow
def test_signs_of_opposite_inputs_through_layers() -> None:
    kernel = mlp_kernel([[1.0, 2.0], [-1.0, -2.0]], None, "sign", 3, 1.0, 0.0, 1.0)
    assert kernel.nngp == pytest.approx(np.array([[1.0, -1.0], [-1.0, 1.0]]))


@pytest.mark.slow
@pytest.mark.parametrize("size", [1e-6, 1e6])
@pytest.mark.parametrize(
    "name", ["relu", "erf", "sin", "cos", "gabor", "gaussian:-1", "gelu", "x + sin(x)"]
)
def test_variances_from_1e_minus_12_to_1e12(name: str, size: float, x: np.ndarray) -> None:
    inputs = size * x[:6]
    kernel = mlp_kernel(inputs, None, name, 3, 1.0, 0.3, 1.0)
    reference = mlp_reference(inputs, inputs, name, 3, 1.0, 0.3, 1.0)
    for found, true in ((kernel.nngp, reference[0]), (kernel.ntk, reference[1])):
        root = np.sqrt(np.diag(found))
        assert relative_error(found, true, np.outer(root, root)) < 1e-13


@pytest.mark.parametrize("depth", [2, 3])
def test_narrow_kinks_at_large_variances_keep_thirteen_digits(depth: int, x: np.ndarray) -> None:
    x1, x2 = 1e6 * x[:4], 1e6 * x[2:7]
    kernel = mlp_kernel(x1, x2, "gelu", depth, 1.0, 0.3, 1.0)
    reference = mlp_reference(x1, x2, "gelu", depth, 1.0, 0.3, 1.0)
    assert kernel.error < 1e-13
    assert relative_error(kernel.nngp, reference[0]) < 1e-13
    assert relative_error(kernel.ntk, reference[1]) < 1e-13
    both = np.vstack([x1, x2])
    whole = mlp_kernel(both, None, "gelu", depth, 1.0, 0.3, 1.0)
    assert (whole.ntk == whole.ntk.T).all()
    assert whole.ntk[:4, 4:] == pytest.approx(kernel.ntk, rel=1e-14)
    assert whole.ntk[0, 3] == whole.ntk[0, 0]  # equal inputs


@pytest.mark.slow
def test_a_mixture_at_a_large_variance_agrees_with_more_nodes_and_digits(x: np.ndarray) -> None:
    pair = 1e5 * x[[1, 4]]
    kernel = mlp_kernel(pair, None, "silu", 2, 1.0, 0.3, 1.0)
    with Precision(60):
        maps = Maps(dual("silu"), 30)
        first = first_layer(pair, arb(1) / 5, arb(0.3) ** 2)
        layers = [(arb(1), arb(0.3) ** 2), (arb(1), arb(0))]
        a, b = (path(maps, first[i][i], layers) for i in range(2))
        nngp, ntk = through(maps, a, b, first[0][1], layers)
        assert kernel.nngp[0, 1] == pytest.approx(float(nngp.mid()), rel=1e-13)
        assert kernel.ntk[0, 1] == pytest.approx(float(ntk.mid()), rel=1e-13)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("exp(sign(x))", "cosh(1) + sinh(1)*sign(x)"),
        ("atan(3)*abs(x)", "1.2490457723982544258*abs(x)"),  # arc tangents of numbers are numbers
        pytest.param(
            "exp(sign(x)/1000)", "cosh(1/1000) + sinh(1/1000)*sign(x)", marks=pytest.mark.slow
        ),
        pytest.param("exp(sign(x))*abs(x)", "cosh(1)*abs(x) + sinh(1)*x", marks=pytest.mark.slow),
        pytest.param("atan(3)*erf(x)", "1.2490457723982544258*erf(x)", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("depth", [1, 2])
def test_a_function_has_one_kernel_however_it_is_written(text, same, depth) -> None:
    """Coefficients that are sums, too: an infinite slope is infinite, not infinity less infinity."""
    x = np.array([[1.0, 0.5], [-0.3, 0.8], [1.0, 0.5], [-1.0, -0.5], [2.0, 1e-3]])
    one, two = (mlp_kernel(x, None, phi, depth, 1.3, 0.2, 1.0) for phi in (text, same))
    for a, b in ((one.nngp, two.nngp), (one.ntk, two.ntk)):
        assert np.array_equal(np.isinf(a), np.isinf(b))
        finite = np.isfinite(b)
        assert not np.isnan(a).any()
        bound = (one.error + two.error) * np.abs(b[finite]).max()
        assert np.abs(a[finite] - b[finite]).max() <= bound


@pytest.mark.long
def test_pairs_beyond_the_range_of_doubles_are_refused_and_logarithms_of_sums_are_not() -> None:
    x = np.array([[2.0, 1.0], [-1.0, 2.0], [2.0 + 1e-8, 1.0]])
    with pytest.raises(DivergenceError, match="make sigma_w"):
        mlp_kernel(300.0 * x, None, "log(2+exp(x))", 1, 1.1, 0.1)
    made = mlp_kernel(300.0 * x, None, "log(1+exp(x+2.5))", 1, 1.1, 0.1)
    assert np.isfinite(made.nngp).all()
    assert np.isfinite(made.ntk).all()


@pytest.mark.parametrize("phi", ["softplus", "x-30-log(1+exp(x))"])
@pytest.mark.long
def test_inputs_that_differ_by_a_factor_have_the_mean_of_their_own_kernels(phi) -> None:
    """For phi without features of that size: variances of a million, and a thousand panels to sum."""
    x = 1e3 * np.array([[0.3, -1.2], [0.3, -1.2]])
    x[1] *= 1.0 + 1e-9
    made = mlp_kernel(x, None, phi, 1, 1.1, 0.1)
    k = made.nngp
    assert made.error < 1e-13
    assert k[0, 1] == pytest.approx(0.5 * (k[0, 0] + k[1, 1]), rel=2.0 * made.error, abs=0.0)
