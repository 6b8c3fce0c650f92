"""A law says what its symbols mean, and has a derivation."""

import pytest
from sympy import Eq, symbols

from theory.calculus.law import Law
from theory.calculus.steps import Step

X, Y = symbols("x y")
STEP = Step("definition", "y is the square", Eq(Y, X**2))


def test_a_law_is_evaluated_by_name_and_printed() -> None:
    law = Law("Squares", Eq(Y, X**2), {X: "a number", Y: "its square"}, "always", (STEP,), "here")
    assert law.value == X**2
    assert law.at(x=3) == Eq(Y, 9)
    assert law.latex() == "y = x^{2}"
    assert "  y = x**2" in law.text()
    assert "x: a number" in law.text()
    with pytest.raises(ValueError, match="no symbol 'z'; it has x, y"):
        law.at(z=1)


@pytest.mark.parametrize(
    ("symbols", "steps", "words"),
    [({X: "a number"}, (STEP,), "what y means"), ({X: "", Y: ""}, (), "no derivation")],
)
def test_what_is_not_explained_is_refused(symbols, steps, words) -> None:
    with pytest.raises(ValueError, match=words):
        Law("Squares", Eq(Y, X**2), symbols, "always", steps, "here")
