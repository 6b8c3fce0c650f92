"""What is claimed of depth, definiteness and well-posedness, on networks that are really drawn."""

from __future__ import annotations

import math
from typing import Any

from verify.statistics.tests import MeanTest
from verify.suite.claims import Run, claim
from verify.suite.verdicts import Curve, Design, Finding, Plot

PAPER = "Gao, Huo, Liu, Gao, NeurIPS 2023"
_WIDTHS, _RATIOS, _DRAWS = (100, 200), (0.02, 0.04, 0.08, 0.12), 40_000
_BROAD = 4000
_SHARE = MeanTest(1.0, _DRAWS, 0.02 / 0.3, 1e-9)


@claim(
    "wide-depth-law",
    "Fluctuations of the kernel of critical ReLU perceptrons grow as exp(c L/n) - 1 with c near 5, whatever "
    "the width.",
    source=f"{PAPER} (claim ii); Hanin, Nica 2019",
    tags=("mlp", "kernel", "monte-carlo", "wide"),
    profile="ci",
    group="wide",
    cost=8.0,
    designs=(
        Design(
            "c of a fit over L/n up to 0.12 at n = 100 and n = 200 is 5 within 0.35 for the finite width",
            "bootstrap over 40 blocks of draws, 7 standard errors, both widths",
            _DRAWS,
            2e-8,
            "c = 0: fluctuations that do not grow; c = 7",
            0.9999,
        ),
        _SHARE.design(
            "the mean of <z, z>/n at L/n = 0.02 is that of the kernel", "a kernel 2% off"
        ),
    ),
)
def wide_depth_law(run: Run) -> Finding:
    """Fit the law at two widths, with errors from blocks of draws."""
    import numpy as np

    from verify.networks.covariances import perceptron_variances
    from verify.networks.laws import growth_rate

    rates, errors, curves, evidence = [], [], [], {}
    worst = 0.0
    root = math.sqrt(2.0)
    for width in _WIDTHS:
        depths = [round(ratio * width) for ratio in _RATIOS]
        variances = perceptron_variances(
            run.stream(width), width=width, depth=depths[-1], networks=_DRAWS
        )[:, [d - 1 for d in depths]]
        blocks = np.array([part.var(axis=0) for part in np.array_split(variances, 40)])
        variance, spread = variances.var(axis=0), blocks.std(axis=0) / math.sqrt(40)
        rate = growth_rate(_RATIOS, variance, spread)[0]
        rng = run.stream(width, 1)
        again = [
            growth_rate(_RATIOS, blocks[rng.integers(40, size=40)].mean(axis=0), spread)[0]
            for _ in range(200)
        ]
        rates.append(rate)
        errors.append(float(np.std(again)))
        limit = run.theory.mlp(
            np.array([[1.0]]),
            activation="relu",
            depth=depths[0],
            sigma_w=root,
            sigma_b=0.0,
            sigma_v=root,
        ).nngp[0, 0]
        first = 2.0 * variances[:, 0] / limit
        t = (first.mean() - 1.0) / (first.std(ddof=1) / math.sqrt(_DRAWS))
        worst = max(worst, abs(float(t)))
        evidence[f"width {width}"] = {"c": rate, "standard error": errors[-1], "mean, t": float(t)}
        curves.append(Curve(f"n = {width}", _RATIOS, tuple(variance), tuple(spread), "points"))
        run.progress(0.5 if width == _WIDTHS[0] else 1.0, f"width {width}")
    law = tuple(math.expm1(5.0 * ratio) for ratio in _RATIOS)
    curves.append(Curve("exp(5 L/n) - 1", _RATIOS, law, style="line"))
    plot = Plot(
        "Relative variance against depth over width", "L/n", "relative variance", tuple(curves)
    )
    off = max((abs(c - 5.0) - 0.35) / e for c, e in zip(rates, errors, strict=True))
    good = off <= 7.0 and max(errors) < 0.15 and worst <= _SHARE.critical()
    reason = (
        f"c = {rates[0]:.2f} at n = {_WIDTHS[0]} and {rates[1]:.2f} at {_WIDTHS[1]}, with standard errors "
        f"{errors[0]:.2f} and {errors[1]:.2f}; the mean kernel is within {worst:.1f} standard errors."
    )
    return Finding("confirmed" if good else "refuted", reason, rates[-1], evidence, (plot,))


