"""What is claimed of the first step, of statistical queries and of kernels: nothing is trained."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, product
from typing import Any

from numerics.hypercube import KernelNeeds, kernel_needs
from numerics.parities import Success, success
from theory.kernels.laws.hypercube import explained_variance_bound
from theory.parities import fourier_gap, query_budget, signal
from verify.statistics.tests import CountTest, MeanTest
from verify.suite.claims import Run, claim
from verify.suite.verdicts import Finding
from verify.suite.wrong import replaced

PAPER = "Edelman, Goel, Kakade, Malach, Zhang, NeurIPS 2023"
TAGS = ("parities",)


def _no_irrelevant(s: int, k: int, bias: Any = 0, *, relevant: bool = True) -> Any:
    return signal(s, k, bias) if relevant else 0 * signal(s, k, bias)


def _same_at_every_width(
    n: int, k: int, sparsities: Any, widths: Any, samples: Any, *, bias: float = 0.0
) -> Success:
    return success(n, k, sparsities, [100 for _ in widths], samples, bias=bias)


def _from_few(n: int, degrees: Any, **given: Any) -> KernelNeeds:
    right = kernel_needs(n, degrees, **given)
    return replace(right, samples=tuple(float(n ** max(0, t - 1)) for t in degrees))


POSITIVE = replaced(
    "parities-positive-gap",
    "Whatever a neuron sees, its gradient is largest in the parity's coordinates.",
    {fourier_gap: lambda s, k, bias=0: signal(s, k, bias)},
)
BLIND = replaced(
    "parities-blind",
    "Coordinates of no relevance have no gradient.",
    {signal: _no_irrelevant},
)
WIDTHLESS = replaced(
    "parities-widthless",
    "Width does not matter: what is found is not found by luck.",
    {success: _same_at_every_width},
)
GENEROUS = replaced(
    "parities-generous-queries",
    "A derivative within tau tells at most 1/tau parities.",
    {query_budget: lambda tau, delta, n, k: query_budget(tau, delta, n, k) / tau},
)
LAZY = replaced(
    "parities-lazy",
    "Kernel regression learns a parity of degree k from n^(k - 1) samples.",
    {kernel_needs: _from_few},
)


@claim(
    "parities-fourier-gap",
    "The gap between relevant and irrelevant gradients of a neuron that sees a parity is the derived one; "
    "without bias it is zero at s = 2 k - 1 and negative below, for even k and odd s.",
    source=f"{PAPER} (s of the order of k); enumeration of the hypercube",
    tags=TAGS,
    wrong=(POSITIVE,),
)
def parities_gap(run: Run) -> Finding:
    """All s and k up to 11, and three biases."""
    import numpy as np

    gap, off = run.theory.of(fourier_gap), []
    zeros = []
    for s in range(1, 12):
        z = np.array(list(product((-1, 1), repeat=s)))
        signs, total = z.cumprod(axis=1), z.sum(axis=1)
        for bias in (0, 1, -2):
            on = total + bias > 0
            sizes = [int(on.sum()), *np.abs(signs.T @ on)]
            for k in range(1, s + 1):
                exact = int(sizes[k - 1]) - (int(sizes[k + 1]) if k < s else 0)
                if gap(s, k, bias) * 2**s != exact:
                    off.append((s, k, bias))
                if bias == 0 and s % 2 and k % 2 == 0 and k < s:
                    zeros.append((exact > 0, exact == 0) == (s > 2 * k - 1, s == 2 * k - 1))
    good = not off and all(zeros)
    reason = f"{len(off)} of the gaps are not the enumerated ones" if off else "All gaps agree"
    return Finding(
        "confirmed" if good else "refuted", f"{reason}; {len(zeros)} signs.", None, {"off": off}
    )


_N, _K, _S, _WIDTH, _SAMPLES, _NETWORKS = 16, 4, 11, 60, 1000, 320
_MEAN = MeanTest(0.0, _NETWORKS, 0.55)
"""Distances are in standard deviations of a network's mean, which are near 0.01: 0.0059 is 0.55."""


