"""Bad input: one clear line on the standard error, exit status 2, nothing written."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

SOLVE = ("solve", "sbp", "--kappa", "1", "--level", "3")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("frobnicate",), "frobnicate"),
        (("solve",), "MODEL"),
        (("solve", "xyz", "--kappa", "1", "--level", "3"), "unknown model 'xyz'; choose from sbp"),
        (("derive", "sbp"), "--level"),
        (("solve", "sbp", "--level", "3"), "--kappa"),
        (("solve", "sbp", "--kappa", "1", "--levle", "3"), "--levle"),
        *(
            ((command, "sbp", "--kappa", kappa, "--level", "3"), "kappa must be")
            for command in ("solve", "derive")
            for kappa in ("0", "-1", "-1e-400", "nan", "inf", "-inf", "one", "", "1/0", "1 2")
        ),
        *(
            (("solve", "sbp", "--kappa", "1", "--level", level), "--level is an integer >= 1")
            for level in ("0", "-3", "2.5", "three", "nan", "")
        ),
        (("solve", "sbp", "--kappa", "1", "--level", "1"), "use level >= 2"),
        (("derive", "abp", "--level", "1"), "use level >= 2"),
        (("solve", "hopfield", "--level", "2"), "hopfield needs a number: --alpha"),
        (("solve", "hopfield", "--alpha", "0", "--level", "2"), "alpha must be a positive number"),
        (("solve", "hopfield", "--alpha", "-1", "--level", "2"), "alpha must be a positive number"),
        (
            ("solve", "sk", "--kappa", "1", "--level", "2"),
            "sk takes no --kappa; it has no parameter",
        ),
        (("solve", "hopfield", "--kappa", "1", "--level", "2"), "takes no --kappa; it has --alpha"),
        ((*SOLVE, "--digits", "0"), "--digits"),
        ((*SOLVE, "--digits", "many"), "--digits"),
        ((*SOLVE, "--digits", "1000000"), "digits"),
        ((*SOLVE, "--plot", "figure.txt"), ".png, .svg, .pdf"),
        ((*SOLVE, "--plot", "figure"), ".png, .svg, .pdf"),
        ((*SOLVE, "--plot", "no/such/folder/figure.png"), "does not exist"),
        (("solve", "sbp", "--kappa", "1", "--level", "2", "--plot", "a.png"), "--level >= 3"),
        (
            (*SOLVE, "--plot", "a.png", "--certify", "--certificate", "a.png"),
            "name the same file a.png",
        ),
        (("derive", "sbp", "--level", "3", "--format", "html"), "text, latex, python"),
        (("derive", "sbp", "--level", "3", "--format", "python", "--steps"), "--steps"),
    ],
)
def test_one_line_and_status_2(
    run: Callable[..., Result],
    arguments: tuple[str, ...],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("widegap: error: ")
    assert result.stderr.count("\n") == 1
    assert says in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_plot_file(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    result = run(*SOLVE, "--plot", str(tmp_path / "folder.png"))
    assert result.exit_code == 2
    assert "is a folder" in result.stderr


def test_plot_is_refused_before_the_work(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numerics

    def work(*_: object, **__: object) -> None:
        raise AssertionError("solved before looking at the plot's path")

    monkeypatch.setattr(numerics, "solve_levels", work)
    (tmp_path / "file").write_text("not a folder")
    result = run(*SOLVE, "--plot", str(tmp_path / "file" / "figure.png"))
    assert result.exit_code == 2
