"""A random GPT-2 that the test writes: read, run, and compared with one in NumPy; damaged files."""

import json
import math

import numpy as np
import pytest
from safetensors.numpy import save_file

from numerics.circuits import eap, eap_ig
from theory.circuits import edge_count
from verify.circuits.checkpoints import read_checkpoint, read_prompts
from verify.circuits.transformer import Patched

CONFIG = {"n_layer": 2, "n_head": 3, "n_embd": 12, "n_positions": 7, "vocab_size": 11}
CLEAN, CORRUPT, ANSWERS = [[1, 4, 2, 9], [3, 3, 0, 5]], [[2, 4, 2, 9], [3, 6, 0, 5]], [7, 10]


@pytest.fixture(scope="module")
def tensors():
    rng = np.random.default_rng(5)
    width, shapes = 12, {"wte.weight": (11, 12), "wpe.weight": (7, 12)}
    for k in range(2):
        shapes |= {
            f"h.{k}.attn.c_attn.weight": (width, 3 * width),
            f"h.{k}.attn.c_attn.bias": (3 * width,),
            f"h.{k}.attn.c_proj.weight": (width, width),
            f"h.{k}.attn.c_proj.bias": (width,),
            f"h.{k}.mlp.c_fc.weight": (width, 4 * width),
            f"h.{k}.mlp.c_fc.bias": (4 * width,),
            f"h.{k}.mlp.c_proj.weight": (4 * width, width),
            f"h.{k}.mlp.c_proj.bias": (width,),
        }
    for norm in ("ln_f", *(f"h.{k}.ln_{n}" for k in range(2) for n in (1, 2))):
        shapes |= {f"{norm}.weight": (width,), f"{norm}.bias": (width,)}
    return {f"transformer.{name}": rng.normal(size=shape) for name, shape in shapes.items()}


def written(folder, tensors, **config):
    (folder / "config.json").write_text(json.dumps({**CONFIG, **config}))
    save_file(tensors, folder / "model.safetensors")
    return folder


def reference(t, tokens):
    """GPT-2, one sequence and one position after the other."""

    def norm(x, name):
        centred = x - x.mean()
        scaled = centred / math.sqrt((centred**2).mean() + 1e-5)
        return scaled * t[f"transformer.{name}.weight"] + t[f"transformer.{name}.bias"]

    def affine(x, name):
        return x @ t[f"transformer.{name}.weight"] + t[f"transformer.{name}.bias"]

    def gelu(x):
        return 0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))

    x = [
        t["transformer.wte.weight"][w] + t["transformer.wpe.weight"][k]
        for k, w in enumerate(tokens)
    ]
    for layer in range(2):
        h = f"h.{layer}"
        mixed = [np.split(affine(norm(a, f"{h}.ln_1"), f"{h}.attn.c_attn"), 3) for a in x]
        for k in range(len(x)):
            heads = []
            for part in np.split(np.arange(12), 3):
                scores = [mixed[k][0][part] @ mixed[j][1][part] / 2.0 for j in range(k + 1)]
                weights = np.exp(scores) / np.exp(scores).sum()
                heads.append(sum(w * mixed[j][2][part] for j, w in enumerate(weights)))
            x[k] = x[k] + affine(np.concatenate(heads), f"{h}.attn.c_proj")
        x = [
            a + affine(gelu(affine(norm(a, f"{h}.ln_2"), f"{h}.mlp.c_fc")), f"{h}.mlp.c_proj")
            for a in x
        ]
    return norm(x[-1], "ln_f") @ t["transformer.wte.weight"].T


@pytest.fixture(scope="module")
def model(tensors, tmp_path_factory):
    shape, p = read_checkpoint(written(tmp_path_factory.mktemp("gpt2"), tensors))
    return Patched(shape, p, np.array(CLEAN), np.array(CORRUPT), np.array(ANSWERS))


def test_a_checkpoint_runs_as_the_reference_does(model, tensors):
    for tokens, keep in ((CLEAN, 1.0), (CORRUPT, 0.0)):
        logits = [reference(tensors, row) for row in tokens]
        loss = np.mean(
            [np.log(np.exp(z).sum()) - z[a] for z, a in zip(logits, ANSWERS, strict=True)]
        )
        keeps = np.full(len(model.edges), keep)
        assert model.loss(keeps) == pytest.approx(loss, abs=1e-10)
        hits = np.mean([z.argmax() == a for z, a in zip(logits, ANSWERS, strict=True)])
        assert model.hits(keeps) == hits


