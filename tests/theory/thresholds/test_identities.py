"""Overlaps as mean squares: which identities there are, and that they are what stationarity says."""

import mpmath
import pytest
from sympy import Lambda, S, Symbol, lambdify

from theory import (
    ABP,
    SBP,
    SK,
    GibbsAverage,
    Hopfield,
    LiftedExpectation,
    Model,
    SphericalPerceptron,
    UPerceptron,
    ZeroOnePerceptron,
    free_energy,
)
from theory.thresholds.identities import DENSITY, identities

MODELS = (SBP(1), ABP(0), UPerceptron(2), SphericalPerceptron(-1), ZeroOnePerceptron(0))
GROUND = (SK(), Hopfield(1, 2), Hopfield(-1, 2), SBP(1, alpha=2))


@pytest.mark.long
@pytest.mark.parametrize("model", [*MODELS, *GROUND], ids=str)
@pytest.mark.parametrize("level", [3, 4])
def test_every_overlap_beside_a_nest_is_a_mean_square(model: Model, level: int) -> None:
    fe = free_energy(model.generic, level)
    known = identities(fe)
    overlaps = [one.overlap for one in known]
    expected = [x for x in (*fe.p, *fe.q) if x in overlaps]
    assert overlaps == expected
    # one for each interface of each nest, but at leaves of a free norm
    count = sum(nest.depth for nest in fe.nests)
    assert len(known) == count - (model.name == "zero-one")
    for one in known:
        density = DENSITY if fe.is_capacity else model.generic.alpha
        of_rows = one.nest in fe.energy.atoms(LiftedExpectation)
        assert one.factor == (density if of_rows and density is not None else 1)
        levels = {a.level for a in one.average.atoms(GibbsAverage)}  # constants are outside
        assert one.interface + 1 in levels
        assert one.expr == one.factor * one.average


def test_the_partner_of_an_overlap_is_the_one_beside_it() -> None:
    table = {str(one.overlap): one for one in identities(free_energy(SBP(1), 5))}
    fe = free_energy(SBP(1), 5)
    f, g = fe.nests
    assert list(table) == ["p_2", "p_3", "p_4", "Q_2", "Q_3", "Q_4"]
    assert [table[f"p_{k}"].nest for k in (2, 3, 4)] == 3 * [f]
    assert [table[f"Q_{k}"].nest for k in (2, 3, 4)] == 3 * [g]
    assert [table[f"p_{k}"].interface for k in (2, 3, 4)] == [0, 1, 2]


def test_at_level_two_it_is_the_stationarity_condition_itself() -> None:
    # abp at level 2: p_2 = E tanh(sqrt(Q_2) U)**2 from both routes, far from any stationary point
    fe = free_energy(ABP(0), 2)
    (one, _) = identities(fe)
    condition = fe.entropy.diff(fe.q[0])
    h = Symbol("h", real=True)
    point = {fe.p[0]: S(3) / 5, fe.q[0]: S(7) / 5}
    assert str(one.overlap) == "p_2"
    with mpmath.workdps(30):
        slope = lambdify(h, one.average.observable(h).subs(point), "mpmath")
        root = mpmath.sqrt(mpmath.mpf(7) / 5)
        mean = mpmath.quad(
            lambda u: slope(root * u) * mpmath.exp(-u * u / 2) / mpmath.sqrt(2 * mpmath.pi),
            mpmath.linspace(-12, 12, 25),
        )
        # d Ent/dQ_2 = (<f''> - .. )/2 with f'' = 1 - f'**2: (p_2 - <f'**2>)/2 with sign
        observable = next(iter(condition.atoms(GibbsAverage)))
        bend = lambdify(h, observable.observable(h).subs(point), "mpmath")
        half = mpmath.quad(
            lambda u: bend(root * u) * mpmath.exp(-u * u / 2) / mpmath.sqrt(2 * mpmath.pi),
            mpmath.linspace(-12, 12, 25),
        )
        factor = condition.coeff(observable)
        rest = (condition - factor * observable).subs(point)
        value = mpmath.mpf(str(factor)) * half + mpmath.mpf(str(rest.evalf(30)))
        assert abs(2 * abs(value) - abs(mean - mpmath.mpf(3) / 5)) < mpmath.mpf(10) ** -25


def test_a_leaf_that_does_not_obey_the_heat_equation_has_none() -> None:
    from dataclasses import replace

    fe = free_energy(ABP(0), 3)
    f = fe.nests[0]
    h = Symbol("h", real=True)
    bad = LiftedExpectation(Lambda(h, h**4 / 9 + f.leaf(h)), f.field, f.increments, f.exponents)
    changed = replace(fe, entropy=fe.entropy.xreplace({f: bad}))
    assert [str(x.overlap) for x in identities(changed)] == ["p_3", "Q_2", "Q_3"]
