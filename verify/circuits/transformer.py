"""Transformers as residual graphs: every edge of the forward pass can be cut, or fed from another run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np

from theory.circuits import SINK, SOURCE, Edge
from verify.networks.training import jax_modules

__all__ = ["Patched", "Shape", "draw", "edges_of", "embed", "forward", "mlp_inner"]

Parameters = dict[str, Any]
"""``embed`` (vocabulary, width), ``place`` (positions, width), ``unembed`` (width, vocabulary), ``last``, and
a list of ``blocks``. A block has ``qkv`` (3, heads, width, size) with ``qkv_bias`` (3, heads, size), ``o``
(heads, size, width) with ``o_bias``, which is no head's, ``inner`` (width, hidden) and ``outer`` (hidden,
width) with their biases; ``ln1``, ``ln2`` and ``last`` are scale and shift of LayerNorms, (2, width)."""


@dataclass(frozen=True)
class Shape:
    """What a transformer is but for its numbers; attention is causal, norms come before what they feed.

    Attributes
    ----------
    layers, heads : int
    norm : float or None
        What LayerNorms add to the variance; None for none of them.
    activation : {"relu", "gelu"}
        Of MLPs; gelu is the approximation by tanh, as in GPT-2.
    """

    layers: int
    heads: int
    norm: float | None
    activation: Literal["relu", "gelu"]


@cache
def edges_of(layers: int, heads: int) -> tuple[tuple[Edge, ...], np.ndarray, np.ndarray]:
    """Edges in the order of receivers, then senders; and the row and the column of each in `forward`."""
    senders, edges, places, row = [SOURCE], [], [], 0

    def hear(receivers: Sequence[str]) -> None:
        nonlocal row
        for receiver in receivers:
            edges.extend((sender, receiver) for sender in senders)
            places.extend((row, column) for column in range(len(senders)))
            row += 1

    for layer in range(layers):
        own = [f"a{layer}.{h}" for h in range(heads)]
        hear([f"{head}:{slot}" for head in own for slot in "qkv"])
        senders += own
        hear([f"m{layer}"])
        senders.append(f"m{layer}")
    hear([SINK])
    rows, columns = np.array(places).T
    return tuple(edges), rows, columns


def forward(shape: Shape, p: Parameters, start: Any, mix: Any = None) -> tuple[Any, Any]:
    """Run a transformer whose receivers hear keep z + drop other of each sender.

    Parameters
    ----------
    shape : Shape
    p : dict
    start : array, shape (batch, length, width)
        What the node ``input`` sends.
    mix : tuple of arrays, optional
        ``keep`` and ``drop`` of shape (receivers, senders), ``other`` of shape (senders, batch, length,
        width). By default the network itself, ones and zeros.

    Returns
    -------
    logits : array, shape (batch, vocabulary)
        At the last position.
    z : array, shape (senders, batch, length, width)
        What each node sends.
    """
    jax, jnp, _ = jax_modules()
    length, row, z, constant = start.shape[1], 0, start[None], 0.0
    future = jnp.triu(jnp.full((length, length), -jnp.inf), 1)

    def hear(count: int) -> Any:
        if mix is None:
            return jnp.broadcast_to(z.sum(axis=0), (count, *start.shape)) + constant
        rows, seen = slice(row, row + count), len(z)
        parts = ((mix[0], z), (mix[1], mix[2][:seen]))
        return constant + sum(jnp.einsum("rs,sbtd->rbtd", a[rows, :seen], x) for a, x in parts)

    for block in p["blocks"]:
        x = _norm(shape, hear(3 * shape.heads), block["ln1"]).reshape(shape.heads, 3, *start.shape)
        q, k, v = (
            jnp.einsum("hbtd,hde->hbte", x[:, n], block["qkv"][n])
            + block["qkv_bias"][n][:, None, None]
            for n in range(3)
        )
        weights = jax.nn.softmax(jnp.einsum("hbte,hbse->hbts", q, k) / q.shape[-1] ** 0.5 + future)
        heads = jnp.einsum("hbts,hbse,hed->hbtd", weights, v, block["o"])
        z, constant = jnp.concatenate([z, heads]), constant + block["o_bias"]
        row += 3 * shape.heads
        inner = mlp_inner(shape, block, hear(1))
        z = jnp.concatenate([z, inner @ block["outer"] + block["outer_bias"]])
        row += 1
    return _norm(shape, hear(1)[0, :, -1], p["last"]) @ p["unembed"], z


def mlp_inner(shape: Shape, block: Any, x: Any) -> Any:
    """What an MLP makes of its input before its outer weights: the keys of a memory."""
    jax, *_ = jax_modules()
    act = jax.nn.relu if shape.activation == "relu" else jax.nn.gelu
    return act(_norm(shape, x, block["ln2"]) @ block["inner"] + block["inner_bias"])


def _norm(shape: Shape, x: Any, scale_shift: Any) -> Any:
    _, jnp, _ = jax_modules()
    if shape.norm is None:
        return x
    centred = x - x.mean(axis=-1, keepdims=True)
    deviation = jnp.sqrt((centred**2).mean(axis=-1, keepdims=True) + shape.norm)
    return centred / deviation * scale_shift[0] + scale_shift[1]


def draw(
    shape: Shape, width: int, hidden: int, vocabulary: int, length: int, key: Any
) -> Parameters:
    """Normal weights of deviation 1/sqrt(inputs), embeddings of 1/10; no biases.

    Parameters
    ----------
    shape : Shape
    width, hidden, vocabulary, length : int
        Of the residual stream, the MLPs, the tokens and the longest text.
    key : jax.Array
    """
    jax, jnp, _ = jax_modules()
    keys = iter(jax.random.split(key, 4 * shape.layers + 3))
    size = width // shape.heads

    def normal(*dimensions: int, inputs: int) -> Any:
        return jax.random.normal(next(keys), dimensions, dtype=float) / inputs**0.5

    unit = jnp.stack([jnp.ones(width), jnp.zeros(width)])
    blocks = [
        {
            "qkv": normal(3, shape.heads, width, size, inputs=width),
            "qkv_bias": jnp.zeros((3, shape.heads, size)),
            "o": normal(shape.heads, size, width, inputs=width),
            "o_bias": jnp.zeros(width),
            "inner": normal(width, hidden, inputs=width),
            "inner_bias": jnp.zeros(hidden),
            "outer": normal(hidden, width, inputs=hidden),
            "outer_bias": jnp.zeros(width),
            "ln1": unit,
            "ln2": unit,
        }
        for _ in range(shape.layers)
    ]
    ends = [normal(n, width, inputs=100) for n in (vocabulary, length)]
    return {
        "embed": ends[0],
        "place": ends[1],
        "unembed": normal(width, vocabulary, inputs=width),
        "last": unit,
        "blocks": blocks,
    }


def embed(p: Parameters, tokens: Any) -> Any:
    """What the node ``input`` sends: tokens and places."""
    return p["embed"][tokens] + p["place"][: tokens.shape[1]]


@cache
def _compiled() -> tuple[Any, Any, Any]:
    """Outputs of all nodes; loss and hits; slopes: compiled once for each shape of arrays."""
    jax, jnp, _ = jax_modules()

    def losses(shape: Shape, p: Parameters, start: Any, answers: Any, mix: Any) -> tuple[Any, Any]:
        logits, _ = forward(shape, p, start, mix)
        right = jnp.take_along_axis(jax.nn.log_softmax(logits), answers[:, None], axis=1)
        return -right.mean(), (logits.argmax(axis=1) == answers).mean()

    def nodes(shape: Shape, p: Parameters, tokens: Any) -> Any:
        return forward(shape, p, embed(p, tokens))[1]

    def patched(shape: Shape, p: Parameters, z: Any, other: Any, answers: Any, keep: Any) -> Any:
        return losses(shape, p, z[0], answers, (keep, 1.0 - keep, other))

    def slopes(
        shape: Shape, p: Parameters, z: Any, other: Any, answers: Any, alpha: Any, size: Any
    ) -> Any:
        start, ones = other[0] + alpha * (z[0] - other[0]), jnp.ones(size)
        return jax.grad(
            lambda nudge: losses(shape, p, start, answers, (ones, nudge, other - z))[0]
        )(0.0 * ones)

    return (
        jax.jit(nodes, static_argnums=0),
        jax.jit(patched, static_argnums=0),
        jax.jit(slopes, static_argnums=(0, 6)),
    )


class Patched:
    """A transformer on questions with known answers, as `numerics.circuits.Patchable`.

    Parameters
    ----------
    shape : Shape
    p : dict
    clean, corrupt : array_like of int, shape (batch, length)
        Tokens; other questions for the corrupt run.
    answers : array_like of int, shape (batch,)
        The token that is to come next; the loss is its mean negative log probability.
    zero : bool
        Whether edges that are cut bring nothing, instead of what they bring in the corrupt run. The source's
        knowledge circuits are of this kind.
    """

    def __init__(
        self,
        shape: Shape,
        p: Parameters,
        clean: Any,
        corrupt: Any,
        answers: Any,
        *,
        zero: bool = False,
    ) -> None:
        _, jnp, _ = jax_modules()
        self.edges, self._rows, self._columns = edges_of(shape.layers, shape.heads)
        self._size = (int(self._rows[-1]) + 1, int(self._columns[-1]) + 1)
        nodes, self._patched, self._slopes = _compiled()
        z, other = (nodes(shape, p, jnp.asarray(t)) for t in (clean, corrupt))
        self._given = (shape, p, z, 0.0 * other if zero else other, jnp.asarray(answers))

    def _mask(self, keep: Any) -> np.ndarray:
        mask = np.ones(self._size)
        mask[self._rows, self._columns] = keep
        return mask

    def loss(self, keep: Any) -> float:
        """As `numerics.circuits.Patchable` has it."""
        return float(self._patched(*self._given, self._mask(keep))[0])

    def hits(self, keep: Any) -> float:
        """Share of questions to which the circuit's first answer is the right one."""
        return float(self._patched(*self._given, self._mask(keep))[1])

    def slopes(self, alpha: float) -> np.ndarray:
        """As `numerics.circuits.Patchable` has it."""
        found = np.asarray(self._slopes(*self._given, alpha, self._size))
        return found[self._rows, self._columns]
