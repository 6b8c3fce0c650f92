"""Options that several commands share, with one meaning and one help text each."""

from collections.abc import Callable
from typing import Any

import click

from widegap.arguments import MAX_WORKERS, MODELS, Integer, Integers, Number, OneOf, Size

__all__ = [
    "SCHEDULER",
    "alpha_option",
    "choice_option",
    "choices_option",
    "integer_option",
    "integers_option",
    "kappa_option",
    "memory_option",
    "model_argument",
    "number_option",
    "one_place",
    "resumable_options",
    "seed_option",
]

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_MAX_SEED = 2**63 - 1

model_argument = click.argument("model", type=OneOf("model", tuple(MODELS)), metavar="MODEL")

_WORKERS = click.option(
    "--workers",
    type=Integer("--workers", 1, MAX_WORKERS),
    metavar="N",
    help="Processes on this machine. [default: one for each core]",
)
"""How many processes of this machine."""

SCHEDULER = click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Compute on the Dask cluster of this scheduler; needs the extra widegap[cluster].",
)
"""A cluster instead of them."""


def resumable_options(
    each: str, required: bool = True
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Options of work that goes into one file: --out, --resume, --workers and --scheduler.

    Parameters
    ----------
    each
        What the file takes one by one.
    required
        Whether there is no work without a file.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in (
            SCHEDULER,
            _WORKERS,
            click.option(
                "--resume",
                is_flag=True,
                help=f"Go on with FILE if it exists; no {each} is repeated.",
            ),
            click.option(
                "--out",
                required=required,
                type=click.Path(),
                metavar="FILE",
                help=f"The SQLite file that takes each {each} as soon as it is there.",
            ),
        ):
            command = option(command)
        return command

    return decorate


def memory_option(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """What one piece of the work may take of the memory."""
    return click.option(
        "--memory",
        type=Size("--memory"),
        default="4",
        metavar="GIB",
        help=f"What {what} may take. [default: 4]",
    )


def seed_option(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The seed that everything random of a command follows from."""
    return click.option(
        "--seed",
        type=Integer("--seed", 0, _MAX_SEED),
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


def integer_option(
    name: str, least: int, most: int, default: int, help: str, metavar: str = "N"
) -> Decorator:
    """An integer between bounds, whose default the help shows."""
    kind, help = Integer(name, least, most), f"{help} [default: {default}]"
    return click.option(name, type=kind, default=default, metavar=metavar, help=help)


def number_option(name: str, default: float, help: str, metavar: str = "X") -> Decorator:
    """A finite number, whose default the help shows."""
    help = f"{help} [default: {default:g}]"
    return click.option(name, type=Number(name), default=default, metavar=metavar, help=help)


def integers_option(
    name: str, field: str, most: int, default: tuple[int, ...], help: str, metavar: str = "N,N,.."
) -> Decorator:
    """Positive integers separated by commas, under the name ``field``."""
    kind, help = Integers(name, most), f"{help} [default: {','.join(map(str, default))}]"
    return click.option(name, field, type=kind, default=default, metavar=metavar, help=help)


def choice_option(name: str, names: tuple[str, ...], default: str, help: str) -> Decorator:
    """One of some names."""
    kind, help = OneOf(name.strip("-"), names), f"{help} [default: {default}]"
    return click.option(name, type=kind, default=default, metavar="|".join(names), help=help)


def choices_option(
    name: str, field: str, names: tuple[str, ...], default: tuple[str, ...], help: str = ""
) -> Decorator:
    """Some of these names, an option for each, under the name ``field``."""
    shown = "all" if default == names else ", ".join(default)
    return click.option(
        name,
        field,
        type=OneOf(name.strip("-"), names),
        default=default,
        multiple=True,
        metavar="|".join(names),
        help=f"{help}{' ' * bool(help)}May be repeated. [default: {shown}]",
    )


kappa_option = click.option(
    "--kappa", metavar="K", help="Margin of a perceptron, exactly as written (0.3 is 3/10)."
)
alpha_option = click.option(
    "--alpha",
    metavar="A",
    help="Rows per coordinate, m/n: the ground-state energy at this density instead of the capacity.",
)
