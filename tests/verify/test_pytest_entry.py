"""``pytest --pyargs verify`` in somebody else's folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def pytest_in(folder: Path, chosen: str, **settings: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--pyargs", "verify"]
    env = {**os.environ, **settings}
    return subprocess.run(
        [*program, "-k", chosen], cwd=folder, capture_output=True, text=True, timeout=300, env=env
    )


@pytest.mark.long
def test_each_claim_is_a_test(tmp_path: Path):
    result = pytest_in(tmp_path, "nest-merge or nest-monotone", WIDEGAP_SEED="3")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "2 passed" in result.stdout


@pytest.mark.slow
def test_recorded_verdicts_count(tmp_path: Path):
    (tmp_path / "e.toml").write_text("[spherical-cover]\nverdict = 'confirmed'\nvalue = 2.1\n")
    result = pytest_in(tmp_path, "spherical-cover", WIDEGAP_EXPECT="e.toml")
    assert result.returncode == 1, result.stdout + result.stderr
    assert "our value is 2.0, on record is 2.1" in result.stdout


@pytest.mark.slow
def test_a_profile_that_there_is_not(tmp_path: Path):
    result = pytest_in(tmp_path, "sbp", WIDEGAP_PROFILE="slow")
    assert result.returncode != 0
    assert "WIDEGAP_PROFILE is one of quick, ci, full, got 'slow'" in result.stdout + result.stderr
