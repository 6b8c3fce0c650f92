"""What the pages compute and show, without a browser; how work is ended; who is let in."""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from numerics import Limit, Solution, limit, phase_diagram, solve
from numerics.sharpness import quadratic_limits
from theory import SBP, SK, free_energy
from theory.sharpness import sam_edge
from verify.suite.claims import all_claims
from widegap.cli import cli
from widegap.lab import claims, models, networks, page, subjects
from widegap.lab.models import Asked
from widegap.lab.references import bibtex, sources
from widegap.lab.server import Guard
from widegap.lab.worker import Desk, end_all
from widegap.subjects import LAWS

ROOT = Path(__file__).parents[3]


def done(task: Callable[..., str], *given: Any) -> str:
    return task(lambda told: None, *given)


def told(task: Callable[..., str], *given: Any) -> list[str]:
    """What is told on the way."""
    views: list[str] = []
    task(views.append, *given)
    return views


def taken(made: str, name: str) -> str:
    """A file that can be taken away."""
    match = re.search(rf'download="{re.escape(name)}" href="data:[^,]*,([^"]*)"', made)
    assert match is not None
    return base64.b64decode(match[1]).decode()


# -- work --------------------------------------------------------------------------------------------


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.stop()


def test_work_is_done_elsewhere_and_its_result_kept(desk: Desk) -> None:
    asked = models.derivation, Asked("sk"), 1
    assert desk.known(*asked) is None
    views = list(desk.run(*asked))
    assert len(views) > 1
    assert desk.known(*asked) == views[-1] == done(models.derivation, Asked("sk"), 1)


def test_what_is_refused_is_one_line_and_not_kept(desk: Desk) -> None:
    asked = networks.dual_of, "<b>"
    shown = list(desk.run(*asked))[-1]
    assert re.fullmatch(r'<p class="refused" role="alert">cannot read .*&lt;b&gt;.*</p>', shown)
    assert desk.known(*asked) is None
    assert "progress" in next(desk.run(networks.dual_of, "erf"))  # the process is there for more


def test_work_ends_where_other_work_begins_or_it_is_stopped(desk: Desk) -> None:
    first = desk.run(models.thresholds, Asked("sbp"), 8)
    next(first)
    other = desk.run(models.derivation, Asked("sk"), 2)
    assert list(first) == []
    next(other)
    began = time.monotonic()
    desk.stop()
    assert "fold" not in "".join(other)
    assert time.monotonic() - began < 10.0


@pytest.mark.long
def test_few_processes_rest_and_closed_views_end_theirs() -> None:
    desks = [Desk() for _ in range(7)]
    try:
        for one in desks:
            list(one.run(models.derivation, Asked("sk"), 1))
        assert [one._process is None for one in desks] == [True] * 2 + [False] * 5
        views = desks[0].run(models.thresholds, Asked("sbp"), 8)
        next(views)
        views.close()
        assert desks[0]._process is None
    finally:
        end_all()


# -- a model -----------------------------------------------------------------------------------------


@pytest.mark.long
def test_thresholds_are_the_solvers_and_can_be_taken_away() -> None:
    made = done(models.thresholds, Asked("sbp", "1/2"), 3)
    own = Solution.from_dict(json.loads(taken(made, "sbp-level-3.json")))
    assert own == solve(SBP("1/2"), 3)
    assert f"level 3: alpha = {own.value:#.12g}" in made
    assert f"{float(free_energy(SBP('1/2'), 2).expr) - own.value:.6g} below level 2" in made
    assert made.count("<img") == 1
    assert "two exponents" in made
    # what was found is there, for lower levels and higher ones
    assert told(models.thresholds, Asked("sbp", "1/2"), 2) == []
    assert "level 2: alpha" in done(models.thresholds, Asked("sbp", "1/2"), 2)


@pytest.mark.long
def test_energies_rise_or_fall_and_have_profiles() -> None:
    made = done(models.thresholds, Asked("sk"), 3)
    assert f"xi = {solve(SK(), 3).value:#.12g}" in made
    assert made.count("<img") == 2


@pytest.mark.long
def test_the_limit_of_equal_levels_is_theirs() -> None:
    made = done(models.limit_of, Asked("spherical", "0"))
    assert "spherical(kappa=0), r -&gt; infinity: alpha = 2, error 0" in made
    assert "merge into level 1" in made
    assert Limit.from_dict(json.loads(taken(made, "spherical-limit.json"))).value == 2.0


@pytest.mark.slow
def test_the_limit_has_its_error_and_a_profile() -> None:
    views = told(models.limit_of, Asked("sk"), 10)
    shares = [float(x) for view in views for x in re.findall(r'value="([\d.]+)"', view)]
    assert shares == sorted(shares)
    assert 0.0 <= shares[0] < shares[-1] <= 1.0
    made = done(models.limit_of, Asked("sk"), 10)
    found = Limit.from_dict(json.loads(taken(made, "sk-limit.json")))
    assert found == limit(SK(), highest=10)
    assert f"error {found.error:.1g}" in made
    assert made.count("<img") == 1


