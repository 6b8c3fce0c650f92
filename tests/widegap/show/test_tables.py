"""Tables: every number whole at every width."""

from decimal import Decimal
from typing import Any

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numerics import Solution
from theory import SBP
from widegap.show.tables import gap_line, order_parameter_table, render, significant, summary_table


@given(st.floats(1e-6, 1e6), st.integers(1, 15))
def test_significant_digits(value: float, digits: int) -> None:
    text = significant(value, digits)
    mantissa = text.partition("e")[0].replace(".", "").lstrip("0")
    assert len(mantissa) == digits
    assert float(text) == pytest.approx(value, rel=10.0 ** (1 - digits))


@pytest.mark.parametrize("width", [20, 60, 80, 200])
@pytest.mark.parametrize("terminal", [False, True])
def test_no_number_is_cut_or_wrapped(solutions: list[Solution], width: int, terminal: bool) -> None:
    text = render(
        summary_table(solutions),
        order_parameter_table(solutions),
        gap_line(solutions),
        terminal=terminal,
        width=width,
    )
    words = text.split()
    for solution in solutions:
        assert significant(solution.value, solution.digits) in words
        for value in solution.order_parameters.values():
            assert f"{value:#.10g}" in words
    assert text.isascii()
    assert ("\x1b" in text) <= terminal


def test_level_two_has_no_order_parameters(solutions: list[Solution]) -> None:
    assert order_parameter_table(solutions[:1]).row_count == 0
    assert order_parameter_table(solutions).row_count == 1 + 2
    assert summary_table(solutions).row_count == 3


def test_the_gap_is_the_difference_shown(solutions: list[Solution]) -> None:
    shown = gap_line(solutions).partition(" = ")[2]
    operands, _, difference = shown.rpartition(" = ")
    first, last = (Decimal(text) for text in operands.split(" - "))
    last_place = Decimal((0, (1,), int(Decimal(difference).as_tuple().exponent)))
    assert abs(Decimal(difference) - (first - last)) <= last_place / 2


def test_the_gap_has_the_digits_of_both() -> None:
    """Differences in doubles had sixteen right digits of a hundred, and none of large values."""
    with mpmath.workdps(60):
        one, two, three = mpmath.mpf(2).sqrt(), mpmath.mpf(10) ** 40 / 3, mpmath.mpf(1) / 3
        low, high = solution_of(2, one, 50), solution_of(3, three, 40)
        shown = gap_line([low, high]).rpartition(" = ")[2]
        assert abs(mpmath.mpf(shown) - (one - three)) < mpmath.mpf("1e-40")
        assert len(shown) == len("1.") + 40
        # one has 50 digits, the other 20, the last of which counts 10^20
        assert gap_line([solution_of(2, two, 20), high]).endswith(" = 3.3333333333333333333e+39")


def solution_of(level: int, value: Any, digits: int) -> Solution:
    return Solution(
        SBP(1),
        level,
        value,
        (),
        (),
        (),
        (),
        {},
        error=value * mpmath.mpf(10) ** -digits,
        digits=digits,
    )