@claim(
    "wide-definite",
    "NNGP* and the covariance of finite networks are positive definite on random, clustered and real inputs, "
    "with a proved bound; duplicated directions make both singular for ReLU without bias, and only then.",
    source=f"{PAPER} (claim iii), and where it needs more than distinct inputs",
    tags=("deq", "kernel", "wide"),
    profile="ci",
    group="wide",
    cost=15.0,
    wrong=("moved", "untied"),
    designs=(
        Design(
            f"the smallest eigenvalue of networks of width {_BROAD} is within a factor 3 of the kernel's",
            "median of 5 draws for each of 7 matrices; its logarithm's deviation is below 0.15",
            5,
            1e-9,
            "a singular covariance",
            0.9999,
        ),
    ),
)
def wide_definite(run: Run) -> Finding:
    """Smallest eigenvalues in doubles, in balls, and of networks of width 4000."""
    import numpy as np

    from verify.networks import Network
    from verify.networks.definite import data_sets, spectrum

    evidence: dict[str, Any] = {}
    failures = []
    for name, x in data_sets(run.stream()).items():
        for bias in (0.0, 0.5):
            scales: dict[str, Any] = {"sigma_w": 0.6, "sigma_u": 1.0, "sigma_b": bias}
            kernel = run.theory.deq(x, activation="relu", **scales).nngp
            ends = spectrum(
                Network("deq", "relu", _BROAD, **scales), x, kernel, draws=5, seed=run.integer(1)
            )
            label = f"{name}, sigma_b = {bias}"
            assert ends.bound is not None
            assert ends.certified is not None
            evidence[label] = {
                "kernel": ends.kernel,
                "proved bound": ends.bound,
                f"networks of width {_BROAD}": ends.network,
            }
            if ends.certified > 1e-12:
                failures.append(f"{label}: the diagonal is {ends.certified:.1e} off the proved one")
            if name.startswith("duplicated") and bias == 0.0:
                singular = max(abs(ends.kernel), abs(ends.network)) < 1e-12
                if not singular or ends.bound > 0.0:
                    failures.append(f"{label}: not singular, {ends.kernel:.1e}")
            elif not (ends.bound > 0.0 and 1.0 < 3.0 * ends.network / ends.kernel < 9.0):
                failures.append(f"{label}: {ends.kernel:.1e}, networks {ends.network:.1e}")
    bounds = [v["proved bound"] for v in evidence.values() if v["proved bound"] > 0.0]
    least = float(np.min(bounds)) if bounds else 0.0
    reason = (
        "; ".join(failures) + "."
        if failures
        else (
            f"The smallest proved bound is {least:.1e} of the largest variance; with duplicated directions "
            "and no bias both matrices are singular."
        )
    )
    return Finding("refuted" if failures else "confirmed", reason, None, evidence)


_NETWORKS, _UNITS = 900, 120
_COUNTED = 60
_VARIANCE = MeanTest(0.0, _NETWORKS, (0.02 - 0.004) / 0.05, 1e-9)


@claim(
    "wide-well-posed",
    "Equilibria of finite networks are unique while chi < 1, where the squared spectral radius of their "
    "Jacobian D W is chi; beyond chi = 1 some have none or several, at sigma_w Lip(phi) well above 1.",
    source="kernels.md, section 3; circular law with a variance profile",
    tags=("deq", "kernel", "monte-carlo", "wide"),
    profile="ci",
    group="wide",
    cost=30.0,
    designs=(
        _VARIANCE.design(
            f"pre-activations at n = {_UNITS} have the derived variance, within 0.4% after controlling for "
            "the drive's",
            "a kernel 2% off",
        ),
        Design(
            "of networks of width 80 fewer than a quarter at sigma_w = 0.9 and two fifths at 1.1, more than "
            "15% (tanh) or half (ReLU) at 2.2 have none or several equilibria",
            f"counts of {_COUNTED}; the true fractions are near 0, 0.05, 0.6 and 0.97",
            _COUNTED,
            2e-8,
            "a transition at sigma_w Lip(phi) = 1, or none",
            0.9999,
        ),
    ),
)
def wide_well_posed(run: Run) -> Finding:
    """Spectra and several starting points, from below to above the transition of ReLU at sqrt(2)."""
    import numpy as np

    from verify.networks import Network
    from verify.networks.laws import controlled
    from verify.networks.posed import census, locate

    x = np.ones((1, 200))
    network = Network("deq", "tanh", _UNITS, sigma_w=0.4, sigma_u=1.0)
    counted = census(network, x, _NETWORKS, starts=2, seed=run.integer())
    limit = run.theory.deq(x, activation="tanh", sigma_w=0.4)
    ratio = controlled(
        counted.variance / limit.fixed_point[0, 0] - 1.0, counted.drive[:, None] - 1.0
    )
    error = float(ratio.std(ddof=1)) / math.sqrt(_NETWORKS)
    off = (abs(float(ratio.mean())) - 0.004) / error
    radius = float(np.mean(counted.radius**2) / limit.conditions.stability)
    run.progress(0.4, "transition")
    sigmas = (0.9, 1.1, 2.2)
    bad = {}
    for name, u in (("relu", 1.0), ("tanh", 0.3)):
        start = Network("deq", name, 80, sigma_u=u, expansive=True)
        counts = locate(start, np.ones((1, 3)), sigmas, _COUNTED, starts=3, seed=run.integer(2))
        bad[name] = [counts[s].none + counts[s].several for s in sigmas]
        run.progress(0.7, name)
    good = (
        off <= _VARIANCE.critical() and 0.9 < radius < 1.3 and counted.none + counted.several == 0.0
    )
    good = good and max(bad["relu"][0], bad["tanh"][0]) < 0.25 and bad["relu"][1] < 0.4
    good = good and bad["relu"][-1] > 0.5 and bad["tanh"][-1] > 0.15
    evidence = {
        "variance over K*, minus 1": float(ratio.mean()),
        "standard error": error,
        "squared spectral radius over chi": radius,
        "sigma_w": sigmas,
        "fraction with none or several": bad,
    }
    curves = tuple(Curve(name, sigmas, tuple(v)) for name, v in bad.items())
    plot = Plot("Networks without exactly one equilibrium found", "sigma_w", "fraction", curves)
    reason = (
        f"Squared spectral radius over chi {radius:.3f}; variance {ratio.mean():+.2%} off (standard error "
        f"{error:.2%}); ReLU networks without exactly one equilibrium: {bad['relu']} at sigma_w {sigmas}."
    )
    return Finding("confirmed" if good else "refuted", reason, None, evidence, (plot,))
