"""Networks of finite width: equilibria, matrices made up as they are applied, tangent kernels, refusals."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest
import sympy

from numerics import DivergenceError
from theory import DEQ, MLP
from theory.kernels.activations import NAMES, activation
from verify.networks import Network, equilibrium, sample, tangent_kernels, unit_functions
from verify.networks.draws import generator
from verify.networks.matrices import DenseMatrix, LazyMatrix
from verify.networks.network import MemoryBudgetError
from verify.networks.tangents import Weights, draw_weights, outputs_of, tangent_of

X = np.array([[1.0, 0.4, -0.3], [0.8, 0.9, 0.2]])


@pytest.mark.parametrize(
    "name",
    ["relu", "leaky_relu:0.2", "erf", "tanh", "gelu", "softplus", "sin", "abs", "x/(1+abs(x))"],
)
def test_units_are_theorys_expressions(name):
    phi = activation(name)
    found = unit_functions(phi)
    at = np.array([[-1.7, -0.2], [0.4, 2.3]])
    slope = sympy.diff(phi.expr, phi.symbol)
    for function, expr in ((found.value, phi.expr), (found.slope, slope)):
        exact = [[float(expr.subs(phi.symbol, v).evalf(30)) for v in row] for row in at]
        assert np.allclose(function(at), exact, rtol=1e-14, atol=1e-15)


def test_units_of_constants_and_jumps():
    assert unit_functions("hermite:0").value(np.zeros((2, 3))).shape == (2, 3)
    assert "sign" in NAMES
    with pytest.raises(ValueError, match="sign jumps"):
        unit_functions("sign").slope(np.zeros(1))


@pytest.mark.parametrize("name", ["relu", "tanh", "erf"])
@pytest.mark.parametrize("memory", [0, 5])
def test_equilibria_have_the_stated_residual(name, memory):
    rng = generator(1, 0)
    w = DenseMatrix(rng, 80, 0.7)
    drive = rng.standard_normal((80, 3))
    phi = unit_functions(name)
    found = equilibrium(w.apply, drive, phi, memory=memory, tolerance=1e-12)
    assert found.converged
    rest = np.linalg.norm(found.z - phi.value(w.apply(found.z) + drive), axis=0)
    assert (rest <= 1.001e-12 * np.linalg.norm(found.z, axis=0)).all()
    assert found.residual <= 1e-12


def test_anderson_takes_fewer_steps():
    """Where slow modes are few; those of a matrix without symmetry are many."""
    rng = generator(1, 0)
    w = rng.standard_normal((200, 200))
    w, drive = (w + w.T) * (0.65 / 200**0.5), rng.standard_normal((200, 2))
    phi = unit_functions("tanh")
    plain, fast = (equilibrium(lambda z: w @ z, drive, phi, memory=k) for k in (0, 5))
    assert fast.converged
    assert fast.steps < 0.7 * plain.steps


def test_newton_takes_over_and_failures_are_told():
    rng = generator(2, 0)
    w, drive = DenseMatrix(rng, 60, 0.95), rng.standard_normal((60, 2))
    phi = unit_functions("relu")
    slow = equilibrium(w.apply, drive, phi, steps=3)
    quick = equilibrium(w.apply, drive, phi, tolerance=1e-12)
    assert slow.converged
    assert slow.method == "newton"
    assert np.allclose(slow.z, quick.z, atol=1e-8)
    lost = equilibrium(w.apply, drive, phi, steps=3, newton=0)
    assert not lost.converged
    assert lost.residual > 1e-3


def test_draws_without_an_equilibrium_are_reported():
    network = Network("deq", "relu", 50, sigma_w=3.0, sigma_b=1.0, expansive=True)
    found = sample(network, X, 6, weights="dense")
    assert len(found.failures) == np.count_nonzero(~found.converged) >= 1
    assert "residual" in found.failures[0]
    assert len(found.covariance) == 6


def test_a_lazy_matrix_is_a_linear_map():
    lazy = LazyMatrix(np.random.default_rng(0), 40, 1.3)
    v = np.random.default_rng(1).standard_normal((40, 12))
    images = lazy.apply(v)
    again = lazy.apply(np.hstack([v[:, :3] @ np.array([[1.0], [-2.0], [0.5]]), v[:, 4:5]]))
    assert np.allclose(again[:, 0], images[:, :3] @ [1.0, -2.0, 0.5], atol=1e-12)
    assert np.allclose(again[:, 1], images[:, 4], atol=1e-12)
    assert lazy.known == 12
    whole = lazy.apply(np.eye(40))  # all of it: entries are independent normals of variance 1.69/40
    assert lazy.known == 40
    assert np.allclose(lazy.apply(v), images, atol=1e-11)
    assert np.allclose(whole @ v, images, atol=1e-11)
    assert 40 * np.mean(whole**2) == pytest.approx(1.69, rel=0.15)
    assert lazy.apply(np.zeros(40)).tolist() == [0.0] * 40


@pytest.mark.long
def test_lazy_and_dense_weights_have_one_law():
    network = Network("deq", "tanh", 60, sigma_w=0.8, sigma_b=0.3)
    one, two = (
        sample(network, X, 300, seed=s, weights=w).covariance.reshape(300, -1)
        for s, w in ((3, "lazy"), (4, "dense"))
    )
    error = np.sqrt((one.var(axis=0) + two.var(axis=0)) / 300)
    assert (np.abs(one.mean(axis=0) - two.mean(axis=0)) < 5 * error).all()
    assert np.allclose(one.std(axis=0), two.std(axis=0), rtol=0.25)


def test_a_draw_depends_on_its_seed_alone():
    network = Network("deq", "erf", 30)
    many, few = sample(network, X, 5, seed=7), sample(network, X, 3, seed=7)
    assert (many.outputs[:3] == few.outputs).all()
    assert (sample(network, X, 3, seed=8).outputs != few.outputs).all()


@pytest.mark.parametrize("kind", ["deq", "mlp"])
@pytest.mark.parametrize("name", ["tanh", "softplus", "x/(1+x^2)"])
def test_tangent_kernels_against_finite_differences(kind, name):
    network = Network(kind, name, 7, depth=3, sigma_w=0.6, sigma_u=1.2, sigma_b=0.4, sigma_v=0.9)
    phi = unit_functions(network.phi)
    weights = draw_weights(network, 3, generator(5, 0))
    ntk, _, outputs, _ = tangent_of(network, weights, X, phi, 1e-13)
    assert np.allclose(outputs, outputs_of(network, weights, X, phi), atol=1e-12)
    flat, shapes = _flatten(weights)
    slopes, h = np.empty((len(flat), 2)), 1e-5
    for k in range(len(flat)):
        moved = [flat.copy() for _ in range(2)]
        moved[0][k] += h
        moved[1][k] -= h
        up, down = (outputs_of(network, _restore(m, shapes, weights), X, phi) for m in moved)
        slopes[k] = (up - down) / (2 * h)
    assert np.allclose(ntk, slopes.T @ slopes, rtol=2e-8)


def _flatten(weights: Weights):
    parts = [weights.first, *weights.hidden, *weights.biases, weights.readout]
    return np.concatenate([p.ravel() for p in parts]), [p.shape for p in parts]


def _restore(flat, shapes, like: Weights) -> Weights:
    parts, at = [], 0
    for shape in shapes:
        size = int(np.prod(shape))
        parts.append(flat[at : at + size].reshape(shape))
        at += size
    h, b = len(like.hidden), len(like.biases)
    return Weights(parts[0], tuple(parts[1 : 1 + h]), tuple(parts[1 + h : 1 + h + b]), parts[-1])


def test_tangent_kernels_near_their_limit():
    from numerics import deq_kernel, mlp_kernel

    scales = {"sigma_w": 0.6, "sigma_b": 0.3}
    for kind, limit in (
        ("deq", deq_kernel(X, activation="tanh", **scales)),
        ("mlp", mlp_kernel(X, activation="tanh", depth=2, **scales)),
    ):
        found = tangent_kernels(Network(kind, "tanh", 400, depth=2, **scales), X, 12)
        assert found.converged.all()
        assert np.allclose(found.ntk.mean(axis=0), limit.ntk, rtol=0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "width must be at least 1"),
        ({"width": 2.5}, "width must be an integer"),
        ({"depth": 0}, "depth must be at least 1"),
        ({"kind": "cnn"}, "a network is deq, mlp, untied or sequential"),
        ({"sigma_b": float("nan")}, "sigma_b must be a finite number"),
        ({"activation": "rleu"}, "rleu"),
        ({"sigma_w": 1.2}, r"sigma_w Lip\(phi\) of erf is 1.35406"),
    ],
)
def test_networks_that_are_none(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(Network(), **change)
    assert issubclass(DivergenceError, ValueError)


@pytest.mark.parametrize("model", [MLP("tanh", 2, sigma_w="3/2"), MLP(), DEQ("relu", 0.3)], ids=str)
def test_networks_of_architectures_and_back(model):
    network = Network.of(model, 7)
    assert (network.kind, network.width, network.phi) == (model.name, 7, model.phi)
    assert network.model == dataclasses.replace(
        model, **{name: float(value) for name, value in model.scales.items()}
    )
    # one set of defaults
    assert Network.of(type(model)(model.phi), 7) == Network(model.name, model.phi, 7)
    assert pickle.loads(pickle.dumps(network)) == network


def test_untied_networks_are_of_no_architecture_and_symbols_of_no_network():
    with pytest.raises(ValueError, match="neither a perceptron nor an equilibrium"):
        _ = Network("untied").model
    with pytest.raises(ValueError, match="sigma_w of deq.* is a symbol"):
        Network.of(DEQ("erf").generic)
    with pytest.raises(DivergenceError, match="below 1"):
        Network.of(DEQ("relu", 1.5))
    assert Network.of(DEQ("relu", 1.5), expansive=True).sigma_w == 1.5


def test_bad_input_is_refused_before_any_work():
    with pytest.raises(ValueError, match="NaN or infinite"):
        sample(Network(), [[1.0, float("nan")]], 10**9)
    with pytest.raises(ValueError, match="draws must be an integer"):
        sample(Network(), X, 0)
    with pytest.raises(MemoryBudgetError, match="GiB, its budget"):
        sample(Network(width=10_000), X, 1, weights="dense", memory=2**29)
    with pytest.raises(MemoryBudgetError, match="tangent kernel of width 30000"):
        tangent_kernels(Network(width=30_000), X, 1)
    with pytest.raises(ValueError, match="budget must be positive"):
        sample(Network(), X, 1, memory=0)
    with pytest.raises(ValueError, match="jumps"):
        tangent_kernels(Network("mlp", "sign", 10), X, 1)


def test_width_ten_thousand():
    found = sample(Network("deq", "tanh", 10_000, sigma_w=0.7), X, 1)
    assert found.converged.all()
