"""The amortised Fourier neural operator, its spline variant and the plain Fourier neural operator, in JAX.

As specified: four layers v' = gelu(v + MLP(K v)), the last without the outer gelu, K v = irfft(R rfft v); the
coordinate is appended to the input, lift and projection are linear. Kernels are functions of features of the
frequency:

- ``amortised``: T_1 .. T_n(k/N), networks n -> 2n -> w^2 with gelu for both parts;
- ``rescaled``: the same at t = 4k/N - 1, where the features are well conditioned;
- ``spline``: a layer of univariate cubic splines (and silu) of T_j(k/N), like a Kolmogorov-Arnold network's;
- ``fourier``: free matrices for m modes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline

from numerics.operators.grids import embedding
from verify.networks.training import jax_modules

__all__ = ["KINDS", "apply", "frequencies", "inputs_of", "perceptron", "start"]

KINDS = ("fourier", "amortised", "rescaled", "spline")
LAYERS = 4
_INTERVALS = 8


def frequencies(
    grid: int, trained: int, *, mended: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies of a half spectrum, and which of its modes are kept, on one grid after training on another.

    As the system has it they are k/N of the grid at hand. Mended they are k/N of the grid that was trained
    on, without the modes that it did not have.
    """
    k = np.arange(grid // 2 + 1)
    if not mended:
        return k / grid, np.ones(len(k))
    seen = 2 * k < trained
    return np.where(seen, k, 0) / trained, seen.astype(float)


def inputs_of(kind: str, frequency: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """What a kernel is computed from at each frequency, shape (modes, inputs)."""
    t = 4.0 * frequency - 1.0 if kind == "rescaled" else frequency
    values = embedding(t, n)
    if kind != "spline":
        return values
    knots = np.r_[[-1.0] * 3, np.linspace(-1.0, 1.0, _INTERVALS + 1), [1.0] * 3]
    columns = np.clip(values, -1.0, 1.0).T
    splines = [BSpline.design_matrix(c, knots, 3).toarray() for c in columns]
    return np.hstack([values / (1.0 + np.exp(-values)), *splines])


def _dense(key: Any, into: int, out: int) -> dict[str, Any]:
    """Weights and biases, uniform as PyTorch draws them."""
    jax, _, _ = jax_modules()
    a, b = jax.random.split(key)
    edge = into**-0.5
    return {
        "w": jax.random.uniform(a, (into, out), minval=-edge, maxval=edge),
        "b": jax.random.uniform(b, (out,), minval=-edge, maxval=edge),
    }


def perceptron(key: Any, into: int, hidden: int, out: int) -> dict[str, Any]:
    """Two linear maps with a gelu between them."""
    jax, _, _ = jax_modules()
    a, b = jax.random.split(key)
    return {"first": _dense(a, into, hidden), "second": _dense(b, hidden, out)}


def _linear(p: dict[str, Any], x: Any) -> Any:
    return x @ p["w"] + p["b"]


def through(p: dict[str, Any], x: Any) -> Any:
    """Apply a `perceptron`."""
    jax, _, _ = jax_modules()
    return _linear(p["second"], jax.nn.gelu(_linear(p["first"], x), approximate=False))


def start(key: Any, kind: str, width: int, size: int) -> dict[str, Any]:
    """Draw the parameters of a network.

    Parameters
    ----------
    key : jax.Array
    kind : str
        Of `KINDS`.
    width : int
        Channels.
    size : int
        Features n, or modes m of the Fourier layers.
    """
    jax, _, _ = jax_modules()
    keys = jax.random.split(key, 2 + LAYERS)
    return {
        "lift": _dense(keys[0], 2, width),
        "out": _dense(keys[1], width, 1),
        "layers": [_layer(k, kind, width, size) for k in keys[2:]],
    }


def _layer(key: Any, kind: str, width: int, size: int) -> dict[str, Any]:
    jax, _, _ = jax_modules()
    a, b, c = jax.random.split(key, 3)
    shape = (size, width * width)
    if kind == "fourier":
        kernel = [jax.random.uniform(k, shape) / width**2 for k in (a, b)]
    elif kind == "spline":
        inputs = size * (_INTERVALS + 4)
        kernel = [0.1 * jax.random.normal(k, (inputs, width * width)) / width for k in (a, b)]
    else:
        kernel = [perceptron(k, size, 2 * size, width * width) for k in (a, b)]
    return {"kernel": kernel, "point": perceptron(c, width, 4 * width, width)}


def apply(kind: str, parameters: dict[str, Any], inputs: Any, kept: Any, v: Any) -> Any:
    """Apply a network to fields.

    Parameters
    ----------
    kind : str
    parameters : pytree
        Of `start`.
    inputs, kept : array
        Of `inputs_of` and `frequencies` on the fields' grid.
    v : array, shape (batch, grid)

    Returns
    -------
    array, shape (batch, grid)
    """
    jax, jnp, _ = jax_modules()
    grid = v.shape[1]
    place = jnp.broadcast_to(jnp.arange(grid) / grid, v.shape)
    x = _linear(parameters["lift"], jnp.stack([v, place], axis=-1))
    width = x.shape[-1]
    for number, layer in enumerate(parameters["layers"]):
        if kind in ("amortised", "rescaled"):
            parts = [through(p, inputs) for p in layer["kernel"]]
        elif kind == "spline":
            parts = [inputs @ p for p in layer["kernel"]]
        else:
            modes = grid // 2 + 1
            parts = [jnp.zeros((modes, p.shape[1])).at[: len(p)].set(p) for p in layer["kernel"]]
        r = ((parts[0] + 1j * parts[1]) * kept[:, None]).reshape(-1, width, width)
        moved = jnp.einsum("bki,kio->bko", jnp.fft.rfft(x, axis=1), r)
        x = x + through(layer["point"], jnp.fft.irfft(moved, n=grid, axis=1))
        if number < LAYERS - 1:
            x = jax.nn.gelu(x, approximate=False)
    return _linear(parameters["out"], x)[..., 0]
