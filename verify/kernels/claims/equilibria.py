"""What is claimed of deep equilibrium models, on networks of finite width that are really drawn."""

from __future__ import annotations

import math
from typing import Any

from verify.statistics.tests import MeanTest
from verify.suite.claims import Run, claim
from verify.suite.verdicts import Curve, Design, Finding, Plot

PAPER = "Gao, Huo, Liu, Gao, NeurIPS 2023"
INPUTS = ((1.0, 0.4, -0.3), (0.8, 0.9, 0.2))
SCALES = {"sigma_w": 0.4, "sigma_u": 1.0, "sigma_b": 0.2}
ENTRIES = ((0, 0), (0, 1), (1, 1))
WIDTH, NETWORKS = 400, 1500
ALLOWED = 0.004
"""Relative bias of order 1/n that is allowed for at `WIDTH`: 1.6/n, several times what is seen at n = 100."""

_SPREAD = (
    0.065  # standard deviation of one network's covariance at this width, relative; an upper bound
)
_MEAN = MeanTest(0.0, NETWORKS, (0.02 - ALLOWED) / _SPREAD, 1e-9 / len(ENTRIES))
_VARIANCE = Design(
    "fluctuations of the covariance are as large, times the width, at 100 and at 400 neurons",
    "ratio of the two variances within 1.6, 7 standard errors of its logarithm",
    2 * NETWORKS,
    1e-9,
    "fluctuations that do not fall with the width",
    0.9999,
)


def _design(null: str) -> Design:
    one = _MEAN.design(null, "a kernel 2% off")
    test = f"{one.test}, for {len(ENTRIES)} entries, within {ALLOWED:.1%} for the finite width"
    return Design(null, test, NETWORKS, 1e-9, one.alternative, one.power)


def _networks(run: Run, width: int, depth: int | None = None, stream: int = 0) -> Any:
    import numpy as np
    from scipy.special import erf

    from verify.networks.covariances import equilibrium_covariances

    return equilibrium_covariances(
        run.stream(width, depth or 0, stream),
        np.array(INPUTS),
        erf,
        width=width,
        networks=NETWORKS,
        depth=depth,
        progress=lambda fraction: run.progress(fraction, f"width {width}"),
        **SCALES,
    )


def _mean_against(covariances: Any, kernel: Any) -> tuple[float, dict[str, Any]]:
    """Largest excess of |mean - kernel| over what is allowed, in standard errors, and the numbers."""
    worst, evidence = -math.inf, {}
    for i, j in ENTRIES:
        ratio = covariances[:, i, j] / kernel[i, j]
        error = float(ratio.std(ddof=1)) / math.sqrt(len(ratio))
        deviation = float(ratio.mean()) - 1.0
        worst = max(worst, (abs(deviation) - ALLOWED) / error)
        evidence[f"entry {i + 1}, {j + 1}"] = {
            "limit": float(kernel[i, j]),
            "mean of networks": float(covariances[:, i, j].mean()),
            "relative deviation": deviation,
            "standard error": error,
        }
    return worst, evidence | {
        "excess in standard errors": worst,
        "rejected beyond": _MEAN.critical(),
    }


def _relative_variance(covariances: Any, kernel: Any) -> float:
    return float((covariances[:, 0, 0] / kernel[0, 0]).var(ddof=1))


