"""What the command line does when something goes wrong: one clear line and an exit status."""

import os
import sys
from collections.abc import Sequence
from typing import Any

import click

__all__ = ["BAD_INPUT", "FAILED", "INTERRUPTED", "Failure", "OneLineGroup", "emit"]

FAILED = 1
"""Exit status of a computation that did not reach its result, or whose result found no reader."""
BAD_INPUT = 2
"""Exit status of input that makes no sense, with nothing computed or written."""
INTERRUPTED = 130
"""Exit status after Ctrl-C, by the convention of Unix shells (128 + SIGINT)."""


class Failure(click.ClickException):
    """A computation that was asked for sensibly but did not reach its result."""

    exit_code = FAILED


class OneLineGroup(click.Group):
    """A command group whose errors are one line each, ``widegap: error: ...``, without usage block.

    Exit statuses are 0, :data:`FAILED`, :data:`BAD_INPUT` and :data:`INTERRUPTED`. A reader that
    closes our output early is met with silence. Defects of the program keep their traceback.
    """

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line; with ``standalone_mode`` (the default) exit at the end."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        name = prog_name or "widegap"
        try:
            status = super().main(args, name, complete_var, standalone_mode=False, **extra)
        except click.ClickException as error:
            status = error.exit_code
            message = " ".join(error.format_message().split())
            click.echo(f"{name}: error: {message}", err=True)
        except click.Abort:
            status = INTERRUPTED
            click.echo(f"{name}: interrupted", err=True)
        sys.exit(status if isinstance(status, int) else 0)


def emit(text: str) -> None:
    """Write the result to the standard output.

    Parameters
    ----------
    text
        The whole result; it ends its own last line.

    Raises
    ------
    Failure
        If it cannot be written, for example on a full disk.
    """
    try:
        click.echo(text, nl=False)
    except BrokenPipeError:
        raise  # click's own matter: it leaves quietly
    except OSError as error:
        # what is still buffered would fail again when the interpreter flushes at exit
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, sys.stdout.fileno())
        os.close(devnull)
        raise Failure(f"cannot write the result: {error.strerror}") from error
