"""The command ``widegap verify``: claim by claim, whether the theory holds, and with what evidence.

As in :mod:`widegap.cli`, everything heavy is imported when the input has been looked at.
"""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from widegap.arguments import MAX_WORKERS, Integer, OneOf, distinct
from widegap.errors import Failure, deliver, emit, is_terminal, say, shown

if TYPE_CHECKING:
    from verify.reports.formats import Summary
    from verify.suite.claims import Claim
    from verify.suite.runner import Record
    from verify.suite.verdicts import Expected

__all__ = ["verify"]

PROFILES = ("quick", "ci", "full")
REPORTS = ("html", "junit", "json", "record")
_MAX_SEED = 2**63


class Seed(click.ParamType):
    """A non-negative integer, or ``random``."""

    name = "seed"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | None:
        """Read the seed; None stands for one that is to be drawn."""
        if isinstance(value, int):
            return value
        if value.lower() == "random":
            return None
        number = int(value) if value.isascii() and value.isdigit() and len(value) < 20 else -1
        if not 0 <= number < _MAX_SEED:
            raise click.UsageError(
                f"--seed is an integer from 0 to 2^63 - 1, or random; got {shown(value)}"
            )
        return number


@dataclass(frozen=True)
class _Asked:
    """Options that more than one step needs."""

    profile: str
    only: tuple[str, ...]
    modules: tuple[str, ...]
    wrong: str | None
    resume: str | None
    reports: Mapping[str, str]


def _report_option(name: str, text: str) -> Any:
    return click.option(f"--{name}", type=click.Path(), metavar="FILE", help=text)


@click.command(
    epilog="\b\nExamples:\n"
    "  widegap verify\n"
    "  widegap verify --only sbp --html report.html\n"
    "  widegap verify --profile ci --junit junit.xml --resume run.sqlite"
)
@click.option("--list", "as_list", is_flag=True, help="List the claims and check nothing.")
@click.option(
    "--only",
    multiple=True,
    metavar="ID|TAG",
    help="Only this claim, or those with this tag. May be repeated.",
)
@click.option(
    "--profile",
    type=OneOf("profile", PROFILES),
    default="quick",
    metavar="|".join(PROFILES),
    help="Below a minute, below ten, or everything. [default: quick]",
)
@click.option(
    "--seed",
    type=Seed(),
    default="0",
    metavar="N|random",
    help="Seed of all random checks. [default: 0]",
)
@_report_option("html", "Write a page for people, with plots.")
@_report_option("junit", "Write JUnit XML, as continuous integration wants it.")
@_report_option("json", "Write everything as JSON.")
@_report_option("record", "Write the verdicts found as a file for --expect.")
@click.option(
    "--expect",
    type=click.Path(),
    metavar="FILE",
    help="Recorded verdicts with reasons (TOML); a worse one fails.",
)
@click.option(
    "--resume",
    type=click.Path(),
    metavar="FILE",
    help="Keep every verdict in FILE as it comes, and go on with those that are there.",
)
@click.option(
    "--workers",
    type=Integer("--workers", 1, MAX_WORKERS),
    metavar="N",
    help="Processes. [default: one for each core]",
)
@click.option(
    "--module",
    "modules",
    multiple=True,
    metavar="NAME",
    help="Import this Python module, whose claims register themselves.",
)
@click.option(
    "--wrong",
    metavar="NAME",
    help="Check a theory that is wrong on purpose, of those that --list names beside the claims; every claim "
    "that can tell has to reject it.",
)
@click.option("--reproduce", metavar="TOKEN", help="Run one failing example of a property again.")
@click.pass_context
def verify(
    ctx: click.Context,
    as_list: bool,
    only: tuple[str, ...],
    profile: str,
    seed: int | None,
    expect: str | None,
    resume: str | None,
    workers: int | None,
    modules: tuple[str, ...],
    wrong: str | None,
    reproduce: str | None,
    **reports: str | None,
) -> None:
    """Check the claims of the theory and of its sources, one by one.

    A claim is confirmed, differs from what was printed, is undecided, or is refuted. The exit status is 1
    if a verdict is worse than the one on record.
    """
    asked = _Asked(
        profile, only, modules, wrong, resume, {k: v for k, v in reports.items() if v is not None}
    )
    _refuse_contradictions(ctx, asked, as_list, reproduce)
    targets = _targets(asked)
    if reproduce is not None:
        _reproduce(reproduce, wrong)
        return
    claims, expected = _claims(asked, expect)
    if as_list:
        from widegap.show.verdicts import list_text

        emit(list_text(claims))
        return
    summary = _run(asked, claims, expected, seed, workers, targets)
    deliver(*_outputs(summary, asked, targets), partial(_judge, summary))


