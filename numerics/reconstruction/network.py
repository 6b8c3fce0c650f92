"""A network as numbers: read from files, passed through, and how far its weights are from given gradients."""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from theory.reconstruction.network import outputs, sensitivities, weight_gradients

Array = NDArray[np.float64]

__all__ = ["Misfit", "Network", "check_samples", "checked", "evaluator", "misfit", "read_arrays"]

MOST = 10**8
"""Most numbers of an array that is read or made."""


@dataclass(frozen=True, eq=False)
class Network:
    """A ReLU network whose only biases are in its first layer, dense or a convolution, without padding.

    Attributes
    ----------
    weights : tuple of arrays
        One of shape (units, inputs) for each layer; the first layer's last column is its biases, if it has
        any, and its inputs are the pixels of a patch.
    patches : array of int, shape (patches, pixels)
        Where the first layer looks in an input of a sample; one patch with all of it, if the layer is dense.
    biased : bool
    sharpness : float, optional
        softplus(alpha z) / alpha in place of ReLU: a smooth network, which is not homogeneous.
    """

    weights: tuple[Array, ...]
    patches: NDArray[np.intp]
    biased: bool
    sharpness: float | None = None

    @classmethod
    def of(cls, arrays: Mapping[str, Any], sharpness: float | None = None) -> Network:
        """Return the network of arrays W1, W2, .. and, if there are biases, b1.

        W1 has shape (units, inputs), or (channels, colours, height, width) for a convolution of stride 1 on
        square images, whose values enter the next layer channel by channel (as PyTorch flattens them). The
        others have shape (units, units before).

        Raises
        ------
        ValueError
            If that is not what the arrays are, or the network is not homogeneous.
        """
        count = sum(name[:1] == "W" for name in arrays)
        known = {f"W{k}" for k in range(1, count + 1)} | {"b1"}
        deep = sorted(set(arrays) - known)
        if any(name[:1] == "b" for name in deep):
            raise ValueError(
                f"biases beyond the first layer ({', '.join(deep)}) make a network that is not homogeneous; "
                "train it without them"
            )
        if deep or count < 2 or not known - {"b1"} <= set(arrays):
            raise ValueError(
                f"a network is arrays W1, W2, .. and perhaps b1, two layers or more; got {', '.join(arrays)}"
            )
        first, *rest = (checked(f"W{k}", arrays[f"W{k}"]) for k in range(1, count + 1))
        if first.ndim not in (2, 4) or any(w.ndim != 2 for w in rest):
            shapes = ", ".join(str(w.shape) for w in (first, *rest))
            raise ValueError(f"weights are matrices, the first perhaps a convolution; got {shapes}")
        patches = _patches(first, rest[0])
        units = len(first)
        columns = [first.reshape(units, -1)]
        if "b1" in arrays:
            columns.append(checked("b1", arrays["b1"]).reshape(-1, 1))
            if len(columns[1]) != units:
                raise ValueError(f"b1 has {len(columns[1])} numbers for {units} units of W1")
        units *= len(patches)
        for k, weight in enumerate(rest, 2):
            if weight.shape[1] != units:
                raise ValueError(
                    f"W{k} takes {weight.shape[1]} inputs, and layer {k - 1} has {units} units"
                )
            units = len(weight)
        whole = (np.concatenate(columns, axis=1), *rest)
        if not any(w.any() for w in whole):
            raise ValueError("the weights are all zero: they say nothing of any data")
        return cls(whole, patches, "b1" in arrays, sharpness)

    @property
    def inputs(self) -> int:
        """Numbers of a sample."""
        return int(self.patches.max()) + 1

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return len(self.weights[-1])

    @property
    def norm(self) -> float:
        """Euclidean norm of all weights."""
        return math.hypot(*(float(np.linalg.norm(w)) for w in self.weights))

    def first_rows(self, x: Array) -> Array:
        """Patches of samples as rows, with a last coordinate 1 if there are biases."""
        rows = x[:, self.patches].reshape(-1, self.patches.shape[1])
        return np.hstack([rows, np.ones((len(rows), 1))]) if self.biased else rows

    def gathered(self, rows: Array) -> Array:
        """Values of patches, (n P, units), as values of samples, (n, units P)."""
        many = len(self.patches)
        return (
            rows.reshape(-1, many, rows.shape[1]).swapaxes(1, 2).reshape(-1, rows.shape[1] * many)
        )

    def spread(self, rows: Array) -> Array:
        """Undo `gathered`."""
        many = len(self.patches)
        return rows.reshape(len(rows), -1, many).swapaxes(1, 2).reshape(len(rows) * many, -1)

    def passed(self, x: Array, sharpness: Sequence[float] | None = None) -> Passed:
        """Pass samples, one a row, through the layers.

        Parameters
        ----------
        x : array, shape (n, inputs)
        sharpness : sequence of float, optional
            Of each hidden layer, in place of the network's own.
        """
        if sharpness is None and self.sharpness is not None:
            sharpness = [self.sharpness] * (len(self.weights) - 1)
        before: list[Array] = []

        def activation(z: Array) -> Array:
            before.append(z if before else self.gathered(z))
            if sharpness is None:
                return np.maximum(before[-1], 0.0)
            alpha = sharpness[len(before) - 1]
            return np.logaddexp(0.0, alpha * before[-1]) / alpha

        rows = outputs(self.weights, self.first_rows(x), activation)
        if sharpness is None:
            gates = [(z > 0.0).astype(float) for z in before]
        else:
            from scipy.special import expit  # theory's relaxed gate without overflow

            gates = [expit(alpha * z) for alpha, z in zip(sharpness, before, strict=True)]
        return Passed(rows[:-1], rows[-1], before, gates)

    def back(self, gates: Sequence[Array], multipliers: Array) -> list[Array]:
        """Sensitivities of each layer; the first layer's are of patches."""

        def product(k: int) -> Callable[[Array], Array]:
            return lambda d: gates[k] * d if k else self.spread(gates[k] * d)

        return sensitivities(self.weights, [product(k) for k in range(len(gates))], multipliers)


