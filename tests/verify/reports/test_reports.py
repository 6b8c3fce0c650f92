"""Reports: JSON, JUnit XML and the HTML page, the last one in a real browser."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from junitparser import JUnitXml

from verify.reports.drawing import svg
from verify.reports.formats import Summary, to_json, to_junit
from verify.reports.page import to_html
from verify.suite.verdicts import Curve, Plot

from .browser import Page, needed_browser


@pytest.fixture
def summary(records) -> Summary:
    return Summary(records, 7, "ci", seconds=12.5)


def test_the_summary(summary, records):
    assert summary.counts == {"confirmed": 1, "differs": 1, "undecided": 1, "refuted": 1}
    assert [record.claim.id for record in summary.worse] == ["three", "four"]
    assert not summary.passed
    assert summary.false_alarm == 1e-9
    assert summary.sentence().endswith("2 worse than expected")
    assert Summary(records[:2], 0, "quick").passed
    assert not Summary(records[:2], 0, "quick", complete=False).passed


def test_json(summary):
    content = json.loads(to_json(summary))
    assert (content["seed"], content["profile"], content["passed"]) == (7, "ci", False)
    assert content["false_alarm_bound"] == 1e-9
    first, second, third, fourth = content["claims"]
    for name in ("id", "statement", "verdict", "value", "printed", "evidence", "source"):
        assert name in first
    assert (first["id"], first["verdict"], first["value"]) == ("one", "confirmed", 1.5)
    assert first["tests"][0]["power"] == 0.9999
    assert second["expected"] == "differs"
    assert second["as_expected"]
    assert third["complaint"] == "refuted where confirmed was expected"
    assert "Traceback" in fourth["error"]


def test_junit(summary, tmp_path: Path):
    text = to_junit(summary)
    root = ET.fromstring(text)
    assert root.tag == "testsuites"
    assert root.get("tests") == "4"
    assert root.get("failures") == "1"
    assert root.get("errors") == "1"
    cases = {case.get("name"): case for case in root.iter("testcase")}
    assert set(cases) == {"one", "two", "three", "four"}
    assert cases["three"].find("failure") is not None
    assert cases["four"].find("error") is not None
    assert cases["two"].find("failure") is None, "differs is on record"
    assert all(case.get("classname") and case.get("time") for case in cases.values())
    path = tmp_path / "junit.xml"
    path.write_text(text, encoding="utf-8")
    assert sum(len(suite) for suite in JUnitXml.fromfile(str(path))) == 4


def test_junit_suites_add_up(summary):
    root = ET.fromstring(to_junit(summary))
    for name in ("tests", "failures", "errors"):
        assert sum(int(suite.get(name, "0")) for suite in root) == int(root.get(name, "-1"))


# -- the page --------------------------------------------------------------------------------------

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Structure(HTMLParser):
    """Open and close tags in order, identifiers, and texts of headings."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: Counter[str] = Counter()
        self.references: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        if tag not in VOID:
            self.open.append(tag)
        self._attributes(attrs)

    def handle_startendtag(self, tag, attrs):
        self._attributes(attrs)

    def _attributes(self, attrs):
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href"):
                self.references.append(value)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag


def test_the_page_is_well_formed_and_self_contained(summary):
    page = to_html(summary)
    structure = Structure()
    structure.feed(page)
    structure.close()
    assert structure.open == []
    assert len(structure.ids) == len(set(structure.ids)), "identifiers are unique"
    assert structure.tags["svg"] == 3
    assert structure.tags["script"] == 0
    local = [r for r in structure.references if not r.startswith(("#", "data:"))]
    assert local == []
    assert all(r[1:] in structure.ids for r in structure.references if r.startswith("#"))
    assert '<html lang="en">' in page
    assert page.index('id="three"') < page.index('id="one"'), "what needs attention comes first"


def test_the_page_escapes_what_it_shows(summary):
    page = to_html(summary)
    assert "Ours is &lt;lower&gt; &amp; stands." in page
    assert "ours &amp; &lt;theirs&gt;" in page
    assert "<theirs>" not in page
    assert "<no>" not in page


def test_a_wrong_theory_is_named_on_the_page(records):
    assert "wrong on purpose: moved" in to_html(Summary(records, 0, "quick", "moved"))


def test_drawings_are_the_same_each_time_and_take_the_pages_colour(records):
    (plot, _) = records[0].finding.plots
    text = svg(plot, "name")
    assert text == svg(plot, "name")
    assert text.startswith('<svg role="img" aria-label="A figure of &lt;x&gt; &amp; y"')
    assert "currentColor" in text
    assert "#010203" not in text
    ids = re.findall(r'id="([^"]+)"', text)
    assert all(one.startswith("name-") for one in ids)


def test_logarithmic_axes_and_many_curves():
    curves = tuple(Curve(f"level {k}", (2.0, 3.0), (10.0**k, 20.0**k)) for k in range(9))
    assert svg(Plot("Many", "k", "c", curves, log=True), "many").count("level") >= 9


