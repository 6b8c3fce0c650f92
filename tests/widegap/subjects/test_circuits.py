"""The commands of circuits: tables, JSON, pictures, an experiment that resumes, input that makes no sense."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from numerics.circuits import Comparison, Compiled, compare
from theory.circuits import gate
from verify.cases import read_cases
from verify.circuits.experiment import METHODS, NETWORKS, Faithfulness
from widegap.subjects import circuits

GRAPH = {"nodes": {"a": "x", "output": "max(0, 1-x)"}, "edges": [["input", "a"], ["a", "output"]]}


def test_options_are_the_layers_own():
    assert (METHODS, tuple(NETWORKS)) == (circuits.METHODS, circuits.NETWORKS)
    for kind in circuits.KINDS:
        gate(kind)


def test_laws_are_derived(run):
    result = run("derive", "circuits", "edges", "--set", "L=12", "--set", "H=12")
    assert "32491" in result.stdout
    assert len(run("derive", "circuits").stdout.splitlines()) == 9


def test_gates(run, tmp_path):
    plot = tmp_path / "gate.svg"
    result = run(
        "solve", "circuits", "gate", "--copies", "3", "--visits", "forward", "--plot", str(plot)
    )
    assert result.exit_code == 0, result.output
    graph = gate("or", 3)
    table = compare(
        Compiled(graph), visits="forward", players=[e for e in graph.edges if e[1] == "output"]
    )
    assert result.stdout.startswith(str(table))
    assert "without all edges the loss is larger by 1;" in result.stdout
    assert plot.read_text().startswith("<?xml")


def test_graphs(run, tmp_path):
    path = tmp_path / "graph.json"
    path.write_text(json.dumps(GRAPH))
    content = json.loads(
        run("solve", "circuits", "graph", str(path), "--tau", "2", "--json").stdout
    )
    del content["version"]
    table = Comparison.from_dict(content)
    assert (table.kept, table.tau) == (("no", "no"), 2.0)
    path.write_text(json.dumps({**GRAPH, "edges": [["a", "a"]]}))
    result = run("solve", "circuits", "graph", str(path))
    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert "a residual graph has no cycles; this one has a -> a" in result.output


@pytest.mark.long
def test_an_experiment_resumes(run, tmp_path):
    out, plot = tmp_path / "out.sqlite", tmp_path / "out.png"
    line = ("experiment", "circuits", "--networks", "1", "--method", "eap", "--percents", "10,50")
    line += ("--workers", "1", "--out", str(out))
    first = run(*line, "--plot", str(plot))
    assert first.exit_code == 0, first.output
    assert first.stdout.splitlines()[0].split()[:3] == ["method", "edges", "share"]
    assert plot.stat().st_size > 0
    assert (run(*line).exit_code, len(read_cases(out)[1])) == (2, 1)
    content = json.loads(run(*line, "--resume", "--json").stdout)
    del content["version"]
    table = Faithfulness.from_dict(content)
    assert (table.sizes, table.count, table.errors) == ((11.0, 55.0), 1, (None, None))


@pytest.mark.long
def test_a_checkpoint_s_questions(run, tmp_path):
    """A GPT-2 of one head without attention, whose MLP does nothing."""
    config = {
        "n_layer": 1,
        "n_head": 1,
        "n_embd": 4,
        "n_positions": 3,
        "vocab_size": 4,
        "n_inner": 1,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    zero = np.zeros
    tensors = {"wte.weight": 3.0 * np.eye(4), "wpe.weight": zero((3, 4)), "ln_f.weight": np.ones(4)}
    tensors |= {"ln_f.bias": zero(4)}
    for name, shape in (
        ("attn.c_attn", (4, 12)),
        ("attn.c_proj", (4, 4)),
        ("mlp.c_fc", (4, 1)),
        ("mlp.c_proj", (1, 4)),
    ):
        tensors |= {f"h.0.{name}.weight": zero(shape), f"h.0.{name}.bias": zero(shape[1])}
    tensors |= {f"h.0.ln_{n}.{part}": zero(4) for n in (1, 2) for part in ("weight", "bias")}
    save_file(tensors, tmp_path / "model.safetensors")
    prompts, out = tmp_path / "prompts.json", tmp_path / "out.sqlite"
    questions = [{"clean": [0, 2], "corrupt": [0, 1], "answer": k} for k in (2, 3)]
    prompts.write_text(json.dumps(questions))
    line = ("experiment", "circuits", "--checkpoint", str(tmp_path), "--prompts", str(prompts))
    line += ("--workers", "1", "--out", str(out), "--percents", "10", "--method", "eap-ig")
    result = run(*line)
    assert result.exit_code == 0, result.output
    assert "1 cases lose nothing without their edges" in result.stdout
    assert result.stdout.splitlines()[1].split() == ["eap-ig", "1", "0.125", "1", "1"]
    prompts.write_text(json.dumps(questions[1:]))
    nothing = run(*line, "--resume")
    assert (nothing.exit_code, "no question is answered better" in nothing.output) == (2, True)
    (tmp_path / "model.safetensors").write_bytes(b"no")
    damaged = run(*line, "--resume")
    assert (damaged.exit_code, damaged.output.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("solve", "circuits", "gate", "--kind", "xor"),
            "unknown kind 'xor'; choose from or, and, add",
        ),
        (("solve", "circuits", "gate", "--copies", "13"), "--copies is an integer <= 12"),
        (("solve", "circuits", "gate", "--tau", "nan"), "--tau is a finite number, got 'nan'"),
        (("solve", "circuits", "gate", "--plot", "x.gif"), "--plot needs a name ending in"),
        (("solve", "circuits", "graph", "none.json"), "cannot read none.json"),
        (("solve", "circuits"), "widegap solve circuits takes one of gate, graph; see --help"),
        (("derive", "circuits", "gate"), "circuits has no law 'gate'"),
    ],
)
def test_bad_input_is_one_line(run, arguments, words):
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.output
    assert result.output.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--networks", "0"), "--networks is an integer >= 1"),
        (("--percents", "0"), "--percents takes positive integers"),
        (("--method", "sam"), "unknown method 'sam'"),
        (("--patch", "mean"), "unknown patch 'mean'; choose from zero, corrupt"),
        (("--checkpoint", "none"), "--checkpoint DIR and --prompts FILE go together"),
        (("--prompts", "none"), "--checkpoint DIR and --prompts FILE go together"),
        (
            ("--checkpoint", "no", "--prompts", "no", "--networks", "2"),
            "are for networks made here",
        ),
        (("--checkpoint", "no", "--prompts", "no"), "cannot read no/config.json"),
    ],
)
def test_bad_experiments_write_nothing(run, tmp_path, arguments, words):
    out = tmp_path / "out.sqlite"
    result = run("experiment", "circuits", *arguments, "--out", str(out))
    assert result.exit_code == 2
    assert words in result.output
    assert result.output.count("\n") == 1
    assert not out.exists()
