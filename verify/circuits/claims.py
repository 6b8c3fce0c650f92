"""What is claimed of circuits: counts, gates, expansions; planted, random and edited ones."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from numerics.circuits import (
    Compiled,
    ablation,
    acdc,
    circuit,
    eap,
    eap_ig,
    riemann,
    spill,
    top,
)
from theory.circuits import Edge, Residual, X, edge_count
from verify.statistics.tests import CountTest
from verify.suite.claims import Run, claim
from verify.suite.verdicts import Finding
from verify.suite.wrong import replaced

from .experiment import NEEDS

TAGS = ("circuits",)
PAPER = "knowledge circuits, NeurIPS 2024 (released code)"


def _backwards(model: Any, tau: float, visits: Any = None, *, absolute: bool = False) -> Any:
    return acdc(model, tau, absolute=absolute)


def better_share() -> float:
    """Share of trained networks whose EAP-IG circuit is better than random ones: all but accidents."""
    return 0.97


WHOLE = replaced(
    "circuits-whole-heads",
    "A head has one input, not three.",
    {
        edge_count: lambda n, h: (
            sum((h + 1) * (1 + k * (h + 1)) + h for k in range(n)) + 1 + n * (h + 1)
        )
    },
)
EXACT = replaced(
    "circuits-eap-is-ablation", "The score of EAP is the effect of an ablation.", {eap: ablation}
)
CONVERGED = replaced(
    "circuits-right-sum",
    "A right Riemann sum of 30 points has converged.",
    {eap_ig: lambda model, tolerance=1e-10: (riemann(model, 30)[0], tolerance)},
)
UNIQUE = replaced(
    "circuits-unique",
    "The circuit is unique: no order of visits finds another.",
    {acdc: _backwards},
)
RANDOM = replaced(
    "circuits-random",
    "A random circuit of equal size does as well.",
    {better_share: lambda: 0.5},
)
SURGICAL = replaced(
    "circuits-surgical",
    "An edit changes no other answer.",
    {spill: lambda moments, key, other: 0.0},
)
OVERLAP = replaced(
    "circuits-overlap",
    "An edit changes other answers by the overlap of their keys.",
    {spill: lambda moments, key, other: spill(np.eye(len(key)), key, other)},
)


def _verdict(good: bool, reason: str, evidence: dict[str, Any] | None = None) -> Finding:
    return Finding("confirmed" if good else "refuted", reason, None, evidence or {})


@claim(
    "circuits-edges",
    "A transformer with split inputs has the derived number of edges, GPT-2 small 32,491.",
    source="count of the ACDC code, as generally known; graphs built edge by edge",
    printed="32491",
    tags=TAGS,
    cost=0.5,
    wrong=(WHOLE,),
)
def circuits_edges(run: Run) -> Finding:
    """Against graphs of all sizes up to four, and GPT-2 small."""
    from .transformer import edges_of

    count, sizes = run.theory.of(edge_count), [(n, h) for n in range(1, 5) for h in range(1, 5)]
    off = [
        size
        for size in (*sizes, (12, 12))
        if circuit(edges_of(*size)[0]).number_of_edges() != count(*size)
    ]
    small = int(count(12, 12))
    good = not off and small == 32491
    return Finding("confirmed" if good else "refuted", f"{len(off)} counts are off.", small)


def _blocks(rng: np.random.Generator, step: float = 2.0) -> Compiled:
    """Four tanh blocks with all edges, and a logistic loss."""
    from sympy import Rational, exp, log, tanh

    names = ("input", "b0", "b1", "b2", "b3", "output")
    drawn = [Rational(int(w), 16) for w in rng.choice((-1, 1), 9) * rng.integers(16, 49, 9)]
    functions = {
        name: drawn[2 * k] * tanh(drawn[2 * k + 1] * X + 1) for k, name in enumerate(names[1:5])
    }
    functions["output"] = log(1 + exp(-X)) * drawn[8] ** 2
    return Compiled(Residual(functions, list(combinations(names, 2)), 1, 1 - Rational(str(step))))


@claim(
    "circuits-expansion",
    "Ablation and EAP differ in the second order of what an edge brings.",
    source="derived here",
    tags=TAGS,
    cost=0.5,
    wrong=(EXACT,),
)
def circuits_expansion(run: Run) -> Finding:
    """Halving the distance of corrupt from clean inputs quarters the difference, of all edges together."""
    ratios = []
    for k in range(20):
        off = [
            np.abs(ablation(model) - run.theory.of(eap)(model)).sum()
            for model in (_blocks(run.stream(k), step) for step in (2e-3, 1e-3))
        ]
        ratios.append(off[0] / off[1] if off[1] > 0.0 else 0.0)
    middle = float(np.median(ratios))
    return _verdict(
        abs(middle - 4.0) < 0.2, f"Of 20 graphs it falls by a median factor of {middle:.3f}."
    )


@claim(
    "circuits-completeness",
    "Scores of EAP-IG out of the input add up to the whole loss, those into the output do not.",
    source="derived here; the released code takes a right Riemann sum",
    tags=TAGS,
    cost=0.5,
    wrong=(CONVERGED,),
)
def circuits_completeness(run: Run) -> Finding:
    """To 1e-10 on twenty graphs."""
    worst, output = 0.0, []
    for k in range(20):
        model = _blocks(run.stream(k))
        scores, _ = run.theory.of(eap_ig)(model)
        none = np.zeros(len(scores))
        total = model.loss(none) - model.loss(1.0 + none)
        into = np.array([u == "input" for u, _ in model.edges])
        out = np.array([v == "output" for _, v in model.edges])
        worst = max(worst, abs(scores[into].sum() - total))
        output.append(abs(scores[out].sum() - total))
    middle = float(np.median(output))
    good = worst <= 1e-10 and middle > 1e-6
    return _verdict(
        good, f"Off by at most {worst:.1e} at the input, a median of {middle:.1e} at the output."
    )


@claim(
    "circuits-planted",
    "Of two copies of a head, where edges that are cut bring nothing, EAP-IG ranks both alike and above all "
    "that has no part in it, single ablation and EAP see neither, and ACDC keeps the one it visits last, "
    "with which the circuit answers all that the network does.",
    source=f"{PAPER}; a network built by hand",
    tags=TAGS,
    profile="ci",
    cost=12.0,
    wrong=(UNIQUE,),
    needs=NEEDS,
)
def circuits_planted(run: Run) -> Finding:
    """Five networks, and visits from the output back and from the input on."""
    from .facts import planted

    of, off = run.theory.of, []
    for k in range(5):
        facts = planted(run.integer(k) % 2**31)
        model = facts.patched(zero=True)
        *copies, rest = facts.circuit(zero=True)

        def where(edges: tuple[Edge, ...], every: Any = model.edges) -> list[int]:
            return [every.index(edge) for edge in edges]

        path, error = of(eap_ig)(model, 1e-3)
        first, second = (path[where(copy)] for copy in copies)
        others = np.delete(np.abs(path), where((*copies[0], *copies[1], *rest)))
        parts = {
            "alike": np.abs(first - second).max() <= 2.0 * error,
            "above": first[2:].min() > others.max() + 2.0 * error,  # its v, and what it sends
            "unseen": all(
                np.abs(scores[where((*copies[0], *copies[1]))]).max() < 1e-6
                for scores in (of(ablation)(model), of(eap)(model))
            ),
        }
        for name, visits, last in (("backward", model.edges[::-1], 0), ("forward", model.edges, 1)):
            keep = of(acdc)(model, 0.01, visits)
            found = {edge for edge, there in zip(model.edges, keep, strict=True) if there}
            parts[name] = found >= {*copies[last], *rest} and not found & {*copies[1 - last]}
            parts[f"{name} answers"] = model.hits(keep) == model.hits(np.ones(len(keep)))
        off += [name for name, good in parts.items() if not good]
    return _verdict(not off, f"Not so: {', '.join(off)}." if off else "So it is in all five.")


_NETWORKS = 60
_BETTER = CountTest(better_share(), _NETWORKS, 0.5)


@claim(
    "circuits-random",
    "In trained networks a fifth of the edges, chosen by EAP-IG, is more faithful than as many random ones.",
    source=f"{PAPER}; trained here",
    tags=TAGS,
    profile="ci",
    cost=30.0,
    wrong=(RANDOM,),
    designs=(_BETTER.design("in 97 of 100 networks it is", "in every second one"),),
    needs=NEEDS,
)
def circuits_random(run: Run) -> Finding:
    """Against the mean of ten random circuits of each network, for corrupt questions."""
    from .facts import trained

    better = 0
    for k in range(_NETWORKS):
        model, rng = trained(run.integer(k) % 2**31).patched(), run.stream(k)
        size = round(0.2 * len(model.edges))
        chosen = model.loss(top(eap_ig(model, 1e-3)[0], size))
        control = [model.loss(top(rng.random(len(model.edges)), size)) for _ in range(10)]
        better += bool(chosen < np.mean(control))
        run.progress((k + 1) / _NETWORKS, f"network {k + 1}")
    share = run.theory.of(better_share)()
    good = CountTest(share, _NETWORKS, 0.5).accepts(better)
    return _verdict(good, f"In {better} of {_NETWORKS} networks it is.")


@claim(
    "circuits-edit",
    "A rank-one edit of a trained network changes what its last MLP sends for other questions by the derived "
    "share: nothing for those whose keys it knew of, and more than a tenth for some that it did not.",
    source="rank-one model editing (ROME); derived here",
    tags=TAGS,
    profile="ci",
    cost=12.0,
    wrong=(SURGICAL, OVERLAP),
    needs=NEEDS,
)
def circuits_edit(run: Run) -> Finding:
    """Each third fact of three networks, with second moments of all keys and of every other one."""
    from .edits import edit_fact, memory
    from .facts import trained

    off, known, unknown, hits, broken = 0.0, 0.0, 0.0, [], []
    for n in range(3):
        facts = trained(run.integer(n) % 2**31)
        keys, *_ = memory(facts)
        for step in (1, 2):
            used = keys[::step]
            moments = used.T @ used / len(used) + 1e-6 * np.eye(keys.shape[1])
            for k in range(0, len(keys), 3):
                done = edit_fact(facts, k, moments)
                hits.append(done.hit)
                broken.append(done.broken)
                shares = np.array([run.theory.of(spill)(moments, keys[k], other) for other in keys])
                scale = np.abs(done.wanted).max()
                off = max(off, np.abs(done.change - shares[:, None] * done.wanted).max() / scale)
                spilt = np.abs(done.change).max(axis=1) / scale
                spilt[k] = 0.0
                known = max(known, spilt[::step].max())
                unknown = max(unknown, spilt[1::2].max() if step == 2 else 0.0)
    good = off < 1e-6 and known < 1e-3 and unknown > 0.1 and all(hits)
    reason = (
        f"Off the derived share by {off:.1e}; {known:.1e} for known keys, up to {unknown:.2f} for others; "
        f"{np.mean(broken):.1%} of other answers broken."
    )
    return _verdict(good, reason)
