"""Networks as numbers: convolutions, gradients, files that are none."""

import numpy as np
import pytest
from scipy.signal import correlate2d

from numerics.reconstruction.network import Network, evaluator, misfit, read_arrays


def test_a_convolution_is_that_of_scipy(drawn) -> None:
    network = drawn((5, 2), 1, conv=True)
    x = np.random.default_rng(0).standard_normal((3, 16))
    assert (network.inputs, network.outputs, len(network.patches)) == (16, 2, 9)
    first = network.weights[0]
    for sample, row in zip(x, network.passed(x).before[0], strict=True):
        maps = [
            correlate2d(sample.reshape(4, 4), w[:4].reshape(2, 2), "valid") + w[4] for w in first
        ]
        np.testing.assert_allclose(row, np.ravel(maps), rtol=1e-12)
    rows = np.random.default_rng(1).standard_normal((27, 3))
    np.testing.assert_array_equal(network.spread(network.gathered(rows)), rows)


@pytest.mark.parametrize("kind", ["dense", "deep", "conv", "softplus"])
@pytest.mark.parametrize("gates", ["relaxed", "exact", "given"])
def test_derivatives_of_the_misfit_are_differences(drawn, kind: str, gates: str) -> None:
    network = {
        "dense": lambda: drawn((6, 7, 2), 0),
        "deep": lambda: drawn((6, 7, 5, 3), 1),
        "conv": lambda: drawn((5, 2), 2, conv=True),
        "softplus": lambda: drawn((6, 7, 2), 3, 2.0),
    }[kind]()
    rng = np.random.default_rng(5)
    x, lam = rng.standard_normal((3, network.inputs)), rng.standard_normal((3, network.outputs))
    layers = len(network.weights) - 1
    sharp = [2.0, 3.0][:layers] if gates == "relaxed" else None
    s = [rng.random(z.shape) for z in network.passed(x).before] if gates == "given" else None

    def value(x=x, lam=lam, s=s) -> float:
        return misfit(network, x, lam, sharpness=sharp, gates=s).value

    found, h = misfit(network, x, lam, sharpness=sharp, gates=s), 1e-6
    for array, slope, name in ((x, found.x, "x"), (lam, found.multipliers, "lam")):
        if name == "x" and gates == "given" and kind == "softplus":
            continue  # gates are given for kinks, of which there are none
        for place in ((0, 0), (2, 1)):
            step = np.zeros_like(array)
            step[place] = h
            two = [value(**{name: array + sign * step}) for sign in (1, -1)]
            assert (two[0] - two[1]) / (2 * h) == pytest.approx(slope[place], rel=1e-5, abs=1e-6)
    if s is not None:
        step = np.zeros_like(s[0])
        step[1, 2] = h
        two = [value(s=[s[0] + sign * step, *s[1:]]) for sign in (1, -1)]
        assert (two[0] - two[1]) / (2 * h) == pytest.approx(found.gates[0][1, 2], rel=1e-5)


def test_relaxed_gates_are_theory_s(drawn) -> None:
    network = drawn((6, 7, 2), 0)
    passed = network.passed(np.random.default_rng(1).standard_normal((4, 6)), [3.0])
    law = evaluator("gate")(alpha=3.0, z=passed.before[0])
    np.testing.assert_allclose(passed.gates[0], law, rtol=1e-12)


W = {"W1": np.ones((3, 4)), "W2": np.ones((2, 3))}


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (
            {**W, "b2": np.ones(2)},
            r"biases beyond the first layer \(b2\) make a network that is not",
        ),
        ({"W1": np.ones((3, 4))}, "two layers or more; got W1"),
        ({"W1": np.ones((3, 4)), "W3": np.ones((2, 3))}, "got W1, W3"),
        ({**W, "fc": np.ones(1)}, "got W1, W2, fc"),
        ({"W1": np.ones((3, 4)), "W2": np.ones((2, 5))}, "W2 takes 5 inputs, and layer 1 has 3"),
        ({**W, "b1": np.ones(4)}, "b1 has 4 numbers for 3 units"),
        (
            {"W1": np.full((3, 4), np.nan), "W2": np.ones((2, 3))},
            "W1 has 12 entries that are not fin",
        ),
        ({"W1": np.array([["a"]]), "W2": np.ones((2, 3))}, "W1 is an array of real numbers"),
        ({"W1": np.ones(3), "W2": np.ones((2, 3))}, "weights are matrices"),
        ({"W1": np.zeros((3, 4)), "W2": np.zeros((2, 3))}, "all zero"),
        ({"W1": np.ones((3, 1, 2, 2)), "W2": np.ones((2, 24))}, "no square image"),
        ({"W1": np.full((3, 4), 1e60), "W2": np.ones((2, 3))}, "beyond 1e50"),
    ],
)
def test_what_is_no_network_is_refused_in_a_line(arrays, words) -> None:
    with pytest.raises(ValueError, match=words) as refusal:
        Network.of(arrays)
    assert "\n" not in str(refusal.value)


def test_files_that_are_none_are_refused(tmp_path) -> None:
    np.savez(tmp_path / "net.npz", **W)
    assert read_arrays(tmp_path / "net.npz").keys() == W.keys()
    np.save(tmp_path / "one.npy", W["W1"])
    (tmp_path / "text.npz").write_text("no")
    np.savez(tmp_path / "pickle.npz", W1=np.array([{}]))
    for name in ("one.npy", "text.npz", "pickle.npz", "none.npz"):
        with pytest.raises(ValueError, match=r"no \.npz file|cannot read"):
            read_arrays(tmp_path / name)
