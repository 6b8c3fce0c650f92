"""Finite networks of any order of layers: exact gradients, and the kernels that they tend to."""

import itertools

import numpy as np
import pytest

from numerics import kernel
from theory import MLP, Dense, LayerNorm, Residual, Sequential
from verify.networks import Network, ensemble, sample, tangent_kernels
from verify.networks.draws import generator
from verify.networks.layered import draw_parameters, outputs_and_tangent

X = np.array([[1.0, 0.3, -0.7, 0.4], [0.2, 1.4, 0.5, -1.0], [-1.0, 0.4, 0.9, 0.1]])
BLOCK = Residual((LayerNorm(), "relu", Dense(1.2, None)))
NETWORKS = {
    "blocks": Sequential((Dense(1.3, 0.1), BLOCK, BLOCK, LayerNorm(), "gelu", Dense(0.7, 0.3))),
    "standard": Sequential(
        (
            Dense(1.3, None, trained=False),
            "erf",
            Residual((Dense(1, 0.1), "sin", Dense(1, 0)), skip=Dense(0.5, 0.1)),
            "relu",
            Dense(0.7, 0.3, trained=False),
        ),
        "standard",
        3,
    ),
    "post": Sequential(
        (
            Dense(1.3, 0.1),
            "relu",
            Residual((Dense(1.2, None, trained=False),)),
            Dense(1, 0.2),
            LayerNorm(),
            "cos",
            Dense(1, None),
        ),
        "standard",
        "1/2",
    ),
}


