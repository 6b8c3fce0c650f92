"""Claims about where SAM and FGSAM end, and what their steps cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp

from numerics.sharpness import FixedPoint, evaluate, graph_fixed_point
from theory.sharpness import descent_edge, evaluations, sam_cycle, sam_edge
from verify.suite.claims import Run, claim
from verify.suite.verdicts import Finding
from verify.suite.wrong import replaced

SOURCE = "page on FGSAM (NeurIPS 2024) of this project's sources; derived in theory.sharpness"
WEIGHT, RADII = 0.5, (0.2, 0.1, 0.05, 0.025)


def _at_minimum(*given: Any, **keywords: Any) -> FixedPoint:
    """FGSAM about the joint minimum, on either side of it."""
    right = graph_fixed_point(*given, **keywords)
    return replace(right, point=right.joint)


def _always(*given: Any, radius: float = 0.05, **keywords: Any) -> FixedPoint:
    """A fixed point whatever the radius."""
    return graph_fixed_point(*given, radius=min(radius, 1e-3), **keywords)


def _with(law: Any, value: Any) -> Any:
    return lambda: replace(law(), statement=sp.Eq(law().statement.lhs, value))


def _symbols(law: Any) -> dict[str, Any]:
    return {str(s): s for s in law().symbols}


OSCILLATES = replaced(
    "sharpness-fgsam-oscillates",
    "FGSAM oscillates about the minimum of the joint loss, as SAM does about its own.",
    {graph_fixed_point: _at_minimum},
)
ALWAYS_RESTS = replaced(
    "sharpness-fgsam-always-rests",
    "FGSAM has a fixed point whatever the distance of the two losses' minima.",
    {graph_fixed_point: _always},
)
STOPS = replaced(
    "sharpness-cycle-without-feedback",
    "SAM's cycle is as wide as the perturbation moves it in a step, eta h rho.",
    {sam_cycle: _with(sam_cycle, sp.prod(_symbols(sam_cycle)[n] for n in ("eta", "h", "rho")))},
)
SAME_EDGE = replaced(
    "sharpness-one-edge",
    "SAM is stable up to the curvature up to which descent is.",
    {sam_edge: _with(sam_edge, sp.Integer(2) / _symbols(sam_edge)["eta"])},
)
_COST = _symbols(evaluations)
NEVER_SPARED = replaced(
    "sharpness-plus-spares-nothing",
    "FGSAM+ takes the graph network's gradient in every step.",
    {evaluations: _with(evaluations, _COST["C_G"] + _COST["C_M"] + _COST["C_M"] / _COST["k"])},
)


def _quadratics(rng: np.random.Generator, n: int = 3) -> tuple[Any, Any, Any, Any]:
    """Two Hessians and their minima, 1.5 apart."""
    roots = rng.standard_normal((2, n, n))
    graph, peer = (r @ r.T + np.eye(n) for r in roots)
    away = rng.standard_normal(n)
    return graph, peer, np.zeros(n), 1.5 * away / np.linalg.norm(away)


def _fgsam(problem: tuple[Any, Any, Any, Any], radius: float, rate: float, start: Any) -> Any:
    """The last two of the places that FGSAM goes through in 3000 steps, or until it has run away."""
    graph, peer, b, a = problem
    before, w = np.zeros(len(a)), np.asarray(start) + 1e-3
    for _ in range(3000):
        if np.linalg.norm(w) > 1e6:
            break
        g = graph @ (w - b)
        ahead = w + radius * g / np.linalg.norm(g)
        before, w = w, w - rate * (WEIGHT * g + peer @ (ahead - a))
    return before, w


@claim(
    "sharpness-sam-cycle",
    "On a parabola SAM ends in a two-cycle of amplitude eta h rho/(2 - eta h): 0.033333 at eta = 0.1, h = 5, "
    "rho = 0.1.",
    source=SOURCE,
    printed="0.033333",
    tags=("sharpness",),
    wrong=(STOPS,),
    cost=0.2,
)
def sam_oscillates(run: Run) -> Finding:
    """Iterate SAM from several places, for several step sizes."""
    worst, law = 0.0, run.theory.of(sam_cycle)()
    for eta, h, rho in ((0.1, 5.0, 0.1), (0.3, 5.0, 0.02), (1.0, 0.4, 1.0)):
        amplitude, _ = evaluate(law, eta=eta, h=h, rho=rho)
        for w in (0.7, -0.01, 3.0):
            for _ in range(400):
                w -= eta * h * (w + rho * np.sign(w))
            worst = max(worst, abs(abs(w) / amplitude - 1.0))
    value, _ = evaluate(law, eta=0.1, h=5.0, rho=0.1)
    good = worst < 1e-9 and f"{value:.6f}" == run.claim.printed
    reason = f"The amplitude is {value:.8f}; iterated, SAM's differs by {worst:.0e} at most."
    return Finding("confirmed" if good else "refuted", reason, value, {"worst": worst})


@claim(
    "sharpness-fgsam-rests",
    "FGSAM has a true fixed point on quadratic losses whose minima are further apart than rho, and the shift "
    "of first order is wrong by a relative error that halves with rho.",
    source=SOURCE,
    tags=("sharpness",),
    wrong=(OSCILLATES,),
)
def fgsam_rests(run: Run) -> Finding:
    """Iterate FGSAM on random quadratic losses."""
    predict, worst, errors = run.theory.of(graph_fixed_point), 0.0, []
    for number in range(4):
        problem = _quadratics(run.stream(number))
        row = []
        for radius in RADII:
            found = predict(*problem, weight=WEIGHT, radius=radius)
            before, w = _fgsam(problem, radius, 0.4 * found.largest_step, found.joint)
            shift = np.linalg.norm(w - found.joint)
            off = np.linalg.norm(w - found.point) + np.linalg.norm(w - before)
            worst = max(worst, float(off / shift))
            row.append(float(np.linalg.norm(np.subtract(found.first_order, w)) / shift))
        errors.append(row)
    ratios = [row[k] / row[k + 1] for row in errors for k in range(len(RADII) - 1)]
    good = worst < 1e-6 and all(1.7 < r < 2.3 for r in ratios)
    reason = (
        f"FGSAM comes to rest where predicted, to {worst:.0e} of the shift; the first order's relative error "
        f"falls by factors from {min(ratios):.2f} to {max(ratios):.2f} as rho is halved."
    )
    return Finding("confirmed" if good else "refuted", reason, None, {"first order": errors})


@claim(
    "sharpness-fgsam-threshold",
    "FGSAM rests only if the minima of the two losses are further apart than rho and the step is below the "
    "largest stable one; else it goes on to oscillate, as SAM does.",
    source="derived in theory.sharpness.minimisers; the page states a fixed point without conditions",
    tags=("sharpness",),
    wrong=(ALWAYS_RESTS,),
)
def fgsam_threshold(run: Run) -> Finding:
    """Iterate FGSAM with radii on either side of the distance 1.5, and steps on either side of the edge."""
    predict, good, last = run.theory.of(graph_fixed_point), True, {}
    problem = _quadratics(run.stream())
    for radius in (0.75, 1.2, 1.4, 1.6, 3.0):
        try:
            found = predict(*problem, weight=WEIGHT, radius=radius)
            edge, start = found.largest_step, found.point
        except ValueError:
            edge, start = 0.0, problem[2]
        for rate in (0.5 * edge, 1.2 * edge) if edge else (0.01, 0.1):
            before, w = _fgsam(problem, radius, rate, start)
            move = last[f"rho = {radius}, eta = {rate:.3g}"] = float(np.linalg.norm(w - before))
            good &= (move < 1e-9) == (rate < edge)
    reason = f"Minima 1.5 apart: the last step is {', '.join(f'{v:.0e} at {k}' for k, v in last.items())}."
    return Finding("confirmed" if good else "refuted", reason, None, last)


@claim(
    "sharpness-edges",
    "Descent is stable up to the curvature 2/eta, SAM up to a smaller one, falling with the gradient's norm.",
    source="Cohen et al. 2021; Long, Bartlett 2024; derived in theory.sharpness",
    tags=("sharpness",),
    wrong=(SAME_EDGE,),
    cost=0.2,
)
def edges(run: Run) -> Finding:
    """Take one step from just below and just above each edge."""
    eta, rho, good, found = 0.1, 0.05, True, {}
    for norm in (0.01, 1.0, 100.0):
        for name, law, reach in (
            ("descent", descent_edge, 0.0),
            ("sam", sam_edge, rho),
        ):
            own = {"eta": eta} if name == "descent" else {"eta": eta, "rho": rho, "nu": norm}
            edge, _ = evaluate(run.theory.of(law)(), **own)
            found[f"{name}, |g| = {norm}"] = edge
            for h, grows in ((0.999 * edge, False), (1.001 * edge, True)):
                w = norm / h
                good &= (abs(w - eta * h * (w + reach)) > w) == grows
    reason = "Edges: " + ", ".join(f"{k}: {v:.4g}" for k, v in found.items()) + "."
    return Finding("confirmed" if good else "refuted", reason, None, found)


_SECONDS = {"adam": 4.27, "sam": 8.77, "fgsam": 4.98, "fgsam+": 3.00, "peer": 0.41}


@claim(
    "sharpness-printed-seconds",
    "Counted in gradients, with those of Adam and of the peer as printed, a step of SAM, FGSAM and FGSAM+ "
    "(k = 2) costs what is printed to 10%.",
    source="FGSAM, NeurIPS 2024: seconds per 200 episodes",
    tags=("sharpness",),
    wrong=(NEVER_SPARED,),
    cost=0.2,
)
def printed_seconds(run: Run) -> Finding:
    """Compare sums of the printed seconds of single gradients with those of the methods."""
    graph, peer = _SECONDS["adam"], _SECONDS["peer"]
    plus, _ = evaluate(run.theory.of(evaluations)(), C_G=graph, C_M=peer, k=2)
    derived = {"sam": 2 * graph, "fgsam": graph + peer, "fgsam+": plus}
    off = {name: value / _SECONDS[name] - 1.0 for name, value in derived.items()}
    good = all(abs(x) < 0.1 for x in off.values())
    reason = "Off by " + ", ".join(f"{x:+.1%} ({name})" for name, x in off.items()) + "."
    return Finding("confirmed" if good else "refuted", reason, plus, {"seconds": derived})
