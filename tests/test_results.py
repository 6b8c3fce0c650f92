"""What every public result can do: equality, hash, pickles, text, notebooks, files."""

import json
import math
import pickle
from functools import cache
from typing import Any

import numpy as np
import pytest

import theory
from numerics import (
    Certificate,
    Limit,
    Solution,
    Sweep,
    SweepFailure,
    SweepRow,
    certify,
    kernel,
    kernel_derivatives,
    learning_curve,
    predict,
    solve,
    sphere_spectrum,
)
from numerics.kernels.deq import DEQKernel
from numerics.kernels.layers.derivatives import KernelDerivatives
from numerics.kernels.mlp import MLPKernel
from numerics.kernels.phase import PhaseDiagram, phase_diagram
from numerics.kernels.prediction.predict import Prediction
from numerics.runs.records import Settings
from theory import DEQ, MLP, SBP, Dense, LayerNorm, Residual, Sequential

X = np.array([[1.0, 0.5], [0.2, -0.7], [0.3, 0.9], [1.1, 0.1]])


def _sweep() -> Sweep:
    row = SweepRow({"kappa": "1/2"}, {"kappa": 0.5}, 2, 0.7, 1e-16, 14, "finite", {})
    failure = SweepFailure({"kappa": "2"}, {"kappa": 2.0}, 3, "ConvergenceError", "no", {}, None)
    settings = Settings("sbp", ("kappa",), (2, 3), 12, "alpha", "0.1.0")
    return Sweep(settings, (row,), (failure,))


def _limit() -> Limit:
    return Limit(
        SBP(1), 1.59, 1e-3, (3, 4), (1.66, 1.62), {"theta": 1.58}, 3.9, ((1.6, 0.1),),
        (0.9, 0.8), (0.5, 0.1), (4.0, 11.0), "made up",
    )  # fmt: skip


MAKERS: dict[str, Any] = {
    "model": lambda: SBP("1/2"),
    "free energy": lambda: theory.free_energy(SBP(1), 3),
    "random dual": lambda: theory.random_dual(SBP(1), 3),
    "dual": lambda: theory.dual("relu"),
    "perceptron": lambda: MLP("erf", 3),
    "equilibrium": lambda: DEQ("erf"),
    "layers": lambda: Sequential(
        (Dense(1, 0.1), Residual((LayerNorm(), "relu", Dense(1, None))), Dense(1, None))
    ),
    "solution": lambda: solve(SBP(1), level=3),
    "closed form": lambda: solve(SBP(1), level=2, digits=30),
    "certificate": lambda: certify(solve(SBP(1), level=2)),
    "limit": _limit,
    "limit of equal levels": lambda: Limit(SBP(1), 2.0, 0.0),
    "sweep": _sweep,
    "kernel": lambda: kernel(MLP("erf"), X),
    "equilibrium kernel": lambda: kernel(DEQ("erf"), X),
    "diagonal": lambda: kernel(MLP("sign", 1), X, diag=True),
    "derivatives": lambda: kernel_derivatives(MLP("erf"), X),
    "phases": lambda: phase_diagram("erf", [0.5, 1.0, 2.0], [0.0, 0.3]),
    "prediction": lambda: predict(MLP("erf"), X[:3], [1.0, 2.0, 0.5], X[3:]),
    "learning curve": lambda: learning_curve(MLP("erf"), X, [1.0, 2.0, 0.5, 1.0], [2]),
    "spectrum": lambda: sphere_spectrum(MLP("erf"), 3, 2),
}


@cache
def made(name: str) -> Any:
    return MAKERS[name]()


@pytest.mark.parametrize("name", MAKERS)
def test_pickles_are_equal_with_the_same_hash(name: str) -> None:
    one = made(name)
    other = pickle.loads(pickle.dumps(one))
    assert one == other
    assert hash(one) == hash(other)
    assert one != "something else"
    assert len({one, other}) == 1


@pytest.mark.parametrize("name", MAKERS)
def test_they_have_a_text_that_names_them(name: str) -> None:
    text = str(made(name))
    assert text
    assert "object at 0x" not in text
    assert len(text) < 2000


@pytest.mark.parametrize(
    "name", ["solution", "limit", "sweep", "learning curve", "spectrum", "closed form"]
)
def test_notebooks_have_a_table(name: str) -> None:
    shown = made(name)._repr_html_()
    assert "<table>" in shown or name == "closed form"
    assert shown.count("<tr>") == shown.count("</tr>")
    numbers = {"solution": "1.65753519435", "limit": "1.59", "sweep": "0.7"}
    assert numbers.get(name, "") in shown


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("solution", Solution.from_dict),
        ("closed form", Solution.from_dict),
        ("limit", Limit.from_dict),
        ("limit of equal levels", Limit.from_dict),
        ("sweep", Sweep.from_dict),
        ("kernel", MLPKernel.from_dict),
        ("equilibrium kernel", DEQKernel.from_dict),
        ("diagonal", MLPKernel.from_dict),
        ("derivatives", KernelDerivatives.from_dict),
        ("prediction", Prediction.from_dict),
        ("phases", PhaseDiagram.from_dict),
    ],
)
def test_json_reads_back_equal(name: str, read: Any) -> None:
    one = made(name)
    content = json.loads(json.dumps(one.to_dict(), allow_nan=False))
    again = read(content)
    assert again == one
    assert hash(again) == hash(one)
    last = {"solution": "value", "closed form": "value"}.get(name, next(iter(content)))
    del content[last]
    with pytest.raises(ValueError, match=last):
        read(content)


def test_damaged_json_is_a_value_error() -> None:
    content = made("equilibrium kernel").to_dict()
    for name, wrong in (
        ("nngp", {"array": [1.0], "shape": [2, 2], "type": "float64"}),
        ("nngp", {"array": ["x"], "shape": [1], "type": "float64"}),
        ("nngp", {"array": [1.0], "shape": [1], "type": "nonsense"}),
        ("conditions", {"kernel": 0.5}),
    ):
        with pytest.raises(ValueError, match=r"reshape|convert|no DEQKernel|conditions of"):
            DEQKernel.from_dict(content | {name: wrong})
    with pytest.raises(ValueError, match="levels|level"):
        Sweep.from_dict({**made("sweep").to_dict(), "rows": [{"level": "x"}]})


def test_certificates_read_back_equal() -> None:
    one = made("certificate")
    assert Certificate.from_json(one.to_json()) == one


def test_arrays_count_in_equality() -> None:
    one, other = kernel(MLP("erf"), X), kernel(MLP("erf"), X + 1e-9)
    assert one != other
    assert one == kernel(MLP("erf"), X)
    assert one != kernel(MLP("relu"), X)
    infinite = made("diagonal")
    assert math.inf in infinite.ntk  # and still equal to itself, as pickles are


def test_sweeps_are_tables() -> None:
    pandas = pytest.importorskip("pandas")
    frame = made("sweep").to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.to_dict("records") == made("sweep").table()
    assert list(frame.columns) == ["kappa", "level", "value", "error", "digits", "branch"]
    assert "1 points failed" in str(made("sweep"))


@pytest.mark.parametrize(
    "name", ["limit", "sweep", "phases", "level 4", "learning curve", "spectrum"]
)
def test_what_there_is_to_see_is_drawn(name: str) -> None:
    makers = {
        "level 4": lambda: solve(SBP(1), level=4),
    }
    one = makers[name]() if name in makers else made(name)
    figure = one.plot()
    assert figure.axes
    assert all(ax.get_lines() or ax.collections or ax.images for ax in figure.axes)
    assert figure.axes[-1].get_xlabel() or name == "phases"