@claim(
    "parities-first-step",
    "First gradients, neuron by neuron: partial tickets have one in the coordinate that they miss, full ones "
    "in those of the parity and a smaller one in others that they see, as derived.",
    source="enumerated gradients; networks at initialisation",
    tags=TAGS,
    cost=3.0,
    wrong=(BLIND,),
    designs=tuple(
        _MEAN.design(f"the mean gradient {where} is the derived one", "no gradient in others")
        for where in ("where a partial ticket misses", "in the parity", "in others that are seen")
    ),
    needs=("jax", "optax"),
)
def parities_first_step(run: Run) -> Finding:
    """The mean over a network's neurons, per unit of readout and with the sign that is expected."""
    import numpy as np

    from theory.calculus.walsh import threshold_coefficient
    from verify.parities.networks import Setting, first_step

    setting = Setting(_N, _K, _S, _WIDTH, _SAMPLES)
    drawn = first_step(setting, run.integer(), _NETWORKS)
    sees, seen = drawn["sees"], drawn["sees"][..., :_K].sum(axis=-1)
    signs = np.where(sees, np.sign(drawn["weights"]), 1.0)
    # the sign of the weights of S without i, or of S and i: a factor of 1 where i is not seen
    weights = signs[..., :_K].prod(axis=-1, keepdims=True) * signs
    unit = -drawn["gradient"] / drawn["readout"][..., None] * weights
    relevant = np.arange(_N) < _K
    near, far = (np.sign(float(threshold_coefficient(_S, _K + d))) for d in (-1, 1))
    parts = {
        "missed": ((seen == _K - 1)[..., None] & relevant & ~sees, near, True),
        "in the parity": ((seen == _K)[..., None] & relevant, near, True),
        "others seen": ((seen == _K)[..., None] & ~relevant & sees, far, False),
    }
    size = run.theory.of(signal)
    evidence: dict[str, Any] = {}
    rejected = []
    for name, (where, sign, own) in parts.items():
        count = where.sum(axis=(1, 2))
        means = sign * (unit * where).sum(axis=(1, 2)) / np.maximum(count, 1)
        expected = float(size(_S, _K, relevant=own))
        error = float(means.std(ddof=1)) / _NETWORKS**0.5
        statistic = (float(means.mean()) - expected) / error
        evidence[name] = {"mean": float(means.mean()), "error": error, "derived": expected}
        if abs(statistic) > _MEAN.critical() or not (count > 0).all():
            rejected.append(f"{name}: {means.mean():.5f} for {expected:.5f}")
    reason = "; ".join(rejected) or "All three means are within their errors"
    return Finding("refuted" if rejected else "confirmed", f"{reason}.", None, evidence)


_WIDTHS, _TRIALS, _FEW = (30, 300), 800, 20
_LOW, _HIGH = CountTest(0.0564, _TRIALS, 0.162), CountTest(0.238, _TRIALS, 0.4)


@claim(
    "parities-finding",
    "In a first step some neuron finds the coordinate that it misses with a probability between the derived "
    "bounds, which grow with the width.",
    source=f"{PAPER} (width as parallel search); networks at initialisation",
    tags=TAGS,
    profile="ci",
    cost=7.0,
    wrong=(WIDTHLESS,),
    designs=(
        _LOW.design("at width 30 it is within the bounds", "that of width 100"),
        _HIGH.design("at width 300 it is within the bounds", "twice as much as at least"),
    ),
    needs=("jax", "optax"),
)
def parities_finding(run: Run) -> Finding:
    """Networks of two widths with so few samples that a ticket finds its coordinate now and then."""
    import numpy as np

    from verify.parities.networks import Setting, first_step

    n, k, s = 30, 3, 2
    table = run.theory.of(success)(n, k, (s,), _WIDTHS, (_FEW,))
    evidence: dict[str, Any] = {}
    good = True
    for width, low, high in zip(_WIDTHS, table.low, table.high, strict=True):
        drawn = first_step(Setting(n, k, s, width, _FEW), run.integer(width), _TRIALS)
        unseen = np.where(drawn["sees"], -1.0, np.abs(drawn["gradient"]))
        missing = ~drawn["sees"] & (np.arange(n) < k)
        own = np.where(missing, unseen, 0.0).max(axis=-1)
        # sums of signs times one readout: equal ones differ by rounding only
        others = np.where(missing, -1.0, unseen).max(axis=-1) * (1.0 + 1e-9)
        tickets = drawn["sees"][..., :k].sum(axis=-1) == k - 1
        count = int((tickets & (own > others)).any(axis=1).sum())
        evidence[f"width {width}"] = {"found": count, "low": low, "high": high}
        least, most = CountTest(low, _TRIALS, 0.5), CountTest(high, _TRIALS, 0.5)
        good &= least.region()[0] <= count <= most.region()[1]
    counts = ", ".join(f"{row['found']}" for row in evidence.values())
    reason = f"Found in {counts} of {_TRIALS} networks of widths {', '.join(map(str, _WIDTHS))}."
    return Finding("confirmed" if good else "refuted", reason, None, evidence)


