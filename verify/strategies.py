"""Hypothesis strategies for the objects of the theory: margins, models, leaves, nests, order parameters.

They are public and compose like any strategy, for instance every point of every model at level 4::

    points = models().flatmap(lambda m: order_parameters(free_energy(m, 4)))

Nothing here knows a particular model: the domain of the order parameters is read from the chains of
a `theory.FreeEnergy`. Numbers that span orders of magnitude are drawn by their logarithm, and ranges
are such that every point can be evaluated in double precision.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import strategies as st

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sympy import Lambda

    from theory import Chain, FreeEnergy, Model

__all__ = [
    "ACTIVATIONS",
    "LEAVES",
    "MODELS",
    "Leaf",
    "Liftings",
    "activations",
    "inputs",
    "kappas",
    "leaves",
    "levels",
    "models",
    "nests",
    "order_parameters",
]

Strategy = st.SearchStrategy


class Liftings(NamedTuple):
    """The liftings of a nest, innermost first.

    Attributes
    ----------
    increments : tuple of float
        Variances v_1, .., v_K.
    exponents : tuple of float
        Exponents s_1, .., s_K; 0 is a quenched average.
    """

    increments: tuple[float, ...]
    exponents: tuple[float, ...]


def _between(what: str, low: float, high: float) -> None:
    if not 0.0 < low <= high < math.inf:
        raise ValueError(f"{what} must satisfy 0 < low <= high < oo, got low={low}, high={high}")


def _log_uniform(low: float, high: float) -> Strategy[float]:
    """Positive numbers between two bounds, drawn by their logarithm."""

    def clipped(x: float) -> float:
        return min(max(math.exp(x), low), high)

    return st.floats(math.log(low), math.log(high)).map(clipped)


def kappas(low: float = 0.25, high: float = 5.0) -> Strategy[Decimal]:
    """Margins of a symmetric perceptron, exact decimals with three places.

    Parameters
    ----------
    low, high : float
        Range, both ends included after rounding to three places; 0.001 <= low <= high.

    Returns
    -------
    SearchStrategy of Decimal
        Shrinks towards ``low``.

    Raises
    ------
    ValueError
        For an empty range, or one that contains 0 after rounding.
    """
    _between("the range of kappa", low, high)
    first, last = round(low * 1000), round(high * 1000)
    if first < 1:
        raise ValueError(f"the smallest margin is 0.001, got low={low}")
    return st.integers(first, last).map(lambda k: Decimal(k) / 1000)


MODELS = ("sbp", "abp", "ubp", "spherical", "hopfield", "negative-hopfield", "sk")
"""Kinds of models that `models` draws, simplest first."""


def models(
    margins: Strategy[Decimal] | None = None, kinds: Sequence[str] = MODELS
) -> Strategy[Model]:
    """Models with numeric parameters, of both kinds of problem.

    Parameters
    ----------
    margins : SearchStrategy of Decimal, optional
        Margins of perceptrons. By default `kappas`; of one-sided constraints also negative ones down to
        -2, and of those and of unions none beyond 2, where thresholds are tiny.
    kinds : sequence of str
        Which kinds, a part of `MODELS`.

    Returns
    -------
    SearchStrategy of theory.Model
        Capacities of perceptrons, ground states of Hopfield models at densities from 0.2 to 3 and of
        the Sherrington-Kirkpatrick model.

    Raises
    ------
    ValueError
        If there is no such kind, or none is given.
    """
    from theory import ABP, SBP, SK, Hopfield, SphericalPerceptron, UPerceptron

    unknown = [kind for kind in kinds if kind not in MODELS]
    if unknown or not kinds:
        raise ValueError(f"kinds must be some of {', '.join(MODELS)}, got {list(kinds)}")
    signed = st.integers(-2000, 2000).map(lambda k: Decimal(k) / 1000)
    densities = st.integers(20, 300).map(lambda k: Decimal(k) / 100)
    made: dict[str, Strategy[Model]] = {
        "sbp": (kappas() if margins is None else margins).map(SBP),
        "abp": (signed if margins is None else margins).map(ABP),
        "ubp": (kappas(high=2.0) if margins is None else margins).map(UPerceptron),
        "spherical": (signed if margins is None else margins).map(SphericalPerceptron),
        "hopfield": densities.map(lambda alpha: Hopfield(1, alpha)),
        "negative-hopfield": densities.map(lambda alpha: Hopfield(-1, alpha)),
        "sk": st.builds(SK),
    }
    return st.one_of([made[kind] for kind in MODELS if kind in kinds])


def levels(low: int = 2, high: int = 7) -> Strategy[int]:
    """Lifting levels.

    Parameters
    ----------
    low, high : int
        Range, both ends included; 2 <= low <= high.

    Returns
    -------
    SearchStrategy of int

    Raises
    ------
    ValueError
        For an empty range or levels below 2.
    """
    if not 2 <= low <= high:
        raise ValueError(f"levels must satisfy 2 <= low <= high, got low={low}, high={high}")
    return st.integers(low, high)


LEAVES = ("binary", "window", "one-sided", "union", "absolute")
"""Kinds of leaves that `leaves` draws."""


class Leaf(NamedTuple):
    """A leaf of the theory with values for its symbols.

    Attributes
    ----------
    kind : str
        One of `LEAVES`: log 2cosh h of a binary prior, the log-probabilities of |h| <= kappa, h >= kappa
        and |h| >= kappa, and the lifted |h| of a binary prior at a finite exponent.
    function : sympy.Lambda
    parameters : dict of str to float
        Values of its free symbols.
    """

    kind: str
    function: Lambda
    parameters: dict[str, float]


@st.composite
def leaves(draw: st.DrawFn, kinds: Sequence[str] = LEAVES) -> Leaf:
    """Leaves that theory derives, with values for their parameters.

    Parameters
    ----------
    kinds : sequence of str
        Which kinds, a part of `LEAVES`.

    Returns
    -------
    Leaf
    """
    unknown = [kind for kind in kinds if kind not in LEAVES]
    if unknown or not kinds:
        raise ValueError(f"kinds must be some of {', '.join(LEAVES)}, got {list(kinds)}")
    kind = draw(st.sampled_from([kind for kind in LEAVES if kind in kinds]))
    function = leaf_function(kind)
    numbers = {
        "kappa": _log_uniform(0.3, 2.0),
        "p_2": st.floats(0.05, 0.95),
        "q_2": st.floats(0.05, 0.95),
        "c_2": _log_uniform(0.3, 4.0),
    }
    names = sorted(map(str, function.free_symbols))
    return Leaf(kind, function, {name: draw(numbers[name], label=name) for name in names})


@lru_cache(maxsize=len(LEAVES))
def leaf_function(kind: str) -> Lambda:
    """Return a leaf of a kind of `LEAVES`, symbolic in its parameters."""
    from theory import ABP, SBP, SK, LiftedExpectation, UPerceptron, free_energy

    part = {
        "binary": lambda: free_energy(SBP(), 3).entropy,
        "window": lambda: free_energy(SBP(), 3).energy,
        "one-sided": lambda: free_energy(ABP(), 2).energy,
        "union": lambda: free_energy(UPerceptron(), 3).energy,
        "absolute": lambda: free_energy(SK(), 2).entropy,
    }[kind]()
    (nest,) = part.atoms(LiftedExpectation)
    return nest.leaf


@st.composite
def nests(
    draw: st.DrawFn,
    depths: Strategy[int] | None = None,
    *,
    increments: tuple[float, float] = (0.02, 2.0),
    exponents: tuple[float, float] = (0.3, 6.0),
    ordered: bool = False,
    quenched: bool = False,
) -> Liftings:
    """Increments and exponents of a nest.

    Parameters
    ----------
    depths : SearchStrategy of int, optional
        Number of liftings K; 1 to 3 by default.
    increments, exponents : (float, float)
        Ranges, drawn by their logarithm; 0 < low <= high.
    ordered : bool, default False
        Whether the exponents increase outwards. By default they come in any order.
    quenched : bool, default False
        Whether the outermost exponent may also be 0.

    Returns
    -------
    Liftings
    """
    _between("the range of increments", *increments)
    _between("the range of exponents", *exponents)
    depth = draw(st.integers(1, 3) if depths is None else depths)
    v = [draw(_log_uniform(*increments)) for _ in range(depth)]
    s = [draw(_log_uniform(*exponents)) for _ in range(depth)]
    if ordered:
        s.sort()
    if quenched and draw(st.booleans()):
        s[-1] = 0.0
    return Liftings(tuple(v), tuple(s))


@st.composite
def order_parameters(
    draw: st.DrawFn,
    fe: FreeEnergy,
    *,
    ordered: bool = True,
    gaps: tuple[float, float] = (0.003, 3.0),
    ratios: tuple[float, float] = (1.05, 5.0),
) -> dict[str, float]:
    """Points in the domain of a free energy.

    Parameters
    ----------
    fe : theory.FreeEnergy
        The functional; its ``chains`` are the domain.
    ordered : bool, default True
        Whether the exponents satisfy 1 < s_2 < s_3 < .. (c_2 < c_3 < ..). In this region the
        functional of a symmetric perceptron lies above its minimum; with an exponent below 1 or
        exponents out of order it does not, and has no lower bound at all.
    gaps : (float, float)
        Range of the gaps of p and Q, 0 < low <= high; those of p are rescaled to fill its interval.
    ratios : (float, float)
        Range of s_k / s_{k-1}, with s_1 = 1, low > 1; used both ways round where the exponents are not
        ordered. At finite exponents c_2 takes its ratio to a number between 0.3 and 3.

    Returns
    -------
    dict of str to float
        Order parameters by name, in the order of ``fe.order_parameters``.

    Raises
    ------
    ValueError
        For an empty range, or ratios that do not exceed 1.
    """
    _between("the range of gaps", *gaps)
    _between("the range of ratios", *ratios)
    if not ratios[0] > 1.0:
        raise ValueError(f"ratios of exponents must exceed 1, got {ratios}")
    point: dict[str, float] = {}
    for chain in fe.chains:
        if chain.symbols[0] not in fe.c:
            point.update(_chain_point(chain, [draw(_log_uniform(*gaps)) for _ in _gaps_of(chain)]))
    exponent = draw(_log_uniform(0.3, 3.0)) if fe.is_finite else 1.0
    steps = _log_uniform(*ratios)
    either = st.sampled_from([1, -1])
    for symbol in fe.c:
        exponent *= draw(steps) ** (1 if ordered else draw(either))
        point[str(symbol)] = exponent
    if fe.is_finite:
        # a multiplier has to outweigh the liftings of its quadratic leaf, c_k v_k/2 summed with sum v = 1
        largest = max((point[str(symbol)] for symbol in fe.c), default=0.0)
        point.update({str(x): point[str(x)] + 0.5 * largest for x in fe.fields})
    return {str(x): point[str(x)] for x in fe.order_parameters}


def _gaps_of(chain: Chain) -> range:
    """One number per gap of a chain, the gap below an infinite bound left out."""
    return range(len(chain.symbols) + (0 if chain.upper.is_infinite else 1))


def _chain_point(chain: Chain, gaps: list[float]) -> dict[str, float]:
    """Values of a chain with given gaps, from the upper end down."""
    lower = float(chain.lower)
    if not chain.upper.is_infinite:
        scale = (float(chain.upper) - lower) / sum(gaps)
        gaps = [scale * gap for gap in gaps[1:]]
    values, value = [], lower
    for gap in reversed(gaps):
        value += gap
        values.append(value)
    return {str(x): v for x, v in zip(chain.symbols, reversed(values), strict=True)}


# -- wide networks ---------------------------------------------------------------------------------

ACTIVATIONS = (
    "relu",
    "erf",
    "leaky_relu:0.2",
    "abs",
    "sin",
    "cos",
    "tanh",
    "gelu",
    "gaussian:-1",
    "hermite:3",
)
"""Activations that `activations` draws, simplest first."""


def activations(names: Sequence[str] = ACTIVATIONS) -> Strategy[str]:
    """Activations by name, as `theory.kernels.activations` reads them.

    Parameters
    ----------
    names : sequence of str
        Which ones.

    Returns
    -------
    SearchStrategy of str
        Shrinks towards the first.

    Raises
    ------
    ValueError
        If none is given.
    """
    if not names:
        raise ValueError("names must hold at least one activation")
    return st.sampled_from(list(names))


@st.composite
def inputs(
    draw: st.DrawFn, rows: tuple[int, int] = (2, 6), columns: tuple[int, int] = (1, 4)
) -> NDArray[np.float64]:
    """Data for kernels: matrices of inputs, with the rows that kernels find difficult.

    Parameters
    ----------
    rows, columns : (int, int)
        Ranges, both ends included.

    Returns
    -------
    ndarray of shape (n, d)
        Entries between -3 and 3, times at most 2.5 for each row that is parallel to an earlier one; some rows
        repeat another one, are parallel or opposite to it, or are zero.
    """
    import numpy as np

    for what, (low, high) in (("rows", rows), ("columns", columns)):
        if not 1 <= low <= high:
            raise ValueError(f"{what} must satisfy 1 <= low <= high, got {(low, high)}")
    d = draw(st.integers(*columns))
    entries = st.integers(-300, 300).map(lambda k: k / 100)
    fresh = st.lists(entries, min_size=d, max_size=d)
    data: list[list[float]] = [draw(fresh)]
    factors = {"again": 1.0, "parallel": 2.5, "opposite": -0.5, "zero": 0.0}
    for _ in range(draw(st.integers(*rows)) - 1):
        kind = draw(st.sampled_from(["fresh", *factors]))
        if kind == "fresh":
            data.append(draw(fresh))
        else:
            other = data[draw(st.integers(0, len(data) - 1))]
            data.append([factors[kind] * x + 0.0 for x in other])
    return np.array(data)
