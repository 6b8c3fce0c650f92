"""The files that figures become."""

from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from numerics import Solution
from numerics.figures.levels import level_convergence
from widegap.errors import Failure
from widegap.show.plots import save, write_figure


def test_what_cannot_be_drawn_is_one_failure(tmp_path: Path) -> None:
    def broken() -> Any:
        raise ValueError("no such colour")

    with pytest.raises(Failure, match=r"cannot draw a\.png: ValueError: no such colour"):
        write_figure(broken, tmp_path / "a.png", "a.png")
    with pytest.raises(Failure, match=r"cannot write a\.png: No such file"):
        write_figure(Figure, tmp_path / "no" / "a.png", "a.png")


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