GOOD = Curve("good", (1.0, 2.0), (3.0, 4.0))
BAD = {
    "formula": Plot("P", "$x_{$", "y", (GOOD,)),
    "lengths": Plot("P", "x", "y", (Curve("a", (1.0,), (2.0, 3.0)),)),
    "text": Plot("P", "x", "y", (Curve("a", ("one",), (1.0,)),)),  # type: ignore[arg-type]
    "reference": Plot("P", "x", "y", (GOOD,), {"a": (1.0, 2.0)}),  # type: ignore[dict-item]
}


@pytest.mark.parametrize("plot", BAD.values(), ids=BAD)
def test_a_figure_that_cannot_be_drawn_loses_no_report(records, plot: Plot):
    first, *others = records
    bad = replace(first, finding=replace(first.finding, plots=(plot, Plot("Q", "x", "y", (GOOD,)))))
    page = to_html(Summary([bad, *others], 7, "ci"))
    assert page.count("This figure could not be drawn: ") == 1
    assert page.count("<svg") == 2
    assert all(f'id="{record.claim.id}"' in page for record in records)
    assert json.loads(to_json(Summary([bad, *others], 7, "ci")))


def test_numbers_that_are_none_are_gaps():
    for bad in (float("nan"), None):
        curve = Curve("a", (1.0, 2.0, 3.0), (1.0, bad, 2.0), (0.1, bad, 0.1))  # type: ignore[arg-type]
        assert svg(Plot("P", "x", "y", (curve,)), "name").startswith("<svg")


# -- in a browser ----------------------------------------------------------------------------------

WIDTHS = [360, 768, 1280]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with Page(needed_browser("look at the report"), tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture
def written(summary, tmp_path: Path) -> Path:
    path = tmp_path / "report.html"
    path.write_bytes(to_html(summary).encode("utf-8", "replace"))
    return path


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dark", [False, True])
def test_in_a_browser(page: Page, written: Path, width: int, dark: bool):
    page.open(written, width, dark=dark)
    assert page.complaints() == []
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    assert page.evaluate("innerWidth") == width
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    overflowing = """Array.from(document.querySelectorAll('body *'))
        .filter(e => !e.closest('svg') && e.getBoundingClientRect().right > innerWidth + 0.5)
        .map(e => e.tagName + ': ' + e.textContent.slice(0, 40))"""
    assert page.evaluate(overflowing) == []
    boxes = page.evaluate(
        """Array.from(document.querySelectorAll('svg.plot')).map(e => {
            const b = e.getBoundingClientRect(); return [b.width, b.height, b.right] })"""
    )
    assert len(boxes) == 3
    assert all(w > 200 and h > 120 and right <= width for w, h, right in boxes)
    inside = """Array.from(document.querySelectorAll('svg.plot')).every(e => {
        const b = e.getBoundingClientRect()
        return Array.from(e.querySelectorAll('text')).every(t => {
            const r = t.getBoundingClientRect()
            return r.left >= b.left - 2 && r.right <= b.right + 2 && r.height > 4 }) })"""
    assert page.evaluate(inside), "every label is inside its figure"


CONTRAST = """(() => {
    const level = c => { const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map(Number).map(v => {
        v /= 255; return v <= 0.03928 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4) })
        return 0.2126 * r + 0.7152 * g + 0.0722 * b }
    const ground = e => { for (; e; e = e.parentElement) {
        const c = getComputedStyle(e).backgroundColor
        if (!/, 0\\)$|transparent/.test(c)) return c }
        return 'rgb(255, 255, 255)' }
    let worst = 99
    for (const e of document.querySelectorAll('body *')) {
        const own = Array.from(e.childNodes).some(n => n.nodeType === 3 && n.data.trim())
        if (!own || e.closest('svg')) continue
        const [a, b] = [level(getComputedStyle(e).color), level(ground(e))].sort((x, y) => y - x)
        worst = Math.min(worst, (a + 0.05) / (b + 0.05)) }
    return worst })()"""


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out(page: Page, written: Path, dark: bool):
    """Contrast of at least 4.5 everywhere, as WCAG 2 AA asks."""
    page.open(written, 1280, dark=dark)
    assert page.evaluate(CONTRAST) >= 4.5


def test_structure_for_those_who_do_not_see_it(page: Page, written: Path):
    page.open(written, 1280)
    assert page.evaluate("document.title").startswith("widegap verify: 4 claims")
    assert page.evaluate("document.querySelectorAll('h1').length") == 1
    assert page.evaluate("document.querySelectorAll('article h2').length") == 4
    unnamed = "Array.from(document.querySelectorAll('svg')).filter(e => !e.getAttribute('aria-label')).length"
    assert page.evaluate(unnamed) == 0
    # every fold opens from the keyboard
    page.evaluate("document.querySelector('#one summary').focus()")
    for kind in ("keyDown", "keyUp"):
        page.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r")
    assert page.evaluate("document.querySelector('#one details').open")
