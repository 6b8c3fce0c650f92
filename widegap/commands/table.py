"""The command ``widegap table``: the table of record, printed, or computed anew."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from widegap import running
from widegap.arguments import MODELS, OneOf
from widegap.errors import Failure, deliver, emit, refusals, say
from widegap.options import resumable_options

if TYPE_CHECKING:
    from verify.thresholds.record import Record

__all__ = ["table"]


@click.command(
    epilog="\b\nExamples:\n"
    "  widegap table sbp\n"
    "  widegap table --level inf --csv\n"
    "  widegap table sbp --level 3 --out rows.sqlite --folder rows"
)
@click.argument("model", type=OneOf("model", tuple(MODELS)), metavar="[MODEL]", required=False)
@click.option("--level", metavar="R", help="Only this level; inf for the limits.")
@click.option("--json", "as_json", is_flag=True, help="Print all columns as JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print all columns as CSV.")
@click.option(
    "--folder",
    type=click.Path(),
    metavar="FOLDER",
    help="With --out: write record.json, record.csv and the certificates into a new folder.",
)
@resumable_options("row", required=False)
def table(
    model: str | None, level: str | None, as_json: bool, as_csv: bool, **computing: Any
) -> None:
    """Print the table of record: thresholds and ground states with digits, errors and proofs.

    What others have printed stands beside ours. Proved values have certificates, beside the table in
    verify/thresholds/data, that `widegap certify --check` verifies. With --out the rows are computed
    anew: all of them take an hour or two.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv are two forms of one table; choose one")
    folder = computing.pop("folder")
    if computing["out"] is None:
        for name, given in (*computing.items(), ("folder", folder)):
            if given:
                raise click.UsageError(f"--{name} goes with --out, which computes the table anew")
        with refusals():
            from verify.thresholds.record import read

            made, files = read().of(model, level), {}
    else:
        made, files = _computed(model, level, folder, **computing)
    text = f"{made.to_json()}\n" if as_json else made.to_csv() if as_csv else f"{made}\n"
    deliver(lambda: emit(text), lambda: None if folder is None else _write(Path(folder), files))


def _computed(
    model: str | None, level: str | None, folder: str | None, *, out: str, resume: bool,
    workers: int | None, scheduler: str | None,
) -> tuple["Record", dict[str, str]]:  # fmt: skip
    """Compute rows, with progress, and what their folder holds."""
    from verify.thresholds.record import chosen, computed, table_files

    cases: list[Any] = []

    def check() -> None:
        cases.extend(chosen(model, level))
        if folder is not None and Path(folder).exists():
            raise ValueError(f"--folder {folder or '.'} exists; name a new one")

    with running.experiment(out, None, workers, scheduler, "rows", (), check) as (
        progress,
        executor,
    ):
        made, certificates = computed(
            cases, out=out, resume=resume, executor=executor, workers=workers,
            progress=progress.update,
        )  # fmt: skip
    return made, table_files(made, certificates)


def _write(folder: Path, files: dict[str, str]) -> None:
    """Write files into a folder that appears when it is whole."""
    import shutil
    import tempfile

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}", dir=folder.parent))
        try:
            made.chmod(0o755)
            for name, text in files.items():
                path = made / name
                path.parent.mkdir(exist_ok=True)
                path.write_text(text, encoding="utf-8")
            made.rename(folder)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
    except OSError as error:
        raise Failure(f"cannot write --folder {folder}: {error.strerror or error}") from error
    say(f"{len(files)} files written to {folder}")
