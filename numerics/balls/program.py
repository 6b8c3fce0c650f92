"""Theory's expressions as functions of balls: midpoint, radius, and every rounding accounted for.

What `numerics.functionals.doubles` does for doubles is done here for FLINT's real balls
(`flint.arb`): the algebra around the nests and its derivatives, and the leaves in their stable form
(`numerics.nests.recognise`), are printed from sympy and evaluated in the precision of
``flint.ctx``. The nests themselves are in `numerics.balls.nest`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import flint
import sympy
from flint import arb, ctx
from sympy import Expr, Function, Symbol, exp, log, pi, sqrt
from sympy.printing.pycode import MpmathPrinter

from numerics.errors import ResolutionError
from numerics.functionals.coordinates import Coordinates
from numerics.functionals.parts import parts_of
from numerics.nests.leaf import CompiledLeaf
from numerics.nests.recognise import StableForm, stable_form
from theory import FreeEnergy
from theory.parameters import shown

__all__ = [
    "BALLS",
    "BallLeaf",
    "BallNest",
    "BallProgram",
    "ball_program",
    "ball_sum",
    "exact",
    "in_balls",
    "printed",
    "to_digits",
]


# Working precision beyond which a closed form is given up.
_MOST_DIGITS = 20_000


class Phi(Function):
    """The normal distribution function, kept from being expanded into 1 + erf."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        """Density."""
        return exp(-(self.args[0] ** 2) / 2) / sqrt(2 * pi)


class ErfMean(Function):
    """(erf a + erf b)/2 for a + b > 0, kept together."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> Expr:
        """Density at the argument."""
        return exp(-(self.args[argindex - 1] ** 2)) / sqrt(pi)


def _phi(b: arb) -> arb:
    return (-b / arb(2).sqrt()).erfc() / 2


def _erf_mean(a: arb, b: arb) -> arb:
    """Without cancellation where both arguments lie on one side."""
    if a > 0 and b > 0:
        return 1 - (a.erfc() + b.erfc()) / 2 if min(a, b) > 1 else (a.erf() + b.erf()) / 2
    if a < 0:
        return ((-a).erfc() - b.erfc()) / 2
    if b < 0:
        return ((-b).erfc() - a.erfc()) / 2
    return (a.erf() + b.erf()) / 2


def _log_erf_mean(a: arb, b: arb) -> arb:
    """With every digit where it is close to 0, too."""
    if a > 1 and b > 1:
        return (-(a.erfc() + b.erfc()) / 2).log1p()
    return _erf_mean(a, b).log()


def _power(x: arb, index: int) -> arb:
    """A whole power, by products: FLINT's own takes a logarithm of balls that contain 0."""
    if index < 0:
        return 1 / _power(x, -index)
    base, made = arb(x), arb(1)
    while index:
        if index & 1:
            made *= base
        index >>= 1
        if index:
            base *= base
    return made


BALLS: dict[str, Any] = {
    "pi": arb.pi,
    "power": _power,
    "mpf": lambda number: arb(int(number)) if isinstance(number, int) else arb(str(number)),
    "sqrt": lambda x: arb(x).sqrt(),
    "log": lambda x: arb(x).log(),
    "exp": lambda x: arb(x).exp(),
    "erf": lambda x: arb(x).erf(),
    "erfc": lambda x: arb(x).erfc(),
    "cosh": lambda x: arb(x).cosh(),
    "tanh": lambda x: arb(x).tanh(),
    "Phi": _phi,
    "ErfMean": _erf_mean,
    "LogNdtr": lambda b: _phi(arb(b)).log(),
    "LogErfMean": lambda a, b: _log_erf_mean(arb(a), arb(b)),
    "LogTwoCosh": lambda u: (2 * arb(u).cosh()).log(),
    "LogAddExp": lambda a, b: arb(a) + (1 + (arb(b) - arb(a)).exp()).log(),
    "InverseMills": lambda x: (-(arb(x) ** 2) / 2).exp() / (2 * arb.pi()).sqrt() / _phi(arb(x)),
}
"""Functions of balls by the names they are printed with."""


class _Printer(MpmathPrinter):
    """Plain names, exact rationals, constants in the precision of the moment."""

    def __init__(self) -> None:
        super().__init__(
            {"fully_qualified_modules": False, "inline": True, "allow_unknown_functions": True}
        )

    def _print_Pi(self, expr: Expr) -> str:
        return "pi()"

    def _print_Exp1(self, expr: Expr) -> str:
        return "exp(1)"

    def _print_Half(self, expr: Expr) -> str:
        return "(mpf(1)/mpf(2))"

    def _print_Pow(self, expr: Expr, rational: bool = False) -> str:
        base, index = expr.as_base_exp()
        if (2 * index).is_Integer and not index.is_Integer:
            return f"power(sqrt({self._print(base)}), {int(2 * index)})"
        if index.is_Integer:
            return f"power({self._print(base)}, {int(index)})"
        return super()._print_Pow(expr, rational=rational)


def in_balls(arguments: Sequence[Symbol], outputs: Sequence[Expr]) -> Callable[..., list[arb]]:
    """Return a function of balls that evaluates expressions, common subexpressions once.

    Parameters
    ----------
    arguments : sequence of sympy.Symbol
    outputs : sequence of sympy.Expr

    Returns
    -------
    callable
        Takes as many `flint.arb`, returns a list of `flint.arb`.
    """
    return printed(arguments, outputs, BALLS)