def test_its_edges_are_counted_and_its_scores_are_slopes(model):
    assert len(model.edges) == edge_count(2, 3)
    scores, ones, h = eap(model), np.ones(len(model.edges)), 1e-5
    for k in np.random.default_rng(0).choice(len(ones), 12, replace=False):
        step = h * np.eye(len(ones))[k]
        slope = (model.loss(ones - step) - model.loss(ones + step)) / (2.0 * h)
        assert scores[k] == pytest.approx(slope, rel=1e-6, abs=1e-8)


def test_its_scores_are_complete_at_the_input(model):
    scores, _ = eap_ig(model, 1e-11)
    total = model.loss(0.0 * scores) - model.loss(1.0 + 0.0 * scores)
    into = [k for k, (u, _) in enumerate(model.edges) if u == "input"]
    assert scores[into].sum() == pytest.approx(total, abs=1e-10)


def test_an_output_of_its_own_is_taken(tensors, tmp_path):
    other = {name.removeprefix("transformer."): value for name, value in tensors.items()}
    _, p = read_checkpoint(written(tmp_path, {**other, "lm_head.weight": -other["wte.weight"]}))
    np.testing.assert_array_equal(p["unembed"], -p["embed"].T)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n_layer": 3}, "has no tensor h.2.attn.c_attn.weight"),
        ({"n_layer": 0}, "n_layer is an integer >= 1, got 0"),
        ({"n_head": 5}, "n_embd = 12 is no multiple of n_head = 5"),
        ({"n_head": "3"}, "n_head is an integer >= 1, got '3'"),
        ({"vocab_size": 12}, r"wte.weight has the shape \(11, 12\)"),
        ({"n_inner": 24}, r"mlp.c_fc.weight has the shape \(12, 48\)"),
        ({"n_inner": -1}, "n_inner is an integer >= 1, got -1"),
        ({"activation_function": "relu"}, "activation_function is 'gelu_new' in GPT-2, got 'relu'"),
        ({"layer_norm_epsilon": 2}, "layer_norm_epsilon is between 0 and 1, got 2"),
    ],
)
def test_other_configurations_are_refused(tensors, tmp_path, change, words):
    with pytest.raises(ValueError, match=words):
        read_checkpoint(written(tmp_path, tensors, **change))


def test_damaged_files_are_refused(tensors, tmp_path):
    name = "transformer.h.1.ln_2.bias"
    written(tmp_path, {**tensors, name: np.full(12, np.nan)})
    with pytest.raises(ValueError, match="h.1.ln_2.bias has the shape .* asks for finite numbers"):
        read_checkpoint(tmp_path)
    written(tmp_path, {key: value for key, value in tensors.items() if key != name})
    with pytest.raises(ValueError, match="has no tensor h.1.ln_2.bias"):
        read_checkpoint(tmp_path)
    whole = (written(tmp_path, tensors) / "model.safetensors").read_bytes()
    for damage in (b"", whole[:100], whole[:-8], b"\xff" * 8 + whole[8:]):
        (tmp_path / "model.safetensors").write_bytes(damage)
        with pytest.raises(ValueError, match="cannot read .*model.safetensors"):
            read_checkpoint(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="cannot read .*model.safetensors"):
        read_checkpoint(tmp_path)
    for text, words in (("{", "is no JSON"), ("[1]", "is a dict in JSON"), ("{}", "not empty")):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(ValueError, match=words):
            read_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("one", "words"),
    [
        ({"clean": [1, 2], "corrupt": [1]}, "as many clean as corrupt tokens"),
        ({"clean": [], "corrupt": []}, "two lists of 1 to 7"),
        ({"clean": [1] * 8, "corrupt": [1] * 8}, "two lists of 1 to 7"),
        ({"clean": "12", "corrupt": "12"}, "two lists of 1 to 7"),
        ({"clean": [11], "corrupt": [1]}, "tokens are from 0 to 10, got 11"),
        ({"clean": [1], "corrupt": [True]}, "tokens are from 0 to 10, got True"),
        (
            {"clean": [1], "corrupt": [1], "text": ""},
            "the keys clean, corrupt, answer, and no others",
        ),
    ],
)
def test_questions_that_make_no_sense_are_refused(tmp_path, one, words):
    path = tmp_path / "prompts.json"
    good = {"clean": [1], "corrupt": [2], "answer": 3}
    path.write_text(json.dumps([good, {**one, "answer": 3}]))
    with pytest.raises(ValueError, match=f"question 1.*{words}"):
        read_prompts(path, 11, 7)
    path.write_text(json.dumps([good]))
    assert read_prompts(path, 11, 7) == [good]
