"""What a model is: a prior on x, a constraint on G x, and the sign of the problem.

A perceptron asks for x in a set X (the prior) such that every row of G x fulfils a constraint. Its
random dual is min_x max_y y'Gx (sign -1). Without a number of rows the question is a *capacity*: how
many rows per coordinate can be fulfilled? With one, alpha = m/n, it is a *ground state*: how small can
the violation be? Hopfield and Sherrington-Kirkpatrick models are ground states throughout. Prior and
constraint each contribute the leaf of one nest of the random dual, nothing else; everything about them
is derived from these leaves.

Adding a model means writing its leaf::

    @dataclass(frozen=True)
    class WindowConstraint(Constraint):
        '''0 <= G x <= kappa in every row.'''

        kappa: Expr = parameter("kappa", positive=True)

        def leaf(self, h, gamma):
            return Max(-h, h - self.kappa, 0) ** 2 / (4 * gamma)

    model = Model("window", BinaryPrior(), WindowConstraint(kappa=1))
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, Self, cast

from sympy import Abs, Expr, Max, Symbol

from theory.parameters import Number, Parametrised, exact_number, parameter
from theory.thresholds.priors import (
    GAMMA_X,
    MU,
    P1,
    BinaryPrior,
    DiscretePrior,
    Prior,
    SphericalPrior,
)

__all__ = [
    "ABP",
    "ALPHA",
    "GAMMA_X",
    "MU",
    "P1",
    "SBP",
    "SK",
    "BinaryPrior",
    "Constraint",
    "DiscretePrior",
    "Hopfield",
    "Model",
    "OneSidedConstraint",
    "Prior",
    "SphericalPerceptron",
    "SphericalPrior",
    "SymmetricConstraint",
    "UConstraint",
    "UPerceptron",
    "Unconstrained",
    "ZeroOnePerceptron",
    "model_named",
    "parameter",
]

ALPHA = Symbol("alpha", positive=True)


class Constraint(Parametrised, ABC):
    """What every row of G x must fulfil; contributes the leaf of the y nest."""

    @abstractmethod
    def leaf(self, h: Expr, gamma: Expr) -> Expr:
        """Return the squared violation of the constraint by h, divided by 4 gamma."""


@dataclass(frozen=True)
class SymmetricConstraint(Constraint):
    """|G x| <= kappa in every row, kappa > 0."""

    kappa: Expr = parameter("kappa", positive=True)  # noqa: RUF009 (a field, not a default)

    def leaf(self, h: Expr, gamma: Expr) -> Expr:
        """Return max(|h| - kappa, 0)**2 / (4 gamma)."""
        return Max(Abs(h) - self.kappa, 0) ** 2 / (4 * gamma)


@dataclass(frozen=True)
class OneSidedConstraint(Constraint):
    """G x >= kappa in every row."""

    kappa: Expr = parameter("kappa")  # noqa: RUF009 (a field, not a default)

    def leaf(self, h: Expr, gamma: Expr) -> Expr:
        """Return max(kappa - h, 0)**2 / (4 gamma)."""
        return Max(self.kappa - h, 0) ** 2 / (4 * gamma)


@dataclass(frozen=True)
class UConstraint(Constraint):
    """|G x| >= kappa in every row, kappa > 0."""

    kappa: Expr = parameter("kappa", positive=True)  # noqa: RUF009 (a field, not a default)

    def leaf(self, h: Expr, gamma: Expr) -> Expr:
        """Return max(kappa - |h|, 0)**2 / (4 gamma)."""
        return Max(self.kappa - Abs(h), 0) ** 2 / (4 * gamma)


@dataclass(frozen=True)
class Unconstrained(Constraint):
    """No constraint: y on the whole unit sphere, so that max_y y'Gx = |Gx| (Hopfield)."""

    def leaf(self, h: Expr, gamma: Expr) -> Expr:
        """Return h**2 / (4 gamma)."""
        return h**2 / (4 * gamma)


