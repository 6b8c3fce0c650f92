"""Claims that cost nothing, for tests of the machinery around claims."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from verify.suite import claims as registry
from verify.suite import properties
from verify.suite.claims import Claim
from verify.suite.runner import Record
from verify.suite.verdicts import Curve, Design, Expected, Finding, Plot


@pytest.fixture
def own_claims(monkeypatch: pytest.MonkeyPatch) -> dict[str, Claim]:
    """An empty list of claims, and of properties, in the place of the suite's."""
    listed: dict[str, Claim] = {}
    monkeypatch.setattr(registry, "_CLAIMS", listed)
    monkeypatch.setattr(registry, "_rooms_claims", lambda: ())
    monkeypatch.setattr(properties, "PROPERTIES", {})
    return listed


@pytest.fixture
def made_claim() -> Callable[..., Claim]:
    """Make a claim, by default one that draws a number and confirms itself."""

    def make(id: str = "drawn", check: Callable | None = None, **fields) -> Claim:
        def drawn(run):
            number = float(run.stream().normal())
            return Finding("confirmed", f"drew {number}", number, {"again": run.integer(1)})

        return Claim(id, f"Statement of {id}.", "nobody 2026", check or drawn, **fields)

    return make


@pytest.fixture
def records(made_claim: Callable[..., Claim]) -> list[Record]:
    """One record of every kind, with awkward text in it."""
    curve = Curve("ours & <theirs>", (2.0, 3.0, 4.0), (1.0, 0.5, 0.4), (0.1, 0.1, 0.1))
    line = Curve("law", (2.0, 4.0), (1.0, 0.3), style="line")
    plot = Plot("A figure of <x> & y", "level r", "alpha_r", (curve, line), {"printed": 0.7})
    design = Design("p = 1/2", "binomial test", 900, 1e-9, "p = 1/3", 0.9999)
    confirmed = made_claim("one", printed="1.5", tags=("sbp", "threshold"), designs=(design,))
    differs = made_claim("two", printed="1.6021", tags=("abp",))
    return [
        Record(
            confirmed, Finding("confirmed", "It is.", 1.5, {"n": 3}, (plot, plot)), Expected(), 0.25
        ),
        Record(
            differs,
            Finding(
                "differs",
                "Printed 1.6021, ours 1.6009.",
                1.6009,
                {"list": list(range(40))},
                (plot,),
            ),
            Expected("differs", "Ours is <lower> & stands."),
            1.0,
        ),
        Record(
            made_claim("three", tags=("sbp",)),
            Finding("refuted", "It is not \x00\ud800."),
            Expected(),
        ),
        Record(
            made_claim("four"),
            Finding("undecided", "The check broke down.", None, {"error": "ValueError", "x": None}),
            Expected(),
            0.0,
            "Traceback (most recent call last):\n  ...\nValueError: <no>",
        ),
    ]
