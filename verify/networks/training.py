"""Training in JAX: one loop for every subject, in double precision, to be mapped over seeds and widths.

A learning rule is a function from parameters and data to an update direction, by default the gradient of a
loss. The optimiser is optax's. Everything is a function of a random key, so that the same seed gives the
same network on any number of workers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from verify.extras import need

__all__ = ["jax_modules", "train"]


def jax_modules() -> tuple[Any, Any, Any]:
    """Return ``(jax, jax.numpy, optax)`` with double precision switched on.

    Raises
    ------
    MissingExtraError
        Without the extra widegap[train].
    """
    need("jax", "optax")
    import jax
    import jax.numpy as jnp
    import optax

    jax.config.update("jax_enable_x64", True)
    return jax, jnp, optax


def train(
    direction: Callable[..., Any],
    start: Any,
    optimiser: Any,
    steps: int,
    *,
    data: tuple[Any, ...] = (),
    batch: int | None = None,
    key: Any = None,
    watch: Callable[[Any], Any] | None = None,
    every: int = 1,
) -> tuple[Any, Any]:
    """Follow a learning rule: pure JAX, so that ``jax.jit`` and ``jax.vmap`` apply to whoever calls it.

    Parameters
    ----------
    direction : callable
        ``direction(parameters, *data)``, of the structure of the parameters: what is descended along, such as
        ``jax.grad(loss)``, or a rule that is no gradient.
    start : pytree
        Parameters.
    optimiser : optax.GradientTransformation
    steps : int
        Updates; a multiple of ``every``.
    data : tuple of arrays
        Of the same length each, the number of samples.
    batch : int, optional
        Samples of an update, drawn without repetition in epochs (the last, smaller batch of an epoch is
        left out); all of them by default.
    key : jax.Array, optional
        Random key of the epochs' orders; needed with ``batch``.
    watch : callable, optional
        ``watch(parameters)``, recorded before the first update and after each ``every`` of them.
    every : int, default 1

    Returns
    -------
    parameters : pytree
    history : pytree or None
        What ``watch`` returned, stacked along a new first axis of length ``steps / every + 1``.

    Raises
    ------
    ValueError
        For a batch without key or larger than the data, and steps that are no multiple of ``every``.
    """
    jax, jnp, optax = jax_modules()
    data = tuple(map(jnp.asarray, data))
    samples = len(data[0]) if data else 0
    if steps % every or steps < 1:
        raise ValueError(f"steps are a positive multiple of every = {every}, got {steps}")
    if batch is not None and (key is None or not 1 <= batch <= samples):
        raise ValueError(
            f"a batch of {batch} needs a key and at least as many of {samples} samples"
        )

    def update(state: Any, step: Any) -> tuple[Any, None]:
        parameters, memory, order = state
        chosen = data
        if batch is not None:
            epoch, place = step // (samples // batch), step % (samples // batch)
            # a new order at the beginning of an epoch only: sorting costs as much as a small network's step
            order = jax.lax.cond(
                place == 0,
                lambda old: jax.random.permutation(jax.random.fold_in(key, epoch), samples),
                lambda old: old,
                order,
            )
            rows = jax.lax.dynamic_slice(order, (place * batch,), (batch,))
            chosen = tuple(column[rows] for column in data)
        change, memory = optimiser.update(direction(parameters, *chosen), memory, parameters)
        return (optax.apply_updates(parameters, change), memory, order), None

    def stretch(state: Any, number: Any) -> tuple[Any, Any]:
        state, _ = jax.lax.scan(update, state, number * every + jnp.arange(every))
        return state, None if watch is None else watch(state[0])

    first = None if watch is None else watch(start)
    begin = (start, optimiser.init(start), jnp.arange(samples))
    (parameters, *_), seen = jax.lax.scan(stretch, begin, jnp.arange(steps // every))
    if watch is None:
        return parameters, None
    joined = jax.tree.map(lambda a, b: jnp.concatenate([jnp.asarray(a)[None], b]), first, seen)
    return parameters, joined
