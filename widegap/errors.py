"""What the command line does when something goes wrong: one clear line and an exit status."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any

import click

__all__ = [
    "BAD_INPUT",
    "FAILED",
    "INTERRUPTED",
    "TERMINATED",
    "Failure",
    "OneLineGroup",
    "Terminated",
    "deliver",
    "emit",
    "is_terminal",
    "refusals",
    "say",
    "shown",
]

FAILED = 1
"""Exit status of a computation that did not reach its result, or whose result found no reader."""
BAD_INPUT = 2
"""Exit status of input that makes no sense, with nothing computed or written."""
INTERRUPTED = 130
"""Exit status after Ctrl-C, by the convention of Unix shells (128 + SIGINT)."""
TERMINATED = 143
"""Exit status after SIGTERM, by the same convention."""

_LONGEST = 1000


class Failure(click.ClickException):
    """A computation that was asked for sensibly but did not reach its result."""

    exit_code = FAILED


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl-C does."""


class OneLineGroup(click.Group):
    """A command group whose errors are one line each, ``widegap: error: ...``, without usage block.

    Exit statuses are 0, :data:`FAILED`, :data:`BAD_INPUT`, :data:`INTERRUPTED` and :data:`TERMINATED`. A
    reader that closes our output early is met with silence. Defects of the program keep their traceback.
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
        except click.exceptions.NoArgsIsHelpError as error:  # its message is the whole help
            status, ctx = error.exit_code, error.ctx
            assert ctx is not None
            assert isinstance(ctx.command, click.Group)
            some = ", ".join(ctx.command.list_commands(ctx))
            say(f"{name}: error: {ctx.command_path} takes one of {some}; see --help")
        except click.ClickException as error:
            status = error.exit_code
            say(f"{name}: error: {_one_line(error.format_message())}")
        except MemoryError as error:
            status = FAILED
            say(f"{name}: error: {_one_line(f'not enough memory: {error}'.removesuffix(': '))}")
        except OSError as error:  # the help or the version on a full disk
            status = FAILED
            _let_go()
            say(f"{name}: error: {_one_line(str(error.strerror or error))}")
        except click.Abort as error:
            terminated = isinstance(error.__cause__, Terminated)
            status = TERMINATED if terminated else INTERRUPTED
            say(f"{name}: {'terminated' if terminated else 'interrupted'}")
        sys.exit(status if isinstance(status, int) else 0)


def _one_line(message: str) -> str:
    """A message without line ends and other control characters, and no longer than anybody reads."""
    line = " ".join(message.split())
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."


@contextmanager
def refusals() -> Iterator[None]:
    """Input that makes no sense or does not fit, and a missing extra: one line and status 2."""
    from theory.errors import WidegapError

    try:
        yield
    except (ArithmeticError, ValueError, MemoryError) as error:
        raise click.UsageError(str(error) or "not enough memory") from error
    except ImportError as error:
        if not isinstance(error, WidegapError):
            raise
        raise click.UsageError(str(error)) from error


def shown(text: object) -> str:
    """What was typed as it stands in a message: in quotes, long text cut.

    Parameters
    ----------
    text
        As given.
    """
    text = str(text)
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


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
    if sys.stdout is None:
        raise Failure("cannot write the result: the standard output is closed")
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        # names of files may hold what no encoding has
        click.echo(text.encode(encoding, "backslashreplace").decode(encoding), nl=False)
    except BrokenPipeError:
        raise  # click's own matter: it leaves quietly
    except OSError as error:
        _let_go()
        raise Failure(f"cannot write the result: {error.strerror}") from error


def _let_go() -> None:
    """Give up the standard output: what is still buffered would fail again at the interpreter's end."""
    with suppress(OSError, ValueError):
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, sys.stdout.fileno())
        os.close(devnull)


def is_terminal(stream: IO[str] | None) -> bool:
    """Whether somebody looks at a standard stream, which is None where it is closed."""
    return stream is not None and stream.isatty()


def say(text: str) -> None:
    """Write a line to the standard error, which may be closed or full: nobody would read of that."""
    with suppress(OSError, ValueError):
        click.echo(text.encode("utf-8", "backslashreplace").decode("utf-8"), err=True)


def deliver(*steps: Callable[[], None]) -> None:
    """Write several results: each of them, whatever becomes of the others.

    Parameters
    ----------
    *steps
        In order.

    Raises
    ------
    Exception
        What the steps raised, one `Failure` for all that failed; a defect and a closed pipe before those.
    """
    failures: list[Failure] = []
    others: list[Exception] = []
    for step in steps:
        try:
            step()
        except Failure as error:
            failures.append(error)
        except Exception as error:
            others.append(error)
    if others:
        others.sort(key=lambda error: isinstance(error, BrokenPipeError))
        raise others[0]
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise Failure("; ".join(dict.fromkeys(error.message for error in failures)))