@dataclass(frozen=True)
class Model:
    """A random duality problem.

    Parameters
    ----------
    name
        Short lower-case name, as on the command line.
    prior
        Prior on x.
    constraint
        Constraint on the rows of G x; None for x'Gx with a square G (spin glasses).
    sign
        -1 for min_x max_y y'Gx (perceptrons), +1 for max_x max_y y'Gx.
    alpha
        Rows per coordinate, m/n > 0: the ground state at this density is asked for. ``ALPHA``, the
        symbol, keeps it symbolic. None (with sign -1): the capacity, the alpha at which the ground
        state reaches 0.
    """

    name: str
    prior: Prior
    constraint: Constraint | None
    sign: int = -1
    alpha: Expr | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.prior, Prior) or not isinstance(self.constraint, Constraint | None):
            raise TypeError("a model needs a Prior and a Constraint, see theory.thresholds.models")
        if self.sign not in (-1, 1):
            raise ValueError(f"sign must be -1 or +1, got {self.sign!r}")
        if self.alpha is not None and self.alpha != ALPHA:
            object.__setattr__(self, "alpha", exact_number("alpha", self.alpha, ALPHA))
        if self.constraint is None and self.alpha is not None:
            raise ValueError("a model without a constraint has no alpha")

    @property
    def problem(self) -> Literal["capacity", "ground state"]:
        """Whether the stationary value is a density alpha or an energy xi."""
        is_capacity = self.constraint is not None and self.alpha is None and self.sign == -1
        return "capacity" if is_capacity else "ground state"

    @property
    def is_finite(self) -> bool:
        """Whether its exponents c_k stay finite; not so for capacities of discrete x."""
        return self.problem == "ground state" or not self.prior.is_discrete

    @property
    def parameters(self) -> dict[Symbol, Expr]:
        """Numbers given for the parameters, by symbol; empty when the model is symbolic."""
        symbols = self.prior.parameters
        if self.constraint is not None:
            symbols = symbols | self.constraint.parameters
        return symbols if self.alpha in (None, ALPHA) else symbols | {ALPHA: self.alpha}

    @property
    def generic(self) -> Self:
        """The same model with all parameters symbolic."""
        model = copy.copy(self)
        object.__setattr__(model, "prior", self.prior.generic)
        if self.constraint is not None:
            object.__setattr__(model, "constraint", self.constraint.generic)
        if self.alpha is not None:
            object.__setattr__(model, "alpha", ALPHA)
        return model

    def __str__(self) -> str:
        """Return the name with the parameters, as in ``sbp(kappa=1/2)``."""
        values = ", ".join(f"{symbol}={value}" for symbol, value in self.parameters.items())
        return f"{self.name}({values})" if values else self.name


@dataclass(frozen=True, init=False)
class _Named(Model):
    """A model whose name, prior and constraint are fixed: ``dataclasses.replace`` leaves them alone."""

    name: str = field(init=False)
    prior: Prior = field(init=False)
    constraint: Constraint | None = field(init=False)


def _margin(model: Model) -> Expr:
    """The margin, a number or the symbol kappa."""
    return cast("SymmetricConstraint", model.constraint).kappa


@dataclass(frozen=True, init=False)
class _WithMargin(_Named):
    """A perceptron whose constraint has a margin kappa."""

    sign: int = field(init=False)
    # stands in the constraint; a field for `dataclasses.replace`, and as such not compared twice
    kappa: Expr = field(default=cast("Expr", property(_margin)), compare=False, repr=False)


@dataclass(frozen=True)
class SBP(_WithMargin):
    """The symmetric binary perceptron: x in {-1, +1}^n / sqrt(n) with |G x| <= kappa.

    Parameters
    ----------
    kappa
        Margin, > 0. None keeps it symbolic. Read exactly: int, Fraction, Decimal, decimal text,
        sympy number; a float is read as its shortest decimal.
    alpha
        None for the capacity; a density m/n > 0 for the ground-state energy.

    Raises
    ------
    TypeError
        When a parameter is not a number.
    ValueError
        When kappa is not positive and finite, or alpha not positive.

    Notes
    -----
    Aubin, Perkins, Zdeborova, J. Phys. A 52, 294003 (2019); Stojnic, arXiv:2601.10628.

    Examples
    --------
    >>> SBP(kappa=0.3).kappa
    3/10
    """

    def __init__(self, kappa: Number | None = None, alpha: Number | None = None) -> None:
        super().__init__("sbp", BinaryPrior(), SymmetricConstraint(kappa), -1, alpha)


@dataclass(frozen=True)
class ABP(_WithMargin):
    """The asymmetric binary perceptron: x in {-1, +1}^n / sqrt(n) with G x >= kappa.

    Parameters
    ----------
    kappa
        Margin, any real number, read as for `SBP`. None keeps it symbolic.
    alpha
        None for the capacity; a density m/n > 0 for the ground-state energy.

    Raises
    ------
    TypeError
        When a parameter is not a number.
    ValueError
        When kappa is not real and finite, or alpha not positive.

    Notes
    -----
    Krauth and Mezard, J. Phys. France 50, 3057 (1989); Stojnic, arXiv:2312.00073, arXiv:2511.01037.
    """

    def __init__(self, kappa: Number | None = None, alpha: Number | None = None) -> None:
        super().__init__("abp", BinaryPrior(), OneSidedConstraint(kappa), -1, alpha)


@dataclass(frozen=True)
class UPerceptron(_WithMargin):
    """The u-function binary perceptron: x in {-1, +1}^n / sqrt(n) with |G x| >= kappa.

    Parameters
    ----------
    kappa
        Margin, > 0, read as for `SBP`. None keeps it symbolic.
    alpha
        None for the capacity; a density m/n > 0 for the ground-state energy.

    Raises
    ------
    TypeError
        When a parameter is not a number.
    ValueError
        When kappa is not positive and finite, or alpha not positive.

    Notes
    -----
    Aubin, Perkins, Zdeborova, J. Phys. A 52, 294003 (2019).
    """

    def __init__(self, kappa: Number | None = None, alpha: Number | None = None) -> None:
        super().__init__("ubp", BinaryPrior(), UConstraint(kappa), -1, alpha)


