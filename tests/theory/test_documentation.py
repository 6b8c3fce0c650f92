"""The examples in the docstrings are run."""

import doctest
import importlib
import pkgutil
import subprocess
import sys

import pytest

import theory

MODULES = [m.name for m in pkgutil.walk_packages(theory.__path__, "theory.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    results = doctest.testmod(importlib.import_module(name))
    assert results.failed == 0


def test_every_public_name_is_documented():
    for name in theory.__all__:
        assert getattr(theory, name).__doc__


def test_import_needs_sympy_only():
    """Symbols only: nothing of the numerical stack is loaded with the package."""
    code = "import sys, theory; print([m for m in ('numpy', 'scipy', 'numba') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
