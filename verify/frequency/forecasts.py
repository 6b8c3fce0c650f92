"""Forecasts of one series by many methods, compared window by window and replicate by replicate."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from numerics.frequency import real_spectrum
from numerics.results import Result
from verify.cases import Case, Outcome, run_cases
from verify.extras import need

from .networks import MLP, FreTS, fit, parameter_count
from .series import DRAWN, SERIES, Array, Windows, make_series, windows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "ARMS",
    "SUBJECT",
    "Comparison",
    "Forecasts",
    "cases",
    "compare",
    "expected_change",
    "forecast_case",
    "forecast_errors",
    "linear_forecast",
    "run_forecasts",
]

SUBJECT = "frequency forecasts"
NEEDS = ("jax", "optax", "sklearn", "statsmodels")
ARMS = {
    "ridge-time": "",
    "ridge-frequency": "ridge-time",
    "lasso-time": "ridge-time",
    "lasso-frequency": "lasso-time",
    "mlp": "ridge-time",
    "frets-none": "mlp",
    "frets-diagonal": "frets-none",
    "frets-dense": "frets-diagonal",
    "frets-channel": "frets-dense",
}
"""Methods, and the one that each is compared with.

``frets-none`` is the network without learners, ``frets-diagonal`` what the released code computes,
``frets-dense`` the learner of the text, ``frets-channel`` that with the channel learner, too.
"""
PENALTIES = tuple(10.0 ** (0.5 * j) for j in range(-6, 5))
"""Penalties that the validation windows choose from: of the mean squared error, with a factor 1/2."""
MARGIN = 0.05
"""Logarithms of ratios of errors within this of 0 count as equal."""
LEVEL = 0.01
"""Error probability of a comparison."""


def linear_forecast(
    data: Windows, kind: str, transform: Callable[[Array], Array] | None = None
) -> Array:
    """Forecast the test windows by ridge or lasso, with the penalty that the validation windows prefer.

    Parameters
    ----------
    data : Windows
    kind : {"ridge", "lasso"}
    transform : callable, optional
        Of the inputs, such as `numerics.frequency.real_spectrum`; none for the time domain.

    Returns
    -------
    ndarray, shape (test windows, horizon)

    Raises
    ------
    ArithmeticError
        If the lasso converges for no penalty.
    """
    need("sklearn")
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import Lasso, Ridge

    change = transform or (lambda x: x)
    inputs, targets = change(data.train[0]), data.train[1]
    best, forecast = math.inf, None
    for penalty in PENALTIES:
        if kind == "ridge":
            model: Any = Ridge(penalty * len(inputs), solver="cholesky")
        else:
            model = Lasso(penalty, max_iter=20_000, tol=1e-5)
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            try:
                model.fit(inputs, targets)
            except ConvergenceWarning:
                continue
        # a single target loses its axis
        seen, ahead = (
            model.predict(change(part[0])).reshape(part[1].shape)
            for part in (data.validation, data.test)
        )
        error = float(np.mean((seen - data.validation[1]) ** 2))
        if error < best:
            best, forecast = error, ahead
    if forecast is None:
        raise ArithmeticError("the lasso converges for no penalty")
    return forecast


def forecast_errors(
    data: Windows, seed: int, arms: Sequence[str] = tuple(ARMS), **options: Any
) -> dict[str, list[float]]:
    """Mean squared error of each test window, method by method.

    Parameters
    ----------
    data : Windows
    seed : int
        Of the networks.
    arms : sequence of str
        Names among `ARMS`.
    **options
        ``embedding`` and ``hidden`` of FreTS, ``epochs`` and ``rate`` of the training.
    """
    sizes = {name: options[name] for name in ("embedding", "hidden") if name in options}
    training = {name: options[name] for name in ("epochs", "rate") if name in options}
    shape = (data.train[0].shape[1], data.train[1].shape[1])
    errors = {}
    for arm in arms:
        kind, _, which = arm.partition("-")
        if kind in ("ridge", "lasso"):
            forecast = linear_forecast(data, kind, real_spectrum if which == "frequency" else None)
        else:
            forecast = fit(_network(which, shape, sizes), data, seed, **training)
        errors[arm] = np.mean((forecast - data.test[1]) ** 2, axis=1).tolist()
    return errors


def _network(which: Any, shape: tuple[int, int], sizes: dict[str, Any]) -> FreTS | MLP:
    if not which:
        return MLP.as_large_as(FreTS(*shape, "diagonal", **sizes))
    if which == "channel":
        return FreTS(*shape, "dense", channel=True, **sizes)
    return FreTS(*shape, which, **sizes)


def expected_change(learner: str) -> float:
    """Logarithm of the ratio of errors with a learner to those without: 0.

    Whatever linear map the learner is, the projection behind it has it already, as has the diagonal learner
    what the dense one does to an embedded series; bias and ReLU look at the energy of bins, not at which they
    are.
    """
    return 0.0


def cases(
    series: Sequence[str] = SERIES,
    replicates: int = 24,
    *,
    length: int = 48,
    horizon: int = 4,
    **options: float,
) -> list[dict[str, Any]]:
    """Settings of an experiment: a case for each series and replicate.

    Parameters
    ----------
    series : sequence of str
    replicates : int
        Drawn series are new in each; of real ones only the networks are.
    length, horizon : int
    **options
        As for `forecast_errors`; 8 components, 32 hidden units, 40 epochs and a rate of 0.001 by default.
    """
    given = {"embedding": 8, "hidden": 32, "epochs": 40, "rate": 1e-3, **options}
    return [
        {"series": name, "replicate": j, "length": length, "horizon": horizon, **given}
        for name in series
        for j in range(replicates)
    ]


def forecast_case(case: Mapping[str, Any], seed: int) -> Outcome:
    """Errors of all methods at one case: lists of numbers by method, and the networks' sizes."""
    x = make_series(case["series"], np.random.default_rng(seed))
    data = windows(x, case["length"], case["horizon"])
    options = {name: case[name] for name in ("embedding", "hidden", "epochs", "rate")}
    return forecast_errors(data, seed, **options)


