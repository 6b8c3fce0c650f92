"""Arguments that several commands share, and what they may look like.

Every type's error says in one line what was wanted and what was given.
"""

import inspect
import math
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from widegap import subjects
from widegap.errors import shown

if TYPE_CHECKING:
    from theory import Model

__all__ = [
    "MAX_COUNT",
    "MAX_LEVEL",
    "MAX_POINTS",
    "MAX_WORKERS",
    "MODELS",
    "PARAMETERS",
    "Integer",
    "Integers",
    "LevelOrLimit",
    "Levels",
    "Number",
    "OneOf",
    "Size",
    "Times",
    "Values",
    "build",
    "distinct",
    "factory",
    "output_file",
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
"""Highest level; far beyond what can be told from the limit of all levels."""

MAX_WORKERS = 1024
"""Most processes."""

MAX_COUNT = 1_000_000
"""Most of anything that is drawn or tried."""

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
                f"unknown {self.name} {shown(value)}; choose from {', '.join(self.names)}"
            )
        return value.lower()

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The names that begin so; where a model is wanted, a verb's subjects as well."""
        names = self.names
        if self.name == "model" and ctx.info_name in subjects.VERBS:
            names = (*names, *subjects.having(ctx.info_name))
        return [CompletionItem(name) for name in names if name.startswith(incomplete.lower())]


def _integer(text: str) -> int | None:
    """An integer as one writes it, of at most 20 digits; None for anything else."""
    return int(text) if re.fullmatch(r"\s*[+-]?[0-9]{1,20}\s*", text) else None


class Integer(click.ParamType):
    """An integer between two bounds, whose error repeats what was given."""

    name = "integer"

    def __init__(self, what: str, least: int, most: int) -> None:
        self.what = what
        self.least = least
        self.most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the integer."""
        text = str(value)
        number = _integer(text)
        if number is None and re.fullmatch(r"\s*[+]?[0-9]+\s*", text):
            number = self.most + 1
        if number is None or number < self.least:
            raise click.UsageError(f"{self.what} is an integer >= {self.least}, got {shown(value)}")
        if number > self.most:
            raise click.UsageError(f"{self.what} is an integer <= {self.most}, got {shown(value)}")
        return number


class LevelOrLimit(Integer):
    """A lifting level, or ``inf`` for the limit of all of them."""

    name = "level"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the level; `math.inf` is the limit."""
        if str(value).strip().lower() in ("inf", "infinity") or value == math.inf:
            return math.inf
        return super().convert(value, param, ctx)


class Number(click.ParamType):
    """A finite number, whose error repeats what was given."""

    name = "number"

    def __init__(self, what: str) -> None:
        self.what = what

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read the number."""
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise click.UsageError(f"{self.what} is a finite number, got {shown(value)}")
        return number


class Integers(click.ParamType):
    """Positive integers, separated by commas."""

    name = "integers"

    def __init__(self, what: str, most: int) -> None:
        self.what = what
        self.most = most

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Read the list; no number appears twice."""
        if isinstance(value, tuple):
            return value
        numbers = [_integer(part) for part in value.split(",")]
        if not all(number is not None and 0 < number <= self.most for number in numbers):
            raise click.UsageError(
                f"{self.what} takes positive integers separated by commas, at most {self.most}; "
                f"got {shown(value)}"
            )
        return tuple(dict.fromkeys(number for number in numbers if number is not None))