def printed(
    arguments: Sequence[Symbol], outputs: Sequence[Expr], namespace: dict[str, Any]
) -> Callable[..., list[Any]]:
    """Print expressions for numbers of any kind, given their functions by name."""
    names = {"power": lambda base, index: base**index} | namespace
    return sympy.lambdify(
        list(arguments), list(outputs), modules=[names], printer=_Printer(), cse=True
    )


def ball_sum(terms: Iterable[arb]) -> arb:
    """Sum of balls."""
    return sum(terms, start=arb(0))


def exact(number: Expr) -> arb:
    """An exact sympy number as a ball in the precision of the moment."""
    try:
        (value,) = in_balls([], [number])()
    except NameError:  # roots of polynomials and inverse functions, which balls do not have
        digits = int(0.302 * flint.ctx.prec) + 20
        value = arb(str(sympy.N(number, digits)))
        return value + arb(0, value.abs_upper() * arb(10) ** (5 - digits))
    return arb(value)


def to_digits(number: Expr, digits: int, floor: float = 0.0) -> arb:
    """An exact sympy number as a ball with so many correct digits, whatever cancels in it.

    Parameters
    ----------
    number : sympy.Expr
    digits : int
        Significant decimal digits.
    floor : float
        Size that digits are relative to where the number is smaller, for numbers that may be 0.

    Returns
    -------
    flint.arb

    Raises
    ------
    ResolutionError
        If more than 20 000 digits of working precision would be needed.

    Notes
    -----
    The working precision is doubled until the ball is small enough.
    """
    work = digits + 15
    while work <= _MOST_DIGITS:
        with ctx.workdps(work):
            ball = exact(number)
            if ball.is_finite():
                size = max(arb(ball.abs_lower()), arb(floor))
                if ball.rad() < size * arb(10) ** -digits:
                    return ball
        work *= 2
    raise ResolutionError(
        f"{digits} digits of {shown(number)} need more than {_MOST_DIGITS} digits of working precision; "
        "choose less extreme parameters"
    )


@dataclass(frozen=True)
class BallLeaf:
    """A leaf ``scale log S + offset`` in balls, and in doubles for what only has to be roughly known.

    Attributes
    ----------
    form : StableForm
        The positive terms of S.
    compiled : CompiledLeaf
        In doubles: growth, strip of analyticity, rough values.
    value : callable
        Of the node and the parameters.
    both : callable
        The value, then its derivatives in the parameters, at the cost of one error function.
    ends : callable or None
        Of an interval's probability ``(erf a + erf b)/2``: a and b.
    """

    form: StableForm
    compiled: CompiledLeaf
    value: Callable[..., list[arb]]
    both: Callable[..., list[arb]]
    ends: Callable[..., list[arb]] | None = None

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return self.compiled.parameters


def plain_form(form: StableForm) -> Expr:
    """A stable form as scale log S + offset with S a sum of exponentials, Phi and ErfMean."""
    total = []
    for term in form.terms:
        factor: Expr = sympy.S.One
        if len(term.arguments) == 1:
            factor = Phi(term.arguments[0])
        elif term.arguments:
            factor = ErfMean(*term.arguments)
        total.append(exp(term.exponent) * factor)
    return form.scale * log(sympy.Add(*total)) + form.offset


@dataclass(frozen=True)
class BallNest:
    """One nest of a free energy; see `numerics.functionals.doubles`."""

    leaf: BallLeaf
    depth: int
    inputs: Callable[..., list[arb]]
    jacobian: Callable[..., list[arb]]
    entries: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class BallProgram:
    """A free energy taken apart, for balls.

    Attributes
    ----------
    coordinates : Coordinates
    parameters : tuple of sympy.Symbol
        The model's.
    nests : tuple of BallNest
    combine : callable
        Of gaps, parameters and nest values: the functional and its derivatives in gaps and nests.
    """

    coordinates: Coordinates
    parameters: tuple[Symbol, ...]
    nests: tuple[BallNest, ...]
    combine: Callable[..., list[arb]]


@lru_cache(maxsize=32)
def ball_program(fe: FreeEnergy) -> BallProgram:
    """Take a free energy with symbolic model parameters apart.

    Parameters
    ----------
    fe : theory.FreeEnergy

    Returns
    -------
    BallProgram
    """
    parts = parts_of(fe)
    nests = []
    for nest in parts.nests:
        (h,) = nest.leaf.variables
        form = stable_form(nest.leaf.expr, h)
        plain = plain_form(form)
        if len(form.terms) == 1 and len(form.terms[0].arguments) == 2:  # with digits near 0, too
            plain = form.scale * form.terms[0].logarithm + form.offset
        slopes = [sympy.diff(plain, x) for x in nest.own]
        leaf = BallLeaf(
            form,
            nest.compiled,
            in_balls([h, *nest.own], [plain]),
            in_balls([h, *nest.own], [plain, *slopes]),
            in_balls([h, *nest.own], list(form.terms[0].arguments))
            if nest.compiled.has_lacks
            else None,
        )
        nests.append(
            BallNest(
                leaf,
                nest.depth,
                in_balls(parts.arguments, nest.inputs),
                in_balls(parts.arguments, [d for _, _, d in nest.entries]),
                tuple((i, j) for i, j, _ in nest.entries),
            )
        )
    combine = in_balls([*parts.arguments, *parts.stand_ins], parts.outputs)
    return BallProgram(parts.coordinates, parts.parameters, tuple(nests), combine)
