"""What is claimed of the laws: descent with the released code's losses, full batches, no clipping."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from numerics.countercurrent.flow import Drift, Flow, drift, flow
from theory.countercurrent import ACTIVATIONS, conserved, joint_floor
from verify.countercurrent.networks import NEEDS, Setting, descended, flow_time, table
from verify.suite.claims import Run, claim
from verify.suite.verdicts import Finding
from verify.suite.wrong import replaced

PAPER = "Kao and Hariharan, NeurIPS 2024"
TAGS = ("countercurrent",)


def _second_order(*given: Any) -> Drift:
    right = drift(*given)
    pairs = zip(right.predicted, right.steps, strict=True)
    return replace(right, predicted=tuple(p * s for p, s in pairs))


def _transported(*given: Any) -> Flow:
    right = flow(*given)
    return replace(right, cosines=tuple(None if c is None else 1.0 for c in right.cosines))


def _deeper_is_better(*given: Any) -> Flow:
    right = flow(*given)
    pairs = zip(right.distances, right.layers, strict=True)
    return replace(right, distances=tuple(d / 2.0**layer for d, layer in pairs))


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
SECOND_ORDER = replaced(
    "countercurrent-second-order",
    "The conserved matrix drifts as the square of the step size.",
    {drift: _second_order},
)
TRANSPORT = replaced(
    "countercurrent-transport",
    "Alignment is weight transport: W and V' become equal.",
    {flow: _transported},
)
DEPTH_HELPS = replaced(
    "countercurrent-depth-helps",
    "Each linear layer halves the distance from least squares.",
    {flow: _deeper_is_better},
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

    from numerics.countercurrent.networks import first_weights

    x, labels = table("white-digits")
    rows = np.random.default_rng(seed).permutation(len(x))[:600]
    x, labels = x[rows], labels[rows]
    start = first_weights(_UNITS, _CLASSES, _UNITS, _DEPTH, seed=seed)
    setting = Setting("white-digits", "ccl", activation, _DEPTH, _UNITS, steps, 0, rate, 0.0)
    return x, labels, start, descended(setting, start, x, np.eye(_CLASSES)[labels])


def _moved(start: Any, end: Any) -> list[tuple[float, float]]:
    """Change of W'W - V'V relative to that of W'W, in every hidden layer: matrix and diagonal."""
    import numpy as np

    found = []
    for layer in range(_DEPTH):
        w, v = (
            b.T @ b - a.T @ a
            for a, b in (
                (start.forward[layer], end.forward[layer]),
                (start.back[layer + 1], end.back[layer + 1]),
            )
        )
        parts = ((w - v, w), (np.diag(w - v), np.diag(w)))
        found.append(tuple(float(np.linalg.norm(a) / np.linalg.norm(b)) for a, b in parts))
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


@claim(
    "countercurrent-drift",
    "At a finite step the conserved matrix of linear networks moves by what theory predicts to first order, "
    "within 5% at 100 and at 400 steps.",
    source="derived here",
    tags=TAGS,
    cost=5.0,
    wrong=(SECOND_ORDER,),
    needs=NEEDS,
)
def countercurrent_drift(run: Run) -> Finding:
    """Every hidden layer, descent with the code's scales against the flow's integral."""
    seed, worst = run.integer() >> 32, 0.0
    evidence: dict[str, Any] = {}
    for steps in (100, 400):
        rate = 1.0 / steps
        x, labels, start, end = _descent("linear", rate, steps, seed)
        step = flow_time(rate, _UNITS, _CLASSES)
        found = run.theory.of(drift)(x, labels, start, steps * step, (step,)).predicted
        own = [matrix for matrix, _ in _moved(start, end)]
        worst = max(worst, *(abs(a / b - 1.0) for a, b in zip(own, found, strict=True)))
        evidence[f"{steps} steps"] = {"drift": own, "predicted": list(found)}
    verdict = "confirmed" if worst <= 0.05 else "refuted"
    return Finding(verdict, f"At most {worst:.1%} from the prediction.", worst, evidence)


_RATE, _STEPS = 0.02, 1500


@claim(
    "countercurrent-alignment",
    "Forward weights of linear networks align with the feedback's as far as data see them, and no further: "
    "cosines are those of the flow within 0.01, above their least values, and below 0.9.",
    source=f"{PAPER} (weights align); derived here",
    tags=TAGS,
    cost=5.0,
    wrong=(TRANSPORT,),
    needs=NEEDS,
)
def countercurrent_alignment(run: Run) -> Finding:
    """Layers up to the last hidden one, whose losses the released code squares."""
    import numpy as np

    x, labels, start, end = _descent("linear", _RATE, _STEPS, run.integer() >> 32)
    time = _STEPS * flow_time(_RATE, _UNITS, _CLASSES)
    rows = run.theory.of(flow)(x, labels, start, (time,)).rows()[1 : _DEPTH + 1]
    pairs = [(w, v.T) for w, v in zip(end.forward, end.back, strict=True)][:_DEPTH]
    own = [float((w * v).sum() / np.linalg.norm(w) / np.linalg.norm(v)) for w, v in pairs]
    expected = [row["cosine"] for row in rows]
    off = max(abs(a - b) for a, b in zip(own, expected, strict=True))
    least = all(a >= row["at least"] - 0.01 for a, row in zip(own, rows, strict=True))
    good = off <= 0.01 and least and max(own) < 0.9
    evidence = {"cosines": own, "derived": expected, "seen": [row["seen"] for row in rows]}
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
    cost=5.0,
    wrong=(DEPTH_HELPS,),
    needs=NEEDS,
)
def countercurrent_least_squares(run: Run) -> Finding:
    """Layers 0 to the last hidden one, early and late."""
    import numpy as np

    from numerics.countercurrent.networks import reduced, states

    seed, evidence, good = run.integer() >> 32, {}, True
    for rate, steps in ((0.02, 100), (0.05, 8000)):
        x, labels, start, end = _descent("linear", rate, steps, seed)
        root, fit = reduced(x, labels)
        own = [
            float(np.linalg.norm(a @ b.T - fit) / np.linalg.norm(fit))
            for a, b in zip(*states(end, root), strict=True)
        ][:-1]
        time = steps * flow_time(rate, _UNITS, _CLASSES)
        derived = run.theory.of(flow)(x, labels, start, (time,)).distances[:-1]
        good &= all(abs(a - b) <= 0.05 * b + 0.002 for a, b in zip(own, derived, strict=True))
        evidence[f"{steps} steps"] = {"from least squares": own, "derived": list(derived)}
    far, near = (max(row["from least squares"]) for row in evidence.values())
    reason = f"The farthest layer is at {far:.3f} after 100 steps, at {near:.3f} after 8000."
    return Finding("confirmed" if good and near < 0.1 else "refuted", reason, near, evidence)


@claim(
    "countercurrent-joint-floor",
    "No rows of norm 1 have a smaller convolutional loss than the derived floor, and the best ones have it, "
    "with the derived cosine of rows and their class.",
    source="derived here; loss of the released code",
    tags=TAGS,
    cost=3.0,
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
