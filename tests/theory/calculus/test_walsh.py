"""Walsh and Hermite coefficients: enumeration of the hypercube, integrals, limits, the laws' own steps."""

from itertools import product

import numpy as np
import pytest
from sympy import Rational, Symbol, binomial, powsimp, simplify, sqrt

from theory.calculus import walsh


def enumerated(n, t, function):
    total = 0
    for z in product((-1, 1), repeat=n):
        sign = 1
        for value in z[:t]:
            sign *= value
        total += sign * function(sum(z))
    return Rational(total, 2**n)


@pytest.mark.parametrize("n", range(1, 9))
def test_coefficients_are_those_of_an_enumeration(n):
    for t in range(n + 1):
        cubed = walsh.walsh_coefficient(lambda total: total**3 - total, n, t)
        assert cubed == enumerated(n, t, lambda total: total**3 - total)
        for bias in (0, 1, Rational(-3, 2), Rational(1, 3), n, -n, n + 1, -n - 1):
            found = walsh.threshold_coefficient(n, t, bias)
            assert found == enumerated(n, t, lambda total, b=bias: int(bool(total + b > 0))), (
                t,
                bias,
            )


def test_majority_is_the_threshold_without_bias():
    for n in range(1, 24, 2):
        for t in range(1, n + 1):
            threshold = walsh.threshold_coefficient(n, t)
            assert threshold == (walsh.majority_coefficient(n, t) if t % 2 else 0)


def test_places_of_symbols_are_those_of_numbers():
    s, t, b = walsh.SIZE, walsh.DEGREE, walsh.BIAS
    value = walsh.threshold_law().value
    for n, degree, bias in ((5, 3, 0), (6, 2, 1), (7, 4, -2)):
        assert value.subs({s: n, t: degree, b: bias}).doit() == walsh.threshold_coefficient(
            n, degree, bias
        )
    summed = walsh.threshold_law().steps[2].expression
    x = Symbol("x", real=True)
    assert powsimp(summed / walsh.generating(s - 1, t - 1, x)) == 1


def test_the_closed_form_satisfies_its_recursion():
    assert walsh.majority_law().steps[-1].expression == 0
    assert simplify(walsh.majority_law().steps[1].expression) == True  # noqa: E712
    value = walsh.majority_law().value
    assert value.subs({walsh.SIZE: 11, walsh.DEGREE: 5}) == walsh.threshold_coefficient(11, 5)


@pytest.mark.parametrize("t", [1, 2, 3, 4, 7])
def test_hermite_coefficients_are_integrals(t):
    x, w = np.polynomial.legendre.leggauss(80)
    polynomial = np.polynomial.hermite_e.HermiteE.basis(t)
    for bias in (0.0, 0.5, -1.0):
        g = -bias + 6.0 * (x + 1.0)
        by_sum = 6.0 * w @ (polynomial(g) * np.exp(-0.5 * g * g)) / (2.0 * np.pi) ** 0.5
        assert float(walsh.hermite_threshold(t, bias)) == pytest.approx(by_sum, abs=1e-11)


@pytest.mark.parametrize(("t", "bias"), [(1, 0), (2, 1), (3, 0), (3, 1)])
def test_many_signs_come_near_normal_variables(t, bias):
    limit = float(walsh.hermite_threshold(t, bias))
    errors = []
    for n in (401, 1601):
        # a bias in the middle between two values of the sum, as a normal variable has no steps
        shift = round(bias * n**0.5 / 2) * 2
        exact = float(walsh.hermite_threshold(t, shift / sqrt(n)))
        found = float(walsh.threshold_coefficient(n, t, shift) * sqrt(n) ** t)
        errors.append(abs(found - exact))
        assert abs(exact - limit) < 0.05
    assert errors[1] < 0.4 * errors[0]


def test_krawtchouk_values_are_orthogonal():
    n = 7
    for s in range(n + 1):
        for t in range(n + 1):
            total = sum(
                walsh.krawtchouk(n, s, m) * walsh.krawtchouk(n, t, m) / binomial(n, m)
                for m in range(n + 1)
            )
            assert total == (2**n / binomial(n, t) if s == t else 0)
