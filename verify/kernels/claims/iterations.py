"""What is claimed of equilibrium models' steps, outputs and spectra, on networks that are really drawn."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from verify.statistics.tests import MeanTest
from verify.suite.claims import Run, claim
from verify.suite.verdicts import Curve, Finding, Plot
from verify.suite.wrong import replaced

PAPER = "Gao, Huo, Liu, Gao, NeurIPS 2023"
TANGENT = "Feng, Kolter, arXiv:2310.14062 (ICLR 2023 submission)"
SIGMA, VARIANCE = 0.8, 0.2
WIDTH, NETWORKS, STEPS = 400, 1000, 8
_RESIDUALS, _DEPTHS = 7, 4
_SPREADS = 0.3, 0.35
"""Largest standard deviations of one network's residual and distance, relative."""
_ALLOWED = 0.025
"""Relative bias of order 1/n that is allowed for, of either."""
_STEP = MeanTest(0.0, NETWORKS, (0.13 - _ALLOWED) / _SPREADS[0], 1e-9 / _RESIDUALS)
_DEPTH = MeanTest(0.0, NETWORKS, (0.15 - _ALLOWED) / _SPREADS[1], 1e-9 / _DEPTHS)


def _fresh(dual: Any, w2: Any, s: Any, count: int) -> Any:
    """Covariances of steps whose weights are drawn anew: S between different ones."""
    from theory.kernels.laws.iteration import iterates

    rows = iterates(dual, w2, s, count)
    return [[v if k == m else s for m, v in enumerate(row)] for k, row in enumerate(rows)]


def _wrong() -> str:
    from theory.kernels.laws.iteration import iterates

    return replaced(
        "kernels-fresh-steps",
        "Each step of an equilibrium model's iteration has weights of its own.",
        {iterates: _fresh},
    )


def _predicted(run: Run) -> tuple[Any, Any]:
    """E z_k^2 of the steps, and the residuals between them."""
    import numpy as np

    from theory.kernels.laws.iteration import iterates, residuals
    from verify.kernels.claims.recursions import dual

    def of(rows: Any) -> Any:
        return dual(run.theory, "erf", rows)

    values = of(run.theory.of(iterates)(of, SIGMA**2, VARIANCE, STEPS))
    return np.diagonal(values), np.array(residuals(values))


def _steps(run: Run) -> Any:
    from scipy.special import erf

    from verify.networks.covariances import equilibrium_steps

    how = {"width": WIDTH, "networks": NETWORKS, "steps": STEPS}
    return equilibrium_steps(run.stream(), erf, sigma_w=SIGMA, variance=VARIANCE, **how)


def _equilibrium(run: Run) -> Any:
    import numpy as np

    x = np.array([[math.sqrt(VARIANCE)]])
    return run.theory.deq(x, activation="erf", sigma_w=SIGMA, sigma_u=1.0, sigma_b=0.0)


def _found(
    values: Any, expected: Any, rate: float, test: MeanTest, names: tuple[str, ...]
) -> Finding:
    """Compare means by step with what is derived, and its last ratio with the rate."""
    import numpy as np

    title, label, what = names
    count = len(expected)
    ratio = values / expected - 1.0
    mean, error = ratio.mean(axis=0), ratio.std(axis=0, ddof=1) / len(ratio) ** 0.5
    worst = float(((np.abs(mean) - _ALLOWED) / error).max())
    last = float(expected[-1] / expected[-2])
    good = worst <= test.critical() and abs(last / rate - 1.0) < 0.05
    at = tuple(range(1, count + 1))
    curves = (
        Curve(
            "networks", at, tuple(values.mean(axis=0)), tuple(np.abs(expected) * error), "points"
        ),
        Curve("derived", at, tuple(expected), style="line"),
        Curve("at the final rate", at, tuple(expected[0] * rate ** np.arange(count)), style="line"),
    )
    plot = Plot(title, "step", label, curves, log=bool((expected > 0.0).all()))
    evidence = {
        "relative deviation by step": mean,
        "standard errors": error,
        "excess in standard errors": worst,
        "rejected beyond": test.critical(),
        "last ratio of what is derived": last,
        "derived rate": rate,
    }
    reason = (
        f"{what} of {count} steps are up to {np.abs(mean).max():.1%} off the derived ones (excess "
        f"{worst:.1f} standard errors, rejected beyond {test.critical():.1f}); the last ratio is {last:.4f}, "
        f"the rate {rate:.4f}."
    )
    return Finding("confirmed" if good else "refuted", reason, None, evidence, (plot,))


