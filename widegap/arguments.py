"""Arguments that several commands share, and what they may look like.

Every type's error says in one line what was wanted and what was given.
"""

import inspect
from collections.abc import Callable
from decimal import Context, Decimal, Inexact, InvalidOperation, localcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from theory import Model

__all__ = [
    "MAX_LEVEL",
    "MAX_POINTS",
    "MODELS",
    "PARAMETERS",
    "Integer",
    "Integers",
    "Levels",
    "OneOf",
    "Values",
    "build",
    "factory",
    "model_argument",
    "one_place",
    "output_file",
    "resumable_options",
    "seed_option",
]

MODELS: dict[str, tuple[str, tuple[int, ...]]] = {
    "sbp": ("SBP", ()),
    "abp": ("ABP", ()),
    "ubp": ("UPerceptron", ()),
    "zero-one": ("ZeroOnePerceptron", ()),
    "spherical": ("SphericalPerceptron", ()),
    "hopfield": ("Hopfield", (1,)),
    "negative-hopfield": ("Hopfield", (-1,)),
    "sk": ("SK", ()),
}
"""Names on the command line; the class of :mod:`theory` each one stands for and its first arguments."""

PARAMETERS = ("kappa", "alpha")
"""Parameters that models may have."""

MAX_POINTS = 100_000
"""Most points of a sweep: weeks of work, and more than that is a slip of the pen."""

MAX_LEVEL = 50
"""Highest level of a sweep; far beyond what can be told from the limit of all levels."""

_MAX_DIGITS = 100


def factory(name: str) -> "Callable[..., Model]":
    """Return what makes a model of that name from its parameters."""
    import theory

    made, first = MODELS[name]
    return partial(getattr(theory, made), *first)


def build(name: str, parameters: dict[str, Any]) -> "Model":
    """Make a model, or say in one line what is wrong with its parameters.

    Parameters
    ----------
    name
        One of `MODELS`.
    parameters
        Values as given; those that are None are left out.

    Raises
    ------
    click.UsageError
        If the model has no such parameter, or a value is outside its domain.
    """
    make = factory(name)
    given = {key: value for key, value in parameters.items() if value is not None}
    known = inspect.signature(make).parameters
    for key in given:
        if key not in known:
            has = " and ".join(f"--{other}" for other in PARAMETERS if other in known)
            raise click.UsageError(f"{name} takes no --{key}; it has {has or 'no parameter'}")
    try:
        return make(**given)
    except (TypeError, ValueError) as error:
        raise click.UsageError(str(error)) from error


class OneOf(click.ParamType):
    """A choice among names, whose error says what there is to choose from."""

    def __init__(self, kind: str, names: tuple[str, ...]) -> None:
        self.name = kind
        self.names = names

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Accept one of the names, in any case."""
        if value.lower() not in self.names:
            raise click.UsageError(
                f"unknown {self.name} {value!r}; choose from {', '.join(self.names)}"
            )
        return value.lower()


class Integer(click.ParamType):
    """An integer not below a bound, whose error repeats what was given."""

    name = "integer"

    def __init__(self, what: str, least: int) -> None:
        self.what = what
        self.least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the integer."""
        try:
            number = int(value)
        except ValueError:
            number = None
        if number is None or number < self.least:
            raise click.UsageError(f"{self.what} is an integer >= {self.least}, got {value!r}")
        return number


class Integers(click.ParamType):
    """Positive integers, separated by commas."""

    name = "integers"

    def __init__(self, what: str) -> None:
        self.what = what

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Read the list; no number appears twice."""
        if isinstance(value, tuple):
            return value
        parts = value.split(",")
        if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
            raise click.UsageError(
                f"{self.what} takes positive integers separated by commas; got {value!r}"
            )
        return tuple(dict.fromkeys(int(part) for part in parts))


class Levels(click.ParamType):
    """Lifting levels: ``A:B``, both ends included, or one level."""

    name = "levels"

    def __init__(self, what: str) -> None:
        self.what = what

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Read the levels."""
        parts = value.split(":")
        try:
            first, last = (int(part) for part in (parts if len(parts) == 2 else parts * 2))
        except ValueError:
            raise click.UsageError(
                f"{self.what} is A:B with integers A and B, or one integer; got {value!r}"
            ) from None
        if not 1 <= first <= last <= MAX_LEVEL:
            raise click.UsageError(
                f"{self.what} A:B needs 1 <= A <= B <= {MAX_LEVEL}, got {value!r}"
            )
        return tuple(range(first, last + 1))


