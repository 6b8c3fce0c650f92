"""Arguments: read exactly, or refused with what was wanted and what was given."""

import math
from decimal import Decimal
from fractions import Fraction

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from widegap.arguments import MAX_POINTS, Integer, Integers, Levels, Size, Values

decimals = st.decimals(-50, 50, places=3)
steps = st.decimals("0.001", 20, places=3)


@given(first=decimals, step=steps, count=st.integers(1, 200), beyond=st.decimals(0, 1, places=3))
def test_a_range_is_exact_and_includes_the_end_that_it_hits(
    first: Decimal, step: Decimal, count: int, beyond: Decimal
) -> None:
    last = Fraction(first) + (count - 1 + Fraction(beyond)) * Fraction(step)
    text = f"{first}:{_decimal(last)}:{step}"
    values = Values("--kappa").convert(text, None, None)
    assert len(values) == count + (beyond == 1)
    for k, value in enumerate(values):
        assert Fraction(value) == Fraction(first) + k * Fraction(step)


def _decimal(number: Fraction) -> str:
    return str(Decimal(number.numerator) / Decimal(number.denominator))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0.1:0.3:0.1", ["0.1", "0.2", "0.3"]),
        ("0.5:2:0.7", ["0.5", "1.2", "1.9"]),
        ("-1:1:1", ["-1", "0", "1"]),
        ("2:2:1", ["2"]),
        ("1e-30:2e-30:1e-30", ["1e-30", "2e-30"]),
        ("1:1.00000000000000000000000000000000000000001:1", ["1"]),
        ("0.75", ["0.75"]),
        ("1/2:3/2:1/4", ["1/2", "3/4", "1", "5/4", "3/2"]),
        ("-1/3:1/3:1/3", ["-1/3", "0", "1/3"]),
        ("0.1:1/2:0.2", ["1/10", "3/10", "1/2"]),
        ("0e999", ["0"]),
    ],
)
def test_ranges(text: str, values: list[str]) -> None:
    assert Values("--kappa").convert(text, None, None) == tuple(map(Fraction, values))


def test_the_largest_range_is_allowed_and_no_larger_one() -> None:
    values = Values("--kappa")
    assert len(values.convert(f"1:{MAX_POINTS}:1", None, None)) == MAX_POINTS
    with pytest.raises(click.UsageError, match=f"at most {MAX_POINTS} points"):
        values.convert(f"1:{MAX_POINTS + 1}:1", None, None)


@given(st.integers(1, 50), st.integers(1, 50))
def test_levels(first: int, last: int) -> None:
    levels = Levels("--levels")
    if first <= last:
        assert levels.convert(f"{first}:{last}", None, None) == tuple(range(first, last + 1))
    else:
        with pytest.raises(click.UsageError):
            levels.convert(f"{first}:{last}", None, None)
    assert levels.convert(str(first), None, None) == (first,)
    assert levels.convert(f"{first},inf", None, None) == (first, math.inf)
    assert levels.convert("inf", None, None) == (math.inf,)


@pytest.mark.parametrize("text", ["inf:3", "2,3", "2,", ",inf", "inf,2", "2:3,inf,inf", "2:inf"])
def test_what_are_no_levels(text: str) -> None:
    with pytest.raises(click.UsageError, match="--levels is A:B with integers A and B"):
        Levels("--levels").convert(text, None, None)


@given(st.fractions(), st.fractions(min_value="1/1000"), st.integers(1, 200))
def test_a_range_of_fractions_is_exact(first: Fraction, step: Fraction, count: int) -> None:
    last = first + (count - 1) * step
    values = Values("--kappa").convert(f"{first}:{last}:{step}", None, None)
    assert values == tuple(first + k * step for k in range(count))


@given(st.integers(-5, 2000))
def test_integers_between_two_bounds(number: int) -> None:
    kind = Integer("--n", 1, 1000)
    if 1 <= number <= 1000:
        assert kind.convert(f" {number} ", None, None) == number
        assert Integers("--n", 1000).convert(f"{number},{number},1", None, None) in (
            (number, 1),
            (1,),
        )
        return
    bound = ">= 1" if number < 1 else "<= 1000"
    with pytest.raises(click.UsageError, match=f"--n is an integer {bound}, got '{number}'"):
        kind.convert(str(number), None, None)
    with pytest.raises(click.UsageError, match="at most 1000"):
        Integers("--n", 1000).convert(f"1,{number}", None, None)


@pytest.mark.parametrize(
    "text", ["", "x", "1.5", "1_0", "\u0663", "1e3", "0x10", "nan", "1" * 5000]
)
def test_what_is_no_integer_is_shown_in_short(text: str) -> None:
    for kind in (Integer("--n", 1, 9), Integers("--n", 9), Levels("--n")):
        with pytest.raises(click.UsageError) as caught:
            kind.convert(text, None, None)
        assert len(caught.value.message) < 160


@pytest.mark.parametrize(
    ("text", "size"), [("1", 2.0**30), ("0.5", 2.0**29), ("1e-3", 1073741.824)]
)
def test_sizes(text: str, size: float) -> None:
    assert Size("--memory").convert(text, None, None) == pytest.approx(size)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "1e10", "", "four", "1" * 5000])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(click.UsageError, match="--memory is a positive number of GiB, got"):
        Size("--memory").convert(text, None, None)
