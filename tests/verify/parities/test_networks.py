"""Networks that learn parities: first gradients, training by hand, tickets, grids."""

import numpy as np
import pytest

from theory.parities import signal
from verify.cases import run_cases
from verify.parities.grid import Grid, grid, grid_cases
from verify.parities.networks import Setting, first_step, rewind, table_errors, train_case


@pytest.mark.long
@pytest.mark.parametrize("weights", ["sign", "one", "normal"])
def test_neurons_see_as_many_coordinates_as_they_are_told(weights):
    drawn = first_step(Setting(9, 3, 4, 20, 50, weights=weights), 0, 3)
    assert (drawn["sees"].sum(axis=-1) == 4).all()
    assert ((drawn["weights"] != 0) == drawn["sees"]).all()
    if weights != "normal":
        assert set(np.unique(drawn["weights"])) == {"sign": {-1, 0, 1}, "one": {0, 1}}[weights]
        return
    small = first_step(Setting(9, 3, 4, 20, 50, weights=weights, scale=0.5), 0, 3)
    assert (small["weights"] == 0.5 * drawn["weights"]).all()
    # without bias a neuron is active where it was: gradients in the weights are the same
    np.testing.assert_allclose(small["gradient"], drawn["gradient"], atol=1e-15)


def test_the_slope_of_an_inactive_neuron_is_zero_at_its_edge():
    """Half of the inputs are on the edge of a neuron that sees two coordinates: they do not count."""
    setting = Setting(6, 3, 2, 40, 4000)
    drawn = first_step(setting, 1, 2)
    ticket = drawn["sees"][..., :3].sum(axis=-1) == 2
    missing = ~drawn["sees"] & (np.arange(6) < 3)
    size = np.abs(drawn["gradient"] / drawn["readout"][..., None])[ticket[..., None] & missing]
    np.testing.assert_allclose(size, float(signal(2, 3)), atol=0.05)


@pytest.mark.long
def test_one_full_step_is_the_first_gradient_with_decay():
    """Whether samples and networks of a key are the same in both, and SGD is descent with decay."""
    import jax

    from verify.parities import networks

    setting = Setting(7, 3, 2, 12, 20, steps=1, rate=0.5, decay=0.1, batch=20)
    drawn = networks._draw(setting, jax.random.key(3))
    end = networks._trained(setting, drawn, drawn["start"])
    x, y, w, v = (
        np.asarray(a) for a in (drawn["x"], drawn["y"], drawn["start"]["w"], drawn["start"]["v"])
    )
    on = x @ w.T > 0
    output = (np.maximum(x @ w.T, 0.0)) @ v
    weight = -(y * (y * output < 1.0)) / len(y)  # hinge
    slope = ((weight[:, None] * on) * v).T @ x
    np.testing.assert_allclose(end["w"], w - 0.5 * (slope + 0.1 * w), atol=1e-12)
    np.testing.assert_allclose(
        end["v"], v - 0.5 * (np.maximum(x @ w.T, 0.0).T @ weight + 0.1 * v), atol=1e-12
    )


@pytest.mark.slow
def test_a_grid_is_the_same_on_any_number_of_workers_and_resumes(tmp_path):
    base = Setting(8, 2, 1, 5, 30, steps=100)
    cases = grid_cases(base, (1, 8), (5,), (60,), 4)
    here = run_cases("parities", train_case, cases, seed=2)
    out = tmp_path / "grid.sqlite"
    run_cases("parities", train_case, cases[:1], seed=2, out=out, workers=1)
    there = run_cases("parities", train_case, cases, seed=2, out=out, workers=2, resume=True)
    assert here == there
    table = grid(here)
    assert table == Grid.from_dict(table.to_dict())
    assert table.sparsities == (1, 8)
    assert table.predicted[1] is None
    assert table.agrees[1] == ""
    assert all(a <= b for a, b in zip(table.low, table.high, strict=True))
    assert [row["predicted"] for row in table.frontier()] == [3, None]
    assert table.plot().axes


@pytest.mark.long
def test_intervals_of_a_grid_hold_together():
    """Of grids whose rates are known, one in twenty or fewer has an interval that misses."""
    rng, missed, rate = np.random.default_rng(0), 0, 0.3
    case = {**Setting(8, 2, 1, 5, 30).case(), "networks": 20}
    for _ in range(100):
        outcomes = [
            (case, {"errors": np.where(rng.random(20) < rate, 0.0, 0.5), "tickets": [0] * 20})
            for _ in range(6)
        ]
        table = grid(outcomes)
        missed += any(
            not low <= rate <= high for low, high in zip(table.low, table.high, strict=True)
        )
    assert missed <= 10


@pytest.mark.long
def test_rewound_neurons_are_the_strongest():
    found = rewind(Setting(8, 2, 1, 30, 200, steps=600), 0, 4, 3)
    assert found["rewound"].shape == (4,)
    assert (found["whole"] <= 0.1).all()
    assert (found["tickets"] <= 3).all()


@pytest.mark.long
def test_a_table_is_learned():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 4))
    errors = table_errors(x, np.sign(x[:, 1]), 100, 2, 50, 0, 3)
    assert (errors < 0.15).all()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"samples": 0}, "samples is an integer >= 1, got 0"),
        ({"k": 9}, "needs n >= 9"),
        ({"sparsity": 9}, "at most n = 8"),
        ({"weights": "ones"}, "sign, one, normal, got 'ones'"),
        ({"scale": 0.0}, "scale is a number > 0, got 0.0"),
        ({"rate": float("nan")}, "rate > 0"),
        ({"bias": float("inf")}, "a finite bias"),
    ],
)
def test_what_makes_no_sense_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        Setting(**{"n": 8, "k": 2, "sparsity": 1, "width": 5, "samples": 30, **given})


def test_a_grid_needs_networks():
    with pytest.raises(ValueError, match="networks are an integer >= 1, got 0"):
        grid_cases(Setting(8, 2, 1, 5, 30), (1,), (5,), (30,), 0)