@pytest.mark.parametrize("name", models.MODELS.values())
def test_every_model_can_be_asked_for_and_derived(name: str) -> None:
    lowest, highest, start = models.KAPPA[name]
    assert start in models.steps(lowest, highest)
    asked = Asked(name, str(start), "1", "0 <= z <= kappa", "{-1, 1}")
    assert asked.model().parameters or name == "sk"
    made = done(models.derivation, asked.symbolic(), 2)
    assert made.count("<details") > 3
    energy = free_energy(asked.symbolic().model(), 2)
    stem = f"{asked.model().name}-level-2"
    assert taken(made, f"{stem}.tex") == energy.latex() + "\n"
    compile(taken(made, f"{stem}.py"), stem, "exec")
    assert taken(made, f"{stem}.bib") == bibtex(sources(asked.model()))


def test_levels_that_are_not_are_refused() -> None:
    with pytest.raises(ValueError, match="levels from 2 on, got 1"):
        done(models.thresholds, Asked("sbp"), 1)


def test_references_say_what_the_sources_say() -> None:
    made = bibtex(sources(SBP(1)))
    assert "note = {Aubin, Perkins, Zdeborova, J. Phys. A 52, 294003 (2019)}" in made
    assert "eprint = {2601.10628}" in made
    assert made.count("@misc") == 3
    assert bibtex("derived here").count("@") == 1
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall("eprint = {(.*)}", made)[-1] in citation
    keys = re.findall(r"@\w+{([^,\n]*),", made)
    assert len(set(keys)) == len(keys)


# -- a network ---------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_network_has_its_dual_its_phase_and_its_widths() -> None:
    made = done(networks.dual_of, "erf")
    assert "asin" in taken(made, "dual.tex")
    compile(taken(made, "dual.py"), "dual", "exec")
    made = done(networks.phase, "erf", 1.5, 0.2)
    chi = phase_diagram("erf", [1.5], [0.2]).chi[0, 0]
    assert f"chi = {chi:.6g}: {'order' if chi < 1 else 'chaos'}" in made
    assert made.count("<img") == 1
    assert len(told(networks.phase, "erf", 1.6, 0.2)) == 1  # the diagram is there
    made = done(networks.widths, "erf", 1, 1.5, 0.2)
    errors = [
        float(x)
        for x in re.findall(r'<td class="number">10*0?</td><td class="number">([\d.]+)', made)
    ]
    assert len(errors) == 3  # widths 10, 100 and 1000
    assert errors[0] > 2.0 * errors[1] > 4.0 * errors[2]


def test_where_the_variance_diverges_there_is_no_regime() -> None:
    assert "no finite variance" in done(networks.phase, "relu", 2.0, 0.5)
    assert networks._regime(1.0 + 1e-9, 1e-8).endswith("the edge of chaos")


# -- subjects ----------------------------------------------------------------------------------------

EXAMPLES = [line for name in LAWS for line in subjects.examples(name)]


@pytest.mark.parametrize("example", EXAMPLES)
def test_controls_ask_what_the_example_asks(example: str) -> None:
    found = subjects.controls(example)
    values = tuple(
        subjects.written(c, float(c.start) if c.kind == "slider" else c.start) for c in found
    )
    line = subjects.line(example, values)
    command, name, rest = subjects._read(example)
    asked = command.make_context(name[-1], rest).params
    assert command.make_context(name[-1], subjects._read(line)[2]).params == asked
    for control in found:
        if control.kind != "text":
            assert (
                subjects.written(control, control.start and float(control.start)) == control.start
                if control.kind == "slider"
                else control.start in (*control.values, "", "yes")
            )
        if control.kind == "slider":
            numbers = [float(x) for x in control.values]
            assert numbers == sorted(set(numbers))


def test_answers_are_the_commands() -> None:
    asked = "widegap solve sharpness minimiser --step 0.2 --curvature 4 --radius 0.1"
    given = {"step": 0.2, "curvature": 4.0, "radius": 0.1}
    made = done(subjects.answered, asked)
    assert json.loads(taken(made, "sharpness.json")) == quadratic_limits(**given).to_dict()
    assert "<img" in made
    with pytest.raises(ValueError, match="--n is an integer"):
        done(subjects.answered, "widegap solve parities frontier --n x")


def test_a_curve_is_the_laws_right_hand_side() -> None:
    ranges = subjects.scales("sharpness", "sam-edge")
    given = tuple((name, subjects.middle(values)) for name, values in ranges.items())
    made = done(subjects.curve, "sharpness", "sam-edge", "eta", given)
    value = float(
        sam_edge().value.subs({s: dict(given)[str(s)] for s in sam_edge().value.free_symbols})
    )
    assert f">{value:.8g} at " in made
    assert subjects.scales("sharpness", "graph-shift") == {}  # matrices
    assert "squared-multiplier" in subjects.laws("reconstruction")
    assert subjects.scales("reconstruction", "squared-multiplier")  # zero where it begins


