"""Running claims: one after the other or in several processes, each verdict kept as soon as it is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from verify.extras import missing

from .claims import Claim, Profile, Run, get_claim
from .verdicts import VERDICTS, Curve, Expected, Finding, Plot, Verdict, plain
from .wrong import theory_by_name

if TYPE_CHECKING:
    from .journal import Journal

__all__ = ["Progress", "Record", "examine_claim", "finding_of", "run_claims"]

Progress = Callable[[str, float, str], None]
"""``progress(claim, fraction, what)``; a claim that begins has fraction 0."""


@dataclass(frozen=True)
class Record:
    """A claim with what was found about it.

    Attributes
    ----------
    claim : Claim
    finding : Finding
        Its evidence is plain: what JSON can hold.
    expected : Expected
        What was on record for this run.
    seconds : float
        Wall time of the check.
    error : str
        The traceback, if the check broke down instead of returning; the verdict is ``undecided``.
    earlier : bool
        Whether it was taken from an earlier run's file.
    """

    claim: Claim
    finding: Finding
    expected: Expected
    seconds: float = 0.0
    error: str = ""
    earlier: bool = False

    @property
    def complaint(self) -> str:
        """In what way the finding is worse than expected; empty if it is not."""
        return self.expected.complaint(self.finding)

    @property
    def as_expected(self) -> bool:
        """Whether the finding is no worse than expected."""
        return not self.complaint

    def stored(self) -> dict[str, Any]:
        """What a journal keeps."""
        return plain(
            {
                "verdict": self.finding.verdict,
                "reason": self.finding.reason,
                "value": self.finding.value,
                "evidence": self.finding.evidence,
                "plots": [asdict(plot) for plot in self.finding.plots],
                "seconds": self.seconds,
                "error": self.error,
            }
        )


def run_claims(
    claims: Sequence[Claim],
    *,
    seed: int = 0,
    profile: Profile = "quick",
    theory: str = "",
    expected: Mapping[str, Expected] | None = None,
    workers: int = 1,
    journal: Journal | None = None,
    progress: Progress | None = None,
) -> Iterator[Record]:
    """Check claims and yield what was found, in the order in which the checks end.

    Parameters
    ----------
    claims : sequence of Claim
    seed : int
        Every claim's random streams follow from it and from the claim's identifier.
    profile : {"quick", "ci", "full"}
        How much the checks are to do.
    theory : str
        Name of a deliberately wrong theory (`verify.suite.wrong`), or empty.
    expected : mapping of str to Expected, optional
        By identifier; takes the place of what the claims say themselves.
    workers : int
        Number of processes; 1 is this one.
    journal : Journal, optional
        Keeps every record as it comes; what it holds already is not run again.
    progress : callable, optional
        See `Progress`. From other processes only beginnings are told.

    Yields
    ------
    Record

    Notes
    -----
    Claims of one group go to the same process, which keeps the levels it has solved.
    """
    tell = progress or (lambda claim, fraction, what: None)
    known = dict(expected or {})
    before = {} if journal is None else journal.stored()
    pending = []
    for claim in claims:
        lacking = missing(claim.needs)
        if lacking and claim.id not in before:
            yield _not_run(claim, lacking)
        elif claim.id in before:
            yield _revived(claim, before[claim.id], known.get(claim.id, claim.expected))
        else:
            pending.append(claim)
    settings = _Settings(seed, profile, theory)
    source = (
        _in_processes(pending, settings, workers, tell)
        if workers > 1 and len(pending) > 1
        else _in_turn(pending, settings, tell)
    )
    for claim, stored in source:
        if journal is not None:
            journal.add(claim.id, stored)
        record = _revived(claim, stored, known.get(claim.id, claim.expected))
        yield replace(record, earlier=False)


def _not_run(claim: Claim, lacking: str) -> Record:
    """What is said of a claim that this installation cannot check: no complaint, and no verdict of ours."""
    reason = f"Not run: it needs {lacking}."
    finding = Finding("undecided", reason, None, {"not run": lacking})
    return Record(claim, finding, Expected("undecided", reason))


@dataclass(frozen=True)
class _Settings:
    seed: int
    profile: Profile
    theory: str


def examine_claim(
    claim: Claim, settings: Any, tell: Callable[[float, str], None] | None = None
) -> dict[str, Any]:
    """Check one claim; a check that breaks down leaves its claim undecided.

    Parameters
    ----------
    claim : Claim
    settings
        With ``seed``, ``profile`` and ``theory``.
    tell : callable, optional
        ``tell(fraction, what)``.

    Returns
    -------
    dict
        As `Record.stored`.
    """
    import traceback

    began = time.perf_counter()
    error = ""
    try:
        run = Run(
            claim,
            theory_by_name(settings.theory),
            settings.seed,
            settings.profile,
            tell or (lambda fraction, what: None),
        )
        finding = claim.check(run)
        stored = Record(claim, finding, claim.expected).stored()
        finding_of(stored)  # it is one, and can be kept
    except Exception as problem:
        error = traceback.format_exc()
        message = " ".join(str(problem).split())
        reason = f"The check broke down: {type(problem).__name__}: {message}"
        finding = Finding("undecided", reason, None, {"error": type(problem).__name__})
        stored = Record(claim, finding, claim.expected, error=error).stored()
    return {**stored, "seconds": time.perf_counter() - began}


def _in_turn(
    claims: Sequence[Claim], settings: _Settings, tell: Progress
) -> Iterator[tuple[Claim, dict[str, Any]]]:
    for claim in sorted(claims, key=_place(claims)):
        tell(claim.id, 0.0, "")

        def own(fraction: float, what: str, id: str = claim.id) -> None:
            tell(id, fraction, what)

        yield claim, examine_claim(claim, settings, own)


def _place(claims: Sequence[Claim]) -> Callable[[Claim], int]:
    """Groups in the order of their first claim, claims in theirs."""
    first: dict[str, int] = {}
    for k, claim in enumerate(claims):
        first.setdefault(claim.group or claim.id, k)
    return lambda claim: first[claim.group or claim.id]


def _task(id: str, module: str, settings: _Settings) -> dict[str, Any]:
    """Check one claim in another process, which has to find it first."""
    return examine_claim(get_claim(id, module), settings)


def _in_processes(
    claims: Sequence[Claim], settings: _Settings, workers: int, tell: Progress
) -> Iterator[tuple[Claim, dict[str, Any]]]:
    """One pool of one process for each worker, so that a group stays where its levels are."""
    from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
    from contextlib import ExitStack

    from numerics.runs.workers import LocalPool

    queues = _queues(claims)
    with ExitStack() as stack:
        pools: list[LocalPool] = []
        own: list[list[Claim]] = []
        running: dict[Future[dict[str, Any]], tuple[int, Claim]] = {}

        def feed(worker: int) -> None:
            if not own[worker] and queues:
                own[worker] = queues.pop(0)
            if own[worker]:
                claim = own[worker].pop(0)
                tell(claim.id, 0.0, "")
                task = pools[worker].submit(_task, claim.id, claim.module, settings)
                running[task] = (worker, claim)

        for worker in range(min(workers, len(queues))):
            pools.append(stack.enter_context(LocalPool(1)))
            own.append([])
            feed(worker)
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                worker, claim = running.pop(future)
                try:
                    stored = future.result()
                except BrokenExecutor:
                    # the process has died under this claim: the others go on in a new one
                    reason = "The process that checked it died; its memory may have run out."
                    finding = Finding("undecided", reason, None, {"error": "the process died"})
                    stored = Record(claim, finding, claim.expected, 0.0, reason).stored()
                    pools[worker] = stack.enter_context(LocalPool(1))
                feed(worker)
                yield claim, stored


def _queues(claims: Sequence[Claim]) -> list[list[Claim]]:
    """Claims by group, the most expensive group first."""
    groups: dict[str, list[Claim]] = {}
    for claim in claims:
        groups.setdefault(claim.group or claim.id, []).append(claim)
    return sorted(groups.values(), key=lambda group: -sum(claim.cost for claim in group))


def _revived(claim: Claim, stored: dict[str, Any], expected: Expected) -> Record:
    """Return a record from what a journal or another process has of it."""
    return Record(claim, finding_of(stored), expected, stored["seconds"], stored["error"], True)


def finding_of(stored: Mapping[str, Any]) -> Finding:
    """Return the finding of a stored record.

    Parameters
    ----------
    stored : Mapping of str to object
        As from `Record.stored`.

    Raises
    ------
    LookupError, TypeError, ValueError
        If it is none.
    """
    verdict, value = stored["verdict"], stored["value"]
    if verdict not in VERDICTS:
        raise ValueError(f"a verdict is one of {', '.join(VERDICTS)}, got {str(verdict)[:60]!r}")
    if isinstance(value, bool) or not isinstance(value, float | int | None):
        raise TypeError(f"a value is a number, got {str(value)[:60]!r}")
    value = None if value is None else float(value)
    for name, kind in (
        ("reason", str),
        ("error", str),
        ("evidence", dict),
        ("seconds", float | int),
    ):
        if not isinstance(stored[name], kind):
            raise TypeError(f"{name} holds {str(stored[name])[:60]!r}")
    plots = tuple(
        Plot(
            plot["title"],
            plot["x"],
            plot["y"],
            tuple(
                Curve(c["label"], tuple(c["x"]), tuple(c["y"]), tuple(c["errors"]), c["style"])
                for c in plot["curves"]
            ),
            plot["references"],
            plot["log"],
        )
        for plot in stored["plots"]
    )
    return Finding(cast("Verdict", verdict), stored["reason"], value, stored["evidence"], plots)
