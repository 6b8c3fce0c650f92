"""Experiments of subjects: the same outcomes on any number of workers, kept one by one, resumed."""

from pathlib import Path
from typing import Any

import pytest

from verify.cases import case_seed, read_cases, run_cases
from verify.errors import CasesFileError

CASES = [{"n": n, "rule": rule} for n in (2, 3) for rule in ("a", "b")]


def seeded(case: dict[str, Any], seed: int) -> dict[str, Any]:
    return {"seed": seed, "square": case["n"] ** 2}


def stopped(case: dict[str, Any], seed: int) -> dict[str, Any]:
    if case == CASES[2]:
        raise KeyboardInterrupt
    return seeded(case, seed)


def test_outcomes_do_not_depend_on_where_they_are_computed(tmp_path: Path) -> None:
    here = run_cases("squares", seeded, CASES, seed=3)
    there = run_cases("squares", seeded, CASES, seed=3, out=tmp_path / "a.sqlite", workers=2)
    assert here == there
    assert [case for case, _ in here] == CASES
    assert [outcome["square"] for _, outcome in here] == [4, 4, 9, 9]
    assert len({outcome["seed"] for _, outcome in here}) == len(CASES)
    assert here[1][1]["seed"] == case_seed(3, {"rule": "b", "n": 2})


def test_what_is_in_the_file_is_not_computed_again(tmp_path: Path) -> None:
    out = tmp_path / "a.sqlite"
    run_cases("squares", seeded, CASES[:2], out=out, workers=1)
    told: list[tuple[int, int, int]] = []
    run_cases(
        "squares",
        seeded,
        CASES,
        out=out,
        workers=1,
        resume=True,
        progress=lambda *a: told.append(a),
    )
    assert told == [(2, 4, 0), (3, 4, 0), (4, 4, 0)]
    subject, stored = read_cases(out)
    assert subject == "squares"
    assert sorted(map(str, stored)) == sorted(map(str, run_cases("squares", seeded, CASES)))


@pytest.mark.parametrize(
    ("subject", "seed", "resume", "words"),
    [
        ("squares", 0, False, "resume it or choose another name"),
        ("cubes", 0, True, "subject = squares"),
        ("squares", 1, True, "seed = 0"),
    ],
)
def test_another_experiments_file_is_refused(
    tmp_path: Path, subject: str, seed: int, resume: bool, words: str
) -> None:
    out = tmp_path / "a.sqlite"
    run_cases("squares", seeded, CASES[:1], out=out, workers=1)
    before = out.read_bytes()
    with pytest.raises(CasesFileError, match=words):
        run_cases(subject, seeded, CASES, seed=seed, out=out, resume=resume, workers=1)
    assert out.read_bytes() == before


def test_outcomes_of_another_version_are_not_taken_for_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "a.sqlite"
    run_cases("squares", seeded, CASES[:1], out=out, workers=1)
    monkeypatch.setattr("verify.cases.installed_version", lambda: "0.0")
    with pytest.raises(CasesFileError, match=r"cannot be resumed with widegap = 0\.0"):
        run_cases("squares", seeded, CASES, out=out, workers=1, resume=True)


def test_cases_are_different_and_files_are_believed_only_whole(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="all different"):
        run_cases("squares", seeded, [CASES[0], dict(CASES[0])])
    with pytest.raises(CasesFileError, match="does not exist"):
        read_cases(tmp_path / "none.sqlite")
    with pytest.raises(KeyboardInterrupt):
        run_cases("squares", stopped, CASES)
