"""Kernels of sequential networks: within their stated errors of theory's recursion in sixty digits."""

import sys
import warnings
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics import AccuracyWarning, DivergenceError, kernel, kernel_derivatives, kernels_by_depth
from numerics.kernels.layers.bounded import Bounded
from numerics.kernels.layers.sequential import sequential_kernel
from theory import DEQ, MLP, Dense, LayerNorm, Residual, Sequential

sys.path.insert(0, str(Path(__file__).parent))
from layer_networks import NETWORKS, Digits, X


def truth(model, a, b):
    """NNGP and NTK of a pair of inputs that are not equal."""
    rows = [[mpmath.mpf(float(v)) for v in row] for row in (a, b)]
    gram = [mpmath.fdot(rows[i], rows[j]) / len(a) for i, j in ((0, 0), (0, 1), (1, 1))]
    last = model.forward(gram, Digits(), mpmath.mpf(len(a)))
    return last.both, last.tangent


def worst(model, x, found) -> float:
    """The largest error off the diagonal, relative to sqrt(k_ii k_jj)."""
    off = 0.0
    with mpmath.workdps(60):
        for i in range(len(x)):
            for j in range(i):
                for matrix, true in zip(
                    (found.nngp, found.ntk), truth(model, x[i], x[j]), strict=True
                ):
                    size = mpmath.sqrt(mpmath.mpf(matrix[i, i]) * mpmath.mpf(matrix[j, j]))
                    off = max(
                        off, float(abs(mpmath.mpf(matrix[i, j]) - true) / size) if size else 0.0
                    )
    return off


@pytest.mark.parametrize("name", NETWORKS)
def test_the_error_holds_and_is_small(name) -> None:
    model = NETWORKS[name]
    x = np.vstack([X, X[0] + 1e-6 * X[1], -X[0]])  # parallel, nearly parallel, opposite
    good = kernel(model, x)
    assert worst(model, x, good) <= good.error < 1e-13
    if name in ("blocks", "standard"):  # whose slopes have infinite slopes
        with pytest.warns(AccuracyWarning, match="2 of 36 pairs"):
            coarse = kernel(model, x, refine=False)
        assert good.error < worst(model, x, coarse) <= coarse.error < 1e-7


layers = st.sampled_from(
    [
        (Dense(1.3, 0.2), "relu"),
        (Dense(0.7, None), "erf"),
        (Dense(1.5, 0), LayerNorm(), "gelu"),
        (Dense(1, 0.1, trained=False), Residual((Dense(2, 0.3),)), "abs"),
        (Residual(("sin", Dense(1.1, 0.3)), skip=Dense(0.5, None)),),
        (Residual((LayerNorm(), "erf", Dense(0.8, 0.5))),),
    ]
)


@settings(max_examples=25, deadline=None)
@given(
    middle=st.lists(layers, min_size=1, max_size=4),
    rows=st.lists(
        st.tuples(*[st.floats(-3, 3).map(lambda v: round(v, 2))] * 2), min_size=2, max_size=3
    ),
    standard=st.booleans(),
)
def test_the_error_holds_for_random_networks(middle, rows, standard) -> None:
    x = np.array([row for row in dict.fromkeys(rows) if any(row)] or [(1.0, 1.0)])
    first, rest = (Dense(1.1, 0.3),), [one for part in middle for one in (*part, Dense(0.9, 0.1))]
    model = Sequential((*first, *rest), "standard" if standard else "ntk", 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AccuracyWarning)
        found = sequential_kernel(model, x, refine=False)
    assert worst(model, x, found) <= found.error


