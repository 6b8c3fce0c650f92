"""Equilibrium kernels: fifty digits, the limit of depth, the three conditions."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from numerics import DivergenceError, deq_kernel
from numerics.kernels.deq import lipschitz_constant
from theory import activation

sys.path.insert(0, str(Path(__file__).parent))
from reference import deq_reference, relative_error


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    """Inputs with a duplicate, a parallel and an opposite one."""
    made = np.random.default_rng(3).standard_normal((5, 4))
    made[2], made[3], made[4] = made[0], -2 * made[1], 3 * made[0]
    return made


@pytest.mark.parametrize("sigma_b", [0.0, 0.3])
@pytest.mark.parametrize(
    ("name", "sigma_w"),
    [
        ("relu", 0.8),
        ("leaky_relu:0.2", 0.9),
        ("abs", 0.7),
        ("erf", 0.4),
        ("sin", 0.7),
        ("gelu", 0.6),
    ],
)
def test_thirteen_digits_of_fifty(name: str, sigma_w: float, sigma_b: float, x: np.ndarray) -> None:
    kernel = deq_kernel(x, None, name, sigma_w, 1.0, sigma_b, 1.0)
    reference = deq_reference(x, x, name, sigma_w, 1.0, sigma_b, 1.0)
    for found, true in zip((kernel.nngp, kernel.ntk, kernel.fixed_point), reference, strict=True):
        root = np.sqrt(np.diag(found))
        assert relative_error(found, true, np.outer(root, root)) < 1e-13
    assert kernel.residual < 1e-14


@pytest.mark.parametrize("size", [1e-6, 1e6])
@pytest.mark.parametrize(
    "name",
    [
        *("relu", "erf", "gelu"),
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("sin", "0.5*(x + sin(x))")),
    ],
)
def test_extreme_variances(name: str, size: float, x: np.ndarray) -> None:
    kernel = deq_kernel(size * x, None, name, 0.4)
    reference = deq_reference(size * x, size * x, name, 0.4, 1.0, 0.0, 1.0)
    for found, true in zip((kernel.nngp, kernel.ntk, kernel.fixed_point), reference, strict=True):
        root = np.sqrt(np.diag(found))
        assert relative_error(found, true, np.outer(root, root)) < 1e-13


@given(
    hnp.arrays(float, (4, 3), elements=st.floats(-3, 3, width=16)),
    st.sampled_from(["relu", "erf"]),
    st.floats(0.0, 0.8),
    st.floats(0.0, 1.0),
)
def test_laws(x: np.ndarray, name: str, sigma_w: float, sigma_b: float) -> None:
    kernel = deq_kernel(x, None, name, sigma_w, 1.0, sigma_b)
    for matrix in (kernel.nngp, kernel.ntk, kernel.fixed_point):
        assert np.isfinite(matrix).all()
        assert (matrix == matrix.T).all()
        size = max(1e-30, float(np.diag(matrix).max()))
        assert np.linalg.eigvalsh(matrix).min() > -1e-13 * size
    inputs = x @ x.T / 3 + sigma_b**2
    again = sigma_w**2 * kernel.nngp + inputs
    assert again == pytest.approx(kernel.fixed_point, rel=1e-12, abs=1e-14)


def test_the_fixed_point_is_the_limit_of_depth(x: np.ndarray) -> None:
    import sympy

    from theory import dual
    from theory.calculus.price import K1, K2, C

    d = sympy.lambdify((K1, C, K2), dual("erf").expr, ["numpy", "scipy"])
    s = x @ x.T / 4
    k = s.copy()
    for _ in range(200):
        k = 0.16 * d(np.diag(k)[:, None], k, np.diag(k)[None, :]) + s
    assert deq_kernel(x).fixed_point == pytest.approx(k, rel=1e-13)


@pytest.mark.parametrize(
    ("name", "sigma_w", "fails", "holds"),
    [
        (
            "relu",
            1.2,
            ["equilibrium", "it is 1.2, 0.2 too much"],
            ["kernel holds, 0.72", "stability holds"],
        ),
        ("relu", 1.5, ["kernel", "1.125, 0.125 too much", "equilibrium", "stability"], []),
        ("erf", 0.9, ["equilibrium", "0.0155 too much"], ["kernel holds", "stability holds"]),
        ("monomial:2", 0.1, ["equilibrium", "not bounded"], []),
        ("sign", 0.1, ["equilibrium", "not bounded"], []),
    ],
)
def test_refusals_say_which_condition_and_by_how_much(
    name: str, sigma_w: float, fails: list[str], holds: list[str]
) -> None:
    with pytest.raises(DivergenceError) as caught:
        deq_kernel(np.eye(3), None, name, sigma_w)
    message = str(caught.value)
    assert "\n" not in message
    for part in [*fails, *holds]:
        assert part in message


def test_reported_conditions() -> None:
    report = deq_kernel(np.eye(2), None, "relu", 0.8).conditions
    assert report.kernel == pytest.approx(0.32)
    assert report.stability == pytest.approx(0.32)
    assert report.equilibrium == pytest.approx(0.8)
    assert report.operator_norm == pytest.approx(1.6)  # above 1: the Euclidean proof does not apply


@pytest.mark.parametrize(
    ("name", "constant"), [("silu", 1.0998393), ("gabor", 1.0), ("x/(1+abs(x))", 1.0)]
)
def test_lipschitz_constants_that_are_measured(name: str, constant: float) -> None:
    assert lipschitz_constant(activation(name)) == pytest.approx(constant, abs=1e-6)


def test_unbounded_slopes_are_noticed() -> None:
    assert lipschitz_constant(activation("x*log(1+exp(x))")) == float("inf")


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "rows", "sigma_b", "says"),
    [
        ("erf", [[1.0, 2.0], [-1.0, -2.0]], 0.0, "opposite and phi is odd"),
        ("erf", [[1.0, 2.0], [-1.0, -2.0]], 0.3, ""),
        ("erf", [[1.0, 2.0], [2.0, 4.0]], 0.0, ""),
        ("cos", [[1.0, 2.0], [-1.0, -2.0]], 0.0, ""),  # K = S + .. tells them apart
        ("relu", [[1.0, 2.0], [3.0, 6.0]], 0.0, "parallel and phi is homogeneous"),
        ("relu", [[1.0, 2.0], [3.0, 6.0 + 1e-15]], 0.0, ""),
        ("tanh", [[1.0, 2.0], [0.0, 0.0]], 0.0, "input 1 is zero, and phi(0) = 0"),
        ("sigmoid", [[1.0, 2.0], [0.0, 0.0]], 0.0, ""),
        ("identity", [[1.0, 2.0], [0.0, 1.0], [1.0, 1.0]], 0.0, "3 inputs span 2 dimensions"),
        ("identity", [[1.0, 2.0], [0.0, 1.0], [1.0, 1.5]], 0.3, ""),
        ("x/2+1", [[1.0, 2.0], [0.0, 1.0], [1.0, 3.0]], 0.0, ""),
        ("erf", [[1.0, 2.0], [1.0, 2.0]], 0.3, "inputs 0 and 1 are equal"),
    ],
)
def test_notes_name_what_makes_the_matrix_singular(
    name: str, rows: list, sigma_b: float, says: str
) -> None:
    kernel = deq_kernel(rows, None, name, 0.4, 1.0, sigma_b)
    assert says in kernel.note
    assert bool(kernel.note) == bool(says)
    least = np.linalg.eigvalsh(kernel.nngp).min() / kernel.nngp.max()
    if says:
        assert abs(least) < 1e-14
    elif "1e-15" not in repr(rows):
        assert least > -1e-15
