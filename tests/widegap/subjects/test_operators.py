"""The subject's commands: what is printed is what is computed; bad input is one line and writes nothing."""

import json
import runpy
from pathlib import Path

import pytest

from numerics.operators.designs import Designs, designs
from numerics.operators.grids import conditioning, rank_errors, resolutions
from numerics.operators.symbols import shift_speed


def solve(run, *arguments: str):
    return run("solve", "operators", *arguments)


def test_questions_are_answered_as_the_library_does(run, tmp_path: Path) -> None:
    heat = ("--equation", "heat", "--set", "nu=0.02")
    asked = {
        ("errors", *heat, "--features", "5"): designs("heat", {"nu": 0.02}, most=5),
        ("errors", "--shift", "3", "--features", "4", "--decay", "0"): designs(
            "advection", {"c": shift_speed(3.0, 64)}, most=4, decay=0.0
        ),
        ("errors", "--target", "1e-3"): designs("heat", {"nu": 0.01}, target=1e-3),
        ("conditioning", "--grid", "32", "--features", "6"): conditioning(6, 32),
        ("products", "--equation", "poisson", "--grid", "16"): rank_errors("poisson", {}, grid=16),
        ("resolution", *heat, "--grids", "32,64"): resolutions("heat", {"nu": 0.02}, (32, 64)),
    }
    for arguments, expected in asked.items():
        result = solve(run, *arguments)
        assert result.exit_code == 0, result.output
        assert result.output.rstrip("\n") == str(expected)
    picture = tmp_path / "a.svg"
    result = solve(run, "errors", *heat, "--json", "--plot", str(picture))
    content = json.loads(result.stdout)
    del content["version"]
    assert Designs.from_dict(content) == designs("heat", {"nu": 0.02})
    assert picture.read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("errors", "--equation", "x*D"), "coefficients of 'x*D' are not constant"),
        (("errors", "--equation", "heat"), "heat needs a value of its parameter nu"),
        (("errors", "--set", "nu=nan"), "--set NAME=VALUE is a finite number, got 'nan'"),
        (("errors", "--features", "40"), "32 modes below the Nyquist frequency"),
        (
            ("errors", "--shift", "2", "--equation", "heat"),
            "goes with neither --equation nor --set",
        ),
        (("errors", "--shift", "inf"), "--shift is a finite number, got 'inf'"),
        (("errors", "--equation", "half-wave", "--set", "c=1"), "makes real fields complex"),
        (("errors", "--target", "5"), "to which errors are known, to 1, got 5.0"),
        (("products", "--grid", "4096"), "from 4 to 1024"),
        (("resolution", "--grids", "2"), "4 to 4096 points, got 2"),
        (("conditioning", "--equation", "heat"), "--equation is not for conditioning, which takes"),
        (("conditioning", "--set", "nu=1"), "--set is not for conditioning, which takes --grid"),
        (("products", "--decay", "1"), "--decay is not for products"),
        (("resolution", "--target", "0.1"), "--target is not for resolution"),
        (("errors", "--grids", "32"), "--grids is not for errors"),
        (("errors", "--set", "nu=1", "--set", "nu=2"), "--set nu is given twice"),
        (
            ("errors", "--equation", "a*D"),
            "cannot read the operator 'a*D': unknown name 'a'; known are D, pi",
        ),
        (("products", "--equation", "D^2"), "D^2 has one axis"),
        (("what",), "unknown question 'what'; choose from errors"),
        (("errors", "--plot", "a.gif"), "--plot needs a name ending in"),
    ],
)
def test_bad_input_is_one_line(run, arguments: tuple[str, ...], words: str) -> None:
    result = solve(run, *arguments)
    assert result.exit_code == 2
    assert words in result.output
    assert result.output.count("\n") == 1


def test_the_tutorial_runs() -> None:
    root = Path(__file__).parents[3]
    scope = runpy.run_path(str(root / "docs" / "tutorials" / "plot_operators.py"))
    for one in scope["measured"].values():
        assert one["error"] == pytest.approx(one["predicted"], rel=0.1)
    assert len(scope["resolution_figure"].axes) == 1


@pytest.mark.long
def test_laws_are_derived(run) -> None:
    assert "threshold" in run("derive", "operators").output
    result = run(
        "derive", "operators", "threshold", "--set", "s=3", "--set", "t_0=0", "--set", "t_1=1"
    )
    assert "3*pi/2" in result.output


def test_the_experiment_resumes(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from verify.operators import experiments

    monkeypatch.setattr(experiments, "KERNELS", ("readout",))
    out, picture = tmp_path / "a.sqlite", tmp_path / "a.png"
    asked = ("experiment", "operators", "--part", "linear", "--out", str(out), "--workers", "1")
    first = run(*asked, "--plot", str(picture))
    assert first.exit_code == 0, first.output
    assert picture.read_bytes()[:4] == b"\x89PNG"
    again = run(*asked)
    assert again.exit_code == 2
    assert "resume it or choose another name" in again.output
    resumed = run(*asked, "--resume", "--json")
    assert json.loads(resumed.stdout)["problem"][0] == "heat"
    assert run(*asked, "--resume").stdout == first.stdout
    other = run(*asked, "--resume", "--seed", "1")
    assert other.exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--part", "heat"), "unknown part 'heat'"),
        (("--draws", "0"), "--draws is an integer >= 1"),
        (("--workers", "2", "--scheduler", "tcp://x:1"), "--scheduler uses others"),
        (("--plot", "run.sqlite"), "--plot"),
    ],
)
def test_an_experiment_that_makes_no_sense_writes_nothing(
    run, tmp_path: Path, arguments, words
) -> None:
    out = tmp_path / "run.sqlite"
    result = run("experiment", "operators", "--out", str(out), *arguments)
    assert result.exit_code == 2
    assert words in result.output
    assert not out.exists()
