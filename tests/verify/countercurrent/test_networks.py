"""Rules, losses and images: each against what it is by definition; tables of experiments."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sympy import lambdify

from numerics.countercurrent import Weights, first_weights, gradient
from theory.countercurrent import ACTIVATIONS, X
from verify.countercurrent import images, networks
from verify.countercurrent.experiment import Rules, cases, rules, train_case
from verify.countercurrent.networks import DATA, Setting, flow_time, local_losses, table, trained
from verify.networks.training import jax_modules

SIZES = (6, 3, 6, 2)
START = first_weights(*SIZES, seed=4)
RNG = np.random.default_rng(3)
INPUTS, LABELS = RNG.standard_normal((9, 6)), np.eye(3)[np.arange(9) % 3]


def flat(weights):
    return np.concatenate([np.ravel(m) for m in (*weights.forward, *weights.back)])


def direction(rule, activation="elu", weights=START):
    return jax_modules()[0].tree.map(
        np.asarray, networks._direction(rule, activation)(weights, INPUTS, LABELS)
    )


def test_the_code_s_local_losses_have_theory_s_gradients():
    """Linear, and up to their scale; the last layer's loss is another one."""
    found, own = direction("ccl", "linear"), gradient(START, INPUTS / 3, LABELS / 3)
    scale = flow_time(1.0, 6, 3)
    for a, b in zip(found.forward[:-1] + found.back, own.forward[:-1] + own.back, strict=True):
        np.testing.assert_allclose(a, scale * b, atol=1e-12)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_theory_s_and_losses_are_as_defined(name):
    _, jnp, _ = jax_modules()
    f = lambdify(X, ACTIVATIONS[name], "numpy")
    z = np.linspace(-3, 3, 13)
    np.testing.assert_allclose(networks._activation(name)(jnp.asarray(z)), f(z), atol=1e-15)
    a1 = f(INPUTS @ START.forward[0])
    b1 = f(f(START.back[2]) @ START.back[1])
    inner, squared = (
        local_losses(START, INPUTS, LABELS, name, squared=kind)[1] for kind in (False, True)
    )
    assert float(inner) == pytest.approx(128 / 6 * ((a1 @ b1.T - LABELS) ** 2).mean())
    assert float(squared) == pytest.approx(128 * ((a1 - LABELS @ b1) ** 2).mean())


def test_rules_are_what_their_names_say():
    back, frozen = direction("bp"), direction("frozen")
    assert not any(np.any(m) for m in (*frozen.forward[:-1], *frozen.back, *back.back))
    np.testing.assert_array_equal(frozen.forward[-1], back.forward[-1])
    transposed = START._replace(back=tuple(m.T for m in START.forward))
    for a, b in zip(direction("fa", weights=transposed).forward, back.forward, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-14)
    assert abs(direction("fa").forward[0] - back.forward[0]).max() > 1e-4
    # the hidden layer below the top has the target of a step of backpropagation
    target = direction("tp")
    for k, factor in ((1, 2 * networks._TARGET_STEP), (2, 1)):
        np.testing.assert_allclose(target.forward[k] / factor, back.forward[k], atol=1e-12)
    assert not np.any(target.back[0])
    assert np.any(target.back[1])


def test_descent_clips_both_networks_apart_and_keeps_a_fifth_for_tests():
    """One step along gradients of norm 6 and 0.2, by hand."""
    start = Weights((np.zeros((2, 2)),), (np.zeros((2, 2)),))
    slope = Weights((np.full((2, 2), 3.0),), (np.full((2, 2), 0.1),))
    both = [(start, np.arange(10)), (start, np.arange(10)[::-1])]
    data, how = (np.arange(10.0), np.zeros(10)), networks.Descent(0.4, 8)
    end, history = networks.fitted(
        lambda p, x, y: slope, both, data, how, 1, 0, lambda p, x, y: {"x": x, "w": p.forward[0]}
    )
    np.testing.assert_allclose(end.forward[0], -0.4 * 3.0 / 6.0)
    np.testing.assert_allclose(end.back[0], -0.4 * 0.1)
    np.testing.assert_array_equal(history["x"][:, 1], [[8.0, 9.0], [1.0, 0.0]])
    np.testing.assert_array_equal(history["w"][:, 0], 0.0)


@pytest.mark.long
def test_a_network_is_trained_and_measured():
    end, history = trained(
        Setting("breast-cancer", "bp", width=5, depth=2, epochs=2, rate=0.3), 5, 2, points=2
    )
    shapes = {name: values.shape for name, values in history.items()}
    assert shapes == {"accuracy": (2, 3), "cosines": (2, 3, 3), "cka": (2, 3, 2), "rms": (2, 3, 2)}
    assert history["accuracy"][:, -1].min() > 0.8
    w, v = end.forward[1][0], end.back[1][0].T
    cosine = (w * v).sum() / np.linalg.norm(w) / np.linalg.norm(v)
    assert history["cosines"][0, -1, 1] == pytest.approx(cosine)


def test_measures_are_as_defined():
    jax, _, _ = jax_modules()
    found = networks._measured(START, INPUTS, LABELS, jax.nn.elu)
    f = lambdify(X, ACTIVATIONS["elu"], "numpy")
    a1, b1 = f(INPUTS @ START.forward[0]), LABELS @ f(f(START.back[2]) @ START.back[1])
    a1c, b1c = a1 - a1.mean(axis=0), b1 - b1.mean(axis=0)
    sizes = np.linalg.norm(a1c.T @ a1c) * np.linalg.norm(b1c.T @ b1c)
    assert float(found["cka"][0]) == pytest.approx(np.linalg.norm(a1c.T @ b1c) ** 2 / sizes)
    assert float(found["rms"][0]) == pytest.approx(np.sqrt((a1**2).mean()))
    guess = f(a1 @ START.forward[1]) @ START.forward[2]
    right = (guess.argmax(axis=1) == LABELS.argmax(axis=1)).mean()
    assert float(found["accuracy"]) == pytest.approx(right)


