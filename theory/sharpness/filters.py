r"""Filtered features on the contextual stochastic block model: where classes are, and how well they part.

Two classes y = 1 and -1 of N/2 nodes each; features :math:`N(y \delta/2, \sigma^2)` along the line between
the classes' means; edges of probability p within a class and q between the two. A layer of the linear graph
network replaces the feature of a node by the mean of its neighbours'.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from theory.calculus.law import Law
from theory.calculus.steps import Step

__all__ = [
    "accuracy",
    "filter_moments",
    "filtered_accuracy",
    "filtering_gain",
    "hyperplane",
    "neighbours_accuracy",
]

_DELTA, _SIGMA, _NODES, _D = sp.symbols("delta sigma N D", positive=True)
_ELL = sp.Symbol("ell", real=True)
_OF = {
    _DELTA: "distance of the classes' means",
    _SIGMA: "standard deviation of a feature within a class",
    _NODES: "nodes",
    _D: "degree, N (p + q)/2",
    _ELL: "(p - q)/(p + q), the mean of y y' over edges",
}


@cache
def hyperplane() -> Law:
    """Best linear classifiers of raw and of filtered features: one hyperplane, and a sign."""
    r, layers = sp.Symbol("r", real=True), sp.Symbol("K", integer=True, positive=True)
    apart = sp.Matrix(sp.symbols("delta_1:4", real=True))
    noise, along = sp.symbols("a b", positive=True)
    gap = sp.expand(r * _DELTA / 2 - (1 - r) * _DELTA / 2)
    covariance = noise * sp.eye(3) + along * apart * apart.T
    weights = (covariance.inv() * _ELL * apart).applyfunc(sp.factor)
    steps = (
        Step(
            "A neighbour's mean",
            "Of its classes, r = p/(p + q) being the node's own: 2 r - 1 times delta/2.",
            gap,
        ),
        Step(
            "The linear discriminant",
            "Noise varies in every direction, composition along delta: the inverse covariance times the "
            "distance of the means. The midpoint stays where it was.",
            weights.T,
        ),
        Step(
            "It is parallel to delta",
            "The cross product of both.",
            sp.simplify(weights.cross(apart)).T,
        ),
        Step("K layers", "A factor 2 r - 1 for each.", _ELL**layers),
    )
    sign = sp.Symbol("s")
    return Law(
        "Raw and filtered features have one hyperplane; classes swap its sides by a sign",
        sp.Eq(sign, sp.sign(_ELL) ** layers),
        {
            sign: "1 if the raw rule holds for filtered features, -1 if its reverse does",
            layers: "layers",
            _ELL: _OF[_ELL],
        },
        "p != q, classes of equal size; for p = q filtered features say nothing",
        steps,
        "derived here",
    )


def _walk(layers: int) -> list[sp.Expr]:
    """Chances that a walk on the regular tree of degree D ends at distances 0, 1, .. from its start."""
    at = [sp.Integer(1)] + [sp.Integer(0)] * layers
    for _ in range(layers):
        out = [at[0], *(share * (_D - 1) / _D for share in at[1:-1])]
        back = [*(share / _D for share in at[1:]), 0]
        at = [sp.factor(a + b) for a, b in zip([0, *out], back, strict=True)]
    return at


def _pairs(walk: list[sp.Expr]) -> sp.Expr:
    """The mean of ell^distance over the ends of two walks from one node."""
    total = sp.Integer(0)
    for i, one in enumerate(walk):
        for j, two in enumerate(walk):
            # chances that the paths to both ends have at least k edges in common
            shared = [1, *(1 / (_D * (_D - 1) ** (k - 1)) for k in range(1, min(i, j) + 1)), 0]
            for k in range(min(i, j) + 1):
                total += one * two * (shared[k] - shared[k + 1]) * _ELL ** (i + j - 2 * k)
    return total


@cache
def filter_moments(layers: int) -> tuple[Law, Law, Law]:
    """Mean, composition variance and noise variance of a node's feature after some layers.

    Parameters
    ----------
    layers : int
        At least 1.

    Returns
    -------
    tuple of Law
        Mean for the class 1; variance by which classes are around a node; variance by noise.

    Raises
    ------
    ValueError
        For less than one layer.
    """
    if layers < 1:
        raise ValueError(f"filtered features have passed at least 1 layer, got {layers}")
    walk = _walk(layers)
    mean = sp.factor(sum(share * _ELL**k for k, share in enumerate(walk)))
    second = _pairs(walk)
    spread = sp.factor(second - mean**2)
    sizes = [1, *(_D * (_D - 1) ** (k - 1) for k in range(1, layers + 1))]
    own = sp.factor(sum(share**2 / size for share, size in zip(walk, sizes, strict=True)))
    # counts of walks have the variance of their mean (own) and its square (common); one edge is its square
    blocks = (sp.Matrix([[1 + _ELL, 1 - _ELL], [1 - _ELL, 1 + _ELL]]) / 2) ** layers
    common = sp.factor(sp.expand(2 / _NODES * (blocks[0, 0] ** 2 + blocks[0, 1] ** 2)))
    common = common if layers > 1 else sp.Integer(0)
    ends = Step(
        "Ends of walks",
        "Layers average over the ends of walks. Around a node the graph is a tree of degree D; chances that "
        "a walk ends at distance 0, 1, ..",
        sp.Tuple(*walk),
    )
    pairs = Step(
        "Ends of two walks",
        "Their distance is counted from where their paths part; the mean of ell^distance over both.",
        sp.collect(sp.expand(second), _ELL, sp.factor),
    )
    shared = Step(
        "What all nodes share",
        "The mean graph consists of two blocks. The noise it passes on does not fade with the layers: a "
        "shift of all nodes, and a scale. One layer has none beside its own: an edge is there or not.",
        common,
    )
    near = Step(
        "Squared weights of the nodes around", "Over ends, by how many nodes there are.", own
    )
    along = Step("Classes along a path", "The mean of y y' at distance k is ell^k.", mean)
    holds = "a graph whose neighbourhoods are trees of equal degrees, D > 1 and small beside N; else to 1/D"
    made = (
        ("M", "mean of the class 1", _DELTA / 2 * mean, (ends, along)),
        (
            "V_C",
            "variance by the composition of neighbourhoods",
            _DELTA**2 / 4 * spread,
            (ends, pairs),
        ),
        ("V_N", "variance by noise", _SIGMA**2 * (own + common), (ends, near, shared)),
    )
    mean_law, composition, noise = (
        Law(
            f"Filtered features: {what}, {layers} layer{'s' * (layers > 1)}",
            sp.Eq(sp.Symbol(name), value),
            {s: _OF.get(s, what) for s in sorted({sp.Symbol(name), *value.free_symbols}, key=str)},
            holds,
            steps,
            "derived here",
        )
        for name, what, value, steps in made
    )
    return mean_law, composition, noise


@cache
def accuracy() -> Law:
    """Share of the nodes that the raw features' rule, the sign, gets right."""
    mean, z = sp.symbols("M z", real=True)
    composition, noise = sp.symbols("V_C V_N", nonnegative=True)
    total = sp.Symbol("V", positive=True)
    density = sp.exp(-((z - mean) ** 2) / (2 * total)) / sp.sqrt(2 * sp.pi * total)
    share = sp.expand(sp.integrate(density, (z, 0, sp.oo)).rewrite(sp.erf))
    raw = share.subs({mean: _DELTA / 2, total: _SIGMA**2})
    name = sp.Symbol("accuracy")
    return Law(
        "Accuracy of the raw rule on filtered features",
        sp.Eq(name, share.subs(total, composition + noise)),
        {
            name: "share of nodes on the right side; 1 less this for the reversed rule",
            mean: "mean of the class 1",
            composition: "variance by the composition of neighbourhoods",
            noise: "variance by noise",
        },
        "normal features: raw ones are, filtered ones in the limit of many neighbours",
        (
            Step("Mass above 0", "Of a normal variable of variance V.", share),
            Step("Raw features", "M = delta/2, V = sigma^2.", raw),
        ),
        "derived here",
    )


