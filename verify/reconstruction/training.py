"""The system: small networks trained on scikit-learn's digits by full-batch descent, with and without decay.

As the source has it: ReLU, biases in the first layer alone, mean-subtracted images, full batches, doubles.
Its images are CIFAR's, its networks two hidden layers of 1000 units, and it takes a million steps; here it is
one hidden layer, or a convolution of 3 by 3 pixels, and as many steps as make the weights of the start decay
by exp(-6).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from numerics.reconstruction.network import Network
from numerics.reconstruction.stationarity import targets_of
from verify.extras import need
from verify.networks.training import jax_modules, train

Array = NDArray[np.float64]

__all__ = ["LOSS", "TASKS", "Trained", "digits", "trained"]

TASKS = ("multiclass", "convolution", "binary", "regression")
"""Ten classes, dense or with a convolution first; parities, as signs or as numbers."""

LOSS = {
    "multiclass": ("cross-entropy", "margin"),
    "convolution": ("cross-entropy", "margin"),
    "binary": ("logistic", "margin"),
    "regression": ("squared", "interpolation"),
}
"""What is minimised with decay, and the problem to whose solution descent might lead without."""

RATE, MOMENTUM, TIMES = 0.1, 0.9, 6.0
"""Of the descent; TIMES is the sum over the steps of rate / (1 - momentum) times the decay."""


class Trained(NamedTuple):
    """A network, its samples and targets, and digits that it has not seen."""

    network: Network
    x: Array
    y: Array
    others: Array


def digits(task: str, samples: int, seed: int) -> tuple[Array, Array, Array]:
    """Draw samples in equal parts of all classes, their targets, and twice as many others.

    Pixels are from 0 to 1, less their means over all digits.
    """
    need("sklearn")
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = images / 16.0
    images = images - images.mean(axis=0)
    several = task in ("multiclass", "convolution")
    kinds = labels if several else labels % 2
    order = np.random.default_rng(seed).permutation(len(images))
    # the k-th of each kind before the k+1-th of any
    turn = np.empty(len(order), int)
    for kind in np.unique(kinds):
        mine = order[kinds[order] == kind]
        turn[mine] = np.arange(len(mine))
    chosen = order[np.argsort(turn[order], kind="stable")]
    y = kinds[chosen[:samples]]
    x, others = images[chosen[:samples]], images[chosen[samples : 3 * samples]]
    return x, (y if several else 1.0 - 2.0 * y), others


def trained(
    task: str, samples: int, width: int, decay: float, seed: int, *, start: float = 0.3
) -> Trained:
    """Train a network.

    Parameters
    ----------
    task : str
        One of `TASKS`.
    samples : int
    width : int
        Hidden units; of a convolution rounded up to whole channels of 36.
    decay : float
        Weight decay; with 0, as many steps as with 0.003.
    seed : int
        Of the data and of the first weights.
    start : float
        The first layer's weights are those of He's rule times this.

    Returns
    -------
    Trained

    Raises
    ------
    ValueError
        For a task that there is not.
    MissingExtraError
        Without the extra widegap[train].
    """
    if task not in TASKS:
        raise ValueError(f"a task is one of {', '.join(TASKS)}, got {task!r}")
    jax, jnp, optax = jax_modules()
    from theory.reconstruction.network import outputs

    x, y, others = digits(task, samples, seed)
    count = 10 if task in ("multiclass", "convolution") else 1
    rng = np.random.default_rng([seed, 1])
    pixels = x.shape[1]
    if task == "convolution":
        shape = (math.ceil(width / 36), 1, 3, 3)
        pixels, hidden = 9, 36 * shape[0]
    else:
        shape, hidden = (width, pixels), width
    first = Network.of(
        {
            "W1": start * (2.0 / pixels) ** 0.5 * rng.standard_normal(shape),
            "b1": start * (2.0 / pixels) ** 0.5 * rng.standard_normal(shape[0]),
            "W2": rng.standard_normal((count, hidden)) / hidden**0.5,
        }
    )
    loss = LOSS[task][0]
    targets, rows = jnp.asarray(targets_of(count, y, loss)), jnp.asarray(first.first_rows(x))
    risks = {
        "cross-entropy": lambda f: -(targets * jax.nn.log_softmax(f)).sum(axis=1),
        "logistic": lambda f: jax.nn.softplus(-targets * f)[:, 0],
        "squared": lambda f: 0.5 * ((f - targets) ** 2)[:, 0],
    }

    def objective(weights: tuple[Array, ...]) -> Array:
        f = outputs(weights, rows, lambda z: jax.nn.relu(first.gathered(z)))[-1]
        return risks[loss](f).mean() + 0.5 * decay * sum((w**2).sum() for w in weights)

    steps = math.ceil(2.0 * TIMES * (1.0 - MOMENTUM) / (RATE * (decay or 0.003)))
    optimiser = optax.sgd(optax.cosine_decay_schedule(RATE, steps), momentum=MOMENTUM)
    run = jax.jit(lambda weights: train(jax.grad(objective), weights, optimiser, steps)[0])
    weights = run(tuple(map(jnp.asarray, first.weights)))
    return Trained(Network(tuple(np.array(w) for w in weights), first.patches, True), x, y, others)
