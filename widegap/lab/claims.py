"""The page of claims: what is claimed, and what the suite finds when it checks it, or a wrong theory."""

from __future__ import annotations

import json
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from widegap.lab import page
from widegap.lab.references import bibtex

if TYPE_CHECKING:
    from verify.suite.claims import Claim
    from widegap.lab.worker import Tell

__all__ = ["RIGHT", "believed", "catalogue", "described", "examined", "theories"]

RIGHT = "widegap's own"
"""What the theory is called that is not wrong on purpose."""


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """Identifiers of all claims by tag, the cheap ones first; each with what is shown for it."""
    from verify.suite.claims import PROFILES, all_claims

    found: dict[str, dict[str, str]] = {"all": {}}
    for claim in sorted(all_claims(), key=lambda c: (PROFILES.index(c.profile), c.id)):
        for tag in ("all", *sorted(claim.tags)):
            found.setdefault(tag, {})[f"{claim.id} ({claim.profile}, {claim.cost:g} s)"] = claim.id
    return dict(sorted(found.items(), key=lambda item: (item[0] != "all", item[0])))


def described(id: str) -> str:
    """What is claimed, by whom, and what was fixed before it was checked."""
    from verify.suite.claims import get_claim

    claim = get_claim(id)
    made = page.paragraph(claim.statement, "statement") + page.paragraph(f"Source: {claim.source}")
    if claim.printed is not None:
        made += page.paragraph(f"Printed: {claim.printed}")
    expected = f"On record: {claim.expected.verdict}. {claim.expected.reason}"
    made += page.paragraph(expected.strip())
    for design in claim.designs:
        rows = [{"": name, " ": str(value)} for name, value in vars(design).items()]
        made += page.fold("A random test, fixed before any data", page.table(rows, "Design"))
    return made + page.files((f"{claim.id}.bib", bibtex(claim.source)))


def theories(id: str) -> dict[str, str]:
    """Names of the theories that a claim can be checked against, by what they are called."""
    from verify.suite.claims import get_claim

    return {RIGHT: "", **{f"wrong: {name}": name for name in get_claim(id).wrong}}


def believed(theory: str) -> str:
    """What is believed in a theory that is wrong on purpose."""
    from verify.suite.wrong import theory_by_name

    if not theory:
        return ""
    return page.paragraph((theory_by_name(theory).__doc__ or "").strip().splitlines()[0], "note")


def examined(tell: Tell, id: str, theory: str, seed: int) -> str:
    """Check a claim against a theory, and say what was found."""
    from verify.extras import need
    from verify.suite.claims import get_claim
    from verify.suite.runner import examine_claim, finding_of

    claim = get_claim(id)
    need(*claim.needs)
    tell(page.progress(0.0, f"about {claim.cost:g} s"))
    settings = SimpleNamespace(seed=seed, profile=claim.profile, theory=theory)
    stored = examine_claim(
        claim,
        settings,
        lambda fraction, what: tell(page.progress(fraction, what or "checking")),
    )
    finding = finding_of(stored)
    rejected = theory and claim.expected.complaint(finding)
    says = f"{finding.verdict}; the wrong theory is rejected" if rejected else finding.verdict
    rows = [{"evidence": str(k), "": _text(v)} for k, v in finding.evidence.items()]
    return (
        page.paragraph(says, f"value {finding.verdict}")
        + page.paragraph(finding.reason)
        + "".join(_drawn(claim, k, plot) for k, plot in enumerate(finding.plots))
        + page.fold("Evidence", page.table(rows, f"{stored['seconds']:.1f} s"))
        + page.files((f"{claim.id}.json", json.dumps(stored, indent=1) + "\n"))
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _drawn(claim: Claim, k: int, plot: Any) -> str:
    from verify.reports.drawing import svg

    drawn = svg(plot, f"{claim.id}-{k}").replace(
        "<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1
    )
    return page.image(drawn.encode(), plot.title)
