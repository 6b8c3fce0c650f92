"""Verdicts on a terminal: a live table while claims are checked, and the summary at the end."""

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from widegap.errors import is_terminal

from .progress import Bars

if TYPE_CHECKING:
    from rich.table import Table

    from verify.reports.formats import Summary
    from verify.suite.claims import Claim
    from verify.suite.runner import Record

__all__ = ["VerifyProgress", "list_text", "summary_text"]

_STYLES = {"confirmed": "green", "differs": "yellow", "undecided": "magenta", "refuted": "red"}


def list_text(claims: "Sequence[Claim]") -> str:
    """List claims for `--list`.

    Parameters
    ----------
    claims
        Claims of the profile asked for.

    Returns
    -------
    str
        Two or more lines for each claim, and the bound on false alarms.
    """
    import textwrap

    from verify.suite.claims import false_alarm_bound

    lines = []
    for claim in claims:
        about = [f"[{', '.join(claim.tags)}]", f"about {claim.cost:.0f} s"]
        if claim.printed is not None:
            about.append(f"printed {claim.printed}")
        if claim.expected.verdict != "confirmed":
            about.append(f"expected: {claim.expected.verdict}")
        lines.append(f"{claim.id}  {'  '.join(about)}")
        lines += textwrap.wrap(
            claim.statement, 100, initial_indent="    ", subsequent_indent="    "
        )
        lines.append(f"    rejects: {', '.join(claim.wrong)}")
        for design in claim.designs:
            lines.append(
                f"    test: {design.test}; false alarm {design.false_alarm:.0e}, power "
                f"{design.power:.6f} against {design.alternative}"
            )
    lines.append("")
    lines.append(f"{len(claims)} claims; {_bound(false_alarm_bound(claims))}")
    return "\n".join(lines) + "\n"


def _bound(probability: float) -> str:
    if not probability:
        return "no random test, so no false alarm"
    return f"family-wise false-alarm probability at most {probability:.1e}"


def _verdict_table(records: "Sequence[Record]") -> "Table":
    from rich.text import Text

    from widegap.show.tables import _new_table

    table = _new_table("")
    table.title = None
    table.add_column("claim", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("ours", no_wrap=True)
    table.add_column("printed", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    for record in records:
        value = record.finding.value
        verdict = Text(record.finding.verdict, _STYLES[record.finding.verdict])
        if not record.as_expected:
            verdict.append(" !", "bold red")
        table.add_row(
            record.claim.id,
            verdict,
            "" if value is None else f"{value:.10g}",
            record.claim.printed or "",
            "earlier" if record.earlier else f"{record.seconds:.1f} s",
        )
    return table


def summary_text(summary: "Summary", terminal: bool, width: int) -> str:
    """Say what came out: a table, the reasons of what is not confirmed, and the statistics.

    Parameters
    ----------
    summary
        The run.
    terminal
        Whether colour may be used.
    width
        Columns of the terminal.

    Returns
    -------
    str
        The text.
    """
    import textwrap

    from widegap.show.tables import render

    lines: list[str] = []
    for record in summary.records:
        if record.finding.verdict == "confirmed" and record.as_expected:
            continue
        mark = "" if record.as_expected else f" - {record.complaint}"
        lines.append(f"{record.claim.id}: {record.finding.verdict}{mark}")
        texts = [record.finding.reason]
        if record.as_expected and record.expected.reason:
            texts.append(f"On record: {record.expected.reason}")
        for name in ("smallest failing example", "reproduce"):
            content = record.finding.evidence.get(name)
            texts += [str(one) for one in content] if isinstance(content, list) else []
            texts += [content] if isinstance(content, str) else []
        for text in texts:
            long = text.startswith("widegap verify ")  # a command stays on its line
            lines += (
                [f"    {text}"]
                if long
                else textwrap.wrap(text, 96, initial_indent="    ", subsequent_indent="    ")
            )
    head = f"widegap verify, profile {summary.profile}, seed {summary.seed}"
    if summary.theory:
        head += f": a theory that is wrong on purpose, {summary.theory}"
    tail = f"{summary.sentence()} ({summary.seconds:.0f} s); {_bound(summary.false_alarm)}"
    parts: list[Any] = [head, "", _verdict_table(summary.records)]
    if lines:
        parts += ["", "\n".join(lines)]
    return render(*parts, "", tail, terminal=terminal, width=width)


class VerifyProgress(Bars):
    """Live verdicts and bars on the standard error, if that is a terminal; otherwise silence.

    Parameters
    ----------
    claims
        What is going to be checked.

    Notes
    -----
    Use it as a context manager; hand `update` to :func:`verify.suite.runner.run_claims` and every record to
    `finished`. A verdict stays on the screen when it is there, above the bars of what is being checked.
    """

    def __init__(self, claims: "Sequence[Claim]") -> None:
        self._costs = {claim.id: claim.cost for claim in claims}
        self._tasks: dict[str, Any] = {}
        self._total: Any = None
        self._drawn = 0.0

    def __enter__(self) -> Self:
        if is_terminal(sys.stderr):
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            self._progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=24),
                TextColumn("{task.percentage:>3.0f}%"),
                TimeElapsedColumn(),
                TextColumn("{task.fields[what]}", markup=False),
                console=Console(stderr=True),
                transient=True,
            )
            self._progress.start()
            self._total = self._progress.add_task(
                f"{len(self._costs)} claims", total=sum(self._costs.values()), what=""
            )
        return self

    def update(self, claim: str, fraction: float, what: str) -> None:
        """Show that a check has come so far.

        Parameters
        ----------
        claim
            Its identifier.
        fraction
            From 0 to 1; 0 when it begins.
        what
            What it is doing, in a few words.
        """
        if self._progress is None:
            return
        if claim not in self._tasks:
            self._tasks[claim] = self._progress.add_task(claim, total=1.0, what=what)
        now = time.monotonic()
        if now - self._drawn > 0.05:
            self._drawn = now
            self._progress.update(self._tasks[claim], completed=fraction, what=what)

    def finished(self, record: "Record") -> None:
        """Show a verdict."""
        if self._progress is None:
            return
        from rich.text import Text

        line = Text(f"{record.finding.verdict:10} ", _STYLES[record.finding.verdict])
        line.append(record.claim.id, "default")
        if not record.as_expected:
            line.append("  worse than expected", "bold red")
        self._progress.console.print(line)
        task = self._tasks.pop(record.claim.id, None)
        if task is not None:
            self._progress.remove_task(task)
        self._progress.advance(self._total, self._costs[record.claim.id])
