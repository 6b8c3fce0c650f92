"""Errors: one base class for the library's, one line each, and whole after a journey between processes."""

import copy
import importlib
import pickle
import pkgutil
import traceback
from collections.abc import Callable, Iterator
from functools import cache

import click
import pytest

import numerics
import theory
import verify
import widegap
from numerics.errors import ConvergenceError, KernelMemoryError, WidegapError
from numerics.kernels.tiles import check_memory
from theory.errors import ActivationError
from verify.errors import UnknownClaimError

HOMES = ("theory.errors", "numerics.errors", "verify.errors", "widegap.errors")
FORMER = {
    "theory.kernels.existence": "DivergenceError",
    "theory.kernels.grammar": "ActivationError",
    "numerics.kernels.error_bounds": "AccuracyWarning",
    "numerics.kernels.mlp": "DivergenceError",
    "numerics.kernels.tiles": "KernelMemoryError",
    "numerics.nests.grids": "ResolutionError",
    "numerics.proofs.certificates": "CertificateError",
    "numerics.proofs.decimals": "CertificationError",
    "numerics.proofs.integrals": "EnclosureError",
    "numerics.runs.store": "SweepFileError",
    "numerics.runs.sweeps": "WorkersError",
    "numerics.thresholds.solution": "ConvergenceError",
    "verify.networks.experiments": "WidthFileError",
    "verify.networks.network": "MemoryBudgetError",
    "verify.suite.claims": "UnknownClaimError",
    "verify.suite.expectations": "ExpectationError",
    "verify.suite.journal": "JournalError",
    "verify.thresholds.trials": "ExperimentFileError",
}


@cache
def exceptions() -> tuple[type[Exception], ...]:
    """Every public exception that a module of ours defines."""

    def walk() -> Iterator[type[Exception]]:
        for package in (theory, numerics, verify, widegap):
            for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
                module = importlib.import_module(info.name)
                for name, value in vars(module).items():
                    ours = isinstance(value, type) and value.__module__ == info.name
                    if ours and issubclass(value, Exception) and not name.startswith("_"):
                        yield value

    return tuple(walk())


def test_they_live_in_the_modules_called_errors() -> None:
    assert len(exceptions()) > 15
    for kind in exceptions():
        assert kind.__module__ in HOMES, kind
        assert kind.__name__ in importlib.import_module(kind.__module__).__all__
        assert kind.__doc__


def test_they_derive_from_one_class_and_from_one_of_python_s() -> None:
    for kind in exceptions():
        if issubclass(kind, Warning):
            assert issubclass(kind, UserWarning)  # a category to filter by, nothing to catch
        elif kind.__module__ == "widegap.errors":
            assert issubclass(
                kind, click.ClickException
            )  # the command line's own, never the library's
        elif kind is not WidegapError:
            assert issubclass(kind, WidegapError)
            usual = (ValueError, ArithmeticError, RuntimeError, MemoryError, ImportError)
            assert issubclass(kind, usual), kind


def test_the_former_places_still_have_them() -> None:
    for module, name in FORMER.items():
        there = importlib.import_module(module)
        assert issubclass(getattr(there, name), WidegapError | UserWarning)
        assert name in there.__all__


@pytest.mark.parametrize("travel", [lambda x: pickle.loads(pickle.dumps(x)), copy.copy])
def test_they_survive_a_journey(travel) -> None:
    for kind in exceptions():
        if kind is ConvergenceError:
            error = ConvergenceError("level 4 did not settle", {"p_2": 0.5}, 1e-3)
        else:
            error = kind("level 4 did not settle")
        error.add_note("after an hour")
        there = travel(error)
        assert type(there) is kind
        assert type(kind.__new__(kind, "as Dask's pickles make them")) is kind
        assert (str(there), vars(there)) == (str(error), vars(error))
        lines = traceback.format_exception_only(there)
        assert lines[0].count("\n") == 1
        assert lines[0].endswith("level 4 did not settle\n")


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda: theory.activation("no such thing"), ActivationError),
        (lambda: verify.select(verify.all_claims(), only=["no-such-claim"]), UnknownClaimError),
        (lambda: check_memory(10**7, 10**7, 2), KernelMemoryError),
    ],
)
def test_one_clause_catches_them(call: Callable[[], object], kind: type[Exception]) -> None:
    with pytest.raises(WidegapError) as caught:
        call()
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