def scores(values: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Standard errors by which the mean of the draws is off, beyond a bias of order 1/n."""
    error = values.std(axis=0, ddof=1) / len(values) ** 0.5
    return (values.mean(axis=0) - limit) / error


@pytest.mark.parametrize("name", NETWORKS)
def test_wide_networks_have_the_kernels(name) -> None:
    model = NETWORKS[name]
    limit = kernel(model, X)
    # the bias of order 1/n cancels between two widths
    narrow, wide = (tangent_kernels(Network.of(model, n), X, 400, seed=n) for n in (96, 192))
    for one, two, true in (
        (narrow.ntk, wide.ntk, limit.ntk),
        (narrow.covariance, wide.covariance, limit.nngp),
    ):
        together = 2.0 * two - one
        assert np.abs(scores(together, true)).max() < 4.5
        sizes = np.sqrt(np.outer(np.diag(true), np.diag(true)))
        assert (np.abs(together.mean(axis=0) - true) / sizes).max() < 0.1
    drawn = sample(Network.of(model, 600), X, 200, seed=5, heads=3)
    assert drawn.converged.all()
    assert np.abs(scores(drawn.covariance, limit.nngp)).max() < 5.0
    outputs = drawn.outputs.reshape(-1, 3)  # biases of the readout among them
    covariance = outputs.T @ outputs / len(outputs)
    sizes = np.sqrt(np.outer(np.diag(limit.nngp), np.diag(limit.nngp)))
    assert (np.abs(covariance - limit.nngp) / sizes).max() < 5.0 * (2.0 / len(outputs)) ** 0.5


def test_matrices_that_are_made_up_have_the_same_law() -> None:
    network = Network.of(NETWORKS["blocks"], 40)
    made = [sample(network, X, 600, seed=3, weights=w) for w in ("lazy", "dense")]
    one, two = (drawn.covariance for drawn in made)
    error = ((one.var(axis=0) + two.var(axis=0)) / 600) ** 0.5
    assert (np.abs(one.mean(axis=0) - two.mean(axis=0)) / error).max() < 4.5
    ratio = np.diagonal(one.var(axis=0) / two.var(axis=0))
    assert (np.abs(np.log(ratio)) < 0.4).all()


def in_jax(model: Sequential, width: int):
    """The network as a JAX function of its parameters, in whichever parameterisation it has.

    Parameters of the standard one have variance sigma^2/s and enter over the root of N = n/s; those of the
    inputs' layer are the weights.
    """
    import jax.numpy as jnp
    from jax.scipy.special import erf

    functions = {
        "relu": lambda h: jnp.maximum(h, 0.0),
        "erf": erf,
        "sin": jnp.sin,
        "cos": jnp.cos,
        "gelu": lambda h: h * (1.0 + erf(h / 2.0**0.5)) / 2.0,
    }
    standard, s = model.parameterisation == "standard", float(model.width)

    def scale(layer, fan: int) -> tuple[float, float]:
        """What parameters are multiplied by."""
        if not standard:
            return float(layer.sigma_w) / fan**0.5, float(layer.sigma_b or 0)
        return 1.0 if fan == X.shape[1] else (width / s) ** -0.5, float(layer.sigma_b is not None)

    def run(layers, z, given):
        for layer in layers:
            if isinstance(layer, Dense):
                w, b = next(given)
                one, two = scale(layer, len(z))
                z = one * (w @ z) + two * b
            elif isinstance(layer, Residual):
                body = run(layer.body, z, given)
                z = body + (z if layer.skip is None else run([layer.skip], z, given))
            elif isinstance(layer, LayerNorm):
                z = (z - z.mean(axis=0)) / z.std(axis=0)
            else:
                z = functions[str(layer)](z)
        return z

    return (lambda given: run(model.layers, jnp.asarray(X.T), iter(given))[0]), scale


@pytest.mark.long
@pytest.mark.parametrize("name", NETWORKS)
def test_tangent_kernels_are_those_of_automatic_differentiation(name) -> None:
    pytest.importorskip("jax")
    from verify.networks.training import jax_modules

    jax, jnp, _ = jax_modules()
    from theory.kernels.sequential import denses

    model, width = NETWORKS[name], 7
    rng = generator(0, 0)
    readout = rng.standard_normal(width), float(rng.standard_normal())
    layers = list(denses(model.layers))
    drawn = [
        (w.entries, b)  # type: ignore[attr-defined]
        for w, b in itertools.islice(draw_parameters(rng, width, X.shape[1]), len(layers) - 1)
    ]
    drawn.append((readout[0][None, :], np.array([[readout[1]]])))
    function, scale = in_jax(model, width)
    given = []
    for layer, (w, b) in zip(layers, drawn, strict=True):
        one, two = scale(layer, w.shape[1])
        sigma, bias = float(layer.sigma_w), float(layer.sigma_b or 0)
        # the same weights and biases, in the parameters of this parameterisation
        given.append(
            (jnp.asarray(sigma / w.shape[1] ** 0.5 / one * w), jnp.asarray(bias / (two or 1.0) * b))
        )
    found = tangent_kernels(Network.of(model, width), X, 1, seed=0)
    assert np.allclose(found.outputs[0], function(given), rtol=1e-12)
    gradients = jax.jacobian(function)(given)
    ntk = 0.0
    for layer, parts in zip(layers, gradients, strict=True):
        if layer.trained:
            ntk = ntk + sum(
                jnp.tensordot(p.reshape(3, -1), p.reshape(3, -1), (1, 1)) for p in parts
            )
    assert np.allclose(found.ntk[0], ntk, rtol=1e-10)


def test_networks_say_what_they_are() -> None:
    model = NETWORKS["blocks"]
    network = Network.of(model, 20)
    assert network.model is model
    assert (network.sigma_v, network.sigma_c) == (0.7, 0.3)
    assert Network.of(MLP(), 20).sigma_c == 0.0
    for wrong, says in (
        (lambda: Network("sequential"), "layers are what a sequential network has"),
        (lambda: Network("mlp", layers=model), "layers are what a sequential network has"),
        (lambda: Network.of(Sequential((Dense("sigma_w"), Dense()))), "is a symbol"),
        (lambda: ensemble(network, X, 3, np.random.default_rng(0)), "use sample"),
        (lambda: sample(network, X, 3, memory=10.0), "its budget is"),
        (lambda: tangent_kernels(network, X, 3, memory=10.0), "its budget is"),
        (
            lambda: tangent_kernels(Network.of(Sequential((Dense(), "sign", Dense())), 9), X, 1),
            "sign jumps",
        ),
    ):
        with pytest.raises(ValueError, match=says):
            wrong()
    # one network, whatever is drawn beside it
    few, many = (tangent_kernels(network, X, draws, seed=2).ntk for draws in (1, 3))
    assert (few[0] == many[0]).all()


def test_a_perceptron_is_one_of_them() -> None:
    model = MLP("relu", 2, 1.3, 0.2, 0.9)
    x = X[:2]
    plain = tangent_kernels(Network.of(model, 64), x, 500, seed=1)
    long = tangent_kernels(Network.of(Sequential(model.layers), 64), x, 500, seed=2)
    error = ((plain.ntk.var(axis=0) + long.ntk.var(axis=0)) / 500) ** 0.5
    off = np.abs(plain.ntk.mean(axis=0) - long.ntk.mean(axis=0))
    assert (off < 4.5 * error).all()


def test_what_a_draw_gives_by_hand() -> None:
    model = Sequential((Dense(2, None), LayerNorm(), Dense(3, 1)))
    w = np.random.default_rng(1).standard_normal((5, 4))

    class Given:
        def apply(self, z):
            return w @ z

        def pull(self, a):
            return w.T @ a

    v = np.arange(5.0)
    _, covariance, outputs = outputs_and_tangent(
        model, X, iter([(Given(), np.zeros((5, 1)))]), (v, 0.5)
    )
    h = w @ X.T
    z = (h - h.mean(axis=0)) / h.std(axis=0)
    assert np.allclose(outputs, 3 / 5**0.5 * v @ z + 0.5)
    assert np.allclose(covariance, 9 * z.T @ z / 5 + 1)