@claim(
    "deq-residual-by-step",
    "The residual of a wide equilibrium model's fixed-point iteration falls as the recursion of its steps' "
    "covariances says, in the end by chi = sigma_w^2 E phi'^2 a step.",
    source=PAPER,
    tags=("deq", "kernel", "kernels", "monte-carlo"),
    profile="ci",
    group="networks",
    cost=8.0,
    wrong=("moved", _wrong()),
    designs=(
        _STEP.design(
            f"|z_(k+1) - z_k|^2/n at n = {WIDTH} has the derived mean within {_ALLOWED:.1%} for each of "
            f"{_RESIDUALS} steps",
            "a residual 13% off, as a kernel 2% off makes it by the sixth step",
        ),
    ),
)
def deq_residual_by_step(run: Run) -> Finding:
    """Iterate from 0; the last ratio of the derived residuals is compared with chi at the fixed point."""
    names = "Residual of the fixed-point iteration", "|z' - z|^2/n", "Residuals"
    chi = _equilibrium(run).conditions.stability
    expected = _predicted(run)[1][:_RESIDUALS]
    return _found(_steps(run).residuals[:, :_RESIDUALS], expected, chi, _STEP, names)


@claim(
    "deq-geometric-depth",
    "The covariance of the first steps of a wide equilibrium model tends to the equilibrium's geometrically "
    "in the depth, as the recursion says, in the end with the derivative of the kernel map as its rate.",
    source=f"{PAPER} (claim ii); for tangent kernels {TANGENT}",
    tags=("deq", "kernel", "kernels", "monte-carlo"),
    profile="ci",
    group="networks",
    cost=8.0,
    wrong=("moved",),
    designs=(
        _DEPTH.design(
            f"the distance from the equilibrium's covariance at n = {WIDTH} is the derived one within "
            f"{_ALLOWED:.1%} at each of {_DEPTHS} depths",
            "a distance 15% off at one depth",
        ),
    ),
)
def deq_geometric_depth(run: Run) -> Finding:
    """Differences within the same network, in which most of its fluctuation cancels."""
    names = "Distance of the output variance from the equilibrium's", "K* - K_l", "Distances"
    end = _equilibrium(run)
    expected = (float(end.nngp[0, 0]) - _predicted(run)[0])[:_DEPTHS]
    drawn = _steps(run)
    seen = drawn.ends[:, None] - drawn.squares[:, :_DEPTHS]
    return _found(seen, expected, end.conditions.kernel, _DEPTH, names)


PAIR = ((1.0, 0.4, -0.3), (0.8, 0.9, 0.2))
_NARROW, _WIDE, _HEADS = 25, 400, 300
_SCALES: dict[str, Any] = {"sigma_w": 0.4, "sigma_u": 1.0, "sigma_b": 0.2}
_ORDER = 0.01
"""Relative covariance of order 1/n that a wide network may have."""
_DEPENDENT = MeanTest(0.0, 700, (0.025 - _ORDER) / 0.03, 1e-9 / 2)


@claim(
    "deq-outputs-independent",
    "Different output neurons of an equilibrium model are uncorrelated at every width; the covariance of "
    "their squares, clearly there in narrow networks, vanishes as the width grows.",
    source=f"{PAPER} (claim i)",
    tags=("deq", "kernel", "kernels", "monte-carlo"),
    profile="ci",
    group="networks",
    cost=8.0,
    wrong=("untied",),
    designs=(
        _DEPENDENT.design(
            f"squares of outputs of neurons a and b at n = {_WIDE} have a covariance about the derived K of "
            f"less than {_ORDER:.0%} of K^2, and E f_a(x) f_b(x') is 0",
            f"a covariance of 2.5% of K^2, less than that of {_NARROW} units",
        ),
    ),
)
def deq_outputs_independent(run: Run) -> Finding:
    """Averages over all pairs of neurons of a network, from their sums."""
    import numpy as np

    from verify.networks import Network, sample

    x = np.array(PAIR)
    limit = run.theory.deq(x, activation="erf", **_SCALES).nngp[0, 0]
    found: dict[int, tuple[float, float]] = {}
    crossed = 0.0
    for width in (_NARROW, _WIDE):
        network, draws = Network("deq", "erf", width, **_SCALES), _DEPENDENT.size
        drawn = sample(network, x, draws, seed=run.integer(width), heads=_HEADS, weights="dense")
        f, pairs = drawn.outputs, _HEADS * (_HEADS - 1)
        off = f[..., 0] ** 2 / limit - 1.0
        both = (off.sum(axis=1) ** 2 - (off**2).sum(axis=1)) / pairs
        found[width] = float(both.mean()), float(both.std(ddof=1)) / draws**0.5
        cross = (f.sum(axis=1).prod(axis=1) - f.prod(axis=2).sum(axis=1)) / pairs
        crossed = max(crossed, abs(float(cross.mean() / cross.std(ddof=1))) * draws**0.5)
        run.progress(0.2 if width == _NARROW else 1.0, f"width {width}")
    wide = (abs(found[_WIDE][0]) - _ORDER) / found[_WIDE][1]
    narrow = (found[_NARROW][0] - _ORDER) / found[_NARROW][1]
    critical = _DEPENDENT.critical()
    good = wide <= critical and crossed <= critical and narrow > critical
    evidence = {
        "covariance of squares over K^2 and its standard error by width": found,
        "largest correlation of neurons at two inputs, standard errors": crossed,
        "rejected beyond": critical,
    }
    reason = (
        f"Squares of different neurons' outputs have a covariance of {found[_WIDE][0]:+.2%} of K^2 at n = "
        f"{_WIDE} (standard error {found[_WIDE][1]:.2%}), and of {found[_NARROW][0]:+.1%} at {_NARROW}; the "
        f"neurons are uncorrelated within {crossed:.1f} standard errors."
    )
    return Finding("confirmed" if good else "refuted", reason, None, evidence)


