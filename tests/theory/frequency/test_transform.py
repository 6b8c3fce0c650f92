"""The symbolic transform, in exact arithmetic at small lengths and for the symbolic one."""

import pytest
from sympy import Integer, KroneckerDelta, Lambda, Rational, conjugate, floor, sqrt

from theory.frequency.transform import (
    T,
    character,
    circular_convolution,
    dft,
    inverse_dft,
    k,
    mean_character,
    multiplicity,
    n,
    parseval,
    picked,
    verified,
)

LENGTHS = (1, 2, 3, 4, 5, 6)


def signal(length: int, seed: int) -> list:
    return [Rational(seed * i * i - 4, i + 2) for i in range(length)]


def of(values: list) -> Lambda:
    return Lambda(n, sum(v * KroneckerDelta(n, i) for i, v in enumerate(values)))


def spectrum(values: list) -> list:
    return [dft(of(values), Integer(j), len(values)).doit() for j in range(len(values))]


def zero(expression) -> bool:
    return expression.expand(complex=True).equals(0)


@pytest.mark.parametrize("length", LENGTHS)
def test_inverse_and_energy_are_exact(length: int) -> None:
    values = signal(length, 3)
    bins = spectrum(values)
    for i, v in enumerate(values):
        back = inverse_dft(lambda j: of(bins)(j), Integer(i), length).doit()
        assert zero(back - v)
    energies = [X * conjugate(X) for X in bins]
    assert zero(sum(energies) - sum(v * v for v in values))
    last = floor(Rational(length, 2))
    half = sum(multiplicity(Integer(j), length) * energies[j] for j in range(last + 1))
    assert zero(half - sum(energies))


@pytest.mark.parametrize("length", [1, 2, 3, 4, 6])
def test_the_convolution_theorem_is_exact(length: int) -> None:
    one, other = signal(length, 3), signal(length, -2)
    both = [
        circular_convolution(of(one), of(other), Integer(i), length).doit() for i in range(length)
    ]
    for got, a, b in zip(spectrum(both), spectrum(one), spectrum(other), strict=True):
        assert zero(got - sqrt(length) * a * b)


def test_symbolic_length() -> None:
    assert dft(Lambda(n, KroneckerDelta(n, 0)), k).doit() == 1 / sqrt(T)
    assert mean_character(Integer(0)) == 1
    assert [mean_character(Integer(d)).subs(T, 4) for d in (1, 2, 4, -8)] == [0, 0, 1, 1]
    tone = dft(Lambda(n, character(2, n)), k).doit()
    assert [tone.subs({T: 5, k: j}).doit() for j in range(3)] == [0, 0, sqrt(5)]
    assert picked(n**2 * T, n, k) == k**2 * T
    assert len(parseval().steps) == 3


def test_what_is_not_equal_is_not_verified() -> None:
    with pytest.raises(ArithmeticError, match="is not"):
        verified(character(k, n), character(-k, n))