@claim(
    "deq-gaussian-process",
    "Outputs of equilibrium models of finite width become the Gaussian process with the derived covariance: "
    "their covariance has that mean, and its fluctuations fall like one over the width.",
    source=f"{PAPER} (claim i)",
    tags=("deq", "kernel", "monte-carlo"),
    profile="ci",
    group="networks",
    cost=8.0,
    designs=(_design("the mean covariance at n = 400 is the derived NNGP kernel"), _VARIANCE),
)
def deq_gaussian_process(run: Run) -> Finding:
    """Draw networks, find their equilibria, and compare; given the hidden weights outputs are normal."""
    import numpy as np

    kernel = run.theory.deq(np.array(INPUTS), activation="erf", **SCALES).nngp
    widths = (100, 200, WIDTH)
    samples = {width: _networks(run, width) for width in widths}
    excess, evidence = _mean_against(samples[WIDTH], kernel)
    variances = {width: _relative_variance(drawn, kernel) for width, drawn in samples.items()}
    ratio = 100 * variances[100] / (WIDTH * variances[WIDTH])
    evidence |= {"relative variance by width": variances, "ratio of width times variance": ratio}
    good = excess <= _MEAN.critical() and 1 / 1.6 < ratio < 1.6
    at = tuple(map(float, widths))
    sizes = tuple(math.sqrt(v) for v in variances.values())
    law = tuple(sizes[-1] * math.sqrt(WIDTH / width) for width in at)
    curves = (
        Curve("networks", at, sizes, style="points"),
        Curve("law n^-1/2", at, law, style="line"),
    )
    title = "Relative fluctuations of the output covariance of equilibrium models against the width"
    plot = Plot(title, "width n", "standard deviation", curves, log=True)
    reason = (
        f"The largest deviation of a mean exceeds the allowed {ALLOWED:.1%} by {excess:.1f} standard errors "
        f"(rejected beyond {_MEAN.critical():.1f}); width times variance changes by a factor of {ratio:.2f}."
    )
    return Finding("confirmed" if good else "refuted", reason, None, evidence, (plot,))


_DEPTHS = (1, 2, 4, 16, 64)


@claim(
    "deq-limits-commute",
    "In equilibrium models depth and width may be exchanged: the error at finite width is of order n^(-1/2) "
    "uniformly in the depth, and deep networks have the equilibrium's covariance.",
    source=f"{PAPER} (claim ii)",
    tags=("deq", "kernel", "monte-carlo"),
    profile="ci",
    group="networks",
    cost=12.0,
    designs=(
        _design("the mean covariance at depth 64 and n = 400 is the derived NNGP kernel"),
        Design(
            "n times the relative variance at depths 4, 16 and 64 and at n = 100 and 400, six numbers, is "
            "constant",
            "the largest ratio of two is within 1.6, 7 standard errors of its logarithm",
            NETWORKS,
            1e-9,
            "fluctuations that grow with the depth at one width, or do not fall with the width at one depth",
            0.9999,
        ),
    ),
)
def deq_limits_commute(run: Run) -> Finding:
    """Apply the same weights again and again, from 0."""
    import numpy as np

    kernel = run.theory.deq(np.array(INPUTS), activation="erf", **SCALES).nngp
    widths = (100, WIDTH)
    samples = {(n, depth): _networks(run, n, depth) for n in widths for depth in _DEPTHS}
    excess, evidence = _mean_against(samples[WIDTH, 64], kernel)
    variances = {
        n: {
            depth: n * _relative_variance(s, s.mean(axis=0))
            for depth in _DEPTHS
            for s in [samples[n, depth]]
        }
        for n in widths
    }
    deep = [variances[n][depth] for n in widths for depth in _DEPTHS if depth >= 4]
    growth = max(deep) / min(deep)
    means = {d: float(samples[WIDTH, d][:, 0, 0].mean() / kernel[0, 0]) for d in _DEPTHS}
    evidence |= {
        "width times relative variance by width and depth": variances,
        "mean over limit by depth": means,
        "largest ratio from depth 4 on": growth,
    }
    good = excess <= _MEAN.critical() and growth < 1.6
    at = tuple(map(float, _DEPTHS))
    curves = tuple(
        Curve(f"equilibrium model, n = {n}", at, tuple(variances[n].values())) for n in widths
    )
    title = "Fluctuations of the output covariance against the depth"
    plot = Plot(title, "depth", "n times relative variance", curves)
    reason = (
        f"From depth 4 on, n times the variance changes by a factor of at most {growth:.2f} over both widths "
        f"and all depths; at depth 64 the mean exceeds the allowed {ALLOWED:.1%} by {excess:.1f} standard "
        f"errors (rejected beyond {_MEAN.critical():.1f})."
    )
    return Finding("confirmed" if good else "refuted", reason, None, evidence, (plot,))


