"""How much of a network's knowledge circuits of each size keep, by the method that chose them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from numerics.circuits import ablation, acdc, eap, eap_ig, top
from numerics.results import Table

from .checkpoints import read_checkpoint, read_prompts
from .facts import Facts, planted, trained
from .transformer import Patched

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["METHODS", "NEEDS", "NETWORKS", "Faithfulness", "cases_of", "faithfulness", "run_case"]

NEEDS = ("jax", "optax")
"""What all of it takes."""
NETWORKS = {"planted": planted, "trained": trained}
METHODS = ("ablation", "eap", "eap-ig", "acdc", "random")
TOLERANCE, DRAWS = 1e-3, 10
"""Error of EAP-IG in the loss's unit, and random circuits of each size."""


@dataclass(frozen=True)
class Faithfulness(Table):
    """Circuits by method and size.

    Attributes
    ----------
    network : str
    count : int
        Networks or questions averaged over.
    left_out : int
        Those that lose nothing without their edges.
    methods : tuple of str
    sizes : tuple of float
        Mean number of edges.
    shares : tuple of float
        Of all edges.
    faithful : tuple of float
        Mean of (loss without edges - loss of the circuit) / (loss without edges - loss of the network).
    errors : tuple of float or None
        Standard errors of these; None for a single network.
    hits : tuple of float
        Share of questions that the circuit answers rightly.
    found : tuple of float or None
        Share of the planted edges that are in the circuit; None where nothing was planted.
    """

    columns: ClassVar = {
        "method": "methods",
        "edges": "sizes",
        "share": "shares",
        "faithfulness": "faithful",
        "error": "errors",
        "hits": "hits",
        "planted found": "found",
    }
    network: str
    count: int
    left_out: int
    methods: tuple[str, ...]
    sizes: tuple[float, ...]
    shares: tuple[float, ...]
    faithful: tuple[float, ...]
    errors: tuple[float | None, ...]
    hits: tuple[float, ...]
    found: tuple[float | None, ...]

    def draw(self, axes: Axes) -> None:
        """Faithfulness against size, a colour for each method."""
        for method in dict.fromkeys(self.methods):
            rows = [row for row in self.rows() if row["method"] == method]
            x, y, e = ([row[name] for row in rows] for name in ("edges", "faithfulness", "error"))
            bars = None if None in e else e
            axes.errorbar(
                x, y, bars, fmt="*" if method == "acdc" else "o-", capsize=2, label=method
            )
        axes.axhline(1.0, color="gray", lw=0.8)
        sizes = sorted({round(size) for size in self.sizes})
        axes.set(xscale="log", xlabel="edges of the circuit", ylabel="faithfulness")
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
        axes.set_title(f"{self.network}: mean of {self.count}")
        axes.legend(fontsize="small")


def cases_of(
    network: str,
    count: int,
    percents: Sequence[int],
    methods: Sequence[str],
    *,
    tau: float = 0.01,
    zero: bool = True,
    folder: str | None = None,
    prompts: str | None = None,
) -> list[dict[str, Any]]:
    """Cases of `run_case`: networks, or a checkpoint's questions, numbered.

    Parameters
    ----------
    network : {"planted", "trained", "checkpoint"}
    count : int
        Networks.
    percents : sequence of int
        Sizes of circuits, of all edges.
    methods : sequence of str
        Of `METHODS`.
    tau : float
        ACDC's threshold.
    zero : bool
        What edges that are cut bring, as in `verify.circuits.transformer.Patched`.
    folder, prompts : str, optional
        A checkpoint and the file of its questions, of which there are as many cases; what is in them is part
        of each.

    Raises
    ------
    ValueError
        For what makes no sense, and files that are damaged.
    """
    if not np.isfinite(tau):
        raise ValueError(f"a threshold is a finite number, got {tau}")
    if not percents or max(percents) > 100 or not set(methods) <= set(METHODS) or not methods:
        raise ValueError(
            f"circuits take from 1 to 100 percent of the edges, by {', '.join(METHODS)}; got "
            f"{', '.join(map(str, percents))} by {', '.join(methods)}"
        )
    common: dict[str, Any] = {"network": network, "tau": tau, "zero": int(zero)}
    common["methods"] = ",".join(name for name in METHODS if name in methods)
    common["percents"] = ",".join(map(str, sorted(percents)))
    if folder is not None and prompts is not None:
        _, p = read_checkpoint(folder)
        count = len(read_prompts(prompts, p["embed"].shape[0], p["place"].shape[0]))
        digest = hashlib.sha256(Path(prompts).read_bytes())
        with (Path(folder) / "model.safetensors").open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
        common |= {"folder": folder, "prompts": prompts, "files": digest.hexdigest()}
    elif network not in NETWORKS or count < 1:
        raise ValueError(
            f"at least 1 network is {' or '.join(NETWORKS)}, got {count} of {network!r}"
        )
    return [{**common, "number": k} for k in range(count)]


