"""What follows without training: counts, the compute-optimal size, invariance, learning curves."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import sympy

from numerics import LearningCurve, kernel, learning_curve, predicted_curve, sphere_spectrum
from numerics.scaling.curves import Predicted, distinct
from theory import DEQ, MLP
from theory.calculus.law import Law
from theory.scaling.curves import curve_exponent
from theory.scaling.networks import bottleneck_parameters, optimal_parameters, standard_parameters
from verify.scaling import tasks
from verify.statistics.tests import FALSE_ALARM, MeanTest
from verify.suite.claims import Run, claim
from verify.suite.verdicts import Design, Expected, Finding, printed_tolerance
from verify.suite.wrong import replaced

SOURCE = "Bachmann, Anagnostidis and Hofmann, NeurIPS 2023"
TAGS = ("scaling",)


# theories that are wrong on purpose
def _square_root() -> Law:
    law = optimal_parameters()
    size, compute = law.statement.lhs, sympy.Symbol("C", positive=True)
    right = 3_000_000  # the compute at which it is the right size
    return Law(
        law.title,
        sympy.Eq(size, law.value.subs(compute, right) * sympy.sqrt(compute / right)),
        law.symbols,
        "",
        law.steps,
        "",
    )


def _alpha_alone() -> Law:
    law = curve_exponent()
    alpha = sympy.Symbol("alpha", positive=True)
    return Law(law.title, sympy.Eq(law.statement.lhs, alpha - 1), law.symbols, "", law.steps, "")


def _adjacent(model: Any, x: Any, *_: Any, **options: Any) -> Any:
    """A kernel that mixes each pixel with the next one."""
    return kernel(model, x + np.roll(x, 1, axis=1), **options)


def _bias_alone(*spectrum: Any, **options: Any) -> Predicted:
    right = predicted_curve(*spectrum, **options)
    return right._replace(mse=right.mse * (1.0 - right.gamma))


def _bias_alone_on_data(*given: Any, **options: Any) -> LearningCurve:
    right = learning_curve(*given, **options)
    pairs = zip(right.mse, right.gamma, strict=True)
    return replace(right, mse=tuple(mse * (1.0 - gamma) for mse, gamma in pairs))


def _all_draws(draws: float, population: int) -> float:
    return min(draws, 0.999 * population)


SQUARE_ROOT = replaced(
    "scaling-square-root",
    "The optimum P* is proportional to sqrt(C) always.",
    {optimal_parameters: _square_root},
)
ALPHA_ALONE = replaced(
    "scaling-alpha-alone",
    "The curve's exponent is set by alpha alone.",
    {curve_exponent: _alpha_alone},
)
ADJACENCY = replaced("scaling-adjacency", "An MLP exploits pixel adjacency.", {kernel: _adjacent})
PLAIN = replaced(
    "scaling-standard-blocks",
    "Bottleneck networks have the parameters of standard ones.",
    {bottleneck_parameters: standard_parameters},
)
BIAS = replaced(
    "scaling-bias-alone",
    "The error is the bias: no factor 1/(1 - gamma).",
    {predicted_curve: _bias_alone, learning_curve: _bias_alone_on_data},
)
DRAWS = replaced("scaling-all-draws", "Points drawn twice count twice.", {distinct: _all_draws})

_PRINTED = ((512, 6, "24"), (512, 12, "37"), (1024, 6, "74"), (1024, 12, "124"))


def _count_claim(width: int, blocks: int, printed: str) -> None:
    """Register that a network of the README has so many million parameters."""
    count = bottleneck_parameters().at(d=64 * 64 * 3, m=width, L=blocks, C=11230).rhs
    cut = abs(float(count) / 1e6 - float(printed)) > printed_tolerance(printed)
    reason = "The README cuts the digits behind the point where it should round."

    @claim(
        f"scaling-parameters-b{blocks}-{width}",
        f"B_{blocks}-Wi_{width} at resolution 64 with 11230 classes has {printed} million parameters.",
        source=f"{SOURCE}, README of the released code",
        printed=printed,
        tags=TAGS,
        cost=0.1,
        wrong=(PLAIN,),
        expected=Expected("differs", reason, float(count)) if cut else None,
    )
    def check(run: Run) -> Finding:
        """Count, and round."""
        law = run.theory.of(bottleneck_parameters)()
        value = float(law.at(d=64 * 64 * 3, m=width, L=blocks, C=11230).rhs)
        if abs(value / 1e6 - float(printed)) <= printed_tolerance(printed):
            return Finding("confirmed", f"{value:.0f} parameters.", value)
        rounded = f"{value:.0f} parameters are {value / 1e6:.0f} million, rounded"
        cut = "; cut, as printed" if math.floor(value / 1e6) == int(printed) else ""
        return Finding("differs", f"{rounded}{cut}.", value)


for _row in _PRINTED:
    _count_claim(*_row)


@claim(
    "scaling-optimal-size",
    "Where L = A P^-a + B D^-b + E and C = 3 P D, the best size grows as C^(b/(a + b)).",
    source="Hoffmann et al., NeurIPS 2022",
    tags=TAGS,
    cost=1.5,
    wrong=(SQUARE_ROOT,),
)
def optimal_size(run: Run) -> Finding:
    """Against a search of the least loss, at three pairs of exponents and two computes each."""
    from scipy.optimize import minimize_scalar

    law = run.theory.of(optimal_parameters)()
    worst = 0.0
    for a, b in ((0.34, 0.28), (0.65, 0.35), (0.2, 0.9)):
        for compute in (1e12, 1e18):
            given = {"A": 400.0, "B": 410.0, "a": a, "b": b, "C": compute, "c": 3.0}

            def loss(log: float, a: float = a, b: float = b, compute: float = compute) -> float:
                return 400.0 * math.exp(-a * log) + 410.0 * (compute / 3.0 * math.exp(-log)) ** -b

            least = minimize_scalar(loss, (1.0, math.log(compute)), options={"xtol": 1e-12}).x
            worst = max(worst, abs(math.log(float(law.at(**given).rhs)) - least))
    good = worst < 1e-6
    return Finding(
        "confirmed" if good else "refuted", f"log P* is {worst:.1e} off a search's at most.", worst
    )


@claim(
    "scaling-data-hungry",
    "Optimal sizes C^0.35 and samples C^0.65 mean that the loss falls faster in the size: a/b = 1.86.",
    source="exponents as quoted for MLPs; no source that states them was available",
    printed="1.86",
    tags=TAGS,
    cost=1.0,
    wrong=(SQUARE_ROOT,),
)
def data_hungry(run: Run) -> Finding:
    """Solve the exponent of the law for a/b; the exponents themselves cannot be checked here."""
    law = run.theory.of(optimal_parameters)()
    compute, a, b = sympy.symbols("C a b", positive=True)
    rate = sympy.simplify(
        compute * sympy.diff(sympy.expand_log(sympy.log(law.value), force=True), compute)
    )
    ratio = sympy.solve(rate.subs(b, 1) - sympy.Rational(35, 100), a)
    if not ratio:
        return Finding("refuted", f"The exponent is {rate}, which is not 0.35 at any a and b.")
    value = float(ratio[0])
    good = abs(value - 1.86) <= printed_tolerance("1.86")
    return Finding("confirmed" if good else "refuted", f"a/b = {value:.4f}.", value)


@claim(
    "scaling-invariance",
    "NNGP and NTK of perceptrons and equilibrium models do not change when pixels are permuted or rotated.",
    source="derived here",
    tags=TAGS,
    cost=1.0,
    wrong=(ADJACENCY,),
)
def invariance(run: Run) -> Finding:
    """Images with neighbours that are alike, so that adjacency could be seen."""
    rng = run.stream()
    own = run.theory.of(kernel)
    x = rng.standard_normal((30, 36)).cumsum(axis=1) / 6.0
    turns = np.eye(36)[rng.permutation(36)], tasks.orthogonal(rng, 36)
    worst, bound = 0.0, 0.0
    for model in (MLP("relu", depth=2), MLP("erf", depth=2), DEQ("relu", sigma_w=0.6)):
        plain = own(model, x)
        for turn in turns:
            other = own(model, x @ turn.T)
            for kind in ("nngp", "ntk"):
                here, there = getattr(plain, kind), getattr(other, kind)
                scale = np.sqrt(np.outer(here.diagonal(), here.diagonal()))
                worst = max(worst, float((abs(here - there) / scale).max()))
                bound = max(bound, plain.error + other.error)
    # rotated inputs are rounded: 36 products, and the tangent kernel's root at correlation 1
    good = worst <= bound + 1e-9
    reason = (
        f"Entries differ by {worst:.1e} of the diagonal, with {bound:.1e} from the kernels' errors."
    )
    return Finding("confirmed" if good else "refuted", reason, worst)


_POPULATION, _DRAWS, _ALLOWED = 400, 60, 0.05
_SIZES = (50, 100, 200, 340)
_CURVE = Design(
    "the mean error over draws is within 5% of theory at each of four sizes",
    "t-test of the ratio's mean with a margin of 5%, at each size and way of drawing",
    _DRAWS,
    8 * FALSE_ALARM,
    "points drawn twice count twice: 25% too low at n = N/2",
    0.9999,
)


@claim(
    "scaling-whitened-curve",
    "The learning curve's theory is within 5% on whitened data at all sizes up to the population's, with and "
    "without repeated draws, once different points are counted.",
    source="Canatar, Bordelon and Pehlevan 2021; finite populations derived here",
    tags=(*TAGS, "monte-carlo"),
    cost=2.0,
    wrong=(BIAS, DRAWS),
    designs=(_CURVE,),
)
def whitened_curve(run: Run) -> Finding:
    """Measured on 400 points with eigenvectors in general position, without ridge."""
    from scipy.stats import t

    rng = run.stream()
    values, weights, vectors = tasks.whitened(rng, _POPULATION, 1.5, 0.8)
    gram = _POPULATION * (vectors * values) @ vectors.T
    different = run.theory.of(distinct)
    critical = float(t.isf(0.5 * FALSE_ALARM, _DRAWS - 1))
    evidence: dict[str, Any] = {}
    failures = []
    for repeated in (False, True):
        sizes = [different(n, _POPULATION) if repeated else float(n) for n in _SIZES]
        theory = run.theory.of(predicted_curve)(values, weights, sizes, population=_POPULATION).mse
        for n, predicted in zip(_SIZES, theory, strict=True):
            ratios = np.empty(_DRAWS)
            for k in range(_DRAWS):
                signs = np.sqrt(weights) * rng.choice((-1.0, 1.0), _POPULATION)
                target = math.sqrt(_POPULATION) * vectors @ signs
                chosen = rng.choice(_POPULATION, n, replace=repeated)
                ratios[k] = tasks.measured(gram, target[:, None], chosen)[0] / predicted - 1.0
            mean, error = float(ratios.mean()), float(ratios.std(ddof=1)) / math.sqrt(_DRAWS)
            name = f"n = {n}, {'with' if repeated else 'without'} repetition"
            evidence[name] = {"measured/theory - 1": mean, "standard error": error}
            if abs(mean) > _ALLOWED + critical * error:
                failures.append(f"{name}: {mean:+.1%}")
    worst = max(abs(e["measured/theory - 1"]) for e in evidence.values())
    if failures:
        return Finding("refuted", "; ".join(failures) + ".", worst, evidence)
    return Finding("confirmed", f"Within {worst:.1%} at all sizes.", None, evidence)


_SPHERE_D, _SPHERE_N, _SPHERE_DRAWS = 8, (30, 60, 120), 160
_SPHERE = MeanTest(0.0, _SPHERE_DRAWS, (0.3 - 0.08) / 0.27)
"""The error of one training set has a standard deviation of 27% of it, or less."""


@claim(
    "scaling-sphere-curve",
    "The spectrum by degree predicts the error of kernel regression on the uniform sphere; degrees above "
    "those of the target act as a ridge.",
    source="Canatar, Bordelon and Pehlevan 2021",
    tags=(*TAGS, "monte-carlo"),
    cost=3.0,
    wrong=(BIAS,),
    designs=(
        _SPHERE.design(
            "the mean error on fresh points of the sphere is within 8% of theory at each of three sizes",
            "the bias alone, 30% too low",
        ),
    ),
)
def sphere_curve(run: Run) -> Finding:
    """A target of degrees 1 and 2, of equal parts; the NTK of two hidden layers of ReLU."""
    rng, d = run.stream(), _SPHERE_D
    model = MLP("relu", depth=2)
    spectrum = sphere_spectrum(model, d, 20)
    weights = [0.0, 0.5, 0.5] + [0.0] * 18
    theory = run.theory.of(predicted_curve)(
        spectrum.eigenvalues,
        weights,
        _SPHERE_N,
        multiplicities=spectrum.multiplicities,
        ridge=spectrum.rest,
    )
    critical = _SPHERE.critical()
    evidence: dict[str, Any] = {}
    for n, predicted in zip(_SPHERE_N, theory.mse, strict=True):
        ratios = np.empty(_SPHERE_DRAWS)
        for k in range(_SPHERE_DRAWS):
            x = rng.standard_normal((n + 400, d))
            x *= math.sqrt(d) / np.linalg.norm(x, axis=1, keepdims=True)
            a, m = rng.standard_normal(d), rng.standard_normal((d, d))
            m = m + m.T - 2.0 * np.trace(m) / d * np.eye(d)
            one, two = x @ a / np.linalg.norm(a), np.einsum("ij,jk,ik->i", x, m, x)
            two *= math.sqrt((d + 2) / (2.0 * d)) / np.linalg.norm(m)
            y = (one + two) * math.sqrt(0.5)
            gram = kernel(model, x, x[:n]).ntk
            found = gram[n:] @ np.linalg.solve(gram[:n], y[:n])
            ratios[k] = ((found - y[n:]) ** 2).mean() / predicted - 1.0
        evidence[f"n = {n}"] = (
            float(ratios.mean()),
            float(ratios.std(ddof=1)) / math.sqrt(_SPHERE_DRAWS),
        )
    good = all(abs(mean) <= 0.08 + critical * error for mean, error in evidence.values())
    shown = ", ".join(
        f"{name}: {mean:+.1%} ({error:.1%})" for name, (mean, error) in evidence.items()
    )
    return Finding(
        "confirmed" if good else "refuted", f"Measured over theory, {shown}.", None, evidence
    )


_WINDOW, _TARGETS, _SLACK, _REPEATS = (32, 64, 128, 256), (0.6, 1.4, 5.0), 0.25, 30
_EXPONENTS = MeanTest(0.0, _REPEATS, (0.9 - _SLACK) / 0.25)
"""A slope has a standard deviation of 0.25, or less, for the targets that decide."""


@claim(
    "scaling-curve-exponent",
    "The error falls as n^-min(g, 2 alpha): the target's tail sets the exponent until it saturates.",
    source="Bordelon, Canatar and Pehlevan, ICML 2020; Cui et al., NeurIPS 2021",
    tags=(*TAGS, "monte-carlo"),
    cost=2.0,
    wrong=(ALPHA_ALONE,),
    designs=(
        _EXPONENTS.design(
            f"exponents of three targets are min(g, 2 alpha) within {_SLACK} for the finite window",
            "an exponent set by alpha alone: 0.9 off for one target at least",
        ),
    ),
)
def exponents(run: Run) -> Finding:
    """One kernel with alpha = 3/2, three targets, slopes over n = 32 to 256 of 1024 points."""
    rng, alpha, count = run.stream(), 1.5, 1024
    law = run.theory.of(curve_exponent)()
    critical = _EXPONENTS.critical()
    evidence: dict[str, Any] = {}
    good = True
    for tail in _TARGETS:
        values, weights, vectors = tasks.whitened(rng, count, alpha, tail)
        gram = count * (vectors * values) @ vectors.T
        window = _WINDOW if tail < 2 * alpha else _WINDOW[:-1]  # further modes are those of the end
        slopes = np.empty(_REPEATS)
        for k in range(_REPEATS):
            target = (
                math.sqrt(count) * vectors @ (np.sqrt(weights) * rng.choice((-1.0, 1.0), count))
            )
            errors = [
                tasks.measured(gram, target[:, None], rng.choice(count, n, replace=False))[0]
                for n in window
            ]
            slopes[k] = -np.polyfit(np.log(window), np.log(errors), 1)[0]
        wanted = float(law.at(alpha=alpha, g=tail).rhs)
        mean, error = float(slopes.mean()), float(slopes.std(ddof=1)) / math.sqrt(_REPEATS)
        evidence[f"g = {tail}"] = {"exponent": mean, "standard error": error, "law": wanted}
        good = good and abs(mean - wanted) <= _SLACK + critical * error
    shown = ", ".join(
        f"{name}: {e['exponent']:.2f} for {e['law']:.2f}" for name, e in evidence.items()
    )
    return Finding("confirmed" if good else "refuted", f"{shown}.", None, evidence)
