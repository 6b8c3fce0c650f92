"""What is claimed of the laws: descent with the released code's losses, full batches, no clipping."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from numerics.countercurrent import Flow, first_weights, flow, measured, reduced
from theory.countercurrent import ACTIVATIONS, conserved, joint_floor
from verify.countercurrent.networks import NEEDS, descended, flow_time, table
from verify.suite.claims import Run, claim
from verify.suite.verdicts import Finding
from verify.suite.wrong import replaced

PAPER = "Kao and Hariharan, NeurIPS 2024"
TAGS = ("countercurrent",)


def _changed(**columns: Any) -> Any:
    """The flow with columns made anew of a value and its layer."""

    def other(*given: Any) -> Flow:
        right = flow(*given)
        made = {
            name: tuple(
                None if v is None else new(v, k)
                for v, k in zip(getattr(right, name), right.layers, strict=True)
            )
            for name, new in columns.items()
        }
        return replace(right, **made)

    return {flow: other}


ELU_KEEPS = replaced(
    "countercurrent-elu-keeps",
    "The norms of a neuron's weights are conserved with ELU as well.",
    {conserved: lambda name: "diagonal" if name == "elu" else conserved(name)},
)
RELU_KEEPS = replaced(
    "countercurrent-relu-keeps",
    "With ReLU the whole matrix W'W - V'V is conserved.",
    {conserved: lambda name: "matrix" if name == "relu" else conserved(name)},
)
EXACT = replaced(
    "countercurrent-exact", "Finite steps conserve W'W - V'V.", _changed(drifts=lambda d, _: 0.0)
)
TRANSPORT = replaced(
    "countercurrent-transport",
    "Alignment is weight transport: W and V' become equal.",
    _changed(cosines=lambda c, _: 1.0),
)
DEPTH_HELPS = replaced(
    "countercurrent-depth-helps",
    "Each linear layer halves the distance from least squares.",
    _changed(distances=lambda d, layer: d / 2.0**layer),
)
NO_FLOOR = replaced(
    "countercurrent-no-floor",
    "Rows can meet their class and be orthogonal to each other: the convolutional loss can vanish.",
    {joint_floor: lambda members, classes, target, apart: (1, 0)},
)

_UNITS, _DEPTH, _CLASSES = 12, 3, 10
"""As many units as whitened inputs, so that all losses have one scale."""


@lru_cache(maxsize=8)
def _descent(activation: str, rate: float, steps: int, seed: int) -> tuple[Any, ...]:
    """Data, first weights and last ones."""
    import numpy as np

    x, labels = table("white-digits")
    rows = np.random.default_rng(seed).permutation(len(x))[:600]
    x, labels = x[rows], labels[rows]
    start = first_weights(_UNITS, _CLASSES, _UNITS, _DEPTH, seed=seed)
    end = descended(start, x, np.eye(_CLASSES)[labels], activation, rate, steps)
    return x, labels, start, end


def _change(weights: Any, first: Any, layer: int) -> Any:
    """Change of W'W or V'V, in the units of a hidden layer."""
    return weights[layer].T @ weights[layer] - first[layer].T @ first[layer]


def _moved(start: Any, end: Any) -> list[tuple[float, float]]:
    """Change of W'W - V'V relative to that of W'W, in every hidden layer: matrix and diagonal."""
    from numpy import diag
    from numpy.linalg import norm

    found = []
    for layer in range(_DEPTH):
        w = _change(end.forward, start.forward, layer)
        v = _change(end.back, start.back, layer + 1)
        found.append(tuple(float(norm(a - b) / norm(a)) for a, b in ((w, v), (diag(w), diag(v)))))
    return found


@claim(
    "countercurrent-conservation",
    "The change of W'W - V'V falls in proportion to the step size for linear networks, on its diagonal alone "
    "for ReLU, and not at all for ELU.",
    source="derived here; slopes within 0.25 of 1 or of 0",
    tags=TAGS,
    profile="ci",
    cost=12.0,
    wrong=(ELU_KEEPS, RELU_KEEPS),
    needs=NEEDS,
)
def countercurrent_conservation(run: Run) -> Finding:
    """Slopes of drift against step size, between a step and an eighth of it."""
    import math

    seed = run.integer() >> 32
    evidence: dict[str, Any] = {}
    wrong = []
    for number, name in enumerate(ACTIVATIONS):
        coarse, fine = (
            _moved(*_descent(name, rate, round(1.6 / rate), seed)[2:]) for rate in (0.016, 0.002)
        )
        kept = run.theory.of(conserved)(name)
        for part, expected in enumerate((kept == "matrix", kept != "nothing")):
            slopes = [
                math.log(a[part] / b[part]) / math.log(8.0)
                for a, b in zip(coarse, fine, strict=True)
            ]
            what = f"{name}, {('matrix', 'diagonal')[part]}"
            evidence[what] = {"slopes": slopes, "drift": [row[part] for row in fine]}
            if any(abs(slope - expected) > 0.25 for slope in slopes):
                wrong.append(what)
        run.progress((number + 1) / 3, name)
    reason = (
        f"Slopes are not as derived for {'; '.join(wrong)}."
        if wrong
        else "All slopes are as derived."
    )
    return Finding("refuted" if wrong else "confirmed", reason, None, evidence)


