"""Names that are loaded late: all there before the first of them is used, and each from its home."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

LATE = ("numerics", "verify", "verify.networks", "verify.thresholds.algorithms")


def listed(package: str) -> dict[str, str]:
    """Names of a stub and the modules that they come from."""
    file = importlib.import_module(package).__file__
    assert file is not None
    stub = ast.parse(Path(file).with_suffix(".pyi").read_text(encoding="utf-8"))
    lines = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    assert all(alias.asname == alias.name for line in lines for alias in line.names)  # public
    return {alias.name: f"{package}.{line.module}" for line in lines for alias in line.names}


@pytest.mark.parametrize("package", LATE)
def test_every_name_is_its_home_s(package: str) -> None:
    module = importlib.import_module(package)
    names = listed(package)
    assert sorted(names) == module.__all__ == dir(module)
    for name, home in names.items():
        there = importlib.import_module(home)
        assert getattr(module, name) is getattr(there, name)
        assert name in there.__all__, f"{home} does not call {name} public"
    scope: dict[str, object] = {}
    exec(f"from {package} import *", scope)
    assert names.keys() == scope.keys() - {"__builtins__"}
    with pytest.raises(AttributeError, match=f"{package} attribute other_people_s"):
        _ = module.other_people_s


@pytest.mark.parametrize("package", LATE)
def test_names_are_there_before_anything_is_loaded(package: str) -> None:
    heavy = ("sympy", "numba", "numpy", "hypothesis", "scipy", "flint", "matplotlib")
    code = f"import sys, {package}\nprint([*dir({package}), *set({heavy!r}).intersection(sys.modules)])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ast.literal_eval(run.stdout) == sorted(listed(package))
