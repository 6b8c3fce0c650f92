"""Results of subjects: what is written is read back equal."""

import json
import math
import pickle
from dataclasses import dataclass
from typing import Any

import pytest

from numerics.results import Result


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
