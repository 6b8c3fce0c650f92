"""The two commands: what they print is what the layers below computed."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

import numerics
import widegap
from numerics import ConvergenceError, Solution
from theory import SBP, free_energy
from widegap.arguments import MODELS
from widegap.subjects import SUBJECTS

SOLVE = ("solve", "sbp", "--kappa", "1", "--level", "4")


@pytest.fixture(scope="module")
def table(run: Callable[..., Result]) -> str:
    result = run(*SOLVE)
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    return result.stdout


@pytest.fixture(scope="module")
def document(run: Callable[..., Result]) -> dict[str, Any]:
    result = run(*SOLVE, "--json")
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    return json.loads(result.stdout)


@pytest.mark.parametrize("output_format", ["text", "latex", "python"])
@pytest.mark.parametrize("kappa", [None, "0.3"])
def test_derive_prints_the_derived_functional(
    run: Callable[..., Result], output_format: str, kappa: str | None
) -> None:
    option = () if kappa is None else ("--kappa", kappa)
    result = run("derive", "sbp", "--level", "3", "--format", output_format, *option)
    energy = free_energy(SBP(kappa), 3)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.rstrip() == getattr(energy, output_format)().rstrip()


def test_derived_python_is_a_program_that_agrees_with_the_solver(
    run: Callable[..., Result], solutions: list[Solution]
) -> None:
    source = run("derive", "sbp", "--level", "2", "--kappa", "1", "--format", "python").stdout
    scope: dict[str, Any] = {"__name__": "derived"}
    exec(source, scope)
    assert float(scope["alpha"]()) == pytest.approx(solutions[0].value, rel=1e-14)


@pytest.mark.parametrize("output_format", ["text", "latex"])
def test_steps_explain_every_step(run: Callable[..., Result], output_format: str) -> None:
    plain = run("derive", "sbp", "--level", "3", "--format", output_format).stdout
    result = run("derive", "sbp", "--level", "3", "--format", output_format, "--steps")
    steps = free_energy(SBP(), 3).steps
    titles = [step.title for step in steps]
    if output_format == "latex":
        titles = [title.replace("_", r"\_") for title in titles]
    places = [result.stdout.index(title) for title in titles]
    assert len(steps) >= 5
    assert places == sorted(places)
    assert result.stdout.endswith(plain)


def test_json_carries_every_solution_in_full(
    document: dict[str, Any], solutions: list[Solution]
) -> None:
    assert document["version"] == widegap.__version__
    assert document["model"] == "sbp"
    assert document["parameters"] == {"kappa": "1"}
    assert [level["level"] for level in document["levels"]] == [2, 3, 4]

    def without_time(entry: dict[str, Any]) -> dict[str, Any]:
        return json.loads(re.sub(r'"seconds": [^,}]*', '"seconds": 0', json.dumps(entry)))

    for entry, solution in zip(document["levels"], solutions, strict=True):
        assert without_time(entry) == without_time(solution.to_dict())
    values = [level["value"] for level in document["levels"]]
    assert document["gap"] == values[0] - values[-1]


def test_the_table_shows_what_json_says(table: str, document: dict[str, Any]) -> None:
    rows = [line.split() for line in table.splitlines()]
    alphas = {int(row[0]): row[1] for row in rows if row and row[-1] == "s"}
    for level in document["levels"]:
        shown = alphas[level["level"]]
        digits = len(shown.replace(".", "").lstrip("0"))
        assert digits == level["digits"]
        assert float(shown) == pytest.approx(level["value"], rel=10.0 ** (1 - digits), abs=0)
        for value in level["order_parameters"].values():
            assert f"{value:#.10g}" in table.split()
    gap = table.splitlines()[-1]
    assert gap.startswith("gap alpha_c - alpha_4 = ")
    assert float(gap.split()[-1]) == pytest.approx(document["gap"], abs=1e-11)


def test_piped_output_is_plain_and_narrow(table: str) -> None:
    assert "\x1b" not in table
    assert "…" not in table
    assert max(len(line) for line in table.splitlines()) <= 80


def test_kappa_is_read_exactly(run: Callable[..., Result]) -> None:
    arguments = ("--level", "2", "--json")
    answers = [
        json.loads(run("solve", "sbp", "--kappa", kappa, *arguments).stdout)
        for kappa in ("0.3", "3/10", "0.30000000000000000001")
    ]
    assert answers[0]["parameters"] == answers[1]["parameters"] == {"kappa": "3/10"}
    assert answers[0]["levels"][0]["value"] == answers[1]["levels"][0]["value"]
    assert answers[2]["parameters"] == {"kappa": "30000000000000000001/100000000000000000000"}


def test_plot_is_written_whole_beside_either_output(
    run: Callable[..., Result], tmp_path: Path, document: dict[str, Any]
) -> None:
    target = tmp_path / "levels.svg"
    result = run(*SOLVE, "--json", "--plot", str(target))
    assert result.exit_code == 0
    assert json.loads(result.stdout)["gap"] == document["gap"]
    assert result.stderr == f"plot written to {target}\n"
    assert target.read_text().rstrip().endswith("</svg>")
    assert list(tmp_path.iterdir()) == [target]


def _raising(error: BaseException) -> Callable[..., Iterator[Solution]]:
    def solve_levels(*_: object, **__: object) -> Iterator[Solution]:
        raise error
        yield

    return solve_levels


def test_no_convergence_is_told_with_the_best_point(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    error = ConvergenceError("no stationary point found", {"p_2": 0.987, "alpha": 1.66}, 0.0123)
    monkeypatch.setattr(numerics, "solve_levels", _raising(error))
    result = run(*SOLVE, "--plot", str(tmp_path / "levels.png"))
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("widegap: error: ")
    assert result.stderr.count("\n") == 1
    for evidence in ("0.987", "1.66", "0.0123"):
        assert evidence in result.stderr
    assert list(tmp_path.iterdir()) == []


def _levels(model: Any, wanted: Any, *_: object, **__: object) -> Iterator[Solution]:
    for level in wanted:
        if level == 4:
            raise ConvergenceError("level 4 did not settle", {"p_2": 0.5}, float("nan"))
        yield Solution(model, level, 1.0 + 1.0 / level, error=1e-14)


@pytest.mark.parametrize(
    "line",
    [
        "sk --level 3",
        "hopfield --alpha 1 --level 2",
        "negative-hopfield --alpha 1/2 --level 3",
        "sbp --kappa 1 --alpha 2 --level 3",
        "spherical --kappa 1 --level 2",
    ],
)
def test_every_model_has_a_plot(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str
) -> None:
    monkeypatch.setattr("numerics.thresholds.solve._levels", _levels)
    target = tmp_path / "levels.png"
    result = run("solve", *line.split(), "--plot", str(target))
    assert result.exit_code == 0, result.output
    assert result.stdout.endswith(f"plot written to {target}\n")
    assert target.stat().st_size > 5000


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_a_plot_that_fails_costs_nothing_else(
    run: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    option: tuple[str, ...],
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("a colour")

    monkeypatch.setattr("numerics.thresholds.solve._levels", _levels)
    monkeypatch.setattr("numerics.figures.levels.level_convergence", broken)
    line = ("solve", "sbp", "--kappa", "1", "--level", "3", *option)
    result = run(*line, "--plot", str(tmp_path / "a.png"))
    assert result.exit_code == 1
    assert result.stderr == (
        f"widegap: error: cannot draw {tmp_path / 'a.png'}: KeyError: 'a colour'\n"
    )
    assert result.stdout == run(*line).stdout
    assert "1.5" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_levels_below_a_failure_are_shown(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("numerics.thresholds.solve._levels", _levels)
    line = ("solve", "sbp", "--kappa", "1", "--level", "5")
    text, whole = run(*line), run(*line, "--json")
    for result in (text, whole):
        assert result.exit_code == 1
        assert "level 4 did not settle; best point: p_2 = 0.5\n" in result.stderr
        assert "nan" not in result.output
    assert "1.33333333333333" in text.stdout
    document = json.loads(whole.stdout)
    assert [level["level"] for level in document["levels"]] == [2, 3]
    assert document["failure"].startswith("level 4 did not settle")


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_a_proof_that_fails_costs_nothing_else(
    run: Callable[..., Result], option: tuple[str, ...], tmp_path: Path
) -> None:
    line = ("solve", "sk", "--level", "2", *option)
    target = tmp_path / "c.json"
    result = run(*line, "--certify", "--certificate", str(target))
    assert result.exit_code == 1
    assert "not certified: level 2 of sk" in result.stderr
    assert "0.76525943" in result.stdout
    assert not target.exists()


@pytest.mark.parametrize(
    "line",
    ["sbp --kappa 40 --level 2", "spherical --kappa -50 --level 1", "sbp --kappa 1e300 --level 3"],
)
@pytest.mark.parametrize("option", [(), ("--json",)])
def test_what_no_number_holds_is_no_result(
    run: Callable[..., Result], line: str, option: tuple[str, ...]
) -> None:
    result = run("solve", *line.split(), *option)
    if result.exit_code == 0:  # the numbers may be found out after all
        assert not re.search(r"\b(nan|inf|NaN|Infinity)\b", result.stdout)
        return
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1


def test_one_level_has_no_gap(run: Callable[..., Result]) -> None:
    assert "gap" not in run("solve", "sbp", "--kappa", "1", "--level", "2").stdout


@pytest.mark.parametrize("command", ["solve", "derive"])
@pytest.mark.parametrize("level", ["51", "1000000", "9" * 5000])
def test_levels_beyond_reach_are_refused_at_once(
    run: Callable[..., Result], command: str, level: str
) -> None:
    result = run(command, "sbp", "--kappa", "1", "--level", level)
    assert result.exit_code == 2
    assert "--level is an integer <= 50, got" in result.stderr
    with pytest.raises(ValueError, match="level must be at most 50, got 51"):
        numerics.solve(SBP(1), 51)


def test_kernel_alone_shows_its_help(run: Callable[..., Result]) -> None:
    result = run("kernel")
    assert result.exit_code == 0
    assert "deq" in result.stdout
    assert result.stderr == ""


def test_an_interrupt_has_status_130(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numerics, "solve_levels", _raising(KeyboardInterrupt()))
    result = run(*SOLVE)
    assert result.exit_code == 130
    assert result.stderr.strip() == "widegap: interrupted"


def test_a_defect_keeps_its_traceback(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numerics, "solve_levels", _raising(ValueError("not the user's fault")))
    result = run(*SOLVE)
    assert isinstance(result.exception, ValueError)


def test_levels_beyond_the_doubles_have_the_digits_asked_for(run):
    """And with 15 digits or fewer, which are doubles, they are refused."""
    found = run("solve", "sbp", "--kappa", "50", "--level", "2", "--digits", "20")
    assert found.exit_code == 0, found.output
    assert "3.2072390227891251743e+544" in found.stdout
    refused = run("solve", "sbp", "--kappa", "50", "--level", "2")
    assert refused.exit_code == 1
    assert "beyond the range of doubles" in refused.stderr
    assert "ask for 16 or more" in refused.stderr


def test_all_levels_have_the_digits_asked_for(run):
    shown = run("solve", "sbp", "--kappa", "1", "--level", "3", "--digits", "40").stdout
    assert "1.815875495837207303587063120262331389630" in shown
    assert "1.657535194347881072620637107105205624461" in shown
    assert shown.rstrip().endswith(" = 0.158340301489326230966426013157125765169")


def completed(*words: str) -> list[str]:
    """What Bash is told, by the program that it asks."""
    line = {"COMP_WORDS": " ".join(("widegap", *words)), "COMP_CWORD": str(len(words))}
    asked = {**os.environ, **line, "_WIDEGAP_COMPLETE": "bash_complete"}
    told = subprocess.run(
        [sys.executable, "-m", "widegap"], env=asked, capture_output=True, text=True, check=True
    )
    return [answer.removeprefix("plain,") for answer in told.stdout.split()]


def test_words_are_completed():
    assert completed("sol") == ["solve"]
    assert completed("solve", "s") == ["sbp", "spherical", "sk", "scaling", "sharpness"]
    assert completed("derive", "ker") == ["kernels"]
    assert completed("sweep", "par") == []  # sweeps are of models alone
    assert completed("solve", "parities", "t") == ["tickets"]
    assert completed("verify", "--profile", "f") == ["full"]
    assert "--levels" in completed("sweep", "sbp", "--le")


def test_the_first_screen_names_every_model_and_subject(run):
    shown = run().stdout
    assert all(name in shown for name in (*MODELS, *SUBJECTS))
    assert len(shown.splitlines()) < 15
