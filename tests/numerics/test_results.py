"""Results of subjects: what is written is read back equal."""

import json
import math
import pickle
from dataclasses import dataclass
from typing import Any

import mpmath
import pytest

from numerics.results import Result, rounded_up, stated


@dataclass(frozen=True)
class Squares(Result):
    """A result."""

    numbers: tuple[float, ...]
    note: str

    def rows(self) -> list[dict[str, Any]]:
        return [{"x": x, "x^2": x * x, "none": None} for x in self.numbers]


def test_a_result_survives_json_and_pickle() -> None:
    one = Squares((1.0, 0.1, math.inf), "<b>")
    assert Squares.from_dict(json.loads(one.to_json())) == one
    assert pickle.loads(pickle.dumps(one)) == one
    assert hash(Squares.from_dict(one.to_dict())) == hash(one)
    with pytest.raises(ValueError, match="has the fields note, numbers; got note"):
        Squares.from_dict({"note": ""})


def test_a_result_without_a_picture_says_so() -> None:
    with pytest.raises(NotImplementedError, match=r"a Squares has no picture; print it"):
        Squares((1.0,), "").plot()
    with pytest.raises(TypeError, match="abstract"):
        Result()  # pyright: ignore[reportAbstractUsage]


def test_text_and_html_show_the_rows() -> None:
    one = Squares((1.0, 3.0), "")
    assert str(one).splitlines()[0].split() == ["x", "x^2", "none"]
    assert str(one).splitlines()[2].split() == ["3", "9"]
    assert one._repr_html_().count("<tr>") == 3
    assert "<td>9</td>" in one._repr_html_()
    assert str(Squares((), "")) == "(no rows)"


@pytest.mark.parametrize(
    "error",
    [1e-320, 1e-300, 1.04e-7, 1.4999e-6, 0.995, 9.99, 1.6e308,
     mpmath.mpf("1.23e-4000"), mpmath.mpf("9.96e523")],
)  # fmt: skip
def test_an_error_is_rounded_upwards(error) -> None:
    written = mpmath.mpf(rounded_up(error))
    assert error <= written <= 1.11 * error


def test_no_error_and_no_bound_are_said() -> None:
    assert [rounded_up(x) for x in (0.0, mpmath.mpf(0), math.inf)] == ["0", "0", "inf"]


@pytest.mark.parametrize(
    ("value", "error", "digits"),
    [(math.pi, 1e-9, 4), (999.96, 1e-3, 4), (-0.0123456, 3e-8, 3), (1.59650281735, 2.04e-7, 7)],
)
def test_an_error_is_that_of_what_is_written(value, error, digits) -> None:
    text, off = stated(value, error, digits)
    assert abs(float(text) - value) + error <= float(off)
    assert float(off) < 1.2 * (error + 0.5 * 10.0 ** -len(text.partition(".")[2]))


def test_many_digits_are_written_whatever_the_precision_is() -> None:
    with mpmath.workdps(60):
        value, error = mpmath.pi / 10**400, mpmath.mpf("1e-450")
    text, off = stated(value, error, 40)
    with mpmath.workdps(60):
        assert abs(mpmath.mpf(text) - value) + error <= mpmath.mpf(off) < mpmath.mpf("1e-438")
    assert stated(1.59650281735, 2.04e-7) == ("1.59650282", "2.2e-07")
    assert stated(2.0, 0.0) == ("2", "0")
    assert stated(0.1 + 0.2, 0.0) == ("0.300000000000000", "5.3e-16")
    assert stated(12.3, 70.0) == ("1.e+1", "7.9e+01")
    assert stated(0.0, 0.0, 5) == ("0.0", "0")
