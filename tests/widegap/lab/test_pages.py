"""The lab in a real browser: what a user does, by keyboard, on a wide screen and on a phone's."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from numerics import phase_diagram, solve
from numerics.parities import frontier
from theory import ABP, SBP, SphericalPerceptron, free_energy
from widegap.subjects import LAWS

from ...verify.reports.browser import Page, needed_browser

WIDTHS = [1100, 360]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the lab is started."""
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    line = [sys.executable, "-m", "widegap", "lab", "--port", "0", "--no-browser"]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True, cwd=folder) as lab:
        assert lab.stderr is not None
        try:
            yield lab.stderr.readline().split()[4].rstrip(";")
        finally:
            lab.send_signal(signal.SIGINT)
        assert lab.wait(20) == 0
        assert lab.stderr.read() == "the lab has ended\n"  # and nothing went wrong before


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with Page(needed_browser("use the lab"), tmp_path_factory.mktemp("browser")) as page:
        yield page


def opened(page: Page, address: str, width: int, height: int = 900) -> None:
    page.open(address, width, height)
    page.wait("document.querySelector('h1') !== null")


def element(label: str, inside: str) -> str:
    """JavaScript for the part of a control that has the focus, found by its label."""
    return (
        "Array.from(document.querySelectorAll('marimo-ui-element > *'))"
        f".filter(e => e.shadowRoot?.textContent.trim().startsWith({json.dumps(label)}))"
        f".map(e => e.shadowRoot.querySelector({json.dumps(inside)}))[0]"
    )


def press(page: Page, label: str, inside: str, *keys: str) -> None:
    found = element(label, inside)
    page.wait(f"!!{found}")
    page.evaluate(f"{found}.focus()")
    for key in keys:
        page.press(key)


def said(
    page: Page, pattern: str, selector: str = ".value", seconds: float = 60.0
) -> re.Match[str]:
    """What a page says, once it says it."""
    texts = f"Array.from(document.querySelectorAll({json.dumps(selector)})).map(e => e.textContent)"
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for text in page.evaluate(texts):
            if match := re.search(pattern, text):
                return match
        time.sleep(0.1)
    pytest.fail(f"the page never says {pattern!r} but {page.evaluate(texts)}")


def fits(page: Page, address: str, width: int) -> None:
    """Nothing is wider than the window, but for what scrolls by itself; the console is quiet."""
    assert page.evaluate("innerWidth") == width
    wide = """Array.from(document.querySelectorAll('h1, h2, p, nav, details, img, .wide, .formula'))
        .filter(e => e.getBoundingClientRect().right > innerWidth + 0.5).map(e => e.outerHTML.slice(0, 80))"""
    assert page.evaluate(wide) == []
    assert page.complaints(address) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_a_model_is_chosen_and_its_margin_moved(page: Page, address: str, width: int) -> None:
    opened(page, address, width)
    press(page, "level", "[role=slider]", "ArrowLeft", "ArrowLeft")  # from 4
    number = float(said(page, r"sbp\(kappa=1\), level 2: alpha = ([\d.]+)")[1])
    assert number == pytest.approx(float(free_energy(SBP(1), 2).expr), rel=1e-10)
    press(page, "kappa", "[role=slider]", "ArrowRight")
    number = float(said(page, r"sbp\(kappa=21/20\), level 2: alpha = ([\d.]+)")[1])
    assert number == pytest.approx(float(free_energy(SBP("1.05"), 2).expr), rel=1e-10)
    fits(page, address, width)


def test_derivations_unfold_by_keyboard_and_are_typeset(page: Page, address: str) -> None:
    opened(page, address, 1100)
    page.wait("document.querySelectorAll('details').length > 8")
    page.evaluate("document.querySelector('summary').focus()")
    page.press("Enter")
    page.wait("document.querySelector('details').open")
    set_by_katex = (
        "document.querySelector('details marimo-tex')?.shadowRoot?.querySelector('.katex')"
    )
    page.wait(f"!!{set_by_katex}")
    links = (
        "Array.from(document.querySelectorAll('a[download]')).map(e => e.download.split('.').pop())"
    )
    assert {"tex", "py", "bib"} <= set(page.evaluate(links))


def test_what_is_typed_is_read_and_never_run(page: Page, address: str, folder: Path) -> None:
    opened(page, address, 1100)
    press(page, "level", "[role=slider]", "ArrowLeft", "ArrowLeft")
    press(page, "Model", "select", *["ArrowDown"] * 8)
    put(page, "Constraint", "__import__('os').mknod('ran')")
    assert "cannot read the constraint" in said(page, "cannot read.*", ".refused")[0]
    assert list(folder.iterdir()) == []
    put(page, "Constraint", "z >= kappa")
    number = float(said(page, r"typed\(kappa=1\), level 2: alpha = ([\d.]+)")[1])
    assert number == pytest.approx(solve(ABP(1), 2).value, rel=1e-9)


