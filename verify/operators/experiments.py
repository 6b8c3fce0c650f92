"""The experiment of the subject: one layer on linear equations, four layers on Burgers, on two grids.

Everything is trained on 64 points. Errors are relative, in root mean square, on fresh fields: on the same
grid, on twice as many points as the system is (frequencies k/N of the grid at hand), and mended (frequencies
of the grid that was trained on, no modes beyond it).
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from numerics.operators.designs import designs, parameters
from numerics.operators.grids import resolutions
from numerics.operators.symbols import shift_speed, symbol
from numerics.results import Result
from verify.cases import Case, Outcome, run_cases

from . import systems
from .data import burgers, sampled, spectra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "KERNELS",
    "PROBLEMS",
    "Trials",
    "burgers_errors",
    "case",
    "cases",
    "experiment",
    "linear_case",
]

GRID, TWICE = 64, 128
SAMPLES, DECAY = 200, 1.0
MODES, FEATURES = 16, 10
VISCOSITY, TIME = 0.1, 1.0
PROBLEMS: dict[str, tuple[str, dict[str, float]]] = {
    "heat": ("heat", {"nu": 0.01}),
    "dispersion": ("dispersion", {"beta": 1e-4}),
    "screened-poisson": ("screened-poisson", {"kappa": 3.0}),
    **{f"shift-{s}": ("advection", {"c": shift_speed(s, GRID)}) for s in (1, 2, 4, 6, 8, 12)},
}
"""Linear equations, shifts by numbers of cells among them."""
KERNELS = ("fourier", "readout", "spline", "perceptron")
"""Of one layer with one channel: free modes, linear readouts of the features, splines of them, networks."""

Complexes = NDArray[np.complex128]


def linear_case(problem: str, kernel: str, seed: int, steps: int = 2000) -> Outcome:
    """Fit one layer with one channel to fields, by least squares where it is linear, and apply it to others.

    Parameters
    ----------
    problem, kernel : str
        Of `PROBLEMS` and `KERNELS`.
    seed : int
    steps : int
        Of AdamW, for ``perceptron``.

    Returns
    -------
    dict
        ``error``, ``twice``, ``mended``, ``predicted`` and ``predicted_twice`` (None where there is no
        prediction), ``parameters``.
    """
    rng = np.random.default_rng(seed)
    name, values = PROBLEMS[problem]
    coefficients = spectra(rng, SAMPLES, GRID, DECAY)
    target = coefficients * symbol(name, values, np.arange(coefficients.shape[1]))
    frequency, _ = systems.frequencies(GRID, GRID, mended=False)
    k = len(target[0])
    weights = np.mean(np.abs(coefficients) ** 2, axis=0)
    fitted = np.mean(coefficients.conj() * target, axis=0) / weights  # of each mode by itself
    if kernel == "fourier":
        kept = np.where(np.arange(k) < MODES, fitted, 0.0)
        apply = _padded(kept)
        count = parameters("fourier", MODES, 1)
    elif kernel == "perceptron":
        apply, count = _trained(fitted, weights, frequency[:k], seed, steps)
    else:
        kind = "spline" if kernel == "spline" else "amortised"
        apply, count = _linear(kind, fitted, weights, frequency[:k])
    outcome: Outcome = {"parameters": count, "predicted": None, "predicted_twice": None}
    if kernel in ("fourier", "readout"):
        found = designs(name, values, grid=GRID, decay=DECAY, most=MODES)
        outcome["predicted"] = (
            found.fourier[MODES - 1] if kernel == "fourier" else found.amortised[FEATURES - 1]
        )
    if kernel == "readout":
        moved = resolutions(name, values, (TWICE,), trained=GRID, n=FEATURES, decay=DECAY)
        outcome["predicted_twice"] = moved.ratio[0]
    for key, grid, mended in (
        ("error", GRID, False),
        ("twice", TWICE, False),
        ("mended", TWICE, True),
    ):
        fields = spectra(rng, SAMPLES, grid, DECAY)
        wave = np.arange(fields.shape[1])
        exact = sampled(fields * symbol(name, values, wave), grid)
        r = apply(*systems.frequencies(grid, GRID, mended=mended))
        ours = np.fft.irfft(r * np.fft.rfft(sampled(fields, grid), axis=1), n=grid, axis=1)
        # sums, not BLAS: the same to the last bit on any number of threads
        outcome[key] = math.sqrt(float(((ours - exact) ** 2).sum() / (exact**2).sum()))
    return outcome


_Kernel = Callable[[NDArray[np.float64], NDArray[np.float64]], Complexes]


def _padded(kept: Complexes) -> _Kernel:
    def apply(frequency: NDArray[np.float64], seen: NDArray[np.float64]) -> Complexes:
        return np.r_[kept, np.zeros(len(seen) - len(kept))]

    return apply


def _linear(kind: str, fitted: Complexes, weights: Any, frequency: Any) -> tuple[_Kernel, int]:
    """Least squares, by the singular values that doubles can tell from zero."""

    def inputs(at: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.c_[np.ones(len(at)), systems.inputs_of(kind, at, FEATURES)]

    root, matrix = np.sqrt(weights), inputs(frequency)
    c = np.linalg.lstsq(root[:, None] * matrix, root * fitted, rcond=None)[0]
    return lambda at, seen: (inputs(at) @ c) * seen, 2 * matrix.shape[1]


def _trained(
    fitted: Complexes, weights: Any, frequency: Any, seed: int, steps: int
) -> tuple[_Kernel, int]:
    """Two networks n -> 2n -> 1 on the loss of the fields, which by Parseval is one of the modes."""
    from verify.networks.training import jax_modules, train

    jax, _, optax = jax_modules()
    inputs = systems.inputs_of("amortised", frequency, FEATURES)
    a, b = jax.random.split(jax.random.key(seed))
    start = [systems.perceptron(k, FEATURES, 2 * FEATURES, 1) for k in (a, b)]
    scale = float(weights @ np.abs(fitted) ** 2)

    def loss(p: Any) -> Any:
        real, imaginary = (systems.through(q, inputs)[:, 0] for q in p)
        return weights @ ((real - fitted.real) ** 2 + (imaginary - fitted.imag) ** 2) / scale

    rate = optax.cosine_decay_schedule(1e-2, steps)
    fit = jax.jit(lambda p: train(jax.grad(loss), p, optax.adamw(rate), steps)[0])
    p = fit(start)

    def apply(at: NDArray[np.float64], seen: NDArray[np.float64]) -> Complexes:
        real, imaginary = (
            np.asarray(systems.through(q, systems.inputs_of("amortised", at, FEATURES)))[:, 0]
            for q in p
        )
        return (real + 1j * imaginary) * seen

    return apply, sum(x.size for x in jax.tree.leaves(p))


def burgers_errors(kind: str, seeds: Sequence[int], width: int, steps: int) -> list[Outcome]:
    """Train whole networks on viscous Burgers, one for each seed, and apply them on two grids.

    Parameters
    ----------
    kind : str
        Of `systems.KINDS`.
    seeds : sequence of int
        Of data and networks; the same for every kind.
    width, steps : int
        Channels; updates of AdamW (weight decay 1e-4, cosine schedule from 3e-3) on batches of 20.

    Returns
    -------
    list of dict
        ``error``, ``twice``, ``mended`` and ``parameters``, for each seed.
    """
    from verify.networks.training import jax_modules

    jax, jnp, _ = jax_modules()
    fit, relative = _trainer(kind, width, steps)

    def features(grid: int, mended: bool) -> tuple[Any, Any]:
        frequency, kept = systems.frequencies(grid, GRID, mended=mended)
        return jnp.asarray(systems.inputs_of(kind, frequency, FEATURES)), jnp.asarray(kept)

    own = features(GRID, False)
    found = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        ((v, u),) = burgers(rng, SAMPLES, (GRID,), VISCOSITY, TIME)
        p = fit(jax.random.key(seed), own, v, u)
        tests = burgers(rng, SAMPLES, (GRID, TWICE), VISCOSITY, TIME)
        found.append(
            {
                "error": float(relative(p, own, *tests[0])),
                "twice": float(relative(p, features(TWICE, False), *tests[1])),
                "mended": float(relative(p, features(TWICE, True), *tests[1])),
                "parameters": sum(x.size for x in jax.tree.leaves(p)),
            }
        )
    return found


@cache
def _trainer(kind: str, width: int, steps: int) -> tuple[Any, Any]:
    """Training and mean relative error of one kind of network, compiled once a process."""
    from verify.networks.training import jax_modules, train

    jax, jnp, optax = jax_modules()

    def relative(p: Any, inputs: tuple[Any, Any], v: Any, u: Any) -> Any:
        off = systems.apply(kind, p, *inputs, v) - u
        return jnp.mean(jnp.linalg.norm(off, axis=1) / jnp.linalg.norm(u, axis=1))

    def fit(key: Any, inputs: tuple[Any, Any], v: Any, u: Any) -> Any:
        first, order = jax.random.split(key)
        begin = systems.start(first, kind, width, MODES if kind == "fourier" else FEATURES)
        rate = optax.cosine_decay_schedule(3e-3, steps)
        optimiser = optax.adamw(rate, weight_decay=1e-4)

        def slope(p: Any, v: Any, u: Any) -> Any:
            return jax.grad(relative)(p, inputs, v, u)

        return train(slope, begin, optimiser, steps, data=(v, u), batch=20, key=order)[0]

    return jax.jit(fit), jax.jit(relative)


def case(settings: dict[str, Any], seed: int) -> Outcome:
    """Compute one case, as `verify.cases.run_cases` asks for it; Burgers is seeded by its own setting."""
    if settings["problem"] == "burgers":
        width, steps = settings["width"], settings["steps"]
        return burgers_errors(settings["kernel"], [settings["draw"]], width, steps)[0]
    return linear_case(settings["problem"], settings["kernel"], seed)


def cases(
    parts: Sequence[str], draws: int, width: int, steps: int, seed: int
) -> list[dict[str, Any]]:
    """Settings of an experiment.

    Parameters
    ----------
    parts : sequence of str
        Of ``"linear"`` and ``"burgers"``.
    draws : int
        Networks of each kind on Burgers; kinds are paired: the same data, the same seeds.
    width, steps : int
        As for `burgers_errors`.
    seed : int
    """
    listed: list[dict[str, Any]] = []
    if "burgers" in parts:  # the long ones first
        listed += [
            {
                "problem": "burgers",
                "kernel": kind,
                "draw": seed * 1000 + d,
                "width": width,
                "steps": steps,
            }
            for kind in systems.KINDS
            for d in range(draws)
        ]
    if "linear" in parts:
        listed += [{"problem": p, "kernel": kernel} for p in PROBLEMS for kernel in KERNELS]
    return listed


@dataclass(frozen=True)
class Trials(Result):
    """Errors of layers and networks.

    Attributes
    ----------
    problem, kernel : tuple of str
        One of each row; networks on Burgers are averaged over their draws.
    parameters, draws : tuple of int
    predicted, error, spread, twice, predicted_twice, mended : tuple of float or None
        Relative errors on 64 points, theory's first; the standard error of the mean over draws; on 128 points
        as the system is, theory's beside it, and mended.
    """

    problem: tuple[str, ...]
    kernel: tuple[str, ...]
    parameters: tuple[int, ...]
    draws: tuple[int, ...]
    predicted: tuple[float | None, ...]
    error: tuple[float, ...]
    spread: tuple[float | None, ...]
    twice: tuple[float, ...]
    predicted_twice: tuple[float | None, ...]
    mended: tuple[float, ...]

    def rows(self) -> list[dict[str, Any]]:
        """One row a problem and kernel."""
        names = {
            "problem": self.problem, "kernel": self.kernel, "parameters": self.parameters,
            "draws": self.draws, "predicted": self.predicted, "error": self.error, "+-": self.spread,
            f"at {TWICE}": self.twice, "predicted there": self.predicted_twice, "mended": self.mended,
        }  # fmt: skip
        return [dict(zip(names, row, strict=True)) for row in zip(*names.values(), strict=True)]

    def draw(self, axes: Axes) -> None:
        """Errors of each row on both grids, with theory's."""
        places = range(len(self.problem))
        for label, values, mark in ((f"{GRID} points", self.error, "o"), (f"{TWICE} points", self.twice, "x"),
                                    (f"{TWICE} points, mended", self.mended, "s")):  # fmt: skip
            axes.semilogy(
                places, [max(v, 1e-16) for v in values], mark, label=label, fillstyle="none"
            )
        theory = [math.nan if v is None else max(v, 1e-16) for v in self.predicted]
        axes.semilogy(places, theory, "k_", label="theory", markersize=12)
        labels = [f"{p}, {k}" for p, k in zip(self.problem, self.kernel, strict=True)]
        axes.set_xticks(places, labels, rotation=90, fontsize=6)
        axes.set(ylabel="relative error", xlabel="problem and kernel")
        axes.legend(fontsize=7)