def _rows(run: Run, rate: float, steps: int) -> list[dict[str, Any]]:
    """The flow's rows up to the last hidden layer, whose loss the released code squares, and ``own``."""
    x, labels, start, end = _descent("linear", rate, steps, run.integer() >> 32)
    step = flow_time(rate, _UNITS, _CLASSES)
    right = run.theory.of(flow)(x, labels, start, (steps * step,))
    drifts = [
        (_change(end.forward, start.forward, k) - _change(end.back, start.back, k + 1)) / step
        for k in range(_DEPTH)
    ]
    own = measured(end, start, drifts, *reduced(x, labels))
    names = list(Flow.columns)[1:]
    return [
        {**row, "own": dict(zip(names, mine, strict=True))}
        for row, mine in zip(right.rows()[: _DEPTH + 1], own, strict=False)
    ]


@claim(
    "countercurrent-drift",
    "At a finite step the conserved matrix of linear networks moves by what theory predicts to first order, "
    "within 5% at 100 and at 400 steps.",
    source="derived here",
    tags=TAGS,
    cost=2.0,
    wrong=(EXACT,),
    needs=NEEDS,
)
def countercurrent_drift(run: Run) -> Finding:
    """Every hidden layer, descent with the code's scales against the flow's integral."""
    evidence = {
        f"{steps} steps": [
            (row["own"]["drift/step"], row["drift/step"])
            for row in _rows(run, 1.0 / steps, steps)[1:]
        ]
        for steps in (100, 400)
    }
    worst = max(abs(b / a - 1.0) for pairs in evidence.values() for a, b in pairs)
    verdict = "confirmed" if worst <= 0.05 else "refuted"
    return Finding(verdict, f"At most {worst:.1%} from the prediction.", worst, evidence)


@claim(
    "countercurrent-alignment",
    "Forward weights of linear networks align with the feedback's as far as data see them, and no further: "
    "cosines are those of the flow within 0.01, above their least values, and below 0.9.",
    source=f"{PAPER} (weights align); derived here",
    tags=TAGS,
    cost=2.0,
    wrong=(TRANSPORT,),
    needs=NEEDS,
)
def countercurrent_alignment(run: Run) -> Finding:
    """After 1500 steps, when data see nearly the same of both."""
    rows = _rows(run, 0.02, 1500)[1:]
    own = [row["own"]["cosine"] for row in rows]
    off = max(abs(a - row["cosine"]) for a, row in zip(own, rows, strict=True))
    least = all(a >= row["at least"] - 0.01 for a, row in zip(own, rows, strict=True))
    good = off <= 0.01 and least and max(own) < 0.9
    evidence = {"cosines": own, "seen": [row["seen"] for row in rows]}
    reason = (
        f"Cosines {', '.join(f'{c:.3f}' for c in own)}, at most {off:.4f} from the derived ones."
    )
    return Finding("confirmed" if good else "refuted", reason, off, evidence)


@claim(
    "countercurrent-least-squares",
    "All layers of linear networks tend to the same fit, ordinary least squares, at the distances of the "
    "flow within 5% and 0.002.",
    source="derived here",
    tags=TAGS,
    profile="ci",
    cost=5.0,
    wrong=(DEPTH_HELPS,),
    needs=NEEDS,
)
def countercurrent_least_squares(run: Run) -> Finding:
    """Early and late."""
    early, late = (
        [(row["own"]["from OLS"], row["from OLS"]) for row in _rows(run, rate, steps)]
        for rate, steps in ((0.02, 100), (0.05, 8000))
    )
    good = all(abs(a - b) <= 0.05 * b + 0.002 for a, b in (*early, *late))
    far, near = (max(a for a, _ in pairs) for pairs in (early, late))
    reason = f"The farthest layer is at {far:.3f} after 100 steps, at {near:.3f} after 8000."
    return Finding(
        "confirmed" if good and near < 0.1 * far else "refuted",
        reason,
        near,
        {"early": early, "late": late},
    )


@claim(
    "countercurrent-joint-floor",
    "No rows of norm 1 have a smaller convolutional loss than the derived floor, and the best ones have it, "
    "with the derived cosine of rows and their class.",
    source="derived here; loss of the released code",
    tags=TAGS,
    cost=1.5,
    wrong=(NO_FLOOR,),
    needs=NEEDS,
)
def countercurrent_joint_floor(run: Run) -> Finding:
    """Minimise the loss over free rows from random starts."""
    import numpy as np
    from scipy.optimize import minimize

    from verify.countercurrent.images import DECORRELATION, TARGET, normalised_loss
    from verify.networks.training import jax_modules

    jax, _, _ = jax_modules()
    members, classes = 4, 3
    n = members * classes
    y, rng = np.eye(classes)[np.arange(n) % classes], run.stream()
    slope = jax.jit(jax.value_and_grad(lambda z: normalised_loss(*_split(z, n), y)))
    found = [
        minimize(lambda z: tuple(np.asarray(part, float) for part in slope(z)),
                 rng.standard_normal((n + classes) * n), jac=True, method="L-BFGS-B",
                 options={"maxiter": 3000, "ftol": 1e-15, "gtol": 1e-9})
        for _ in range(5)
    ]  # fmt: skip
    best = min(found, key=lambda one: one.fun)
    a, b = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in _split(best.x, n))
    own = float((a @ b.T)[y > 0].mean())
    share, floor = map(float, run.theory.of(joint_floor)(members, classes, TARGET, DECORRELATION))
    good = abs(best.fun - floor) <= 1e-6 and abs(own - share) <= 1e-3
    evidence = {"least": best.fun, "floor": floor, "cosine": own, "derived": share}
    return Finding(
        "confirmed" if good else "refuted",
        f"Least loss {best.fun:.7f}, derived {floor:.7f}.",
        None,
        evidence,
    )


def _split(z: Any, n: int) -> tuple[Any, Any]:
    rows = z.reshape(-1, n)
    return rows[:n], rows[n:]