@lru_cache(maxsize=1)
def _checkpoint(folder: str, files: str) -> Any:
    """Read once in each process; ``files`` tells contents apart."""
    return read_checkpoint(folder)


def _patched(case: Mapping[str, Any], seed: int) -> tuple[Patched, tuple[Any, ...]]:
    zero = bool(case["zero"])
    if case["network"] in NETWORKS:
        facts: Facts = NETWORKS[case["network"]](seed % 2**31)
        planted = facts.circuit(zero=zero) if facts.copies else ()
        return facts.patched(zero=zero), tuple(edge for part in planted for edge in part)
    shape, p = _checkpoint(case["folder"], case["files"])
    one = read_prompts(case["prompts"], p["embed"].shape[0], p["place"].shape[0])[case["number"]]
    clean, corrupt, answers = [one["clean"]], [one["corrupt"]], [one["answer"]]
    return Patched(shape, p, np.array(clean), np.array(corrupt), np.array(answers), zero=zero), ()


def run_case(case: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Find circuits of a network by each method, for `verify.cases.run_cases`.

    Parameters
    ----------
    case : mapping
        One of `cases_of`.
    seed : int

    Returns
    -------
    dict
        ``edges``, their number, and ``rows``, of lists: method, size, faithfulness, hits, share of planted
        edges or None. There are none where the network loses nothing without its edges.
    """
    model, edges = _patched(case, seed)
    rng, count = np.random.default_rng(seed), len(model.edges)
    planted = np.array([edge in edges for edge in model.edges])
    empty, full = model.loss(np.zeros(count)), model.loss(np.ones(count))
    if not empty > full:
        return {"edges": count, "rows": []}
    percents = map(int, case["percents"].split(","))
    sizes = list(dict.fromkeys(max(1, round(count * percent / 100)) for percent in percents))

    def row(method: str, *keeps: Any) -> list[Any]:
        losses = [(empty - model.loss(keep)) / (empty - full) for keep in keeps]
        found = [float((keep & planted).sum() / planted.sum()) for keep in keeps] if edges else None
        return [
            method,
            int(keeps[0].sum()),
            float(np.mean(losses)),
            float(np.mean([model.hits(keep) for keep in keeps])),
            None if found is None else float(np.mean(found)),
        ]

    rows = []
    scores = {"ablation": ablation, "eap": eap, "eap-ig": lambda m: eap_ig(m, TOLERANCE)[0]}
    for method in case["methods"].split(","):
        if method == "acdc":
            rows.append(row(method, acdc(model, case["tau"])))
        elif method == "random":
            rows += [
                row(method, *(top(rng.random(count), size) for _ in range(DRAWS))) for size in sizes
            ]
        else:
            found = scores[method](model)
            rows += [row(method, top(found, size)) for size in sizes]
    return {"rows": rows, "edges": count}


def faithfulness(outcomes: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> Faithfulness:
    """Average over networks or questions.

    Parameters
    ----------
    outcomes : iterable of tuple
        Cases of one experiment with what `run_case` returned.

    Raises
    ------
    ValueError
        If none of them has a circuit to find.
    """
    outcomes = list(outcomes)
    tables = [outcome["rows"] for _, outcome in outcomes if outcome["rows"]]
    edges, count = outcomes[0][1]["edges"], len(tables)
    if not tables:
        raise ValueError("no question is answered better by the network than without its edges")
    rows = []
    for same in zip(*tables, strict=True):
        size, faithful, hits = (np.array([row[k] for row in same], dtype=float) for k in (1, 2, 3))
        found = None if same[0][4] is None else float(np.mean([row[4] for row in same]))
        error = float(faithful.std(ddof=1) / count**0.5) if count > 1 else None
        means = float(size.mean()), float(size.mean() / edges), float(faithful.mean())
        rows.append((same[0][0], *means, error, float(hits.mean()), found))
    left = len(outcomes) - count
    return Faithfulness(outcomes[0][0]["network"], count, left, *zip(*rows, strict=True))
