"""The command line of ``python -m benchmarks``."""

import json
from pathlib import Path
from typing import Any

import click

from benchmarks.registry import BENCHMARKS
from benchmarks.rows import Row
from widegap.errors import Failure, OneLineGroup, emit
from widegap.files import atomic_write, check_writable

__all__ = ["cli"]


class _Known(click.ParamType):
    """The name of a benchmark, whose error says which ones there are."""

    name = "benchmark"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Accept a name from the registry."""
        if value not in BENCHMARKS:
            raise click.UsageError(
                f"unknown benchmark {value!r}; choose from {', '.join(BENCHMARKS)}"
            )
        return value


# a group without commands: its errors are one line with exit status 2, as widegap's are
@click.group(
    cls=OneLineGroup,
    invoke_without_command=True,
    subcommand_metavar="",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--list", "listing", is_flag=True, help="List the benchmarks and do nothing else.")
@click.option(
    "--only", type=_Known(), multiple=True, metavar="NAME", help="Run this one; may be repeated."
)
@click.option("--quick", is_flag=True, help="Leave out what takes more than some seconds.")
@click.option("--json", "json_file", metavar="FILE", help="Write the rows to FILE as JSON, too.")
def cli(listing: bool, only: tuple[str, ...], quick: bool, json_file: str | None) -> None:
    """Measure what widegap costs, as ratios against baselines measured in the same run.

    In brackets: the interquartile range of repeated measurements, relative to their median.
    """
    if listing:
        width = max(map(len, BENCHMARKS))
        emit("".join(f"{b.name:{width}}  {b.summary}\n" for b in BENCHMARKS.values()))
        return
    target = None if json_file is None else _checked(json_file)
    from benchmarks.report import document, show

    results: dict[str, list[Row]] = {}
    for name in dict.fromkeys(only or BENCHMARKS):
        results[name] = BENCHMARKS[name].run(quick)
        show(BENCHMARKS[name], results[name])
    if target is not None:
        _write(target, document(results, quick=quick))


def _checked(json_file: str) -> Path:
    """Refuse a file that cannot be written before the work begins."""
    try:
        return check_writable(json_file)
    except OSError as error:
        raise click.UsageError(f"cannot write --json {json_file}: {error}") from error


def _write(target: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    try:
        with atomic_write(target) as stream:
            stream.write(text.encode())
    except OSError as error:
        raise Failure(f"cannot write {target.name}: {error}") from error