@claim(
    "parities-queries",
    "A derivative that is known within tau tells at most 1/tau^2 parities from no label.",
    source=f"{PAPER}, Proposition 3; Bessel's inequality",
    tags=TAGS,
    wrong=(GENEROUS,),
)
def parities_queries(run: Run) -> Finding:
    """All parities of a degree against derivatives of neurons; a majority comes near the bound."""
    import numpy as np

    n = 9
    x = np.array(list(product((-1, 1), repeat=n)))
    weights = [np.ones(n), *run.stream().standard_normal((30, n))]
    most, evidence = 0.0, {}
    for k in (1, 3):
        parities = np.array([x[:, list(p)].prod(axis=1) for p in combinations(range(n), k)])
        for tau in (0.02, 0.05, 0.13):
            seen = max(int((abs(parities @ (x @ w > 0)) > tau * len(x)).sum()) for w in weights)
            # of P T = 1 derivative, at a share delta of all parities
            budget = float(run.theory.of(query_budget)(tau, 1.0, n, k))
            evidence[f"degree {k}, tau {tau}"] = {"seen": seen, "at most": len(parities) / budget}
            most = max(most, seen * budget / len(parities))
    reason = f"At most {most:.2f} of what the bound allows are told."
    return Finding("confirmed" if most <= 1.0 else "refuted", reason, most, evidence)


_REGRESSIONS, _ALLOWED = 150, 0.05
_SHARE = MeanTest(0.5, _REGRESSIONS, 1.5)
"""A regression's share has a standard deviation near 0.1; the mean field may be 0.05 off at n = 12."""


@claim(
    "parities-kernel",
    "Regression with the tangent kernel learns a parity from the number of samples that its eigenvalue says, "
    "and explains no more of one of n = 30, k = 3 than any kernel could.",
    source="eigenvalues on the hypercube; Simon, Dickens, Karkada, DeWeese, TMLR 2023",
    tags=(*TAGS, "kernel", "ntk"),
    cost=2.5,
    wrong=(LAZY,),
    designs=(_SHARE.design("the mean share learned is 1/2 within 0.05", "a share of 0.2"),),
)
def parities_kernel(run: Run) -> Finding:
    """Shares on the whole hypercube of n = 12; at n = 30 the best of four ridges, picked on the test."""
    import numpy as np

    from numerics import kernel as gram_matrices
    from theory import MLP

    rng = run.stream()

    model = MLP("relu", depth=1, sigma_w=1.0, sigma_b=0.2, sigma_v=1.0)

    def ntk(x: Any, other: Any = None) -> Any:
        return gram_matrices(model, x, other).ntk

    n, k = 12, 2
    (needed,) = run.theory.of(kernel_needs)(n, (k,), sigma_b=0.2).samples
    whole = np.array(list(product((-1.0, 1.0), repeat=n)))
    target, shares = whole[:, :k].prod(axis=1), []
    for _ in range(_REGRESSIONS):
        x = whole[rng.integers(len(whole), size=round(needed))]
        dual = np.linalg.lstsq(ntk(x), x[:, :k].prod(axis=1), rcond=1e-10)[0]
        shares.append(float(target @ ntk(whole, x) @ dual) / len(whole))
    spread = np.std(shares, ddof=1) / _REGRESSIONS**0.5
    off = max(0.0, abs(np.mean(shares) - 0.5) - _ALLOWED) / spread
    evidence: dict[str, Any] = {"mean share": np.mean(shares), "samples": needed}
    n, k, explained = 30, 3, []
    for m in (400, 1600):
        x, new = (rng.choice((-1.0, 1.0), (size, n)) for size in (m, 4000))
        y, answer = x[:, :k].prod(axis=1), new[:, :k].prod(axis=1)
        gram, cross = ntk(x), ntk(new, x)
        guesses = [cross @ np.linalg.solve(gram + r * np.eye(m), y) for r in (1e-6, 1e-3, 0.1, 1.0)]
        share = max(float(np.corrcoef(guess, answer)[0, 1]) ** 2 for guess in guesses)
        bound = float(explained_variance_bound(n, k, m))
        evidence[f"n = 30, {m} samples"] = {
            "explained": share,
            "at most": bound,
            "right": max(float((guess * answer > 0).mean()) for guess in guesses),
        }
        explained.append(share <= bound)
    good = bool(off <= _SHARE.critical() and all(explained))
    reason = f"A share of {np.mean(shares):.3f} is learned from {needed:.0f} samples."
    return Finding("confirmed" if good else "refuted", reason, None, evidence)
