"""The level-convergence figure: the data in it, the files it becomes."""

from pathlib import Path

import numpy as np
import pytest

from numerics import Solution
from widegap.plots import level_convergence, save


def test_the_figure_draws_the_solutions(solutions: list[Solution]) -> None:
    upper, lower = level_convergence(solutions).axes
    alphas = np.array([solution.value for solution in solutions])
    curves = {line.get_label(): np.asarray(line.get_xydata()) for line in upper.lines + lower.lines}
    threshold = next(line for line in upper.lines if line.get_linestyle() == "--")
    assert set(np.asarray(threshold.get_ydata())) == {alphas[0]}
    np.testing.assert_array_equal(curves[r"$\alpha_r$"][:, 0], [2, 3, 4])
    np.testing.assert_array_equal(curves[r"$\alpha_r$"][:, 1], alphas)
    np.testing.assert_array_equal(curves[r"$\alpha_{r-1} - \alpha_r$"][:, 1], -np.diff(alphas))
    np.testing.assert_array_equal(curves[r"$\alpha_c - \alpha_r$"][:, 1], alphas[0] - alphas[1:])
    assert lower.get_yscale() == "log"


@pytest.mark.parametrize(
    ("suffix", "signature"),
    [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF"), (".PNG", b"\x89PNG")],
)
def test_the_suffix_names_the_type_and_files_repeat(
    solutions: list[Solution], suffix: str, signature: bytes, tmp_path: Path
) -> None:
    first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix}"
    for target in (first, second):
        save(level_convergence(solutions), target)
    assert first.read_bytes().startswith(signature)
    assert first.read_bytes() == second.read_bytes()
    assert sorted(tmp_path.iterdir()) == [first, second]


def test_another_suffix_is_refused(solutions: list[Solution], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.png, \.svg, \.pdf"):
        save(level_convergence(solutions), tmp_path / "figure.txt")
    assert list(tmp_path.iterdir()) == []


def test_levels_must_be_consecutive(solutions: list[Solution]) -> None:
    for levels in (solutions[:1], solutions[1:], solutions[::-1], [solutions[0], solutions[2]]):
        with pytest.raises(ValueError, match="needs levels 2, 3"):
            level_convergence(levels)