def test_tables():
    for name in DATA:
        x, labels = table(name)
        assert len(x) == len(labels)
        np.testing.assert_allclose(x.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(x.T @ x / len(x), np.eye(12), atol=1e-12)


def test_convolutions_are_those_of_jax():
    jax, jnp, _ = jax_modules()
    z, w = RNG.standard_normal((2, 3, 8, 8)), RNG.standard_normal((5, 3, 9))
    weights = {"w": w, "b": np.arange(5.0)}
    kernel, bias = w.reshape(5, 3, 3, 3), np.arange(5.0)[:, None, None]
    doubled = z.repeat(2, axis=2).repeat(2, axis=3)
    for kind, given, stride in (("down", z, 2), ("up", doubled, 1)):
        pad = ((1, 1), (1, 1))
        own = jax.lax.conv_general_dilated(given, kernel, (stride, stride), pad) + bias
        np.testing.assert_allclose(
            images._layer(jnp.asarray(z), weights, kind, False), own, atol=1e-12
        )
    normed = images._layer(jnp.asarray(z), weights, "down", True)
    np.testing.assert_allclose(normed.mean(axis=(0, 2, 3)), 0.0, atol=1e-12)


def test_the_convolutional_loss_is_as_defined():
    _, jnp, _ = jax_modules()
    a, b = RNG.standard_normal((9, 2, 2, 2)), RNG.standard_normal((3, 8))
    found = float(images.normalised_loss(jnp.asarray(a), jnp.asarray(b), LABELS))
    a = a.reshape(9, 8) / np.linalg.norm(a.reshape(9, 8), axis=1, keepdims=True)
    b /= np.linalg.norm(b, axis=1, keepdims=True)
    apart = sum(((m @ m.T - np.eye(len(m))) ** 2).mean() for m in (a, b))
    assert found == pytest.approx(((a @ b.T - LABELS) ** 2).mean() + 0.5 * apart, rel=1e-6)


@pytest.mark.slow
def test_images_are_learned():
    assert images.classifier("bp", 0, 1, epochs=8)["accuracy"].min() > 0.9
    found = images.autoencoder("bp", 0, 1, epochs=5)
    assert found["explained"].min() > 0.5
    assert found["rms"].shape == (1, 3)


@pytest.mark.long
def test_a_table_of_rules():
    base = replace(Setting(), width=10, epochs=1)
    listed = cases(base, ["breast-cancer"], ["ccl", "bp"], [2, 1], 2, seed=3)
    assert [(c["rule"], c["depth"]) for c in listed] == [
        ("ccl", 1),
        ("bp", 1),
        ("ccl", 2),
        ("bp", 2),
    ]
    assert listed[0]["first"] == listed[1]["first"] != listed[2]["first"]
    outcome = train_case(listed[0], 1)
    end, history = trained(replace(base, data="breast-cancer", depth=1), listed[0]["first"], 2)
    assert outcome["accuracies"] == history["accuracy"][:, 1].tolist()
    w, v = end.forward[0], end.back[0].swapaxes(1, 2)
    sizes = np.linalg.norm(w, axis=(1, 2)) * np.linalg.norm(v, axis=(1, 2))
    assert outcome["cosine"] == pytest.approx(np.mean((w * v).sum(axis=(1, 2)) / sizes))
    ends = [history["cka"][:, k].mean() for k in (0, 1)]
    np.testing.assert_allclose(outcome["cka"], ends)
    assert outcome == train_case(listed[0], 2)  # the seed is the case's own
    json.dumps(outcome, allow_nan=False)
    other = {"accuracies": [0.5, 0.75], "cosine": 0.25, "cka": [0.1, 0.2]}
    made = rules(
        [(listed[0], {**other, "accuracies": [0.75, 0.5]}), (listed[1], other), (listed[2], other)]
    )
    first, second, third = made.rows()
    assert first["less bp's"] == 0.0
    assert first["error"] == pytest.approx(0.25)
    assert (second["data"], second["rule"], second["depth"]) == ("breast-cancer", "bp", 1)
    assert (first["accuracy"], first["low"], first["high"]) == (0.625, 0.0, 1.0)
    assert (first["cosine"], first["CKA before"], first["CKA"]) == (0.25, 0.1, 0.2)
    assert (third["less bp's"], third["error"]) == (None, None)
    assert Rules.from_dict(json.loads(made.to_json())) == made
    assert made.plot().axes


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rule": "hebb"}, "rule is one of ccl, squared, bp"),
        ({"data": "mnist"}, "data is one of digits"),
        ({"width": 9}, "width 9 is below the number of classes, 10"),
        ({"depth": 0}, "depth is an integer from 1 to 20, got 0"),
        ({"rate": float("nan")}, "a rate is positive"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        Setting(**change)


def test_descent_is_of_full_batches():
    end = networks.descended(START, INPUTS, LABELS, "elu", 0.1, 2)
    now = START
    for _ in range(2):
        slopes = direction("ccl", weights=now)
        now = Weights(*(
            tuple(m - 0.1 * g for m, g in zip(*pair, strict=True))
            for pair in zip(now, slopes, strict=True)
        ))  # fmt: skip
    np.testing.assert_allclose(flat(end), flat(now), atol=1e-12)
