"""The training loop: plain gradient descent, batches in epochs, the same seed the same network."""

import numpy as np
import pytest

from verify.networks.training import jax_modules, train

X = np.random.default_rng(0).standard_normal((12, 3))
Y = X @ np.array([1.0, -2.0, 0.5])


def loss(w, x, y):
    return 0.5 * ((x @ w - y) ** 2).mean()


def test_descent_is_that_of_a_loop_by_hand() -> None:
    jax, jnp, optax = jax_modules()
    w, seen = train(
        jax.grad(loss), jnp.zeros(3), optax.sgd(0.3), 20, data=(X, Y), watch=lambda w: w, every=5
    )
    by_hand, path = np.zeros(3), [np.zeros(3)]
    for step in range(20):
        by_hand = by_hand - 0.3 * X.T @ (X @ by_hand - Y) / len(Y)
        if step % 5 == 4:
            path.append(by_hand)
    np.testing.assert_allclose(w, by_hand, rtol=1e-12)
    np.testing.assert_allclose(seen, path, rtol=1e-12)


def test_an_epoch_sees_every_sample_once_in_an_order_of_its_own() -> None:
    jax, jnp, optax = jax_modules()
    index = jnp.arange(12.0)

    def seen(w, i):  # the sum of what is descended along counts the samples
        return -jnp.zeros(12).at[i.astype(int)].add(1.0)

    key = jax.random.key(1)
    counts, path = train(
        seen, jnp.zeros(12), optax.sgd(1.0), 6, data=(index,), batch=4, key=key, watch=lambda w: w
    )
    np.testing.assert_array_equal(counts, 2 * np.ones(12))
    np.testing.assert_array_equal(path[3], np.ones(12))
    assert not np.array_equal(path[1], path[4] - path[3])


def test_one_network_does_not_depend_on_those_trained_beside_it() -> None:
    jax, jnp, optax = jax_modules()

    def one(seed):
        key = jax.random.key(seed)
        start = jax.random.normal(key, (3,))
        return train(jax.grad(loss), start, optax.adam(0.1), 30, data=(X, Y), batch=5, key=key)[0]

    together = jax.vmap(one)(jnp.arange(4))
    np.testing.assert_allclose(together[2], one(2), rtol=1e-10)


@pytest.mark.parametrize(
    ("steps", "given", "words"),
    [
        (7, {"every": 2}, "multiple of every = 2, got 7"),
        (2, {"batch": 4}, "needs a key"),
        (2, {"batch": 40, "key": 0}, "of 12 samples"),
    ],
)
def test_what_makes_no_sense_is_refused(steps, given, words) -> None:
    _, jnp, optax = jax_modules()
    with pytest.raises(ValueError, match=words):
        train(lambda w, x, y: w, jnp.zeros(3), optax.sgd(0.1), steps, data=(X, Y), **given)