@dataclass(frozen=True)
class SphericalPerceptron(_WithMargin):
    """The spherical perceptron: x on the unit sphere with G x >= kappa.

    Parameters
    ----------
    kappa
        Margin, any real number, read as for `SBP`. None keeps it symbolic. Level 1 is exact for
        kappa >= 0 (Cover, Gardner); lifting lowers the capacity for kappa < 0.
    alpha
        None for the capacity; a density m/n > 0 for the ground-state energy.

    Raises
    ------
    TypeError
        When a parameter is not a number.
    ValueError
        When kappa is not real and finite, or alpha not positive.

    Notes
    -----
    Gardner, J. Phys. A 21, 257 (1988); Stojnic, arXiv:1306.3980 (negative margins).
    """

    def __init__(self, kappa: Number | None = None, alpha: Number | None = None) -> None:
        super().__init__("spherical", SphericalPrior(), OneSidedConstraint(kappa), -1, alpha)


@dataclass(frozen=True)
class ZeroOnePerceptron(_WithMargin):
    """The perceptron with weights in {0, 1}: x in {0, 1}^n / sqrt(n) with G x >= kappa.

    Parameters
    ----------
    kappa
        Margin, any real number, read as for `SBP`. None keeps it symbolic.
    alpha
        None for the capacity, the largest over the fraction p_1 = |x|**2 of ones; a density m/n > 0
        for the ground-state energy.

    Raises
    ------
    TypeError
        When a parameter is not a number.
    ValueError
        When kappa is not real and finite, or alpha not positive.

    Notes
    -----
    Gutfreund and Stein, J. Phys. A 23, 2613 (1990), alpha_c = 0.59 at kappa = 0. Other sets of weights are
    `DiscretePrior` in a `Model`.
    """

    def __init__(self, kappa: Number | None = None, alpha: Number | None = None) -> None:
        super().__init__("zero-one", DiscretePrior((0, 1)), OneSidedConstraint(kappa), -1, alpha)


@dataclass(frozen=True)
class Hopfield(_Named):
    """The Hopfield model: the extreme of |G x| over x in {-1, +1}^n / sqrt(n), per sqrt(n).

    Parameters
    ----------
    sign
        +1 for the maximum (positive Hopfield), -1 for the minimum (negative).
    alpha
        Rows per column, m/n > 0. None keeps it symbolic.

    Raises
    ------
    TypeError
        When alpha is not a number.
    ValueError
        When sign is not -1 or +1, or alpha not positive and finite.

    Notes
    -----
    Stojnic, arXiv:2507.22396. The energy is normalised so that level 1 is sqrt(alpha) +- sqrt(2/pi).
    """

    def __init__(self, sign: int = 1, alpha: Number | None = None) -> None:
        if isinstance(sign, bool) or sign not in (-1, 1):
            raise ValueError(f"sign must be -1 or +1, got {sign!r}")
        name = "hopfield" if sign == 1 else "negative-hopfield"
        given = ALPHA if alpha is None else alpha
        super().__init__(name, BinaryPrior(), Unconstrained(), sign, given)


@dataclass(frozen=True)
class SK(_Named):
    """The Sherrington-Kirkpatrick model: max x'Gx/sqrt(2) over x in {-1, +1}^n / sqrt(n), per sqrt(n).

    Notes
    -----
    Parisi, J. Phys. A 13, L115 (1980); Stojnic, arXiv:2507.09247. The energy is normalised so that level
    1 is sqrt(2/pi) and the limit 0.7631..
    """

    sign: int = field(init=False)
    alpha: Expr | None = field(init=False)

    def __init__(self) -> None:
        super().__init__("sk", BinaryPrior(), None, 1)


def model_named(name: str, parameters: Mapping[str, Number] | None = None) -> Model:
    """Make one of the models above from its name and parameters.

    Parameters
    ----------
    name
        As in ``Model.name``: sbp, abp, ubp, zero-one, spherical, hopfield, negative-hopfield or sk.
    parameters
        Values by name; those left out stay symbolic (kappa) or None (alpha).

    Raises
    ------
    ValueError
        When there is no model of that name, or a parameter is unknown or outside its domain.
    """
    makers: dict[str, Callable[..., Model]] = {
        "sbp": SBP,
        "abp": ABP,
        "ubp": UPerceptron,
        "zero-one": ZeroOnePerceptron,
        "spherical": SphericalPerceptron,
        "hopfield": partial(Hopfield, 1),
        "negative-hopfield": partial(Hopfield, -1),
        "sk": SK,
    }
    if name not in makers:
        raise ValueError(f"no model is named {name!r}; there are {', '.join(makers)}")
    try:
        return makers[name](**(parameters or {}))
    except TypeError as error:
        raise ValueError(f"{name}: {error}") from error
