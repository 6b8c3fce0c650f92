"""Free energies taken apart: the algebra is the theory's, and nothing large cancels in it."""

import numpy as np
import pytest
import sympy

from numerics.functionals.parts import parts_of
from theory import ABP, SK, Hopfield, SphericalPerceptron, ZeroOnePerceptron, free_energy
from theory.thresholds.finite_exponents import without_quenched_average

MODELS = [
    free_energy(SphericalPerceptron(), 5),
    free_energy(SK(), 5),
    free_energy(ABP(), 4),
    free_energy(ZeroOnePerceptron(), 4),
    free_energy(Hopfield(), 5),
    without_quenched_average(free_energy(Hopfield(-1), 5)),
]


@pytest.mark.parametrize("fe", MODELS, ids=lambda fe: f"{fe.model.name}-{fe.level}")
def test_the_algebra_in_gaps_is_the_functional(fe) -> None:
    parts = parts_of(fe)
    draw = np.random.default_rng(7)
    gaps = {g: sympy.Rational(int(draw.integers(1, 99)), 100) for g in parts.arguments}
    for chain, symbols in zip(parts.coordinates.chains, parts.coordinates.gap_symbols, strict=True):
        if chain.upper.is_finite:
            total = sum(gaps[g] for g in symbols) / (chain.upper - chain.lower)
            gaps |= {g: gaps[g] / total for g in symbols}
    below = parts.coordinates.substitution(from_above=False)
    point = gaps | dict.fromkeys(parts.stand_ins, sympy.Rational(7, 3))
    values = {x: e.subs(point) for x, e in below.items()} | point
    asked = fe.expr.xreplace(dict(zip(fe.nests, parts.stand_ins, strict=True))).subs(values)
    assert abs(sympy.N(asked - parts.outputs[0].subs(point), 30)) < 1e-25


def test_a_sum_has_the_gaps_of_its_own_end_of_the_chains() -> None:
    """Exponents c_2 go to 1e4: times a derivative of 1 - p_2 q_2 they stood in those of all gaps below."""
    parts = parts_of(free_energy(SphericalPerceptron(), 6))
    (first, *_, last), *_ = parts.coordinates.gap_symbols
    slopes = dict(zip(parts.arguments, parts.outputs[1:], strict=False))
    inner = next(x for x in parts.arguments if str(x) == "gap_c_2_1")
    assert slopes[first].has(inner)
    assert not slopes[last].has(inner)
    # and multipliers less what liftings take are as long as there are exponents
    sums = [x.base for x in parts.outputs[0].atoms(sympy.Pow) if x.base.is_Add]
    assert max(len(x.args) for x in sums) == 6
    assert not any(a.has(sympy.Add) for x in sums for a in x.args)