@dataclass(frozen=True)
class Comparison:
    """A paired comparison of two methods on one series.

    Attributes
    ----------
    change, spread : float
        Geometric mean of the ratios of errors minus 1, and the standard error of its logarithm.
    p_value : float
        Two-sided, of Student's test that the mean logarithm is 0.
    pairs : int
    verdict : {"equal", "better", "worse", "undecided"}
        ``equal`` if the 99% interval of the logarithm is within 0.05 of 0; ``better`` or ``worse`` if the
        test rejects at 1%.
    """

    change: float
    spread: float
    p_value: float
    pairs: int
    verdict: str


def compare(one: Array, other: Array, drawn: bool) -> Comparison:
    """Compare two methods by their errors, arrays of shape (replicates, windows).

    Where each replicate has a series of its own, ``drawn``, replicates are the pairs. Where they share one,
    the windows are, averaged over the replicates, and the variance of the replicates, averaged over the
    windows, is added: both could have been others. Windows do not overlap; what correlation they have is not
    accounted for.
    """
    from scipy.stats import t

    by_replicate, by_window = (np.log(one.mean(axis=j) / other.mean(axis=j)) for j in (1, 0))
    logs = by_replicate if drawn else by_window
    parts = [by_replicate] if drawn else [by_replicate, by_window]
    mean = float(logs.mean())
    spread = math.sqrt(sum(float(part.var(ddof=1)) / len(part) for part in parts))
    freedom = min(map(len, parts)) - 1
    p_value = float(2.0 * t.sf(abs(mean) / spread, freedom)) if spread > 0.0 else float(mean == 0.0)
    if abs(mean) + float(t.isf(0.5 * LEVEL, freedom)) * spread <= MARGIN:
        verdict = "equal"
    elif p_value < LEVEL:
        verdict = "better" if mean < 0.0 else "worse"
    else:
        verdict = "undecided"
    return Comparison(math.expm1(mean), spread, p_value, len(logs), verdict)