class Levels(click.ParamType):
    """Lifting levels: ``A:B``, both ends included, or one level; with ``,inf`` the limit of all as well."""

    name = "levels"

    def __init__(self, what: str) -> None:
        self.what = what

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """Read the levels; `math.inf` is the limit."""
        value, comma, last = value.rpartition(",") if "," in value else ("", "", value)
        if last.strip().lower() == "inf":
            return (*(self._range(value) if comma else ()), math.inf)
        return self._range(value + comma + last)

    def _range(self, value: str) -> tuple[int, ...]:
        parts = value.split(":")
        ends = [_integer(part) for part in (parts if len(parts) == 2 else parts * 2)]
        if len(ends) != 2 or ends[0] is None or ends[1] is None:
            raise click.UsageError(
                f"{self.what} is A:B with integers A and B, or one integer, and ,inf for the limit of all; "
                f"got {shown(value)}"
            )
        if not 1 <= ends[0] <= ends[1] <= MAX_LEVEL:
            raise click.UsageError(
                f"{self.what} A:B needs 1 <= A <= B <= {MAX_LEVEL}, got {shown(value)}"
            )
        return tuple(range(ends[0], ends[1] + 1))


class Values(click.ParamType):
    """Exact numbers ``A:B:STEP`` from A up to B, which is included when it is hit; or one number.

    Decimals, or fractions such as 1/3.
    """

    name = "values"

    def __init__(self, what: str) -> None:
        self.what = what

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Fraction, ...]:
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
        if last - first >= step * MAX_POINTS:
            raise self._refusal(f"may have at most {MAX_POINTS} points", value)
        count = int((last - first) // step) + 1
        return tuple(first + k * step for k in range(count))

    def _number(self, text: str, value: str) -> Fraction:
        try:
            # exact, whatever the context
            parts = [Decimal(part) for part in text.split("/")]
        except InvalidOperation:
            parts = []
        if len(parts) not in (1, 2) or (len(parts) == 2 and parts[1].is_zero()):
            raise self._refusal("is A:B:STEP, or one number", value)
        for number in parts:
            if not number.is_finite():
                raise self._refusal("needs finite numbers", value)
            digits = len(number.as_tuple().digits)
            if digits > _MAX_DIGITS or (number and abs(number.adjusted()) > _MAX_DIGITS):
                raise self._refusal(
                    f"needs numbers of at most {_MAX_DIGITS} digits, between 1e-{_MAX_DIGITS} and "
                    f"1e{_MAX_DIGITS}",
                    value,
                )
        whole, *rest = (Fraction(number if number else 0) for number in parts)
        return whole / rest[0] if rest else whole

    def _refusal(self, what: str, value: str) -> click.UsageError:
        return click.UsageError(f"{self.what} {what}; got {shown(value)}")


class Times(click.ParamType):
    """Training times: numbers that are not negative, inf among them, separated by commas."""

    name = "times"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """Read the list."""
        if isinstance(value, tuple):
            return value
        try:
            times = tuple(map(float, value.split(",")))
        except ValueError:
            times = (-1.0,)
        if not all(time >= 0.0 for time in times):
            raise click.UsageError(
                f"--times takes numbers >= 0 or inf, separated by commas; got {shown(value)}"
            )
        return times


class Size(click.ParamType):
    """A number of gibibytes: finite and positive."""

    name = "size"

    def __init__(self, what: str) -> None:
        self.what = what

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read the number and return bytes."""
        try:
            number = float(value)
        except ValueError:
            number = 0.0
        if not 0.0 < number <= 1e9:
            raise click.UsageError(f"{self.what} is a positive number of GiB, got {shown(value)}")
        return number * 2.0**30


def distinct(**files: str | None) -> None:
    """Refuse options that name the same file for writing: one would replace the other.

    Parameters
    ----------
    **files
        Names by option, without its dashes; None where it is not given.

    Raises
    ------
    click.UsageError
        If two are the same.
    """
    places: dict[Path, str] = {}
    for option, name in files.items():
        if name is None:
            continue
        try:
            place = Path(name).resolve()
        except (OSError, RuntimeError) as error:
            raise click.UsageError(f"cannot write --{option} {name}: {error}") from error
        if place in places:
            raise click.UsageError(f"--{places[place]} and --{option} name the same file {name}")
        places[place] = option


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
            f"{option} needs a name ending in {', '.join(suffixes)}, got {shown(name)}"
        )
    try:
        return check_writable(name)
    except OSError as error:
        raise click.UsageError(f"cannot write {option} {name}: {error}") from error
