"""What README and the tutorial show is what the program does."""

import re
import runpy
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from numerics import Solution, Sweep, SweepRow, solve, solve_levels
from numerics.runs.records import Settings
from numerics.runs.store import SweepStore
from numerics.runs.workers import Outcome
from theory import ABP, SBP, SK, Hopfield, SphericalPerceptron
from widegap.arguments import Levels, Values
from widegap.commands.sweep import summary

ROOT = Path(__file__).parents[2]


def code_blocks(language: str, page: str = "README.md") -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_readme_output_is_real() -> None:
    output = next(block for block in code_blocks("console") if "--level 7" in block)
    rows = re.findall(r"^ +(\d+) +(\d\.\d+) .* s$", output, re.MULTILINE)
    shown = {int(level): alpha for level, alpha in rows}
    assert list(shown) == [2, 3, 4, 5, 6, 7]
    for solution in solve_levels(SBP(kappa=1), range(2, 8)):
        alpha = shown[solution.level]
        assert float(alpha) == pytest.approx(solution.value, abs=10.0 ** (2 - len(alpha)))


def test_readme_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (source,) = code_blocks("python")
    exec(source, {})
    shown = re.findall(r"#\s*(\d\.\d{6,})", source)
    assert shown
    assert capsys.readouterr().out.split() == shown


@pytest.mark.parametrize("page", ["README.md", "docs/reference/sweeps.md"])
def test_sweep_output_is_what_such_a_sweep_prints(page: str) -> None:
    output = next(block for block in code_blocks("console", page) if "widegap sweep" in block)
    command = re.search(r"--kappa (\S+) --levels (\S+) --out (\S+)\n", output)
    assert command is not None
    points = len(Values("--kappa").convert(command[1], None, None))
    levels = Levels("--levels").convert(command[2], None, None)
    settings = Settings("sbp", ("kappa",), levels, 12, "alpha", "0.1.0")
    row = SweepRow({}, {}, 2, 1.0, 0.0, 12, "finite", {})
    found = Sweep(settings, (row,) * (points * len(levels)), ())
    assert summary(found, points, 0, [], levels, command[3]) in output


def test_the_documented_queries_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings("sbp", ("kappa",), (2, 3), 12, "alpha", "0.1.0")
    with SweepStore("run.sqlite", settings) as store:
        for kappa in ("1", "1/2"):
            found = [Solution(SBP(kappa), level, level / 8).to_dict() for level in (2, 3)]
            at = {"kappa": float(SBP(kappa).kappa)}
            store.add(Outcome({"kappa": kappa}, at, found, None, "0.1.0"))
    blocks = code_blocks("python", "docs/reference/sweeps.md")
    scope: dict[str, Any] = {"sqlite3": sqlite3}
    exec(next(block for block in blocks if "connection =" in block), scope)
    scope["connection"].close()
    assert scope["curve"] == [(0.5, 0.375), (1.0, 0.375)]


@pytest.mark.long
def test_tutorial_runs() -> None:
    scope = runpy.run_path(str(ROOT / "docs" / "tutorials" / "plot_model_to_threshold.py"))
    alphas = [solution.value for solution in scope["solutions"]]
    assert alphas == sorted(alphas, reverse=True)
    assert len(scope["figure"].axes) == 2
    assert scope["independent"] == pytest.approx(scope["best"].value, rel=1e-11)


@pytest.mark.slow
def test_new_model_tutorial_runs(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(ROOT / "docs" / "tutorials" / "plot_new_model.py"))
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    alphas = [
        float(row[2].rstrip(",")) for row in rows if row[:1] == ["level"] and "inertia" in row
    ]
    assert len(alphas) == 2
    assert alphas[1] < alphas[0]
    assert ["sk", "0.79788456", "0.76525943", "0.76360801", "decreasing"] in rows


@pytest.mark.slow
def test_many_digits_tutorial_runs() -> None:
    scope = runpy.run_path(str(ROOT / "docs" / "tutorials" / "plot_many_digits.py"))
    assert "1.65753519434788107262063710710520562446" in str(scope["level_3"])
    bounds = [float(c.upper) for c in scope["certificates"][:4]]
    assert bounds == sorted(bounds, reverse=True)
    assert all(0.5 < e < 5.0 for e in scope["exponents"].values())


@pytest.mark.long
def test_wide_network_tutorial_runs() -> None:
    scope = runpy.run_path(str(ROOT / "docs" / "tutorials" / "plot_wide_network.py"))
    assert not any(found.failures for found in scope["drawn"].values())
    for one, other in zip(scope["predicted"], scope["measured"], strict=True):
        assert one == pytest.approx(other, rel=0.35)
    assert len(scope["figure"].axes) == 2


def test_readme_table_is_real() -> None:
    """Level 2 of every model in the table."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^\| `([a-z-]+)` .*? \| ([\d.]+) \|", text, re.MULTILINE))
    models = {
        "sbp": SBP(1),
        "abp": ABP(0),
        "spherical": SphericalPerceptron(-1),
        "sk": SK(),
        "hopfield": Hopfield(1, 1),
        "negative-hopfield": Hopfield(-1, 1),
    }
    assert set(shown) == set(models)
    for name, model in models.items():
        assert f"{solve(model, 2).value:.8f}" == shown[name]
