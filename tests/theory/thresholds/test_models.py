"""Models: exact parameters, clear errors, and a new model in a few lines."""

import dataclasses
import pickle
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sympy import (
    Abs,
    Expr,
    Float,
    I,
    Max,
    Rational,
    Symbol,
    erf,
    exp,
    log,
    nan,
    oo,
    simplify,
    sqrt,
    symbols,
    zoo,
)

from theory import (
    ABP,
    SBP,
    SK,
    BinaryPrior,
    Constraint,
    DiscretePrior,
    Hopfield,
    Model,
    SphericalPerceptron,
    SymmetricConstraint,
    UPerceptron,
    ZeroOnePerceptron,
    free_energy,
    parameter,
    random_dual,
)
from theory.parameters import shown
from theory.thresholds.hard_constraints import Q2, constraint_limit, prior_limit
from theory.thresholds.models import P1

KAPPA = Symbol("kappa", positive=True)


@pytest.mark.parametrize(
    ("given_value", "exact"),
    [
        (1, 1),
        (0.3, Rational(3, 10)),
        ("0.3", Rational(3, 10)),
        (" 1e-3 ", Rational(1, 1000)),
        ("2/7", Rational(2, 7)),
        (Fraction(1, 3), Rational(1, 3)),
        (Decimal("0.25"), Rational(1, 4)),
        (Rational(1, 7), Rational(1, 7)),
        (sqrt(2), sqrt(2)),
        (Float("0.5"), Rational(1, 2)),
    ],
)
def test_kappa_is_read_exactly(given_value, exact):
    model = SBP(given_value)
    assert model.kappa == exact
    assert model.parameters == {KAPPA: exact}


@given(st.fractions(min_value=Fraction(1, 10**6), max_value=10**6))
def test_fractions_survive(value):
    assert Fraction(int(SBP(value).kappa.p), int(SBP(value).kappa.q)) == value


@given(st.floats(1e-6, 1e6))
def test_floats_are_their_shortest_decimal(value):
    assert SBP(value).kappa == SBP(repr(value)).kappa
    assert float(SBP(value).kappa) == value


def test_symbolic_by_default():
    assert SBP().kappa == KAPPA
    assert SBP().parameters == {}
    assert SBP(KAPPA) == SBP()
    assert SBP(2).generic == SBP()
    assert (str(SBP()), str(SBP("0.5")), SBP().name) == ("sbp", "sbp(kappa=1/2)", "sbp")


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (0, ValueError, "positive number, got 0"),
        (-1, ValueError, "positive number, got -1"),
        ("-0.5", ValueError, "positive number, got '-0.5'"),
        (float("nan"), ValueError, "finite, got nan"),
        (float("inf"), ValueError, "finite, got inf"),
        ("nan", ValueError, "finite, got 'nan'"),
        (nan, ValueError, "finite number, got nan"),
        (oo, ValueError, "finite number, got oo"),
        (zoo, ValueError, "finite number, got zoo"),
        (I, ValueError, "positive number, got I"),
        (Symbol("y"), ValueError, "finite number, got y"),
        ("one", ValueError, "must be a number, got 'one'"),
        ("", ValueError, "must be a number"),
        ("1/0", ValueError, "must be a number"),
        ("1e999999999", ValueError, "between 1e-1000 and 1e1000"),
        ("1e-5000", ValueError, "between 1e-1000 and 1e1000"),
        ("1" * 5000, ValueError, "at most 1000 digits, got '1111"),
        (10**5000, ValueError, "got a number of thousands of digits"),
        (Fraction(1, 10**5000), ValueError, "at most 1000 digits"),
        (Rational(1, 10**5000), ValueError, "at most 1000 digits"),
        (Decimal("-1"), ValueError, "positive number, got -1"),
        (Fraction(-1, 2), ValueError, "positive number, got -1/2"),
        (True, TypeError, "must be a number, got True"),
        (1j, TypeError, "must be a number"),
        ([1], TypeError, "must be a number"),
    ],
    ids=lambda value: "" if isinstance(value, type) else shown(value)[:20],
)
def test_bad_kappa_is_one_clear_line(bad, error, message):
    with pytest.raises(error, match="kappa") as caught:
        SBP(bad)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_models_are_values():
    assert SBP(1) == SBP("1")
    assert SBP(1) != SBP(2)
    assert len({SBP(1), SBP(1.0), SBP()}) == 2
    assert pickle.loads(pickle.dumps(SBP("0.3"))) == SBP(0.3)
    with pytest.raises(AttributeError):
        setattr(SBP(1), "name", "other")  # noqa: B010


@pytest.mark.parametrize("make", [SBP, ABP, UPerceptron, SphericalPerceptron, ZeroOnePerceptron])
def test_replace_takes_the_parameters_of_a_perceptron(make):
    model = make("1/2")
    assert dataclasses.replace(model) == model
    assert dataclasses.replace(model, kappa=2) == make(2)
    assert dataclasses.replace(model, alpha="3/2") == make("1/2", alpha="3/2")
    assert dataclasses.replace(make(), alpha=1) == make(alpha=1)
    assert dataclasses.replace(make("1/2", alpha=1), kappa=3).parameters == make(3, 1).parameters
    assert model.kappa == Rational(1, 2)
    with pytest.raises((TypeError, ValueError), match="name"):  # the former since Python 3.13
        dataclasses.replace(model, name="other")
    with pytest.raises(ValueError, match="kappa must be a finite number"):
        dataclasses.replace(model, kappa=oo)


