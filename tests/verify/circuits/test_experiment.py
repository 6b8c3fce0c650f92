"""Networks that know facts, their circuits by each method, and edits."""

import numpy as np
import pytest

from numerics.circuits import shapley, spill, top
from verify.cases import run_cases
from verify.circuits.edits import edit_fact, memory
from verify.circuits.experiment import (
    METHODS,
    Faithfulness,
    cases_of,
    faithfulness,
    run_case,
)
from verify.circuits.facts import planted, trained


@pytest.fixture(scope="module")
def facts():
    return planted(3)


def test_the_planted_circuit_is_all_it_takes(facts):
    for zero in (False, True):
        model = facts.patched(zero=zero)
        every = np.ones(len(model.edges))
        inside = [edge for part in facts.circuit(zero=zero) for edge in part]
        keep = np.array([edge in inside for edge in model.edges])
        assert model.hits(every) == model.hits(keep) == 1.0
        assert model.loss(keep) == pytest.approx(model.loss(every), abs=0.02)
        for edge in facts.circuit(zero=zero)[2]:  # each of those that are no copies is needed
            assert model.loss(keep & [other != edge for other in model.edges]) > 1.0


def test_copies_are_redundant_where_cut_edges_bring_nothing_and_only_there(facts):
    """Where they bring another question's subject, one copy says that one and the other the right one."""
    for zero, alone in ((True, 0.0), (False, np.log(2.0))):
        model = facts.patched(zero=zero)
        sends = [copy[-1] for copy in facts.circuit(zero=zero)[:2]]
        losses = [
            model.loss(np.array([edge not in cut for edge in model.edges]))
            for cut in ([], sends[:1], sends[1:], sends)
        ]
        assert losses[1] - losses[0] == pytest.approx(alone, abs=0.3 if alone else 1e-9)
        assert losses[3] > 2.0
        values = shapley(model, sends)
        np.testing.assert_allclose(values, (losses[3] - losses[0]) / 2.0, atol=0.2)


def test_the_heads_of_a_planted_network_are_drawn():
    assert len({planted(seed).copies for seed in range(12)}) > 2


@pytest.mark.slow
def test_networks_are_trained_to_know_all_facts():
    model = trained(1).patched()
    ones = np.ones(len(model.edges))
    assert model.hits(ones) == 1.0
    assert model.loss(ones) < 0.1
    assert model.hits(0.0 * ones) == 0.0
    done = edit_fact(trained(1), 4, np.eye(64))
    assert done.hit
    assert 0.0 <= done.broken < 1.0
    keys, *_ = memory(trained(1))
    shares = [spill(np.eye(64), keys[4], key) for key in keys]
    np.testing.assert_allclose(
        done.change, np.outer(shares, done.wanted), atol=1e-9 * np.abs(done.wanted).max()
    )


def test_outcomes_are_of_circuits_of_the_model(facts):
    """Each column of a random circuit's row, computed here."""
    (case,) = cases_of("planted", 1, (20,), ("random", "acdc"))
    out = run_case(case, 3)
    (method, size, *_), (name, count, faithful, hits, found) = out["rows"]
    model, rng = facts.patched(zero=True), np.random.default_rng(3)
    inside = np.array([edge in sum(facts.circuit(zero=True), ()) for edge in model.edges])
    keeps = [top(rng.random(110), 22) for _ in range(10)]
    empty, full = model.loss(np.zeros(110)), model.loss(np.ones(110))
    assert (method, size, name, count, out["edges"]) == ("acdc", 7, "random", 22, 110)
    want = [(empty - model.loss(keep)) / (empty - full) for keep in keeps]
    assert faithful == pytest.approx(np.mean(want), abs=1e-12)
    assert hits == np.mean([model.hits(keep) for keep in keeps])
    assert found == pytest.approx(np.mean([(keep & inside).sum() / 11 for keep in keeps]))


def test_a_table_averages_its_cases():
    rows = [[["acdc", 6, 0.5, 0.25, None]], [["acdc", 8, 1.0, 0.75, None]], []]
    case = {"network": "trained"}
    table = faithfulness([(case, {"edges": 100, "rows": row}) for row in rows])
    assert table == Faithfulness(
        "trained", 2, 1, ("acdc",), (7.0,), (0.07,), (0.75,), (0.25,), (0.5,), (None,)
    )
    assert table == Faithfulness.from_dict(table.to_dict())
    assert table.plot().axes
    with pytest.raises(ValueError, match="no question is answered better"):
        faithfulness([(case, {"edges": 100, "rows": []})])


@pytest.mark.slow
def test_an_experiment_is_the_same_on_any_number_of_workers_and_resumes(tmp_path):
    cases = cases_of("planted", 3, (10, 20), METHODS)
    here, out = run_cases("circuits", run_case, cases), tmp_path / "out.sqlite"
    run_cases("circuits", run_case, cases[:1], out=out, workers=1)
    there = run_cases("circuits", run_case, cases, out=out, workers=2, resume=True)
    assert here == there
    table = faithfulness(there)
    rows = {(row["method"], round(row["edges"])): row for row in table.rows()}
    assert rows["eap-ig", 11]["faithfulness"] > 0.9
    assert rows["eap", 11]["faithfulness"] < 0.1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"network": "drawn"}, "planted or trained, got 1 of 'drawn'"),
        ({"count": 0}, "got 0 of 'planted'"),
        ({"percents": (101,)}, "from 1 to 100 percent of the edges, by .*; got 101 by eap"),
        ({"methods": ("sam",)}, "got 5 by sam"),
        ({"tau": float("nan")}, "a finite number, got nan"),
    ],
)
def test_what_makes_no_sense_is_refused(given, words):
    usual = {"network": "planted", "count": 1, "percents": (5,), "methods": ("eap",)}
    with pytest.raises(ValueError, match=words):
        cases_of(**{**usual, **given})