def put(page: Page, label: str, typed: str) -> None:
    """Type into a field."""
    press(page, label, "input")
    page.evaluate(f"{element(label, 'input')}.select()")
    page.call("Input.insertText", text=typed)
    page.press("Enter")


@pytest.mark.parametrize("path", ["run", "execute", "instantiate", "scratchpad/run", "pdb/pm"])
def test_code_is_not_taken_from_anybody(address: str, path: str) -> None:
    content = json.dumps({"code": "1", "codes": ["1"], "cellIds": ["a"]}).encode()
    heads = {"content-type": "application/json"}
    with pytest.raises(HTTPError) as refused:
        urlopen(Request(f"{address}api/kernel/{path}", content, heads))
    refused.value.close()
    assert refused.value.code == 401


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_a_network_and_its_point_in_the_phase_diagram(page: Page, address: str, width: int) -> None:
    opened(page, f"{address}network/", width)
    before = phase_diagram("erf", [1.4], [0.1]).chi[0, 0]
    assert said(page, f"chi = {before:.6g}: chaos")
    press(page, "sigma_w", "[role=slider]", "ArrowRight", "ArrowRight")
    after = phase_diagram("erf", [1.5], [0.1]).chi[0, 0]
    assert said(page, f"chi = {after:.6g}: chaos")
    put(page, "Activation", "x*erf(x)")
    page.wait("document.querySelectorAll('img.figure').length >= 3")
    assert said(page, "relative to the kernel", "caption")
    assert said(page, "D", "marimo-tex")
    put(page, "Activation", "x + (1).__class__")
    assert said(page, "cannot read the activation", ".refused")
    fits(page, address, width)


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("subject", LAWS)
def test_every_subject_has_a_page(page: Page, address: str, width: int, subject: str) -> None:
    opened(page, f"{address}subjects/?subject={subject}", width)
    assert page.evaluate("document.querySelector('h1').textContent").lower() == subject
    said(page, "Holds: ", "p")
    page.wait("document.querySelector('img.figure') && !document.querySelector('progress')")
    assert page.evaluate("document.querySelectorAll('.refused').length") == 0
    fits(page, address, width)


@pytest.mark.slow
def test_a_parameter_of_a_subject_is_moved(page: Page, address: str) -> None:
    opened(page, f"{address}subjects/?subject=parities", 1100)
    said(page, r"widegap solve parities frontier$", "caption")
    press(page, "--n", "[role=slider]", "ArrowRight")
    caption = said(page, r"widegap solve parities frontier --n (\d+)$", "caption")
    rows = page.evaluate("document.querySelectorAll('tbody tr').length")
    assert rows >= len(frontier(int(caption[1]), 3).rows())


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_a_claim_is_checked_and_a_wrong_theory_rejected(
    page: Page, address: str, width: int
) -> None:
    opened(page, f"{address}claims/", width)
    press(page, "Check it", "button", "Enter")
    assert said(page, "^(confirmed|differs|undecided)$")
    press(page, "Theory", "select", "ArrowDown")
    page.wait("document.querySelector('.note') !== null")
    press(page, "Check it", "button", "Enter")
    assert said(page, "the wrong theory is rejected")
    fits(page, address, width)


@pytest.mark.slow
def test_the_limit_is_found_where_it_is_asked_for(page: Page, address: str) -> None:
    opened(page, address, 360)
    press(page, "level", "[role=slider]", "Home")
    press(page, "Model", "select", *["ArrowDown"] * 4)  # the spherical perceptron
    press(page, "Find the limit", "button", "Enter")
    number = float(said(page, r"spherical\(kappa=1/2\), r -> infinity: alpha = ([\d.]+), error")[1])
    assert number == pytest.approx(solve(SphericalPerceptron("1/2"), 1).value, rel=1e-12)
    press(page, "kappa", "[role=slider]", "ArrowRight")
    page.wait("!document.body.innerText.includes('r -> infinity')")
    press(page, "kappa", "[role=slider]", "ArrowLeft")  # it is kept
    assert said(page, r"spherical\(kappa=1/2\), r -> infinity")
    fits(page, address, 360)


@pytest.mark.slow
def test_work_is_stopped(page: Page, address: str) -> None:
    opened(page, address, 1100)
    press(page, "kappa", "[role=slider]", "ArrowRight", "ArrowRight")
    press(page, "level", "[role=slider]", "End")
    page.wait("document.querySelector('progress') !== null")
    press(page, "Stop", "button", "Enter")
    assert said(page, "Stopped", ".note")
