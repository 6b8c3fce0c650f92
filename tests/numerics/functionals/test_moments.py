"""Moments of the number of solutions: closed probabilities, the nest of level 3, instances of one spin."""

from __future__ import annotations

import math

import numpy as np
import pytest

from numerics.functionals.doubles import compile_leaf
from numerics.functionals.moments import (
    expected_pairs,
    expected_solutions,
    pair_probability,
    row_probability,
    variance_of_solutions,
)
from numerics.nests.doubles import evaluate_nest
from theory import ABP, SBP, SK, LiftedExpectation, free_energy


def test_row_probabilities_are_the_errors_functions():
    assert row_probability(SBP("0.7")) == pytest.approx(math.erf(0.7 / math.sqrt(2)), rel=1e-14)
    assert row_probability(ABP("0.7")) == pytest.approx(
        0.5 * math.erfc(0.7 / math.sqrt(2)), rel=1e-14
    )


@pytest.mark.parametrize("overlap", [0.05, 0.4, 0.9])
def test_pair_probabilities_are_level_three_energies_at_exponent_two(overlap):
    """The nest that fl-RDT evaluates, and an adaptive quadrature of the same probability."""
    (nest,) = free_energy(SBP("0.8"), 3).energy.atoms(LiftedExpectation)
    leaf = compile_leaf(nest.leaf)
    lifted = evaluate_nest(leaf, np.array([overlap]), 0.0, (overlap,), (2.0,))
    assert pair_probability(SBP("0.8"), overlap) == pytest.approx(
        math.exp(2 * lifted.value), rel=1e-11
    )


@pytest.mark.parametrize("overlap", [-1.0, -0.5, 0.0, 0.3, 0.95, 1.0])
def test_orthants_have_sheppards_probability(overlap):
    sheppard = 0.25 + math.asin(overlap) / (2 * math.pi)
    assert pair_probability(ABP(0), overlap) == pytest.approx(sheppard, abs=1e-12)


@pytest.mark.parametrize("model", [SBP(1), ABP("0.3"), ABP("-0.3")], ids=str)
def test_pair_probabilities_join_continuously_at_their_ends(model):
    assert pair_probability(model, 0.0) == pytest.approx(row_probability(model) ** 2, rel=1e-12)
    for end in (-1.0, 1.0):
        near = pair_probability(model, end * (1 - 1e-9))
        assert near == pytest.approx(pair_probability(model, end), abs=1e-4)


def test_moments_are_those_of_all_instances_of_one_spin():
    """N = 1: Z is 0 or 2 for the symmetric perceptron, 0 or 1 for the asymmetric one with kappa > 0."""
    p = row_probability(SBP(1))
    assert expected_solutions(SBP(1), 1, 3) == pytest.approx(2 * p**3)
    assert variance_of_solutions(SBP(1), 1, 3) == pytest.approx(4 * p**3 * (1 - p**3))
    assert expected_pairs(ABP("0.2"), 1, 1)[1] == pytest.approx(0.0, abs=1e-15)


def test_models_without_rows_have_no_row_probability():
    with pytest.raises(TypeError, match="no rows"):
        row_probability(SK())
    with pytest.raises(TypeError, match="needs numbers"):
        row_probability(SBP())
    with pytest.raises(ValueError, match="overlap"):
        pair_probability(SBP(1), 1.5)
