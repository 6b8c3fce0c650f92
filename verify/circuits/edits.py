"""Rank-one edits of a network's last MLP: whether the fact is there, and what else has changed."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from numerics.circuits import edit
from verify.networks.training import jax_modules

from .facts import Facts
from .transformer import Parameters, Shape, embed, forward, mlp_inner

__all__ = ["MARGIN", "Edited", "edit_fact", "memory"]

MARGIN = 5.0
"""By how much the new answer's logit is above all others."""


class Edited(NamedTuple):
    """Whether an edit's answer is there by `MARGIN`, and what has changed.

    ``broken`` is the share of other right answers that are lost; ``change`` (questions, width) what the last
    MLP sends at the last place, less what it did; ``wanted`` (width,) what the edit was made to add there.
    """

    hit: bool
    broken: float
    change: np.ndarray
    wanted: np.ndarray


def memory(facts: Facts, parameters: Any = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keys of all questions in the last MLP, what it sends for them, and the logits.

    Returns
    -------
    keys, values, logits : ndarray, shapes (questions, hidden), (questions, width), (questions, vocabulary)
    """
    p = facts.parameters if parameters is None else parameters
    keys, values, logits = map(np.asarray, _compiled()(facts.shape, p, facts.clean))
    return keys, values, logits


@cache
def _compiled() -> Any:
    jax, *_ = jax_modules()

    def recall(shape: Shape, p: Parameters, tokens: Any) -> tuple[Any, Any, Any]:
        logits, z = forward(shape, p, embed(p, tokens))
        x = z[:-1, :, -1].sum(axis=0) + sum(block["o_bias"] for block in p["blocks"])
        return mlp_inner(shape, p["blocks"][-1], x), z[-1, :, -1], logits

    return jax.jit(recall, static_argnums=0)


def edit_fact(facts: Facts, number: int, moments: np.ndarray) -> Edited:
    """Give a question the answer of the next one, by the least change of the last MLP's outer weights.

    The new value adds a multiple of the difference of the two answers' directions: powers of two from 1 are
    tried until the answer is there.

    Parameters
    ----------
    facts : Facts
    number : int
        Of the question.
    moments : ndarray, shape (hidden, hidden)
        Second moments of keys, as of `numerics.circuits.edit`.
    """
    keys, values, logits = memory(facts)
    right, p = facts.answers, facts.parameters
    target = right[(number + 1) % len(right)]
    unembed = np.asarray(p["unembed"])
    toward = unembed[:, target] - unembed[:, right[number]]
    *before, last = p["blocks"]
    outer = np.asarray(last["outer"])
    others = np.arange(len(right)) != number
    known = others & (logits.argmax(axis=1) == right)

    def attempt(power: int) -> Edited:
        wanted = 2.0**power * toward
        change = edit(outer.T, moments, keys[number], outer.T @ keys[number] + wanted)
        blocks = [*before, {**last, "outer": outer + change.T}]
        _, moved, answers = memory(facts, {**p, "blocks": blocks})
        margin = answers[number, target] - np.delete(answers[number], target).max()
        broken = float((answers.argmax(axis=1) != right)[known].mean())
        return Edited(bool(margin >= MARGIN), broken, moved - values, wanted)

    power, done = 0, attempt(0)
    while not done.hit and power < 10:
        power += 1
        done = attempt(power)
    return done
