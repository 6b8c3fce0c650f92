"""``widegap derive SUBJECT``: the laws of a subject, and how each is derived."""

import importlib
from typing import TYPE_CHECKING

import click

from widegap.arguments import OneOf
from widegap.errors import emit, shown

if TYPE_CHECKING:
    from theory.calculus.law import Law

__all__ = ["laws_command"]

FORMATS = ("text", "latex")


class _Laws(click.Command):
    """Its examples name a law, which is looked up when they are asked for."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        line = f"widegap derive {self.name}"
        law = next(iter(importlib.import_module(f"theory.{self.name}").LAWS))
        self.epilog = f"\b\nExamples:\n  {line}\n  {line} {law} --steps"
        super().format_epilog(ctx, formatter)


def laws_command(subject: str) -> click.Command:
    """Make the command that derives a subject's laws, `theory.SUBJECT.LAWS`."""

    @click.command(
        subject,
        cls=_Laws,
        help=f"Derive a law of {subject}: its equation, where it holds, what its symbols mean. Without "
        "LAW, list them.",
    )
    @click.argument("law", required=False)
    @click.option(
        "--set",
        "values",
        multiple=True,
        metavar="NAME=VALUE",
        help="Put a number or a fraction for a symbol; may be repeated.",
    )
    @click.option(
        "--format",
        "output_format",
        type=OneOf("format", FORMATS),
        default="text",
        metavar="|".join(FORMATS),
        help="Plain text or LaTeX. [default: text]",
    )
    @click.option("--steps", is_flag=True, help="Show how it is derived, step by step.")
    def derive(law: str | None, values: tuple[str, ...], output_format: str, steps: bool) -> None:
        laws = importlib.import_module(f"theory.{subject}").LAWS
        if law is None:
            if values or steps:
                raise click.UsageError(f"--set and --steps go with a law: {', '.join(laws)}")
            width = max(map(len, laws))
            emit("".join(f"{name:{width}}  {laws[name]().title}\n" for name in laws))
            return
        if law not in laws:
            raise click.UsageError(
                f"{subject} has no law {shown(law)}; choose from {', '.join(laws)}"
            )
        derived = laws[law]()
        if steps:
            from widegap.show.derivations import steps_text

            emit(steps_text(derived, output_format) + "\n")
        if values:
            from sympy import latex

            statement = _put(derived, values)
            emit(f"{latex(statement) if output_format == 'latex' else statement}\n")
        else:
            emit(getattr(derived, output_format)() + "\n")

    return derive


def _put(law: "Law", values: tuple[str, ...]) -> object:
    """The statement with numbers for symbols."""
    from fractions import Fraction

    from sympy import Rational

    numbers = {}
    for given in values:
        name, equals, text = given.partition("=")
        try:
            number = Fraction(text.strip())
        except (ValueError, ZeroDivisionError):
            equals = ""
            number = Fraction(0)
        if not equals or len(text) > 60:
            raise click.UsageError(f"--set is NAME=VALUE with a number, got {shown(given)}")
        numbers[name.strip()] = Rational(number.numerator, number.denominator)
    try:
        return law.at(**numbers)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