_DEPTH, _PERCEPTRON, _DRAWS = 20, 200, 40_000
_PERCEPTRON_MEAN = MeanTest(1.0, _DRAWS, 0.02 / 0.325, 1e-9)


@claim(
    "mlp-limits-do-not-commute",
    "In perceptrons with fresh weights in each layer depth and width may not be exchanged: the kernel's "
    "relative variance grows with depth over width, for critical ReLU networks as (1 + 5/n)^L - 1.",
    source=f"{PAPER} (claim ii); Hanin, Nica 2019",
    tags=("mlp", "kernel", "monte-carlo"),
    profile="ci",
    group="networks",
    cost=4.0,
    designs=(
        _PERCEPTRON_MEAN.design(
            "the mean of <z, z>/n after 4 layers of 200 neurons is that of the derived kernel",
            "a kernel 2% off",
        ),
        Design(
            "E (<z, z>/n)^2 after 20 layers of 200 neurons is (1 + 5/n)^20 = 1.64 times the limit's square",
            "t-test of the mean",
            _DRAWS,
            1e-9,
            "fluctuations that do not grow with the depth",
            0.9999,
        ),
    ),
)
def mlp_limits_do_not_commute(run: Run) -> Finding:
    """Draw ReLU networks layer by layer."""
    import numpy as np

    from verify.networks.covariances import perceptron_variances

    variances = perceptron_variances(run.stream(), width=_PERCEPTRON, depth=_DEPTH, networks=_DRAWS)
    root = math.sqrt(2.0)
    one = np.array([[1.0]])
    limit = float(
        run.theory.mlp(
            one, activation="relu", depth=4, sigma_w=root, sigma_b=0.0, sigma_v=root
        ).nngp[0, 0]
    )
    # K_1 = 2 and D of ReLU is k/2: in units of infinite width the readout at sigma_v^2 = 2 has covariance 2
    ratio = 2.0 * variances[:, 3] / limit
    first = (float(ratio.mean()) - 1.0) / (float(ratio.std(ddof=1)) / math.sqrt(_DRAWS))
    squares = variances[:, -1] ** 2
    law = (1.0 + 5.0 / _PERCEPTRON) ** _DEPTH
    second = (float(squares.mean()) - law) / (float(squares.std(ddof=1)) / math.sqrt(_DRAWS))
    critical = _PERCEPTRON_MEAN.critical()
    layers = tuple(float(k) for k in range(1, _DEPTH + 1))
    curves = (
        Curve("networks", layers, tuple(variances.var(axis=0).tolist()), style="points"),
        Curve(
            "(1 + 5/n)^L - 1",
            layers,
            tuple((1.0 + 5.0 / _PERCEPTRON) ** k - 1.0 for k in layers),
            (),
            "line",
        ),
    )
    title = (
        "Relative variance of the kernel of critical ReLU perceptrons, width 200, against the depth"
    )
    plot = Plot(title, "depth L", "relative variance", curves)
    evidence = {
        "statistic of the mean": first,
        "statistic of the second moment": second,
        "rejected beyond": critical,
        "second moment": float(squares.mean()),
        "law": law,
    }
    good = abs(first) <= critical and abs(second) <= critical
    reason = (
        f"Second moment {squares.mean():.3f}, law {law:.3f}, without fluctuations it would be 1; statistics "
        f"{first:.1f} and {second:.1f}, rejected beyond {critical:.1f}."
    )
    return Finding("confirmed" if good else "refuted", reason, None, evidence, (plot,))


def _least_eigenvalue(kernel: Any) -> float:
    """Smallest eigenvalue of the symmetric part; LAPACK would look at one triangle only."""
    import numpy as np

    return float(np.linalg.eigvalsh(0.5 * (kernel + kernel.T)).min())


