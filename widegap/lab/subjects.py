"""The page of a subject: its laws with their derivations and curves, and what its command answers."""

from __future__ import annotations

import importlib
import math
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from widegap import arguments, subjects
from widegap.lab import page
from widegap.lab.references import bibtex

if TYPE_CHECKING:
    from sympy import Symbol

    from theory.calculus.law import Law
    from widegap.lab.worker import Tell

__all__ = ["Control", "answered", "controls", "curve", "derived", "examples", "laws", "scales"]

_POINTS = 61


def laws(subject: str) -> tuple[str, ...]:
    """Names of a subject's laws."""
    return tuple(importlib.import_module(f"theory.{subject}").LAWS)


def known(name: object) -> str:
    """A subject by its name; the first one for what is none."""
    return str(name) if name in subjects.LAWS else subjects.LAWS[0]


def _law(subject: str, name: str) -> Law:
    return importlib.import_module(f"theory.{subject}").LAWS[name]()


def derived(tell: Tell, subject: str, name: str) -> str:
    """A law, where it holds, what its symbols mean, and how it is derived."""
    from sympy import latex

    tell(page.progress(0.0, "deriving"))
    law = _law(subject, name)
    rows = [{"symbol": str(symbol), "meaning": what} for symbol, what in law.symbols.items()]
    return (
        page.paragraph(law.title, "value")
        + page.formula(latex(law.statement))
        + page.paragraph(f"Holds: {law.holds}")
        + page.paragraph(f"Source: {law.source}")
        + page.fold("Symbols", page.table(rows, "What they mean"))
        + page.steps(law.steps)
        + page.files((f"{name}.tex", law.latex() + "\n"), (f"{name}.bib", bibtex(law.source)))
    )


def scales(subject: str, name: str) -> dict[str, tuple[float, ...]]:
    """Values that the symbols of a law's right-hand side may be given, by name; none if it is no number."""
    law = _law(subject, name)
    if not getattr(law.statement, "is_Equality", False):
        return {}
    symbols = sorted(law.value.free_symbols, key=str)
    put = {symbol: middle(_range(symbol)) for symbol in symbols}
    plain = all(symbol.is_Symbol and symbol.is_commutative for symbol in symbols)
    if not symbols or not plain or _numbers(law.value, put) is None:
        return {}
    return {str(symbol): _range(symbol) for symbol in symbols}