@pytest.mark.parametrize(
    "name", ["relu", "erf", "gelu", "abs", "cos", pytest.param("tanh", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("bias", [0.0, 0.3])
def test_perceptrons_are_what_they_were(name, bias) -> None:
    model = MLP(name, 3, 1.3, bias, 0.9)
    x = np.vstack([X, X[1], 0.0 * X[0]])
    fast, plain = kernel(model, x), kernel(Sequential(model.layers), x)
    assert (fast.nngp == plain.nngp).all()
    assert (fast.ntk == plain.ntk).all()
    slow = sequential_kernel(Sequential(model.layers), x)
    for one, two in ((fast.nngp, slow.nngp), (fast.ntk, slow.ntk)):
        size = np.sqrt(np.outer(np.diag(one), np.diag(one)))
        assert np.abs(one - two).max() <= (fast.error + slow.error) * size.max()
        assert (np.abs(one - two) <= 3e-14 * size).all()
    assert slow.error < 1e-12


def test_all_depths_come_in_one_pass() -> None:
    model = MLP("erf", 4, 1.4, 0.2, 0.8)
    made = kernels_by_depth(model, X, X[:2])
    assert [one.depth for one in made] == [1, 2, 3, 4]
    for depth, one in enumerate(made, start=1):
        alone = kernel(MLP("erf", depth, 1.4, 0.2, 0.8), X, X[:2])
        assert np.allclose(one.nngp, alone.nngp, rtol=1e-13, atol=1e-15)
        assert np.allclose(one.ntk, alone.ntk, rtol=1e-13, atol=1e-15)
    network = NETWORKS["blocks"]
    cuts = kernels_by_depth(network, X)
    assert len(cuts) == len(network.layers) - 1
    for n, one in enumerate(cuts, start=1):
        alone = sequential_kernel(Sequential((*network.layers[:n], network.readout)), X)
        assert (one.nngp == alone.nngp).all()
        assert one.depth == alone.depth
    assert (cuts[-1].ntk == kernel(network, X).ntk).all()
    with pytest.raises(TypeError, match=r"expected theory.MLP or theory.Sequential, got DEQ"):
        kernels_by_depth(DEQ(), X)  # type: ignore[arg-type]


def test_layer_normalisation_fixes_the_diagonal() -> None:
    model = Sequential((Dense(1.7, None), LayerNorm(), Dense(1, None)))
    found = kernel(model, X)
    assert (np.diag(found.nngp) == 1.0).all()
    norms = np.linalg.norm(X, axis=1)
    assert np.allclose(found.nngp, X @ X.T / np.outer(norms, norms), atol=1e-15)
    scaled = kernel(model, 10.0 * X)  # and with it the tangent kernel behind it
    assert np.allclose(scaled.ntk, found.ntk, rtol=1e-13)
    assert np.allclose(np.diag(found.ntk), 2.0, rtol=1e-14)
    with pytest.raises(DivergenceError, match="layer normalisation of input 1 divides by 0"):
        kernel(model, [[1.0, 0.0], [0.0, 0.0]])


def test_symmetry_rectangles_blocks_and_diagonals(monkeypatch) -> None:
    model = NETWORKS["blocks"]
    whole = kernel(model, X)
    assert (whole.nngp == whole.nngp.T).all()
    assert (whole.ntk == whole.ntk.T).all()
    diagonal = kernel(model, X, diag=True)
    assert (np.diag(whole.nngp) == diagonal.nngp).all()
    assert (np.diag(whole.ntk) == diagonal.ntk).all()
    assert 0.0 < diagonal.error <= whole.error
    part = kernel(model, X[:3], X)
    assert np.allclose(part.ntk, whole.ntk[:3], rtol=1e-13)
    assert (np.diag(part.ntk) == diagonal.ntk[:3]).all()  # equal rows are single inputs
    monkeypatch.setattr("numerics.kernels.layers.sequential._BLOCK", 5)
    told: list[float] = []
    again = kernel(model, X, progress=told.append)
    assert np.allclose(again.nngp, whole.nngp, rtol=1e-14)
    assert told == [0.25, 0.5, 0.75, 1.0]
    rotation, _ = np.linalg.qr(np.array([[1.0, 2.0, 3.0], [0.0, 1.0, 4.0], [1.0, 0.0, 1.0]]))
    assert np.allclose(kernel(model, X @ rotation).ntk, whole.ntk, rtol=1e-9)
    assert np.linalg.eigvalsh(whole.ntk).min() > 0


@pytest.mark.long
def test_zero_inputs_and_jumps() -> None:
    x = np.vstack([X, 0.0 * X[0]])
    model = Sequential((Dense(1, None), "softplus", Dense(1, 0.1), "erf", Dense()))
    found = kernel(model, x)
    assert np.isfinite(found.ntk).all()
    assert found.error < 1e-12
    jump = Sequential((Dense(1, 0.2), "sign", Dense(1, 0.3), "erf", Dense(1, None)))
    limit, almost = (kernel(jump, X[:3], tangent=t) for t in ("limit", "almost_everywhere"))
    assert np.isinf(np.diag(limit.ntk)).all()
    assert np.isfinite(almost.ntk).all()
    assert (limit.nngp == almost.nngp).all()
    # layers behind the jump are all that moves
    above = Sequential((Dense(1, 0.2, trained=False), "sign", Dense(1, 0.3), "erf", Dense(1, None)))
    assert np.allclose(
        almost.ntk, kernel(above, X[:3], tangent="almost_everywhere").ntk, rtol=1e-13
    )


def test_what_makes_no_sense_is_refused() -> None:
    for wrong, error, says in (
        (lambda: kernel(Sequential((Dense("sigma_w"), Dense())), X), ValueError, "is a symbol"),
        (lambda: kernel(Sequential((Dense(1e60), Dense())), X), ValueError, "at most 1e50"),
        (lambda: kernel(NETWORKS["blocks"], [[np.nan]]), ValueError, "NaN"),
        (lambda: kernel(NETWORKS["blocks"], X, tangent="no"), ValueError, "tangent must be"),  # type: ignore[call-overload]
        (
            lambda: kernel(Sequential((Dense(3, 0), "gaussian:1/5", Dense(), Dense())), X),
            DivergenceError,
            "a unit before gaussian:1/5 has variance 19, but variances must be 0 or from 1e-150 to 1.25",
        ),
    ):
        with pytest.raises(error, match=says):
            wrong()


def test_bounds_of_errors_hold_for_every_operation() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.uniform(0.5, 2.0, (2, 1000))
    off = 1e-6 * rng.uniform(-1.0, 1.0, (2, 1000))
    one, two = (Bounded(v, np.abs(e)) for v, e in zip((a, b), off, strict=True))
    x, y = a + off[0], b + off[1]
    for made, true in (
        (one + two, x + y),
        (one * two, x * y),
        (one / two, x / y),
        (2.0 * one, 2.0 * x),
        (one.sqrt(), np.sqrt(x)),
    ):
        assert (np.abs(made.value - true) <= made.error * (1 + 1e-9) + 1e-15).all()
        assert made.error.max() < 2e-5
    with np.errstate(invalid="ignore"):
        nothing = Bounded.exact(0.0) * Bounded(np.array(np.inf), np.array(np.inf))
    assert nothing.value == nothing.error == 0.0


@pytest.mark.long
@pytest.mark.parametrize("tangent", ["limit", "almost_everywhere"])
def test_jumps_without_closed_duals_have_bounds(tangent) -> None:
    model = MLP("sign(x - 1)", 2, 1.3, 0.2, 0.9)
    made, loops = kernels_by_depth(model, X, tangent=tangent)[-1], kernel(model, X, tangent=tangent)
    assert made.error < 1e-9
    for one, two in ((made.nngp, loops.nngp), (made.ntk, loops.ntk)):
        ends = np.sqrt(np.outer(*[np.diag(two)] * 2))
        off = np.isfinite(two)
        assert (np.isfinite(one) == off).all()
        size = np.where(np.isfinite(ends), ends, np.abs(two))
        assert (np.abs(one[off] - two[off]) <= (made.error + loops.error) * size[off]).all()


@pytest.mark.filterwarnings("error")
def test_diagonals_that_are_infinite_are_no_numbers_without_errors() -> None:
    model = Sequential((Dense(2, None), LayerNorm(), "sign", Dense(1, None)))
    made = kernel(model, X[:2], diag=True)
    assert np.isinf(made.ntk).all()
    assert (made.nngp == 1.0).all()
    assert 0.0 < made.error < 1e-14


def test_variances_beyond_the_range_of_doubles_are_refused_in_a_line() -> None:
    model = MLP("rectified_monomial:3", depth=24, sigma_w=1.5, sigma_b=1)
    x = np.array([[1.0, 2.0, 0.5], [0.3, -1.0, 2.0]])
    layers = (*model.layers[:-1], Dense(1, None), "identity", Dense(1, None))
    for made in (lambda: kernel_derivatives(model, x), lambda: kernel(Sequential(layers), x)):
        with pytest.raises(
            DivergenceError, match="a unit before rectified_monomial:3 has variance inf"
        ):
            made()