@claim(
    "deq-positive-definite",
    "The equilibrium model's NNGP matrix is strictly positive definite for distinct inputs, if phi is "
    "Lipschitz and not affine, but for: a zero input without bias where phi(0) = 0, and inputs t x and x "
    "without bias where phi(t u) = t phi(u) for all u (parallel ones for ReLU, opposite ones for odd phi).",
    source=f"{PAPER} (claim iii), and the theorem with its exceptions in theory.kernels.definiteness",
    tags=("deq", "kernel"),
    group="kernels",
    cost=1.0,
    wrong=("moved", "shifted"),
)
def deq_positive_definite(run: Run) -> Finding:
    """Look at the smallest eigenvalue as points come nearer to each other."""
    import numpy as np

    rng = run.stream()
    x = rng.standard_normal((12, 5))
    distances, least = (1.0, 0.3, 0.1, 0.03), []
    evidence: dict[str, Any] = {}
    for name, bias in (("relu", 0.0), ("relu", 0.5), ("erf", 0.0), ("tanh", 0.5)):
        values = []
        for distance in distances:
            near = np.vstack((x, x[0] + distance * np.eye(5)[0]))
            kernel = run.theory.deq(near, activation=name, sigma_w=0.5, sigma_u=1.0, sigma_b=bias)
            values.append(float(_least_eigenvalue(kernel.nngp)) / float(np.diag(kernel.nngp).max()))
        evidence[f"{name}, sigma_b = {bias}"] = dict(zip(map(str, distances), values, strict=True))
        least.append(values)
    parallel = np.vstack((x, 2.0 * x[0]))
    singular, lifted = (
        run.theory.deq(parallel, activation="relu", sigma_w=0.5, sigma_u=1.0, sigma_b=b)
        for b in (0.0, 0.5)
    )
    zero, positive = (_least_eigenvalue(k.nngp) for k in (singular, lifted))
    # every exception of the theorem, and the same inputs where it is none
    exceptions = (
        ("opposite inputs", -x[0], ("erf", 0.0), (("erf", 0.5), ("sigmoid", 0.0))),
        ("a zero input", 0.0 * x[0], ("tanh", 0.0), (("tanh", 0.5), ("cos", 0.0))),
        ("more inputs than dimensions", x[1] + x[2], ("identity", 0.5), (("erf", 0.5),)),
    )
    as_said = True
    for what, row, (phi, bias), others in exceptions:
        for name, b in ((phi, bias), *others):
            kernel = run.theory.deq(
                np.vstack((x, row)), activation=name, sigma_w=0.5, sigma_u=1.0, sigma_b=b
            )
            value = _least_eigenvalue(kernel.nngp) / float(np.diag(kernel.nngp).max())
            evidence[f"{what}, {name}, sigma_b = {b}"] = value
            singular_one = name == phi and b == bias
            as_said &= abs(value) < 1e-12 if singular_one else value > 1e-7
            as_said &= bool(kernel.note) == singular_one
    variances = np.sum(x**2, axis=1) / 5
    closed = (
        0.5 * variances / (1.0 - 0.5**2 / 2.0)
    )  # D of ReLU is k/2, and k* = s/(1 - sigma_w^2/2)
    off = float(np.abs(np.diag(singular.nngp)[:12] / closed - 1.0).max())
    evidence |= {
        "parallel inputs, relu, sigma_b = 0": zero,
        "parallel inputs, relu, sigma_b = 0.5": positive,
        "relu diagonal against its closed form": off,
    }
    bounded = all(value > 1e-7 for values in least for value in values)
    good = bounded and as_said and abs(zero) < 1e-12 and positive > 1e-6 and off < 1e-12
    curves = tuple(
        Curve(name, distances, tuple(values)) for name, values in zip(evidence, least, strict=False)
    )
    title = "Smallest eigenvalue of the equilibrium model's NNGP matrix as two inputs come nearer"
    plot = Plot(title, "distance of the nearest pair", "smallest eigenvalue", curves, log=bounded)
    reason = (
        f"The smallest relative eigenvalue over all distances is {min(min(v) for v in least):.1e}; with two "
        f"parallel inputs it is {zero:.0e} for ReLU without bias and {positive:.1e} with one."
    )
    if not as_said:
        reason += " An exception of the theorem is none, or there are more."
    return Finding("confirmed" if good else "refuted", reason, None, evidence, (plot,))