def experiment(
    parts: Sequence[str] = ("linear", "burgers"),
    *,
    draws: int = 8,
    width: int = 8,
    steps: int = 500,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    executor: Executor | None = None,
    workers: int | None = None,
    progress: Callable[[int, int, int], None] | None = None,
) -> Trials:
    """Run the experiment, resumable case by case.

    Parameters
    ----------
    parts, draws, width, steps, seed
        As for `cases`.
    out, resume, executor, workers, progress
        As for `verify.cases.run_cases`.

    Raises
    ------
    ValueError
        For parts, or numbers, that make no sense.
    """
    if not parts or not set(parts) <= {"linear", "burgers"}:
        raise ValueError(f"parts are linear and burgers, got {', '.join(parts) or 'none'}")
    if min(draws, width, steps) < 1:
        raise ValueError(f"draws, width and steps are positive, got {draws}, {width}, {steps}")
    listed: Sequence[Case] = cases(parts, draws, width, steps, seed)
    done = run_cases(
        "operators", case, listed, seed=seed, out=out, resume=resume, executor=executor,
        workers=workers, progress=progress,
    )  # fmt: skip
    return _collected(done)


def _collected(done: list[tuple[dict[str, Any], Outcome]]) -> Trials:
    grouped: dict[tuple[str, str], list[Outcome]] = {}
    for settings, outcome in done:
        grouped.setdefault((settings["problem"], settings["kernel"]), []).append(outcome)

    def mean(outcomes: list[Outcome], key: str) -> float:
        return float(np.mean([o[key] for o in outcomes]))

    columns = [
        (
            problem,
            kernel,
            outcomes[0]["parameters"],
            len(outcomes),
            outcomes[0].get("predicted"),
            mean(outcomes, "error"),
            float(np.std([o["error"] for o in outcomes], ddof=1) / math.sqrt(len(outcomes)))
            if len(outcomes) > 1
            else None,
            mean(outcomes, "twice"),
            outcomes[0].get("predicted_twice"),
            mean(outcomes, "mended"),
        )
        for (problem, kernel), outcomes in sorted(
            grouped.items(), key=lambda item: item[0][0] == "burgers"
        )
    ]
    return Trials(*zip(*columns, strict=True))
