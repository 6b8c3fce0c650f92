"""A sweep's file is not believed: what is damaged is refused in one line and left as it was."""

import contextlib
import math
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from numerics import Limit, Solution, SweepFileError, read_sweep
from numerics.runs.records import Settings
from numerics.runs.store import SweepStore
from numerics.runs.workers import Failed, Outcome, installed_version
from theory import SBP

SETTINGS = Settings("sbp", ("kappa",), (2, 3), 12, "alpha", installed_version())


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Two points, one of which failed at level 3."""
    with SweepStore(tmp_path / "run.sqlite", SETTINGS) as store:
        for kappa, levels in (("1", (2, 3)), ("2", (2,))):
            found = [Solution(SBP(kappa), r, float(kappa) / r).to_dict() for r in levels]
            failure = Failed(3, "ConvergenceError", "it did not settle", {}, 0.1)
            end = None if 3 in levels else failure
            store.add(Outcome({"kappa": kappa}, {"kappa": float(kappa)}, found, end, "0"))
    return tmp_path / "run.sqlite"


def test_a_limit_is_kept_beside_its_levels(out: Path) -> None:
    """As text in the file, which people read; as infinity in Python, after all numbers."""
    more = replace(SETTINGS, levels=(2, math.inf))
    limit = Limit(SBP("3"), 1.5, 1e-7, reason="extrapolated")
    level = Solution(SBP("3"), 2, 1.75)
    with SweepStore(out, more, resume=True) as store:
        found = [level.to_dict(), limit.to_dict()]
        store.add(Outcome({"kappa": "3"}, {"kappa": 3.0}, found, None, "0"))
        failure = Failed(math.inf, "ConvergenceError", "too few levels", {}, None)
        store.add(Outcome({"kappa": "4"}, {"kappa": 4.0}, [], failure, "0"))
        assert store.stored()['{"kappa": "3"}'] == {2, math.inf}
    sweep = read_sweep(out)
    assert sweep.settings.levels == (2, 3, math.inf)
    assert [(row.level, row.value) for row in sweep if row.parameters["kappa"] == "3"] == [
        (2, 1.75),
        (math.inf, 1.5),
    ]
    assert sweep.rows[-1].branch == "limit"
    assert sweep.rows[-1].solution == limit.to_dict()
    assert sweep.failures[-1].level == math.inf
    with contextlib.closing(sqlite3.connect(out)) as connection:
        text = connection.execute("SELECT DISTINCT level FROM solutions ORDER BY level").fetchall()
    assert text == [(2,), (3,), ("inf",)]


def damaged(path: Path, script: str) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("UPDATE solutions SET value = 'many'", "value holds 'many'"),
        ("UPDATE solutions SET value = NULL", "value holds None"),
        ("UPDATE solutions SET value = 9e999", "value holds inf"),
        ("UPDATE solutions SET level = 'x' WHERE level = 3", "level holds 'x'"),
        ("UPDATE solutions SET level = 2.5 WHERE level = 3", "level holds 2.5"),
        ("UPDATE solutions SET kappa = x'00'", "kappa holds b"),
        ("UPDATE solutions SET branch = CAST(x'ff' AS TEXT)", "UTF-8"),
        ("UPDATE solutions SET solution = '{'", "no JSON"),
        ("UPDATE solutions SET solution = '[]'", "no JSON dict"),
        ("UPDATE solutions SET solution = '{\"value\": NaN}'", "NaN is no number of JSON"),
        (f"UPDATE solutions SET solution = '{'[' * 100_000}'", "nested too deeply"),
        (f"UPDATE solutions SET solution = '{'1' * 5000}'", "no JSON"),
        (
            "UPDATE solutions SET parameters = '{\"kappa\": 1}' WHERE level = 2 AND kappa = 1",
            "parameters holds",
        ),
        (
            "UPDATE solutions SET parameters = '{}' WHERE level = 2 AND kappa = 1",
            "parameters holds",
        ),
        ("UPDATE failures SET best = 'x'", "no JSON"),
        ("UPDATE failures SET message = x'00'", "message holds b"),
        ("UPDATE failures SET gradient_norm = 'x'", "gradient_norm holds 'x'"),
        ("UPDATE settings SET value = 'x' WHERE name = 'levels'", "levels holds 'x'"),
        ("UPDATE settings SET value = x'00' WHERE name = 'levels'", "value holds b"),
        (
            "UPDATE settings SET value = 'level' WHERE name = 'parameters'",
            "cannot be named level|cannot be resumed",
        ),
        (
            "UPDATE settings SET value = 'kappa kappa' WHERE name = 'parameters'",
            "duplicate column|cannot be resumed",
        ),
        ("DELETE FROM settings WHERE name = 'levels'", "lacks 'levels'"),
        ("DROP TABLE solutions", "its table solutions"),
        ("DROP TABLE settings", "its table settings"),
        (
            "DROP TABLE failures; CREATE VIEW failures AS WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL "
            "SELECT x + 1 FROM r) SELECT x AS parameters FROM r",
            "its table failures",
        ),
    ],
)
def test_a_damaged_file_is_refused_and_left_alone(out: Path, damage: str, says: str) -> None:
    damaged(out, damage)
    before = out.read_bytes()
    with pytest.raises(SweepFileError, match=says):
        read_sweep(out)
    with pytest.raises(SweepFileError, match=says):
        SweepStore(out, SETTINGS, resume=True)
    assert out.read_bytes() == before


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.99])
def test_half_a_file_is_refused(out: Path, share: float) -> None:
    whole = out.read_bytes()
    out.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(SweepFileError, match=r"run\.sqlite"):
        read_sweep(out)


def test_views_and_indexes_of_the_users_own_do_no_harm(out: Path) -> None:
    found = read_sweep(out)
    damaged(out, "CREATE VIEW two AS SELECT * FROM solutions; CREATE INDEX i ON solutions(kappa);")
    assert read_sweep(out) == found
    with SweepStore(out, SETTINGS, resume=True) as store:
        assert store.failed() == {'{"kappa": "2"}'}


def test_no_file_is_made_where_none_can_be(tmp_path: Path) -> None:
    for place in ("/proc/run.sqlite", "/sys/run.sqlite", tmp_path / "no" / "run.sqlite"):
        with pytest.raises(SweepFileError, match="cannot write|does not exist"):
            SweepStore(place, SETTINGS)
    assert list(tmp_path.iterdir()) == []