def test_laws_say_everything() -> None:
    made = done(subjects.derived, "kernels", "depth-rate")
    for said in ("Holds: ", "Source: ", "Symbols", "1. "):
        assert said in made
    assert subjects.known("nonsense") == LAWS[0]


# -- claims ------------------------------------------------------------------------------------------


def test_claims_are_listed_described_checked_and_rejected() -> None:
    listed = claims.catalogue()
    assert set(listed["all"].values()) == {claim.id for claim in all_claims()}
    assert {"sbp", "parities"} <= set(listed)
    name = "sbp-level-2"
    chosen = next(c for c in all_claims() if c.id == name)
    assert page.escape(chosen.statement) in claims.described(name)
    theories = claims.theories(name)
    assert list(theories.values()) == ["", *chosen.wrong]
    assert claims.believed("") == ""
    assert "3% too large" in claims.believed("moved")
    assert ">confirmed</p>" in done(claims.examined, name, "", 0)
    assert "the wrong theory is rejected" in done(claims.examined, name, chosen.wrong[0], 0)


# -- pages -------------------------------------------------------------------------------------------


def test_what_is_shown_is_escaped_and_long_tables_are_folded() -> None:
    rows = [{"<a>": "<b>", "x": 0.123456789}] * 30
    made = (
        page.table(rows, "<c>")
        + page.paragraph("<d>")
        + page.files(("<e>", ""))
        + page.fold("<f>", "")
    )
    assert not re.search("<[a-f]>", made.replace("<p>", ""))
    assert "0.123457" in made
    assert "30 rows" in made
    assert page.without_progress(page.progress(0.5, "x") + "<i>", "!") == "!<i>"


def test_notebooks_are_in_order() -> None:
    pages = sorted((ROOT / "widegap/lab/pages").glob("*.py"))
    line = [sys.executable, "-m", "marimo", "check", *map(str, pages)]
    checked = subprocess.run(line, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
    kinds = set(
        re.findall(r"(?:warning|error|critical)\[([\w-]+)\]", checked.stdout + checked.stderr)
    )
    assert kinds <= {"general-formatting", "markdown-indentation"}


# -- the server --------------------------------------------------------------------------------------


def asked(headers: dict[str, str], kind: str = "http", path: str = "/") -> list[Any]:
    """What a guarded application answers."""
    sent: list[Any] = []

    async def inside(scope: Any, receive: Any, send: Callable[[Any], Any]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {}

    raw = [(k.encode(), v.encode()) for k, v in headers.items()]
    asyncio.run(Guard(inside, 1234)({"type": kind, "headers": raw, "path": path}, receive, send))
    return sent


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "evil.example"},
        {"host": "evil.example:1234"},
        {"host": "127.0.0.1:80"},
        {"host": "127.0.0.1:1234", "origin": "http://evil.example"},
        {"host": "127.0.0.1:1234", "origin": "null"},
        {"host": "localhost:1234", "origin": "http://localhost:80"},
    ],
)
def test_other_hosts_and_pages_are_refused(headers: dict[str, str]) -> None:
    assert asked(headers)[0]["status"] == 403
    assert asked(headers, "websocket") == [{"type": "websocket.close", "code": 1008}]


def test_shared_memory_is_not_read_by_name() -> None:
    headers = {"host": "127.0.0.1:1234"}
    for path in ("/@file/1-x.txt", "/claims/@file/1-x.txt"):
        assert asked(headers, path=path)[0]["status"] == 403


def test_its_own_pages_are_answered_and_load_nothing_from_elsewhere() -> None:
    for headers in (
        {"host": "127.0.0.1:1234"},
        {"host": "localhost:1234", "origin": "http://localhost:1234"},
    ):
        (answer,) = asked(headers)
        policy = dict(answer["headers"])[b"content-security-policy"].decode()
        assert "default-src 'self'" in policy
        assert set(re.findall(r"\w+://[^ ;]*", policy)) == {
            "ws://127.0.0.1:1234",
            "ws://localhost:1234",
        }


# -- the command -------------------------------------------------------------------------------------


def test_without_the_extra_one_line_says_how_to_get_it(run, monkeypatch) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "marimo" else there(name)
    )
    result = run("lab")
    assert result.exit_code == 2
    assert "widegap[lab]" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_one_line(run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("lab", "--port", str(taken.getsockname()[1]), "--no-browser")
    assert result.exit_code == 1
    assert "choose another with --port" in result.stderr
    assert run("lab", "--port", "70000").exit_code == 2


def test_the_core_does_not_import_the_lab() -> None:
    code = (
        "import sys, widegap.cli, verify, numerics; print({'marimo', 'uvicorn'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"
    assert isinstance(cli.commands["lab"], click.Command)