def middle(values: tuple[float, ...]) -> float:
    """Where a slider begins: away from zero, and not far from it."""
    return values[len(values) // 4] if values[0] > 0.0 else 0.5


def _range(symbol: Symbol) -> tuple[float, ...]:
    """Where a symbol is moved: what it is known to be decides."""
    if symbol.is_integer:
        return tuple(range(1, 25))
    lowest = 0.05 if symbol.is_nonnegative else -3.0
    count = 60 if symbol.is_nonnegative else 121
    return tuple(round(lowest + 0.05 * k, 2) for k in range(count))


def _numbers(expression: Any, put: dict[Any, Any]) -> Any:
    """An expression at numbers, if it is a number then; real ones as floats, others are NaN."""
    from sympy import N, nsimplify

    value = N(expression.subs({s: nsimplify(x) for s, x in put.items()}), 12)
    if not value.is_number or value.free_symbols:
        return None
    value = complex(value) if value.is_finite else math.nan
    return value.real if abs(value.imag) < 1e-12 * (1.0 + abs(value.real)) else math.nan


def curve(
    tell: Tell, subject: str, name: str, along: str, given: tuple[tuple[str, float], ...]
) -> str:
    """The right-hand side of a law against one of its symbols, the others at given numbers."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from sympy import latex

    from numerics.figures.style import BLUE, ORANGE, STYLE

    law = _law(subject, name)
    put = {symbol: dict(given)[str(symbol)] for symbol in law.value.free_symbols}
    (symbol,) = (s for s in put if str(s) == along)
    values = _range(symbol)
    taken = values if symbol.is_integer else values[:: max(1, len(values) // _POINTS)]
    points = []
    for k, x in enumerate(taken):
        tell(page.progress(k / len(taken), f"{along} = {x:g}"))
        points.append(_numbers(law.value, {**put, symbol: x}))
    here = _numbers(law.value, put)
    with rc_context(STYLE):
        figure = Figure(figsize=(6.0, 3.4), layout="constrained")
        axis = figure.subplots()
        axis.plot(taken, points, ".-" if symbol.is_integer else "-", color=BLUE)
        axis.plot([put[symbol]], [here], "o", color=ORANGE)
        axis.set_xlabel(f"${latex(symbol)}$")
        axis.set_title(law.title, wrap=True)
    says = f"{here:.8g}" if here == here else "no real number"
    text = ", ".join(f"{s} = {x:g}" for s, x in given)
    return page.paragraph(f"{says} at {text}", "value") + page.figure(
        figure, f"{law.title} against {along}"
    )


@dataclass(frozen=True)
class Control:
    """One option of a command, as the page shows it.

    Attributes
    ----------
    option : str
        As on the command line; empty for an argument.
    help : str
    start : str
        As on the command line; empty if it is not given.
    values : tuple of str
        Of a slider or a choice; empty for text.
    kind : {"slider", "choice", "text", "flag"}
    """

    option: str
    help: str
    start: str
    values: tuple[str, ...]
    kind: str


def examples(subject: str) -> tuple[str, ...]:
    """The examples in the help of a subject's command, which the page starts from."""
    command = subjects.command("solve", subject)
    return () if command is None else tuple(_examples(command))


def _examples(command: click.Command) -> Iterator[str]:
    if isinstance(command, click.Group):
        for inside in command.commands.values():
            yield from _examples(inside)
        return
    for line in re.sub(r"\\\n\s+", "", command.epilog or "").splitlines():
        # a file of the user's is for the command line
        if line.strip().startswith("widegap solve ") and not re.search(r"\.(npz|npy|csv)\b", line):
            yield re.sub(r" (--json|--plot \S+)", "", line.strip())


def _read(example: str) -> tuple[click.Command, list[str], list[str]]:
    """The command of an example, its name in words, and the words after it."""
    words = shlex.split(example)
    subject, rest = words[2], words[3:]
    command, name = subjects.command("solve", subject), words[:3]
    while isinstance(command, click.Group):
        name.append(rest[0])
        command, rest = command.commands[rest[0]], rest[1:]
    assert command is not None
    return command, name, rest


def controls(example: str) -> tuple[Control, ...]:
    """What an example's command takes, at the values of the example."""
    command, _, rest = _read(example)
    given, _, _ = command.make_parser(click.Context(command)).parse_args(list(rest))
    made = []
    for param in command.params:
        if param.name in ("as_json", "plot") or param.metavar == "FILE":
            continue
        option = param.opts[0] if isinstance(param, click.Option) else ""
        start = given.get(str(param.name), param.default)
        made.append(_control(param, option, "" if _unset(start) else start))
    return tuple(made)


def _unset(value: Any) -> bool:
    return value is None or value == () or "UNSET" in str(value)


def _control(param: click.Parameter, option: str, start: Any) -> Control:
    help = getattr(param, "help", None) or ""
    if getattr(param, "is_flag", False):
        return Control(option, help, "yes" if start else "", (), "flag")
    if isinstance(start, tuple | list):
        start = ("" if param.multiple else ",").join(map(str, start))
    start = str(start)
    if isinstance(param.type, arguments.OneOf):
        return Control(option, help, start, ("", *param.type.names)[param.required :], "choice")
    values: list[str] = []
    if start and type(param.type) is arguments.Integer:
        values = _integers(int(start), param.type.least, param.type.most)
    elif start and type(param.type) is arguments.Number:
        values = _reals(float(start))
    return Control(option, help, start, tuple(values), "slider" if values else "text")


def _integers(start: int, least: int, most: int) -> list[str]:
    """From an eighth of a number to eight times as much, or all small ones."""
    wide = {round(start * 2.0 ** (k / 4)) for k in range(-12, 13)}
    wide |= set(range(least, 2 * start + 5)) if start <= 16 else set()
    return [str(k) for k in sorted(wide | {start}) if least <= k <= most]


def _reals(start: float) -> list[str]:
    """From an eighth of a number to eight times as much; what is below one stays there."""
    if start == 0.0:
        return [f"{k / 10:g}" for k in range(-20, 21)]
    most = 1.0 if 0.0 < start < 1.0 else math.inf
    wide = {float(f"{start * 2.0 ** (k / 4):.2g}") for k in range(-12, 13)} | {start}
    return [f"{x:g}" for x in sorted(wide) if x <= most]


def line(example: str, values: tuple[str, ...]) -> str:
    """The command line that asks what the page asks: the controls at values, defaults left out."""
    command, name, _ = _read(example)
    words = list(name)
    defaults = {
        param.opts[0]: _control(param, "", "" if _unset(param.default) else param.default).start
        for param in command.params
    }
    for control, value in zip(controls(example), values, strict=True):
        if not control.option:
            words.append(value)
        elif control.kind == "flag":
            words += [control.option] * bool(value)
        elif value and value != defaults[control.option]:
            words += [control.option, value]
    return shlex.join(words)


def written(control: Control, value: Any) -> str:
    """A control's value as on the command line."""
    if control.kind == "flag":
        return "yes" if value else ""
    if control.kind == "slider":  # as it is written among the values, or at the start
        return min((control.start, *control.values), key=lambda text: abs(float(text) - value))
    return str(value or "").strip()


def answered(tell: Tell, asked: str) -> str:
    """Run a command line of a subject, and show its result: a note, a picture, a table."""
    from widegap.show.results import handed_over

    tell(page.progress(0.0, "computing"))
    command, name, rest = _read(asked)
    with handed_over() as taken:
        try:
            command.main(rest, prog_name=" ".join(name), standalone_mode=False)
        except click.ClickException as error:
            raise ValueError(error.format_message()) from error
    ((result, note),) = taken
    made = page.paragraph(note, "value") if note else ""
    try:
        made += page.figure(result.plot(), f"The result of {asked}")
    except NotImplementedError as error:
        made += page.paragraph(str(error), "note")
    document = f"{name[2]}.json", result.to_json() + "\n"
    return made + page.table(result.rows(), asked) + page.files(document)
