"""What README and the tutorial show is what the program does."""

import re
import runpy
from pathlib import Path

import pytest

from numerics import solve_levels
from theory import SBP

ROOT = Path(__file__).parents[2]


def code_blocks(language: str) -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
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


def test_tutorial_runs() -> None:
    scope = runpy.run_path(str(ROOT / "docs" / "tutorials" / "plot_model_to_threshold.py"))
    alphas = [solution.value for solution in scope["solutions"]]
    assert alphas == sorted(alphas, reverse=True)
    assert len(scope["figure"].axes) == 2
    assert scope["independent"] == pytest.approx(scope["best"].value, rel=1e-11)
