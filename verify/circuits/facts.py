"""Networks that know facts: one built by hand whose circuit is known, and one that is trained.

A question is a subject and a relation, two tokens; the answer is an object, a token of its own for each pair.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from theory.circuits import SINK, SOURCE, Edge
from verify.networks.training import jax_modules, train

from .transformer import Parameters, Patched, Shape, draw, embed, forward

__all__ = ["Facts", "planted", "trained"]

HEADS, SUBJECTS, RELATIONS = 4, 5, 3
STRENGTH, NOISE, ATTENTION = 8.0, 0.3, 60.0
"""Of the planted network: logits of an answer, of heads without a task, and of attention."""
WIDTH, HIDDEN, STEPS, RATE = 32, 64, 300, 3e-3
"""Of the trained network."""


@dataclass(frozen=True)
class Facts:
    """A network, what it was asked, and the heads that are copies of each other where that is known."""

    shape: Shape
    parameters: Parameters
    clean: np.ndarray
    corrupt: np.ndarray
    answers: np.ndarray
    copies: tuple[int, ...] = ()

    def patched(self, *, zero: bool = False) -> Patched:
        """Its edges, ready to be cut; ``zero`` as in `Patched`."""
        return Patched(
            self.shape, self.parameters, self.clean, self.corrupt, self.answers, zero=zero
        )

    def circuit(self, *, zero: bool = False) -> tuple[tuple[Edge, ...], ...]:
        """The planted edges: those of each copy, and the others.

        What copies attend to follows from places, which the corrupt run has as well, so that it takes no edge
        unless edges that are cut bring nothing.
        """
        slots = "qkv" if zero else "v"
        copies = [
            (*((SOURCE, f"a0.{h}:{slot}") for slot in slots), (f"a0.{h}", "m0"))
            for h in self.copies
        ]
        return *copies, ((SOURCE, "m1"), ("m0", "m1"), ("m1", SINK))


def _questions(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """All pairs; corrupt ones, of another subject and relation; answers; size of the vocabulary."""
    pairs = np.array([(s, r) for s in range(SUBJECTS) for r in range(RELATIONS)])
    moved = (pairs + 1) % (SUBJECTS, RELATIONS)
    first = np.array([0, SUBJECTS])
    answers = SUBJECTS + RELATIONS + rng.permutation(len(pairs))
    return pairs + first, moved + first, answers, SUBJECTS + RELATIONS + len(pairs)


def planted(seed: int) -> Facts:
    """Build a network whose circuit is known, and has two copies of a head.

    Two of four heads of the first layer, drawn at random, move the subject to the relation's place. The first
    MLP clips their sum at one, an OR gate; the second is a memory, with a neuron for each pair, an AND of the
    clipped subject and the relation. All other heads write small random logits.

    Parameters
    ----------
    seed : int
    """
    jax, jnp, _ = jax_modules()
    rng = np.random.default_rng(seed)
    clean, corrupt, answers, vocabulary = _questions(rng)
    s, r, n = SUBJECTS, RELATIONS, len(clean)
    subject, relation, place, moved, clipped, objects = np.split(
        np.arange(3 * s + r + 2 + n), np.cumsum([s, r, 2, s, s])
    )
    width, hidden, shape = 3 * s + r + 2 + n, max(2 * s, n), Shape(2, HEADS, None, "relu")
    made = jax.eval_shape(
        lambda key: draw(shape, width, hidden, vocabulary, 2, key), jax.random.key(0)
    )
    p = jax.tree.map(lambda a: np.zeros(a.shape), made)
    p["embed"][np.arange(s + r), np.arange(s + r)] = 1.0
    p["place"][[0, 1], place] = 1.0
    p["unembed"][objects, answers] = 1.0
    first, second = p["blocks"]
    for block in (first, second):
        block["qkv"] = np.zeros((3, HEADS, width, s))
        block["qkv_bias"] = np.zeros((3, HEADS, s))
        block["o"] = np.zeros((HEADS, s, width))
        block["qkv"][2][:, : s + r] = rng.normal(size=(HEADS, s + r, s)) / s**0.5
        block["o"][:, :, objects] = NOISE * rng.normal(size=(HEADS, s, n))
    movers = sorted(rng.choice(HEADS, 2, replace=False).tolist())
    for head in movers:
        first["qkv"][:, head], first["o"][head] = 0.0, 0.0
        first["qkv"][0, head, place[1], 0] = ATTENTION
        first["qkv"][1, head, place[0], 0] = 1.0
        first["qkv"][2, head, subject, np.arange(s)] = 1.0
        first["o"][head, np.arange(s), moved] = 1.0
    for k in range(s):
        first["inner"][moved[k], [k, s + k]] = 1.0
        first["inner_bias"][s + k] = -1.0
        first["outer"][[k, s + k], clipped[k]] = 1.0, -1.0
    for k, (a, b) in enumerate((a, b) for a in range(s) for b in range(r)):
        second["inner"][[clipped[a], relation[b]], k] = 1.0
        second["inner_bias"][k] = -1.0
        second["outer"][k, objects[k]] = STRENGTH
    return Facts(shape, jax.tree.map(jnp.asarray, p), clean, corrupt, answers, tuple(movers))


def trained(seed: int) -> Facts:
    """Train a network of the same layers and heads, with LayerNorms and gelu, on the same facts by Adam.

    Parameters
    ----------
    seed : int
    """
    jax, *_ = jax_modules()
    clean, corrupt, answers, vocabulary = _questions(np.random.default_rng(seed))
    shape = Shape(2, HEADS, 1e-5, "gelu")
    p = _fit(shape, vocabulary)(clean, answers, jax.random.key(seed))
    return Facts(shape, p, clean, corrupt, answers)


@cache
def _fit(shape: Shape, vocabulary: int) -> Any:
    """Training from a random key, compiled once."""
    jax, _, optax = jax_modules()

    def fit(clean: Any, answers: Any, key: Any) -> Parameters:
        def loss(p: Parameters) -> Any:
            logits, _ = forward(shape, p, embed(p, clean))
            return optax.softmax_cross_entropy_with_integer_labels(logits, answers).mean()

        start = draw(shape, WIDTH, HIDDEN, vocabulary, 2, key)
        return train(jax.grad(loss), start, optax.adam(RATE), STEPS)[0]

    return jax.jit(fit)