class Passed(NamedTuple):
    """What enters each layer, the outputs, pre-activations and gates of the hidden layers."""

    rows: list[Array]
    outputs: Array
    before: list[Array]
    gates: list[Array]


class Misfit(NamedTuple):
    """|theta - sum lambda grad f|^2 and its gradient.

    Attributes
    ----------
    value : float
    x, multipliers : arrays
        Derivatives in the samples and in the multipliers.
    gates : list of arrays
        Derivatives in the gates of each hidden layer.
    residuals : list of arrays
        theta - sum lambda grad f, layer by layer.
    """

    value: float
    x: Array
    multipliers: Array
    gates: list[Array]
    residuals: list[Array]


def misfit(
    network: Network,
    x: Array,
    multipliers: Array,
    *,
    sharpness: Sequence[float] | None = None,
    gates: Sequence[Array] | None = None,
) -> Misfit:
    """Squared distance of the weights from a combination of gradients, derived in all that it depends on.

    Parameters
    ----------
    network : Network
    x : array, shape (n, inputs)
    multipliers : array, shape (n, outputs)
    sharpness : sequence of float, optional
        Relaxes the gates of each hidden layer. With exact gates the derivative is that of fixed gates.
    gates : sequence of arrays, optional
        Gates in place of those at the samples, for instance at kinks; of the way back alone.

    Returns
    -------
    Misfit

    Notes
    -----
    Two passes each way, by reverse accumulation: cost O(n P) times the number of weights.
    """
    weights = network.weights
    passed = network.passed(x, sharpness)
    rows, own = passed.rows, passed.gates
    s = own if gates is None else list(gates)
    deltas = network.back(s, multipliers)
    parts = weight_gradients(deltas, rows)
    residuals = [w - part for w, part in zip(weights, parts, strict=True)]
    value = float(sum((r**2).sum() for r in residuals))

    # up again: what the sensitivities, and the gates between them, do to the value
    up = network.gathered(-2.0 * rows[0] @ residuals[0].T)
    in_gates = []
    for k, gate in enumerate(s):
        in_gates.append(up * (deltas[k + 1] @ weights[k + 1]))
        up = (gate * up) @ weights[k + 1].T - 2.0 * rows[k + 1] @ residuals[k + 1].T
    # down: what the rows do, and with relaxed gates the pre-activations
    alphas = sharpness or [network.sharpness or 0.0] * len(s)
    down = -2.0 * deltas[-1] @ residuals[-1]
    for k in range(len(s) - 1, -1, -1):
        slope = down * own[k]
        if gates is None:
            slope += in_gates[k] * alphas[k] * own[k] * (1.0 - own[k])
        if k == 0:
            slope = network.spread(slope)
        down = slope @ weights[k] - 2.0 * deltas[k] @ residuals[k]
    pixels = down[:, : network.patches.shape[1]].reshape(len(x), -1)
    in_x = np.zeros((network.inputs, len(x)))
    np.add.at(in_x, network.patches.ravel(), pixels.T)
    return Misfit(value, in_x.T, up, in_gates, residuals)