class Values(click.ParamType):
    """Exact decimals ``A:B:STEP`` from A up to B, which is included when it is hit; or one number."""

    name = "values"

    def __init__(self, what: str) -> None:
        self.what = what

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Decimal, ...]:
        """Read the range and return its values; none of them is rounded."""
        numbers = [self._number(part, value) for part in value.split(":")]
        if len(numbers) == 1:
            return (numbers[0],)
        if len(numbers) != 3:
            raise self._refusal("is A:B:STEP, or one number", value)
        first, last, step = numbers
        if step <= 0:
            raise self._refusal("A:B:STEP needs STEP > 0", value)
        if first > last:
            raise self._refusal("A:B:STEP needs A <= B", value)
        with localcontext(Context(prec=10 * _MAX_DIGITS, traps=[InvalidOperation, Inexact])):
            if last - first >= step * MAX_POINTS:
                raise self._refusal(f"may have at most {MAX_POINTS} points", value)
            count = int((last - first) // step) + 1
            return tuple(first + k * step for k in range(count))

    def _number(self, text: str, value: str) -> Decimal:
        try:
            number = Decimal(text)  # exact, whatever the context
        except InvalidOperation:
            raise self._refusal("is A:B:STEP, or one number", value) from None
        if not number.is_finite():
            raise self._refusal("needs finite numbers", value)
        digits = len(number.as_tuple().digits)
        if digits > _MAX_DIGITS or (number and abs(number.adjusted()) > _MAX_DIGITS):
            raise self._refusal(
                f"needs numbers of at most {_MAX_DIGITS} digits, between 1e-{_MAX_DIGITS} and "
                f"1e{_MAX_DIGITS}",
                value,
            )
        return number

    def _refusal(self, what: str, value: str) -> click.UsageError:
        shown = value if len(value) <= 60 else f"{value[:57]}..."
        return click.UsageError(f"{self.what} {what}; got {shown!r}")


model_argument = click.argument("model", type=OneOf("model", tuple(MODELS)), metavar="MODEL")

_WORKERS = click.option(
    "--workers",
    type=Integer("--workers", 1),
    metavar="N",
    help="Processes on this machine. [default: one for each core]",
)
"""How many processes of this machine."""

_SCHEDULER = click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Compute on the Dask cluster of this scheduler; needs the extra widegap[cluster].",
)
"""A cluster instead of them."""


def resumable_options(each: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Options of work that goes into one file: --out, --resume, --workers and --scheduler.

    Parameters
    ----------
    each
        What the file takes one by one.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in (
            _SCHEDULER,
            _WORKERS,
            click.option(
                "--resume",
                is_flag=True,
                help=f"Go on with FILE if it exists; no {each} is repeated.",
            ),
            click.option(
                "--out",
                required=True,
                type=click.Path(),
                metavar="FILE",
                help=f"The SQLite file that takes each {each} as soon as it is there.",
            ),
        ):
            command = option(command)
        return command

    return decorate


def seed_option(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The seed that everything random of a command follows from."""
    return click.option(
        "--seed",
        type=Integer("--seed", 0),
        default=0,
        metavar="N",
        help=f"{what} follow from it. [default: 0]",
    )


def one_place(workers: int | None, scheduler: str | None) -> None:
    """Refuse both processes of this machine and a cluster.

    Raises
    ------
    click.UsageError
        If both are given.
    """
    if workers is not None and scheduler is not None:
        raise click.UsageError(
            "--workers counts processes of this machine; --scheduler uses others"
        )


def output_file(option: str, name: str, suffixes: tuple[str, ...]) -> Path:
    """Return the file that an option names for writing, checked before any work.

    Raises
    ------
    click.UsageError
        If its suffix is none of these, or it cannot be written there.
    """
    from widegap.files import check_writable

    if Path(name).suffix.lower() not in suffixes:
        raise click.UsageError(
            f"{option} needs a name ending in {', '.join(suffixes)}, got {name!r}"
        )
    try:
        return check_writable(name)
    except OSError as error:
        raise click.UsageError(f"cannot write {option} {name}: {error}") from error