def filtered_accuracy(layers: int, *, composition: bool = True) -> sp.Expr:
    """Accuracy of the raw rule after some layers, in p, q, N, delta and sigma.

    Parameters
    ----------
    layers : int
        None at all are raw features.
    composition : bool, default True
        Whether neighbourhoods differ in their classes; without it, noise alone does harm.

    Returns
    -------
    sympy.Expr
    """
    p, q = sp.symbols("p q", nonnegative=True)
    law = accuracy()
    raw = (_DELTA / 2, sp.Integer(0), _SIGMA**2)
    mean, spread, noise = (m.value for m in filter_moments(layers)) if layers else raw
    put: dict[str, sp.Expr] = {"M": mean, "V_C": spread * int(composition), "V_N": noise}
    value = law.value.subs({s: put[str(s)] for s in law.value.free_symbols})
    return value.subs({_ELL: (p - q) / (p + q), _D: _NODES * (p + q) / 2})


@cache
def neighbours_accuracy() -> Law:
    """Accuracy at a node whose neighbours are known, exactly."""
    own, other = sp.symbols("k l", integer=True, nonnegative=True)
    law = accuracy()
    mean, variance = (own - other) / (own + other) * _DELTA / 2, _SIGMA**2 / (own + other)
    put: dict[str, sp.Expr] = {"M": mean, "V_C": sp.Integer(0), "V_N": variance}
    value = law.value.subs({s: put[str(s)] for s in law.value.free_symbols})
    return Law(
        "Accuracy of the raw rule at a node of known neighbours, one layer",
        sp.Eq(sp.Symbol("accuracy"), value),
        {
            sp.Symbol("accuracy"): "chance of the right side",
            own: "neighbours of the node's own class",
            other: "neighbours of the other class",
            _DELTA: _OF[_DELTA],
            _SIGMA: _OF[_SIGMA],
        },
        "k + l > 0",
        (Step("Mean and variance", "The neighbours' noise is normal.", sp.Tuple(mean, variance)),),
        "derived here",
    )


@cache
def filtering_gain() -> Law:
    """The degree above which a layer helps."""
    ratio, name = sp.symbols("s D_min", positive=True)
    mean, composition, noise = (sp.limit(law.value, _NODES, sp.oo) for law in filter_moments(1))
    gain = mean**2 / (composition + noise) / (_DELTA / (2 * _SIGMA)) ** 2
    gain = sp.factor(sp.simplify(gain.subs(_DELTA, ratio * _SIGMA)))
    (degree,) = sp.solve(sp.Eq(gain, 1), _D)
    return Law(
        "The degree above which a mean of neighbours says more than a node's own feature",
        sp.Eq(name, sp.factor(degree)),
        {name: "that degree", ratio: "delta/sigma", _ELL: _OF[_ELL]},
        "many nodes, p > q; p < q with the reversed rule",
        (Step("Mean squared over variance, filtered over raw", "It is 1 at that degree.", gain),),
        "derived here",
    )