def _refuse_contradictions(
    ctx: click.Context, asked: _Asked, as_list: bool, reproduce: str | None
) -> None:
    given = {
        name
        for name in ("only", "profile", "seed", "expect", "resume", "workers", "as_list", *REPORTS)
        if ctx.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE
    }
    shown = {"as_list": "list"}
    if reproduce is not None and given:
        names = ", ".join(f"--{shown.get(name, name)}" for name in sorted(given))
        raise click.UsageError(f"--reproduce runs one example and cannot go with {names}")
    if as_list:
        clash = given & {"seed", "expect", "resume", "workers", *REPORTS}
        if clash:
            names = ", ".join(f"--{name}" for name in sorted(clash))
            raise click.UsageError(f"--list checks nothing and cannot go with {names}")
    if asked.wrong and "record" in given:
        raise click.UsageError("--record is for the verdicts of the theory, not of a --wrong one")
    distinct(**asked.reports, resume=asked.resume)


def _targets(asked: _Asked) -> dict[str, Path]:
    """Find out before the work whether the reports can be written."""
    from widegap.files import check_writable

    targets = {}
    for name, path in asked.reports.items():
        try:
            targets[name] = check_writable(path)
        except (OSError, ValueError) as error:
            raise click.UsageError(f"cannot write --{name} {path}: {error}") from error
    return targets


def _claims(
    asked: _Asked, expect: str | None
) -> "tuple[tuple[Claim, ...], dict[str, Expected] | None]":
    from typing import cast

    from verify.errors import ExpectationError, UnknownClaimError
    from verify.suite.claims import Profile, all_claims, select
    from verify.suite.expectations import read_expectations

    for module in asked.modules:
        if not all(part.isidentifier() for part in module.split(".")):
            raise click.UsageError(
                f"--module is the name of a Python module, such as mine or mine.claims; got {shown(module)}"
            )
    try:
        everything = all_claims(asked.modules)
    except (Exception, SystemExit) as error:  # a module may raise anything as it is run
        what = "" if isinstance(error, ImportError) else f"{type(error).__name__}: "
        raise click.UsageError(
            f"cannot import --module {' '.join(asked.modules)}: {what}{error}"
        ) from error
    try:
        chosen = select(everything, cast("Profile", asked.profile), asked.only)
        expected = None if expect is None else read_expectations(expect, everything)
    except (UnknownClaimError, ExpectationError) as error:
        raise click.UsageError(str(error)) from error
    if asked.wrong:
        _refuse_unknown_wrong(asked.wrong)
        chosen = tuple(claim for claim in chosen if asked.wrong in claim.wrong)
    if not chosen:
        raise click.UsageError(
            f"no claim is left in the profile {asked.profile} with these options; --list shows them"
        )
    return chosen, expected


def _refuse_unknown_wrong(wrong: str) -> None:
    from verify.suite.wrong import WRONG, theory_by_name

    try:
        theory_by_name(wrong)
    except ValueError as error:
        raise click.UsageError(
            f"unknown wrong theory {shown(wrong)}; choose from {', '.join(WRONG)}"
        ) from error


def _reproduce(token: str, wrong: str | None) -> None:
    from verify.suite.properties import reproduce
    from verify.suite.wrong import theory_by_name

    if wrong:
        _refuse_unknown_wrong(wrong)
    try:
        claim, failure = reproduce(token, theory_by_name(wrong or ""))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if failure is None:
        emit(f"{claim.id}: the example does not fail any more\n")
        return
    emit(f"{claim.id}: {claim.statement}\n")
    for note in getattr(failure, "__notes__", ()):
        emit("".join(f"{line}\n" for line in note.splitlines() if line.startswith("Draw ")))
    raise Failure(f"the example still fails: {type(failure).__name__}: {failure}")


