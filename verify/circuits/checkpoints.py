"""GPT-2 checkpoints that the user has: ``config.json`` and ``model.safetensors`` in a folder.

Nothing is downloaded, and no tokenizer comes with it: questions are token numbers.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from verify.extras import need
from verify.networks.training import jax_modules

from .transformer import Parameters, Shape

__all__ = ["read_checkpoint", "read_prompts"]

_SIZES = ("n_layer", "n_head", "n_embd", "n_positions", "vocab_size")
_FIXED: dict[str, tuple[Any, ...]] = {
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "add_cross_attention": (False,),
}
"""What GPT-2 has, the default first; other settings are another architecture."""


def _json(path: Path, kind: type) -> Any:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no JSON: {error}") from error
    if not isinstance(content, kind) or not content:
        raise ValueError(f"{path} is a {kind.__name__} in JSON, and not empty")
    return content


def _config(path: Path) -> dict[str, Any]:
    config = _json(path, dict)
    config = {"layer_norm_epsilon": 1e-5, **config, "n_inner": config.get("n_inner")}
    if config["n_inner"] is None and type(config.get("n_embd")) is int:
        config["n_inner"] = 4 * config["n_embd"]
    for name in (*_SIZES, "n_inner"):
        if type(config.get(name)) is not int or config[name] < 1:
            raise ValueError(f"{path}: {name} is an integer >= 1, got {config.get(name)!r}")
    for name, known in _FIXED.items():
        if config.get(name, known[0]) not in known:
            raise ValueError(f"{path}: {name} is {known[0]!r} in GPT-2, got {config[name]!r}")
    width, heads, epsilon = (config[name] for name in ("n_embd", "n_head", "layer_norm_epsilon"))
    if width % heads:
        raise ValueError(f"{path}: n_embd = {width} is no multiple of n_head = {heads}")
    if type(epsilon) is not float or not 0.0 < epsilon < 1.0:
        raise ValueError(f"{path}: layer_norm_epsilon is between 0 and 1, got {epsilon!r}")
    return config


def read_checkpoint(folder: str | os.PathLike[str]) -> tuple[Shape, Parameters]:
    """Read a GPT-2 checkpoint, in double precision.

    Parameters
    ----------
    folder : path
        With ``config.json`` and ``model.safetensors``, tensors named as the transformers library names them,
        with or without ``transformer.`` in front. Without ``lm_head.weight`` the embedding is the output's.

    Raises
    ------
    ValueError
        In one line, for files that are not there or damaged, another architecture, and tensors that are
        missing, of another shape or not finite.
    MissingExtraError
        Without the extra widegap[checkpoints].
    """
    need("safetensors")
    from safetensors import SafetensorError, safe_open

    config, path = _config(Path(folder) / "config.json"), Path(folder) / "model.safetensors"
    try:
        with safe_open(path, framework="numpy") as file:
            names = {name.removeprefix("transformer."): name for name in file.keys()}  # noqa: SIM118

            def get(name: str, *shape: int) -> np.ndarray:
                if name not in names:
                    raise ValueError(f"{path} has no tensor {name}, which GPT-2 has")
                try:
                    value = np.asarray(file.get_tensor(names[name]), dtype=float)
                except (TypeError, AttributeError) as error:  # bfloat16, which numpy does not know
                    raise ValueError(f"{path}: {name} is {error}; save it as float32") from error
                if value.shape != shape or not np.isfinite(value).all():
                    raise ValueError(
                        f"{path}: {name} has the shape {value.shape}; config.json asks for finite numbers of "
                        f"the shape {shape}"
                    )
                return value

            p = _parameters(config, get, "lm_head.weight" in names)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"cannot read {path}: {error}") from error
    return Shape(config["n_layer"], config["n_head"], config["layer_norm_epsilon"], "gelu"), p


def _parameters(
    config: Mapping[str, Any], get: Callable[..., np.ndarray], untied: bool
) -> Parameters:
    jax, jnp, _ = jax_modules()
    layers, heads, width, places, words = (config[name] for name in _SIZES)
    hidden, size = config["n_inner"], width // heads

    def norm(name: str) -> np.ndarray:
        return np.stack([get(f"{name}.{part}", width) for part in ("weight", "bias")])

    def block(h: str) -> dict[str, np.ndarray]:
        qkv = get(f"{h}.attn.c_attn.weight", width, 3 * width).reshape(width, 3, heads, size)
        return {
            "qkv": qkv.transpose(1, 2, 0, 3),
            "qkv_bias": get(f"{h}.attn.c_attn.bias", 3 * width).reshape(3, heads, size),
            "o": get(f"{h}.attn.c_proj.weight", width, width).reshape(heads, size, width),
            "o_bias": get(f"{h}.attn.c_proj.bias", width),
            "inner": get(f"{h}.mlp.c_fc.weight", width, hidden),
            "inner_bias": get(f"{h}.mlp.c_fc.bias", hidden),
            "outer": get(f"{h}.mlp.c_proj.weight", hidden, width),
            "outer_bias": get(f"{h}.mlp.c_proj.bias", width),
            "ln1": norm(f"{h}.ln_1"),
            "ln2": norm(f"{h}.ln_2"),
        }

    embed = get("wte.weight", words, width)
    p = {
        "embed": embed,
        "place": get("wpe.weight", places, width),
        "unembed": (get("lm_head.weight", words, width) if untied else embed).T,
        "last": norm("ln_f"),
        "blocks": [block(f"h.{layer}") for layer in range(layers)],
    }
    return jax.tree.map(jnp.asarray, p)


def read_prompts(path: str | os.PathLike[str], words: int, places: int) -> list[dict[str, Any]]:
    """Read questions: ``[{"clean": [464, 3139], "corrupt": [464, 3240], "answer": 6342}, ..]``.

    Parameters
    ----------
    path : path
        A JSON file of token numbers.
    words, places : int
        Size of the vocabulary, and most tokens.

    Raises
    ------
    ValueError
        In one line, naming the question.
    """
    prompts = _json(Path(path), list)
    for k, one in enumerate(prompts):
        if not isinstance(one, dict) or set(one) != {"clean", "corrupt", "answer"}:
            raise ValueError(
                f"{path}: question {k} has the keys clean, corrupt, answer, and no others"
            )
        clean, corrupt = one["clean"], one["corrupt"]
        lists = isinstance(clean, list) and isinstance(corrupt, list)
        if not lists or not 1 <= len(clean) == len(corrupt) <= places:
            raise ValueError(
                f"{path}: question {k} has as many clean as corrupt tokens, two lists of 1 to {places}"
            )
        for token in (*clean, *corrupt, one["answer"]):
            if type(token) is not int or not 0 <= token < words:
                raise ValueError(
                    f"{path}: question {k}: tokens are from 0 to {words - 1}, got {token!r}"
                )
    return prompts