def checked(name: str, array: Any, dimensions: int | None = None) -> Array:
    """Return an array of finite doubles.

    Raises
    ------
    ValueError
        In one line, with the name, if it is anything else.
    """
    try:
        found = np.asarray(array)
        if found.dtype.kind not in "biuf":
            raise ValueError
        found = found.astype(float)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is an array of real numbers") from None
    if dimensions is not None and found.ndim != dimensions:
        raise ValueError(f"{name} has {dimensions} dimensions, got shape {found.shape}")
    if not found.size or found.size > MOST:
        raise ValueError(f"{name} has from 1 to {MOST} numbers, got shape {found.shape}")
    if not np.isfinite(found).all():
        raise ValueError(f"{name} has {(~np.isfinite(found)).sum()} entries that are not finite")
    if np.abs(found).max() > 1e50:
        raise ValueError(f"{name} has entries beyond 1e50, got {np.abs(found).max():.3g}")
    return found


def check_samples(network: Network, x: Any) -> Array:
    """Return samples for a network, an array of shape (n, inputs).

    Raises
    ------
    ValueError
        In one line, if they are none.
    """
    found = checked("x", x, 2)
    if found.shape[1] != network.inputs:
        raise ValueError(f"x has {found.shape[1]} columns, and the network {network.inputs} inputs")
    return found


def read_arrays(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the arrays of a .npz file by their names.

    Raises
    ------
    ValueError
        In one line, if it is no such file.
    """
    try:
        if Path(path).is_file() and not zipfile.is_zipfile(path):  # NumPy takes text for a pickle
            raise ValueError("it is none of the zip files that NumPy's savez writes")
        file = np.load(path, allow_pickle=False)
        assert isinstance(file, np.lib.npyio.NpzFile)
        with file:
            return {name: file[name] for name in file.files}
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile, MemoryError) as error:
        raise ValueError(f"{path} is no .npz file of named arrays: {error}") from error


def _patches(first: Array, second: Array) -> NDArray[np.intp]:
    """Where the first layer looks: everywhere, or at the patches of a square image."""
    if first.ndim == 2:
        return np.arange(first.shape[1])[None]
    channels, colours, height, width = first.shape
    side = math.isqrt(second.shape[1] // channels)
    if side * side * channels != second.shape[1] or not side:
        raise ValueError(
            f"W2 takes {second.shape[1]} inputs, which are no square image for each of the {channels} "
            "channels of W1"
        )
    image = np.arange(colours * (side + height - 1) * (side + width - 1))
    image = image.reshape(colours, side + height - 1, side + width - 1)
    windows = np.lib.stride_tricks.sliding_window_view(image, (height, width), axis=(1, 2))
    return windows.transpose(1, 2, 0, 3, 4).reshape(side * side, -1)


@cache
def evaluator(name: str) -> Any:
    """Return a law's right-hand side as a function of arrays, by the names of its symbols."""
    from sympy import lambdify

    from theory.reconstruction import LAWS

    law = LAWS[name]()
    symbols = sorted(law.value.free_symbols, key=str)
    function = lambdify(symbols, law.value, "numpy")
    return lambda **values: function(*(values[str(s)] for s in symbols))