@dataclass(frozen=True)
class Forecasts(Result):
    """Errors of all methods on all series, and paired comparisons.

    Attributes
    ----------
    replicates : int
    parameters : dict of str to int
        Of the networks.
    errors : dict of str to dict
        Mean squared error by series and method, in units of the training part's variance.
    comparisons : dict of str to dict
        By series and method, with the method of `ARMS`: the fields of `Comparison`.
    """

    replicates: int
    parameters: dict[str, int]
    errors: dict[str, dict[str, float]]
    comparisons: dict[str, dict[str, tuple[float, float, float, int, str]]]

    def rows(self) -> list[dict[str, Any]]:
        """One method on one series a row."""
        rows = []
        for series, errors in self.errors.items():
            for arm, error in errors.items():
                found = self.comparisons[series].get(arm, (None,) * 5)
                change, spread, p_value, _, verdict = found
                rows.append(
                    {
                        "series": series,
                        "method": arm,
                        "parameters": self.parameters.get(arm),
                        "error": error,
                        "against": ARMS[arm] or None,
                        "change %": None if change is None else 100.0 * change,
                        "+-": None if spread is None else 100.0 * spread,
                        "p-value": p_value,
                        "verdict": verdict,
                    }
                )
        return rows

    def draw(self, axes: Axes) -> None:
        """Draw the errors relative to ridge regression, in each series."""
        colours = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9")
        for colour, (series, errors) in zip(colours, self.errors.items(), strict=False):
            values = [error / errors["ridge-time"] for error in errors.values()]
            axes.plot(values, list(errors), "o", color=colour, label=series)
        axes.axvline(1.0, color="#999999", linewidth=0.8)
        axes.set(xlabel="mean squared error relative to ridge regression", xscale="log")
        axes.legend(fontsize="small")


def checked_cases(series: Sequence[str], replicates: int, **options: Any) -> list[dict[str, Any]]:
    """`cases`, whose windows fit every series.

    Raises
    ------
    ValueError
        If they do not, or there are no such series, or fewer than 2 replicates.
    """
    unknown = sorted(set(series) - set(SERIES))
    if unknown or not series or replicates < 2:
        raise ValueError(
            f"forecasts are of at least 2 replicates of series among {', '.join(SERIES)}, got "
            f"{replicates} of {', '.join(series)}"
        )
    todo = cases(series, replicates, **options)
    length, horizon = todo[0]["length"], todo[0]["horizon"]
    for name in series:
        data = windows(make_series(name, np.random.default_rng(0)), length, horizon)
        if len(data.test[0]) < 2 or len(data.train[0]) < 8:
            raise ValueError(
                f"windows of {length} with {horizon} to forecast leave {name} {len(data.train[0])} "
                f"to train (8 needed) and {len(data.test[0])} to test (2 needed): shorten them"
            )
    return todo


def run_forecasts(
    series: Sequence[str] = SERIES,
    replicates: int = 24,
    *,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    executor: Executor | None = None,
    workers: int | None = None,
    progress: Callable[[int, int, int], None] | None = None,
    **options: Any,
) -> Forecasts:
    """Forecast several series by all methods, and compare them.

    Parameters
    ----------
    series : sequence of str
        Names among `verify.frequency.series.SERIES`.
    replicates : int
        At least 2.
    seed, out, resume, executor, workers, progress
        As for `verify.cases.run_cases`.
    **options
        As for `cases`.

    Returns
    -------
    Forecasts

    Raises
    ------
    ValueError
        For windows that do not fit, before anything is computed.
    """
    need(*NEEDS)
    todo = checked_cases(series, replicates, **options)
    first = todo[0]
    given: Sequence[Case] = todo
    done = run_cases(
        SUBJECT, forecast_case, given, seed=seed, out=out, resume=resume,
        executor=executor, workers=workers, progress=progress,
    )  # fmt: skip
    sizes = {name: first[name] for name in ("embedding", "hidden")}
    shape = (first["length"], first["horizon"])
    parameters = {
        arm: parameter_count(_network(arm.partition("-")[2], shape, sizes))
        for arm in ARMS
        if arm.startswith(("mlp", "frets"))
    }
    errors: dict[str, dict[str, float]] = {}
    comparisons: dict[str, Any] = {}
    for name in dict.fromkeys(series):
        mine = [outcome for case, outcome in done if case["series"] == name]
        table = {arm: np.array([outcome[arm] for outcome in mine]) for arm in ARMS}
        errors[name] = {arm: float(values.mean()) for arm, values in table.items()}
        comparisons[name] = {}
        for arm, other in ARMS.items():
            if other:
                found = compare(table[arm], table[other], name in DRAWN)
                comparisons[name][arm] = astuple(found)
    return Forecasts(replicates, parameters, errors, comparisons)
