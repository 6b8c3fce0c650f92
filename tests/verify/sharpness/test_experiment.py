"""Few-shot tasks: the same for all rules, whatever else is run; paired statistics."""

import numpy as np
import pytest

from verify.networks.training import jax_modules
from verify.sharpness.experiment import (
    MARGIN,
    Comparison,
    comparison,
    few_shot,
    loss_sharpness,
    paired,
)


@pytest.mark.long
def test_tasks_do_not_depend_on_those_beside_them():
    three = few_shot("homophilous", "peer", tasks=3, steps=3, seed=4)["accuracies"]
    two = few_shot("homophilous", "peer", tasks=2, steps=3, seed=4, sharpness=1)
    assert two["accuracies"] == three[:2]
    assert two["sharpness"][0] > 0.0
    right = 388 * np.array(three)  # of 400 nodes 12 are known
    np.testing.assert_allclose(right, right.round(), atol=1e-9)
    assert right.max() <= 388


def test_the_sharpness_of_a_loss_is_its_hessian_s_largest_eigenvalue():
    jax, jnp, _ = jax_modules()
    x = jnp.asarray(np.random.default_rng(0).standard_normal((30, 8)))

    def loss(w, x):
        return jnp.mean(jnp.tanh(x @ w["a"]).sum(axis=1) ** 2) + jnp.cos(w["b"]).sum()

    weights = {"a": 0.1 * jnp.ones((8, 4)), "b": jnp.arange(3.0)}
    found = loss_sharpness(loss, weights, x)
    flat, restored = jax.flatten_util.ravel_pytree(weights)
    hessian = jax.hessian(lambda v: loss(restored(v), x))(flat)
    assert abs(found.value - np.linalg.eigvalsh(hessian)[-1]) <= found.error


@pytest.mark.long
def test_a_comparison_is_drawn_and_reads_back_equal(tmp_path):
    asked = {"graphs": ("homophilous",), "methods": (), "tasks": 2, "steps": 2}
    seen = []
    first = comparison(**asked, progress=lambda *now: seen.append(now))
    assert first.methods == ("joint", "sam", "fgsam")
    assert seen[0] == (0, 3, 0)
    assert seen[-1] == (3, 3, 0)
    assert Comparison.from_dict(first.to_dict()) == first
    assert [row["less SAM's"] for row in first.rows()][1] == ""
    assert len(first.verdicts()) == 2
    assert all("undecided" in line for line in first.verdicts())  # of two tasks
    first.plot().savefig(tmp_path / "few-shot.png")
    assert np.mean(first.of("homophilous", "sam")) < 1.0


def test_rows_are_means_standard_errors_and_student_s_intervals():
    values = ((0.5, 0.75), (0.4, 0.55), (0.5, 0.5))
    names = ("fgsam", "sam", "joint")
    table = Comparison(("imports",) * 3, names, values, (1.0, 2.0, 3.0), ((1, 1), (2, 0), (1, 1)))
    row = table.rows()[0]
    assert (row["accuracy"], row["std. error"], row["less SAM's"]) == ("0.625", "0.125", "+0.150")
    assert row["99% interval"] == "[-3.033, +3.333]"  # 0.15 and 63.657 times 0.05
    assert (row["sharpness"], row["graph gradients"], row["peer gradients"]) == ("1", 1, 1)
    assert paired([1.0, 2.0, 3.0], [0.0, 0.0, 0.0]).p_value == pytest.approx(0.0741799, rel=1e-5)


def test_paired_intervals_have_their_level():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(2000):
        values = rng.standard_normal((2, 6))
        found = paired(values[0], values[1], 0.9)
        hits += found.low <= 0.0 <= found.high
    assert abs(hits / 2000 - 0.9) < 4.5 * (0.09 / 2000) ** 0.5
    assert paired([0.5, 0.6, 0.7], [0.5, 0.6, 0.7]).within(MARGIN)
    assert paired([0.5, 0.6, 0.7], [0.5, 0.6, 0.7]).p_value == 1.0
    with pytest.raises(ValueError, match="at least two"):
        paired([1.0], [1.0])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: few_shot("circle", "adam"), "no graph 'circle'; choose from homophilous"),
        (lambda: few_shot("homophilous", "adam", tasks=0), "at least 1, got 0"),
        (lambda: comparison(tasks=1), "at least 2 tasks, got 1"),
    ],
)
def test_what_makes_no_sense_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
