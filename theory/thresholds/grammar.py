"""A closed grammar for models typed as text; nothing in it is ever evaluated as Python.

::

    constraint = field (">=" | "<=") bound | bound "<=" field "<=" bound | bound ">=" field ">=" bound
    field      = "z" | "|z|"
    bound      = ["-"] number | ["-"] [number "*"] "kappa"
    prior      = "sphere" | "{" ["-"] number { "," ["-"] number } "}"
    number     = decimal | decimal "/" decimal

z is an entry of G x. A constraint keeps it, or its modulus, in an interval.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sympy import Abs, Expr, Max, S, Symbol

from theory.parameters import Number, exact_number, parameter, shown
from theory.thresholds.models import Constraint, Model
from theory.thresholds.priors import BinaryPrior, DiscretePrior, Prior, SphericalPrior

__all__ = ["IntervalConstraint", "typed_constraint", "typed_model", "typed_prior"]

_MAX_LENGTH = 60
_MAX_VALUES = 6
_NUMBER = r"(?:[0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})(?:/[0-9]{1,9})?"
_BOUND = re.compile(rf"(-?)(?:({_NUMBER})(?:\*(kappa))?|(kappa))")
_WORDS = {"z": False, "|z|": True}

Bound = tuple[Expr, Expr]
"""a and b of a + b kappa."""


@dataclass(frozen=True)
class IntervalConstraint(Constraint):
    """Every entry of G x, or its modulus, in an interval whose ends may be multiples of kappa.

    Parameters
    ----------
    lower, upper
        Ends a + b kappa as pairs (a, b); None for no end, but one there is.
    modulus
        Whether |G x| is meant.
    kappa
        Margin, > 0, read as for `theory.SBP`.

    Raises
    ------
    ValueError
        When no number, or every number, is in the interval whatever kappa is, or with the kappa given.
    """

    lower: Bound | None = None
    upper: Bound | None = None
    modulus: bool = False
    kappa: Expr = parameter("kappa", positive=True)  # noqa: RUF009 (a field, not a default)

    def __post_init__(self) -> None:
        """Read kappa, and refuse what is no constraint."""
        super().__post_init__()
        low, high = self._end(self.lower), self._end(self.upper)
        if self.modulus:
            if high is not None and high.is_nonpositive:
                raise ValueError(f"|z| <= {high} leaves no interval")
            if high is None and low is not None and low.is_nonpositive:
                raise ValueError(f"|z| >= {low} asks for nothing")
            if low is not None and low.is_nonpositive:
                object.__setattr__(self, "lower", None)
        if low is not None and high is not None and (high - low).is_nonpositive:
            raise ValueError(f"there is no interval from {low} to {high}")

    def _end(self, bound: Bound | None) -> Expr | None:
        return None if bound is None else bound[0] + bound[1] * self.kappa

    def leaf(self, h: Expr, gamma: Expr) -> Expr:
        """Return the squared distance to the interval, divided by 4 gamma."""
        field = Abs(h) if self.modulus else h
        low, high = self._end(self.lower), self._end(self.upper)
        misses = [] if low is None else [low - field]
        misses += [] if high is None else [field - high]
        return Max(*misses, 0) ** 2 / (4 * gamma)


def _bound(text: str, whole: str) -> Bound:
    match = _BOUND.fullmatch(text)
    if match is None:
        raise ValueError(
            f"cannot read the bound {shown(text)} in {shown(whole)}: it is a number, kappa, or a number "
            "times kappa, such as -1/2 or 2*kappa"
        )
    sign, number, times, alone = match.groups()
    size = exact_number("a bound", number or "1", Symbol("bound", real=True))
    size = -size if sign else size
    return (S.Zero, size) if times or alone else (size, S.Zero)


def _stripped(what: str, text: str) -> str:
    if len(text) > _MAX_LENGTH:
        raise ValueError(f"a {what} has at most {_MAX_LENGTH} characters, got {shown(text)}")
    return re.sub(r"[ \t]", "", text)


def typed_constraint(text: str, kappa: Number | None = None) -> IntervalConstraint:
    """Read a constraint, such as ``-kappa <= z <= 2*kappa`` or ``|z| >= 1``.

    Raises
    ------
    ValueError
        If it is not in the grammar, or no constraint.
    """
    plain = _stripped("constraint", text)
    parts = re.split("(<=|>=)", plain)
    sides, signs = parts[::2], set(parts[1::2])
    if sides[0] in _WORDS and len(sides) == 2:  # z >= bound is bound <= z
        sides, signs = sides[::-1], {"<=" if signs == {">="} else ">="}
    if len(signs) != 1 or not 2 <= len(sides) <= 3 or sides[1] not in _WORDS:
        raise ValueError(
            f"cannot read the constraint {shown(text)}: it is z or |z| with a bound or between two, such as "
            "z >= kappa, |z| <= kappa or -1 <= z <= 2*kappa"
        )
    ends: list[Bound | None] = [_bound(sides[0], text), None]
    if len(sides) == 3:
        ends[1] = _bound(sides[2], text)
    if signs == {">="}:
        ends.reverse()
    return IntervalConstraint(ends[0], ends[1], _WORDS[sides[1]], kappa)


def typed_prior(text: str) -> Prior:
    """Read where x lives: ``sphere``, or the values of the entries of sqrt(n) x, such as ``{-1, 1}``.

    Raises
    ------
    ValueError
        If it is not in the grammar, or no prior.
    """
    plain = _stripped("prior", text)
    if plain == "sphere":
        return SphericalPrior()
    values = plain[1:-1].split(",")
    inside = all(re.fullmatch(f"-?{_NUMBER}", value) for value in values)
    if not (plain[:1] == "{" and plain[-1:] == "}" and inside and len(values) <= _MAX_VALUES):
        raise ValueError(
            f"cannot read the prior {shown(text)}: it is sphere, or up to {_MAX_VALUES} values in braces, "
            "such as {-1, 1} or {0, 1}"
        )
    numbers = {exact_number("a weight", value, Symbol("value", real=True)) for value in values}
    if numbers == {-1, 1}:
        return BinaryPrior()
    return DiscretePrior(tuple(numbers))


def typed_model(constraint: str, prior: str, kappa: Number | None = None) -> Model:
    """Make the capacity problem of a constraint and a prior that are typed as text.

    Parameters
    ----------
    constraint, prior
        In the grammar above.
    kappa
        As for `theory.SBP`.

    Raises
    ------
    ValueError
        In one line, if one of them cannot be read or makes no sense.

    Examples
    --------
    >>> typed_model("0 <= z <= kappa", "{-1, 1}", 2).constraint.kappa
    2
    """
    return Model("typed", typed_prior(prior), typed_constraint(constraint, kappa))