def test_replace_takes_the_parameters_of_a_glass():
    assert dataclasses.replace(Hopfield(1, 2), alpha=3) == Hopfield(1, 3)
    assert dataclasses.replace(Hopfield(1, 2), sign=-1) == Hopfield(-1, 2)
    assert dataclasses.replace(Hopfield(-1)) == Hopfield(-1)
    assert dataclasses.replace(SK()) == SK()


def test_model_arguments_are_checked():
    swapped: Any = (SymmetricConstraint(1), BinaryPrior())
    with pytest.raises(TypeError, match="needs a Prior and a Constraint"):
        Model("odd", *swapped)
    with pytest.raises(ValueError, match="sign must be -1 or"):
        Model("odd", BinaryPrior(), SymmetricConstraint(1), sign=2)


@dataclass(frozen=True)
class UConstraint(Constraint):
    """|G x| >= kappa: the u-function perceptron, as a user would write it."""

    kappa: Expr = parameter("kappa", positive=True)  # noqa: RUF009

    def leaf(self, h: Expr, gamma: Expr) -> Expr:
        """Return max(kappa - |h|, 0)**2 / (4 gamma)."""
        return Max(self.kappa - Abs(h), 0) ** 2 / (4 * gamma)


@dataclass(frozen=True)
class HalfSpace(Constraint):
    """G x >= kappa for any real kappa; not even."""

    kappa: Expr = parameter("kappa")  # noqa: RUF009

    def leaf(self, h: Expr, gamma: Expr) -> Expr:
        """Return max(kappa + h, 0)**2 / (4 gamma)."""
        return Max(self.kappa + h, 0) ** 2 / (4 * gamma)


@dataclass(frozen=True)
class Soft(Constraint):
    """A penalty that does not harden as gamma -> 0."""

    def leaf(self, h: Expr, gamma: Expr) -> Expr:
        """Return max(h, 0)**2."""
        return Max(h, 0) ** 2


@dataclass(frozen=True)
class Impossible(Constraint):
    """A penalty everywhere."""

    def leaf(self, h: Expr, gamma: Expr) -> Expr:
        """Return (1 + h**2)/gamma."""
        return (1 + h**2) / gamma


def test_a_new_even_constraint_needs_its_leaf_only():
    limit = constraint_limit(UConstraint())
    assert limit.feasible == ((-oo, -KAPPA), (KAPPA, oo))
    assert limit.is_even
    fe = free_energy(Model("u", BinaryPrior(), UConstraint("1/2")), 3)
    assert [str(x) for x in fe.order_parameters] == ["p_2", "Q_2", "s_2"]
    two = free_energy(Model("u", BinaryPrior(), UConstraint()), 2)
    assert (two.energy.args[0] - (1 - erf(KAPPA / sqrt(2)))).expand() == 0


def test_evenness_is_found_not_declared():
    h, k = symbols("h kappa", real=True)
    limit = constraint_limit(HalfSpace())
    assert not limit.is_even
    assert limit.feasible == ((-oo, -k),)
    assert limit.probability.expr.subs({h: 0}).subs("p_2", 0).has(erf)
    fe = free_energy(Model("half-space", BinaryPrior(), HalfSpace(0)), 3)
    assert [str(x) for x in fe.order_parameters] == ["p_2", "p_3", "Q_2", "Q_3", "s_2"]


def test_a_constraint_without_hard_limit_is_refused():
    with pytest.raises(ValueError, match="has no hard limit"):
        free_energy(Model("soft", BinaryPrior(), Soft()), 2)
    with pytest.raises(ValueError, match="holds nowhere"):
        free_energy(Model("impossible", BinaryPrior(), Impossible()), 2)


# -- discrete priors -------------------------------------------------------------------------------


def test_weights_are_read_exactly_and_sorted():
    assert DiscretePrior((1, "0.5", 0)).values == (0, Rational(1, 2), 1)
    assert DiscretePrior((-2, 0)).largest_norm == 4


@pytest.mark.parametrize("values", [(), (1,), (-1, 1), (2, 2)])
def test_weights_of_one_modulus_are_refused(values):
    with pytest.raises(ValueError, match="two different moduli"):
        DiscretePrior(values)


def test_weights_that_are_no_numbers_are_refused():
    with pytest.raises(TypeError, match="a weight"):
        DiscretePrior((0, None))


@pytest.mark.parametrize("values", [(0, 1), (-1, 0, 1), (0, 1, 2), (-1, 3)])
def test_the_leaf_of_a_discrete_prior_is_its_partition_function(values):
    """The limit of the innermost lifting is log sum_a w**(a**2) exp(a h)."""
    limit = prior_limit(DiscretePrior(values))
    (h,), (w,) = limit.leaf.variables, limit.fields
    expected = sum(w ** (a * a) * exp(a * h) for a in values)
    # a common factor may be in the offset
    ratio = exp(limit.leaf.expr + limit.offset) / expected
    rest = simplify(log(ratio.simplify()).expand(force=True))
    assert not rest.has(h)
    assert simplify(rest + P1 * (log(w) + Q2 / 2)).expand(force=True) == 0


def test_without_constraint_every_x_has_norm_one():
    with pytest.raises(ValueError, match="norm 1"):
        random_dual(Model("glass", DiscretePrior((0, 1)), None, 1), 2)


def test_several_margins_are_no_margin():
    with pytest.raises(TypeError, match="kappa must be a number"):
        SBP(np.array([1.0, 2.0]))
