"""What is claimed of the width: exponents, normality, tangent kernels, on networks that are really drawn."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from verify.statistics.tests import MeanTest
from verify.suite.claims import Run, claim
from verify.suite.verdicts import Curve, Design, Finding, Plot

PAPER = "Gao, Huo, Liu, Gao, NeurIPS 2023"


class Case(NamedTuple):
    """A network whose exponents are measured, on one input or on two; ``entry`` of its covariance."""

    kind: str
    activation: str
    scales: dict[str, float]
    widths: tuple[int, ...]
    draws: int
    entry: tuple[int, int] = (0, 0)


CASES = (
    Case("mlp", "erf", {"sigma_w": 1.5, "sigma_b": 0.2}, (16, 32, 64), 130_000),
    Case("mlp", "tanh", {"sigma_w": 1.5, "sigma_b": 0.2}, (16, 32, 64), 60_000),
    # on the diagonal ReLU networks have no bias at all: theirs is that of the correlation
    Case("mlp", "relu", {"sigma_w": 1.4, "sigma_b": 0.2}, (32, 64, 128), 110_000, (0, 1)),
    Case("deq", "erf", {"sigma_w": 0.7, "sigma_u": 0.4}, (16, 32, 64), 18_000),
    Case("deq", "tanh", {"sigma_w": 0.8, "sigma_u": 0.4}, (16, 32, 64), 14_000),
    Case("deq", "relu", {"sigma_w": 0.4, "sigma_u": 1.0}, (32, 64, 128), 18_000),
)
PAIR = ((1.0, 0.4, -0.3), (0.8, 0.9, 0.2))
DEPTH = 3
NEXT_ORDER = {"deviation": 0.03, "mean": 0.1}
"""What orders of 1/n that are not fitted may add to an exponent at these widths: the third for the
deviation, the second for the mean, whose errors are too large to fit it."""
LOST = 1e-3
"""Largest fraction of small networks that may have no equilibrium; they are counted, and left out."""
_ERROR = {"deviation": 0.048, "mean": 0.042}
"""Largest standard error of an exponent; the measured ones count, and larger ones are undecided."""
_CRITICAL = 5.75
_ALARM = 1e-8  # two-sided normal beyond 5.75 is 9e-9


def _exponent_design(statistic: str, law: str, alternative: str, distance: float) -> Design:
    from math import erfc, sqrt

    room = (distance - NEXT_ORDER[statistic]) / _ERROR[statistic] - _CRITICAL
    return Design(
        f"the exponent of the {law}, within {NEXT_ORDER[statistic]} for the next order",
        f"bootstrap of a log-log fit, {len(CASES)} networks, {_CRITICAL} standard errors",
        min(case.draws for case in CASES),
        len(CASES) * _ALARM,
        alternative,
        1.0 - len(CASES) * 0.5 * erfc(room / sqrt(2.0)),
    )


def _measured(run: Run, case: Case, at: float) -> tuple[Any, Any, int]:
    """Both exponents, and how many networks had no equilibrium."""
    import numpy as np

    from verify.networks import Network, ensemble
    from verify.networks.laws import controlled, exponent

    x = np.array(PAIR if case.entry != (0, 0) else PAIR[:1])
    i, j = case.entry
    kind: Any = case.kind
    scales: dict[str, Any] = {"sigma_v": 1.0, **case.scales}
    if kind == "deq":
        limit = run.theory.deq(x, activation=case.activation, **scales).nngp[i, j]
    else:
        limit = run.theory.mlp(x, activation=case.activation, depth=DEPTH, **scales).nngp[i, j]
    raw, sharp, lost = [], [], 0
    for width in case.widths:
        network = Network(kind, case.activation, width, DEPTH, **scales)
        rng = run.stream(CASES.index(case), width)
        drawn = ensemble(network, x, case.draws, rng, tolerance=1e-7)
        there = drawn.converged
        lost += int((~there).sum())
        values = drawn.covariance[there, i, j] / limit - 1.0
        raw.append(values)
        sharp.append(controlled(values, drawn.controls[there]))
        run.progress(at + 0.05, f"{case.kind} {case.activation}, width {width}")
    spread = exponent(case.widths, raw, "deviation", seed=run.integer(99), next_order=True)
    try:
        return spread, exponent(case.widths, sharp, "mean", seed=run.integer(98)), lost
    except ValueError as error:  # the deviation changes sign: no power law
        return spread, str(error), lost


@claim(
    "wide-exponents",
    "The covariance of networks of width n deviates from the kernel by fluctuations of order n^(-1/2) and by "
    "a bias of order 1/n, for ReLU, erf and tanh, perceptrons and equilibrium models.",
    source=f"{PAPER} (claim i); expansion in 1/n",
    tags=("deq", "mlp", "kernel", "monte-carlo", "wide"),
    profile="ci",
    group="wide-exponents",
    cost=50.0,
    wrong=("moved", "untied"),
    designs=(
        _exponent_design("deviation", "fluctuations is -1/2", "an exponent of -1 or 0", 0.5),
        _exponent_design("mean", "bias is -1", "an exponent of -1/2, or a kernel 2% off", 0.5),
    ),
)
def wide_exponents(run: Run) -> Finding:
    """Fit both exponents for each network; what is known to have mean zero is subtracted first."""
    evidence: dict[str, Any] = {}
    failures, vague, curves = [], [], []
    for k, case in enumerate(CASES):
        name = f"{case.kind} {case.activation}"
        spread, bias, lost = _measured(run, case, k / len(CASES))
        evidence[f"{name}, networks without an equilibrium"] = lost
        if lost > LOST * len(case.widths) * case.draws:
            failures.append(f"{name}: {lost} networks have no equilibrium")
        for what, fit, law in (("deviation", spread, -0.5), ("mean", bias, -1.0)):
            if isinstance(fit, str):
                failures.append(f"{name}: {fit}")
                continue
            evidence[f"{name}, {what}"] = {
                "exponent": fit.value,
                "99% interval": (fit.low, fit.high),
                "standard error": fit.error,
                "amplitude": fit.amplitude,
            }
            off = (abs(fit.value - law) - NEXT_ORDER[what]) / fit.error
            if off > _CRITICAL:
                failures.append(f"{name}: exponent of the {what} {fit.value:.2f}, law {law}")
            elif fit.error > 1.5 * _ERROR[what]:
                vague.append(f"{name}: standard error {fit.error:.2f}")
            sizes = tuple(map(abs, fit.sizes))
            label = f"{name}, {'fluctuation' if what == 'deviation' else 'bias'}"
            curves.append(Curve(label, tuple(map(float, fit.widths)), sizes, fit.errors))
    title = "Relative fluctuations and bias of the covariance against the width"
    plot = Plot(title, "width n", "relative to the kernel", tuple(curves), log=True)
    if failures:
        return Finding("refuted", "; ".join(failures) + ".", None, evidence, (plot,))
    if vague:
        return Finding("undecided", "; ".join(vague) + ".", None, evidence, (plot,))
    values = [
        [v["exponent"] for n, v in evidence.items() if n.endswith(w)] for w in ("deviation", "mean")
    ]
    reason = (
        f"Exponents of the fluctuations are {min(values[0]):.3f} to {max(values[0]):.3f}, those of the bias "
        f"{min(values[1]):.2f} to {max(values[1]):.2f}."
    )
    return Finding("confirmed", reason, None, evidence, (plot,))


TRIPLE = ((1.0, 0.4, -0.3), (0.8, 0.9, 0.2), (-0.5, 1.1, 0.6))
_WIDE, _OUTPUTS = 160, 5000
_SCALES: dict[str, Any] = {"sigma_w": 0.5, "sigma_u": 1.0, "sigma_b": 0.2}
_SHAPE_ALARM = 1e-8
_EXCESS = 0.05
"""Relative excess of the kurtosis allowed for, of order 1/n: several times what the width gives."""
_SIZE_ALLOWED = 0.005
_SIZE = MeanTest(0.0, _OUTPUTS, (0.02 - _SIZE_ALLOWED) / 0.075, 1e-9)


@claim(
    "wide-joint-normality",
    "Outputs of an equilibrium model on several inputs are jointly normal with the derived covariance, up to "
    "terms of order 1/n.",
    source=f"{PAPER} (claim i)",
    tags=("deq", "kernel", "monte-carlo", "wide"),
    profile="ci",
    group="wide",
    cost=18.0,
    wrong=("moved", "untied"),
    designs=(
        Design(
            f"outputs at n = {_WIDE} on three inputs are normal: Mardia's kurtosis, chi^2 radii, marginals",
            "two normal and two Kolmogorov-Smirnov tests that share the false alarms",
            _OUTPUTS,
            _SHAPE_ALARM,
            "a kurtosis a third larger, as of Student's distribution with 10 degrees of freedom",
            0.9999,
        ),
        _SIZE.design("the mean of tr(K^-1 C)/m is 1 within 0.5%", "a kernel 2% off"),
    ),
)
def wide_joint_normality(run: Run) -> Finding:
    """One output of each of many networks, whitened by the kernel."""
    import numpy as np

    from verify.networks import Network, ensemble
    from verify.networks.laws import normality

    x = np.array(TRIPLE)
    kernel = run.theory.deq(x, activation="erf", **_SCALES).nngp
    if not np.linalg.eigvalsh(0.5 * (kernel + kernel.T))[0] > 1e-9 * kernel.max():
        return Finding("refuted", "The kernel is singular, and outputs of networks are not.")
    drawn = ensemble(
        Network("deq", "erf", _WIDE, **_SCALES),
        x,
        _OUTPUTS,
        run.stream(),
        progress=lambda fraction: run.progress(fraction, f"width {_WIDE}"),
    )
    shape = normality(drawn.outputs, kernel)
    sizes = np.trace(np.linalg.solve(kernel, drawn.covariance), axis1=1, axis2=2) / len(x) - 1.0
    off = (abs(sizes.mean()) - _SIZE_ALLOWED) / (sizes.std(ddof=1) / math.sqrt(_OUTPUTS))
    good = (
        bool(drawn.converged.all())
        and shape.accepts(_SHAPE_ALARM, _EXCESS)
        and off <= _SIZE.critical()
    )
    evidence = {
        "scale, standard errors": shape.scale,
        "Mardia's kurtosis, standard errors": shape.kurtosis,
        "kurtosis, relative excess": shape.excess,
        "p-value of the radii": shape.radius,
        "p-value of the marginals": shape.marginals,
        "mean of tr(K^-1 C)/m - 1": float(sizes.mean()),
        "excess in standard errors": float(off),
    }
    reason = (
        f"Kurtosis {shape.kurtosis:+.1f} and scale {shape.scale:+.1f} standard errors, p-values "
        f"{shape.radius:.2g} and {shape.marginals:.2g}; covariances are {sizes.mean():+.2%} off on average."
    )
    return Finding("confirmed" if good else "refuted", reason, None, evidence)


_TANGENT, _TANGENT_ALLOWED = 200, 0.006
"""Width, and the relative bias of order 1/n that is allowed for."""
_JACOT = "Jacot, Gabriel, Hongler, NeurIPS 2018"


def _tangent_claim(
    name: str,
    statement: str,
    kind: Any,
    activation: str,
    scales: dict[str, Any],
    draws: int,
    spread: float,
    wrong: tuple[str, ...],
) -> None:
    """Register that the mean tangent kernel of networks is theory's; ``spread`` is that of one network."""
    mean = MeanTest(0.0, draws, (0.02 - _TANGENT_ALLOWED) / spread, 1e-9)

    @claim(
        name,
        statement,
        source=f"{PAPER}; {_JACOT}" if kind == "deq" else _JACOT,
        tags=(kind, "kernel", "ntk", "monte-carlo", "wide"),
        profile="ci",
        group="wide",
        cost=9.0,
        wrong=wrong,
        designs=(
            mean.design(
                f"the mean tangent kernel at n = {_TANGENT} is the limit's within {_TANGENT_ALLOWED:.1%}",
                "a kernel 2% off",
            ),
        ),
    )
    def check(run: Run) -> Finding:
        """Exact derivatives of many networks, averaged over both inputs' diagonal entries."""
        import numpy as np

        from verify.networks import Network, tangent_kernels

        x = np.array(PAIR)
        if kind == "deq":
            limit = run.theory.deq(x, activation=activation, **scales).ntk
        else:
            limit = run.theory.mlp(x, activation=activation, depth=2, **scales).ntk
        drawn = tangent_kernels(
            Network(kind, activation, _TANGENT, 2, **scales),
            x,
            draws,
            seed=run.integer(),
            tolerance=1e-8,
            progress=lambda fraction: run.progress(fraction, f"width {_TANGENT}"),
        )
        ratio = 0.5 * np.trace(drawn.ntk / limit, axis1=1, axis2=2) - 1.0
        error = float(ratio.std(ddof=1)) / math.sqrt(draws)
        off = (abs(float(ratio.mean())) - _TANGENT_ALLOWED) / error
        good = bool(drawn.converged.all()) and off <= mean.critical()
        evidence = {
            "relative deviation of the mean": float(ratio.mean()),
            "standard error": error,
            "standard deviation of one network": float(ratio.std(ddof=1)),
            "not converged": int((~drawn.converged).sum()),
            "mean": drawn.ntk.mean(axis=0),
            "limit": limit,
        }
        reason = (
            f"The mean of {draws} tangent kernels is {ratio.mean():+.2%} off, error {error:.2%}; "
            f"{_TANGENT_ALLOWED:.1%} are allowed for the width."
        )
        return Finding("confirmed" if good else "refuted", reason, None, evidence)


_tangent_claim(
    "wide-tangent-kernel",
    "The empirical neural tangent kernel of an equilibrium model, by the implicit function theorem, has the "
    "derived NTK* as its limit.",
    "deq",
    "erf",
    {"sigma_w": 0.4, "sigma_u": 1.0, "sigma_b": 0.3},
    2900,
    0.078,
    ("moved", "untied"),
)
_tangent_claim(
    "wide-tangent-kernel-perceptron",
    "The empirical neural tangent kernel of a perceptron at initialisation has the derived NTK as its limit.",
    "mlp",
    "tanh",
    {"sigma_w": 1.2, "sigma_b": 0.3, "sigma_v": 1.0},
    4000,
    0.09,
    ("moved",),
)