def _run(
    asked: _Asked,
    claims: "tuple[Claim, ...]",
    expected: "dict[str, Expected] | None",
    seed: int | None,
    workers: int | None,
    targets: Mapping[str, Path],
) -> "Summary":
    """Check the claims, with live progress on a terminal."""
    import secrets
    import sqlite3
    from typing import cast

    from numerics.errors import WorkersError
    from numerics.machine import cores
    from verify.errors import JournalError
    from verify.reports.formats import Summary
    from verify.suite.claims import Profile
    from verify.suite.journal import Journal
    from verify.suite.runner import run_claims
    from widegap.show.verdicts import VerifyProgress

    profile = cast("Profile", asked.profile)
    began = time.monotonic()
    records: list[Record] = []
    with ExitStack() as stack:
        journal = None
        if asked.resume is not None:
            there = os.path.exists(asked.resume)
            drawn = seed if seed is not None or there else secrets.randbelow(_MAX_SEED)
            settings = {"profile": asked.profile, "theory": asked.wrong or ""}
            try:
                journal = stack.enter_context(Journal(asked.resume, drawn, settings))
            except JournalError as error:
                raise click.UsageError(str(error)) from error
            seed = journal.seed
        number = secrets.randbelow(_MAX_SEED) if seed is None else seed
        progress = stack.enter_context(VerifyProgress(claims))

        def summarised(complete: bool) -> Summary:
            order = {claim.id: k for k, claim in enumerate(claims)}
            ordered = sorted(records, key=lambda record: order[record.claim.id])
            spent = time.monotonic() - began
            return Summary(ordered, number, profile, asked.wrong or "", spent, complete)

        try:
            for record in run_claims(
                claims,
                seed=number,
                profile=profile,
                theory=asked.wrong or "",
                expected=expected,
                workers=workers or cores(),
                journal=journal,
                progress=progress.update,
            ):
                records.append(record)
                progress.finished(record)
        except KeyboardInterrupt:
            progress.stop()
            kept = f"{len(records)} of {len(claims)} verdicts"
            where = f" are in {asked.resume}; --resume goes on from there" if asked.resume else ""
            say(f"{kept}{where or ' were there'}")
            try:
                deliver(*_outputs(summarised(False), asked, targets))
            except Failure as error:
                say(f"widegap: error: {error.message}")
            raise
        except (sqlite3.Error, WorkersError) as error:
            progress.stop()
            kept = f"{error}; {len(records)} of {len(claims)} verdicts were there"
            deliver(*_outputs(summarised(False), asked, targets), partial(_fail, kept))
    return summarised(True)


def _fail(message: str) -> None:
    raise Failure(message)


def _write(summary: "Summary", targets: Mapping[str, Path]) -> None:
    """Write the reports, each of them whatever becomes of the others."""
    from verify.reports.formats import to_json, to_junit
    from verify.reports.page import to_html
    from verify.suite.expectations import expectations_toml
    from widegap.files import atomic_write

    made = {
        "html": to_html,
        "junit": to_junit,
        "json": to_json,
        "record": lambda summary: expectations_toml(summary.records),
    }

    def write(name: str, target: Path) -> None:
        try:
            text = made[name](summary)
            with atomic_write(target) as stream:
                stream.write(text.encode("utf-8", "replace"))
        except OSError as error:
            raise Failure(f"cannot write {target}: {error.strerror}") from error

    deliver(*(partial(write, name, target) for name, target in targets.items()))


def _outputs(
    summary: "Summary", asked: _Asked, targets: Mapping[str, Path]
) -> list[Callable[[], None]]:
    """What there is to write, the verdicts first: whatever may fail comes after them."""
    import shutil
    import sys

    from widegap.show.verdicts import summary_text

    def show() -> None:
        width = shutil.get_terminal_size().columns
        if summary.records:
            emit(summary_text(summary, is_terminal(sys.stdout), width))

    def write() -> None:
        _write(summary, targets)
        emit("".join(f"{name} written to {path}\n" for name, path in asked.reports.items()))

    return [show, write]


def _judge(summary: "Summary") -> None:
    if summary.theory:
        missed = [record.claim.id for record in summary.records if record.as_expected]
        if missed:
            raise Failure(f"the theory {summary.theory} is not rejected by {', '.join(missed)}")
    elif not summary.passed:
        names = ", ".join(record.claim.id for record in summary.worse)
        raise Failure(f"worse than expected: {names}")
