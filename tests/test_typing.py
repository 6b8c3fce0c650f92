"""The packages are typed: pyright checks a user's program against them as it finds them installed."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PROGRAMS = ROOT / "tests/data/typing"

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pyright") is None, reason="pyright is not installed"
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What pyright says of each program, somewhere else and with its own settings, as a user has it."""
    folder = tmp_path_factory.mktemp("user")
    for program in PROGRAMS.glob("*.py"):
        shutil.copy(program, folder)
    (folder / "pyrightconfig.json").write_text(
        json.dumps({"reportMissingTypeStubs": False, "pythonVersion": "3.11"})
    )
    # on Python's own path, packages count as installed ones, of which only what is public may be used
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    where = {"PYTHONPATH": os.pathsep.join(paths), "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    run = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable],
        cwd=folder,
        env={**os.environ, **where},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode in (0, 1), run.stderr
    report = json.loads(run.stdout)
    assert report["summary"]["filesAnalyzed"] == 2
    return {
        name: [item for item in report["generalDiagnostics"] if Path(item["file"]).name == name]
        for name in ("right.py", "wrong.py")
    }


def test_a_right_program_is_accepted(found: dict[str, list[dict[str, Any]]]) -> None:
    assert [item["message"] for item in found["right.py"]] == []


def test_every_mistake_is_found_and_nothing_else(found: dict[str, list[dict[str, Any]]]) -> None:
    lines = (PROGRAMS / "wrong.py").read_text(encoding="utf-8").splitlines()
    marked = {number for number, line in enumerate(lines) if "# wrong" in line}
    errors = [item for item in found["wrong.py"] if item["severity"] == "error"]
    assert {item["range"]["start"]["line"] for item in errors} == marked, errors


def test_every_package_says_that_it_is_typed() -> None:
    for package in ("theory", "numerics", "verify", "widegap"):
        assert (ROOT / package / "py.typed").is_file()