_SIGMAS = (0.1, 0.4, 0.6, 0.8)
_UNITS, _SAMPLES = 250, 300
_LEAST = MeanTest(0.0, _SAMPLES, (0.17 - 0.03) / 0.13, 1e-9 / len(_SIGMAS))


@claim(
    "deq-eigenvalue-by-scale",
    "The smallest eigenvalue of the equilibrium model's NNGP matrix stays away from zero at all sigma_w, by "
    "a proved bound, and grows with it; the covariance of finite networks has it in the same direction.",
    source=f"{PAPER} (claim iii)",
    tags=("deq", "kernel", "kernels", "monte-carlo"),
    profile="ci",
    group="networks",
    cost=8.0,
    wrong=("untied",),
    designs=(
        _LEAST.design(
            f"v'Cv of networks with n = {_UNITS}, v the kernel's last eigenvector, has the smallest "
            f"eigenvalue as its mean within 3%, at {len(_SIGMAS)} values of sigma_w",
            "an eigenvalue 17% off, half of what one value of sigma_w does to the next",
        ),
    ),
)
def deq_eigenvalue_by_scale(run: Run) -> Finding:
    """Quadratic forms have the mean of their matrix; eigenvalues of means do not."""
    import numpy as np
    from scipy.special import erf

    from numerics import certify
    from theory import DEQ
    from verify.networks.covariances import equilibrium_covariances

    x = run.stream().standard_normal((6, 4))
    least, proved, ratios, errors = [], [], [], []
    for sigma in _SIGMAS:
        scales: dict[str, Any] = {"sigma_w": sigma, "sigma_u": 1.0, "sigma_b": 0.2}
        kernel = run.theory.deq(x, activation="erf", **scales).nngp
        values, vectors = np.linalg.eigh(0.5 * (kernel + kernel.T))
        least.append(float(values[0]))
        bound = certify(DEQ("erf", **scales), x, digits=20).smallest_eigenvalue
        proved.append(float(bound.mid() - bound.rad()))
        rng = run.stream(_SIGMAS.index(sigma) + 1)
        drawn = equilibrium_covariances(rng, x, erf, width=_UNITS, networks=_SAMPLES, **scales)
        forms = np.einsum("i,kij,j->k", vectors[:, 0], drawn, vectors[:, 0]) / values[0] - 1.0
        ratios.append(float(forms.mean()))
        errors.append(float(forms.std(ddof=1)) / _SAMPLES**0.5)
        run.progress(len(least) / len(_SIGMAS), f"sigma_w = {sigma}")
    worst = max((abs(r) - 0.03) / e for r, e in zip(ratios, errors, strict=True))
    grows = all(b > a for a, b in pairwise(least))
    good = worst <= _LEAST.critical() and min(proved) > 0.0 and grows
    sizes = tuple(v * (1.0 + r) for v, r in zip(least, ratios, strict=True))
    bars = tuple(v * e for v, e in zip(least, errors, strict=True))
    curves = (
        Curve("kernel", _SIGMAS, tuple(least), style="line"),
        Curve("networks", _SIGMAS, sizes, bars, "points"),
    )
    plot = Plot("Smallest eigenvalue of the NNGP matrix", "sigma_w", "eigenvalue", curves)
    evidence = {
        "sigma_w": _SIGMAS,
        "smallest eigenvalue": least,
        "proved lower bound": proved,
        "networks, relative deviation": ratios,
        "standard errors": errors,
        "excess in standard errors": worst,
        "rejected beyond": _LEAST.critical(),
    }
    reason = (
        f"From sigma_w = {_SIGMAS[0]} to {_SIGMAS[-1]} the eigenvalue grows from {least[0]:.3g} to "
        f"{least[-1]:.3g}, proved to be above {min(proved):.3g}; networks are within "
        f"{max(map(abs, ratios)):.1%} (excess {worst:.1f} standard errors, rejected beyond "
        f"{_LEAST.critical():.1f})."
    )
    return Finding("confirmed" if good else "refuted", reason, None, evidence, (plot,))
