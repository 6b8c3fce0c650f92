"""The documentation's phase diagrams: their numbers are the solver's, and a browser shows them offline."""

import json
import math
import random
import re
from pathlib import Path

import phases
import pytest

from numerics import phase_diagram, solve
from theory import SBP, free_energy, model_named
from verify.thresholds.record import read

from ..verify.reports.browser import Page, needed_browser

HEAD = "<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'><title>x</title>"
PLOTS = "Array.from(Bokeh.index.roots).filter(view => view.frame_view)"
CURVES = {(model, level): points for model, level, points in phases.curves()}


def test_every_margin_and_level_is_there() -> None:
    for model, margins, levels in phases.SWEEPS:
        for level in levels:
            assert [point["exact"] for point in CURVES[model, str(level)]] == list(margins)
    limits = [e["model"] for e in read().of(level="inf").entries if e["model"] in phases.NAMES]
    assert [len(CURVES[model, "inf"]) for model in ("sbp", "abp")] == [
        limits.count("sbp"), limits.count("abp")
    ]  # fmt: skip


@pytest.mark.long
def test_what_is_drawn_is_what_is_solved() -> None:
    draw = random.Random(21)
    rows = [(model, level, point) for (model, level), found in CURVES.items() for point in found]
    cheap = [row for row in rows if row[1] in ("1", "2", "3") and row[2]["kappa"] >= 0.1]
    for model, level, point in draw.sample(cheap, 5):
        found = solve(model_named(model, {"kappa": point["exact"]}), int(level))
        assert abs(found.value - point["value"]) <= 2.0 * (
            found.error + point["high"] - point["value"]
        )
        assert (found.branch == point["branch"]) or "merged" in (found.branch, point["branch"])


@pytest.mark.long
def test_the_law_of_small_margins_is_approached() -> None:
    kappas, alphas = phases._small_margins()
    assert kappas == sorted(kappas, reverse=True)
    assert all(k == pytest.approx(1.2385 * math.sqrt(a / -math.log(a)), rel=1e-4)
               for k, a in zip(kappas, alphas, strict=True))  # fmt: skip


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("page") / "page.html"
    chaos = phases.html(phases.order_and_chaos("erf"), scripts=False)
    made = phases.html(phases.thresholds(), scripts=True) + chaos
    place.write_text(f"{HEAD}{made}", "utf-8")
    return place


@pytest.mark.long
def test_a_page_has_its_data_and_loads_no_scripts(shown: Path) -> None:
    text = shown.read_text("utf-8")
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)=", text)
    assert repr(solve(SBP(1), 2).value) in text
    for entry in read().of("sbp", "inf").entries:
        said = rf"{re.escape(entry['value'])} \\+u00b1 {re.escape(entry['error'])}"
        assert re.search(said, text)
    assert "Bokeh" in text


@pytest.mark.parametrize("width", [1000, 360])
def test_a_browser_shows_the_numbers_where_it_points(
    shown: Path, tmp_path: Path, width: int
) -> None:
    chi = phase_diagram("erf", [1.5], [0.5]).chi[0, 0]
    with Page(needed_browser("look at the phase diagrams"), tmp_path) as page:
        page.open(shown, width, 1300)
        page.wait(
            f"window.Bokeh && {PLOTS}.length == 2 && {PLOTS}.every(v => v.has_finished())", 30.0
        )
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        point(page, 0, 1.0, float(free_energy(SBP(1), 2).expr))
        assert "symmetric, level 2" in told(page, "1.815875495837")
        point(page, 1, 1.5, 0.5)
        assert told(page, f"{chi:.6g} ± ")
        assert [said for said in page.complaints() if "setting log level" not in said] == []


def point(page: Page, which: int, x: float, y: float) -> None:
    """Move the mouse to a place of a figure, in its own units."""
    place = page.evaluate(f"""(() => {{
        const view = {PLOTS}[{which}], box = view.el.getBoundingClientRect()
        const [sx, sy] = [view.frame_view.x_scale.compute({x}), view.frame_view.y_scale.compute({y})]
        return [box.x + sx, box.y + sy]
    }})()""")
    for step in (3.0, 0.0):
        self = {"x": place[0] + step, "y": place[1]}
        page.call("Input.dispatchMouseEvent", type="mouseMoved", **self)


def told(page: Page, words: str) -> str:
    """The text of the tooltip that has some words."""
    texts = """(() => {
        const found = [], look = root => root.querySelectorAll('*').forEach(e => {
            if (e.shadowRoot) { found.push(e.shadowRoot.textContent); look(e.shadowRoot) }
        })
        look(document)
        return found.find(text => text.includes(%s)) })()"""
    return page.wait(texts % json.dumps(words), 20.0)
