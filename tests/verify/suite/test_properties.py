"""Every property of the suite as a property test, and what happens when one fails."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from numerics import cross_check
from theory import ABP, free_energy
from verify import nests
from verify.suite import claims as registry
from verify.suite import properties
from verify.suite.claims import Run, all_claims
from verify.suite.properties import PROPERTIES, Property, close, prop, reproduce
from verify.suite.subject import Theory
from verify.suite.wrong import Moved
from verify.thresholds.quadrature import gibbs

all_claims()


@pytest.mark.long
@pytest.mark.parametrize(
    "name",
    [
        name
        for name, one in PROPERTIES.items()
        if one.claim.cost <= 2.0 and one.claim.group != "sbp" and one.claim.profile == "quick"
    ],
)
@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_property(name, data):
    PROPERTIES[name].body(Theory(), data)


@pytest.mark.slow
@pytest.mark.parametrize("name", PROPERTIES)
@settings(max_examples=100)
@given(data=st.data())
def test_property_at_length(name, data):
    PROPERTIES[name].body(Theory(), data)


def _seeds(cost: float) -> int:
    """A hundred, or what takes some minutes."""
    return 100 if cost <= 3.0 else 20 if cost <= 12.0 else 5


RANDOM = {"properties", "spherical", "enumeration", "kernels", "networks", "instances"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "claim",
    [
        pytest.param(one, id=one.id)
        for one in all_claims()
        if one.group in RANDOM and one.profile != "full"
    ],
)
def test_a_hundred_fresh_seeds_raise_no_alarm(claim):
    for seed in range(_seeds(claim.cost)):
        finding = claim.check(Run(claim, Theory(), 10**6 + seed))
        assert not claim.expected.complaint(finding), (seed, finding)


# -- a failing property ----------------------------------------------------------------------------


@pytest.fixture
def small_numbers(own_claims) -> Property:
    """A property that fails from 5 on."""

    @prop("small", "Numbers are small.", source="nobody", wrong=("moved",), examples=50)
    def small(theory, data):
        number = data.draw(st.integers(0, 1000), label="number")
        assert number < 5, f"{number} is not small"

    return properties.PROPERTIES["small"]


def test_a_failing_example_is_minimal_and_comes_with_a_token(small_numbers):
    finding = small_numbers.claim.check(Run(small_numbers.claim, Theory(), 1))
    assert finding.verdict == "refuted"
    assert finding.reason.startswith("Fails: 5 is not small")
    assert finding.evidence["smallest failing example"] == ["Draw 1 (number): 5"]
    command = finding.evidence["reproduce"]
    assert command.startswith("widegap verify --reproduce small:")
    claim, failure = reproduce(command.split()[-1], Theory())
    assert claim.id == "small"
    assert str(failure).startswith("5 is not small")


def test_an_example_that_does_not_fail_any_more(small_numbers, monkeypatch):
    command = small_numbers.claim.check(Run(small_numbers.claim, Theory(), 1)).evidence["reproduce"]

    def mended(theory, data):
        data.draw(st.integers(0, 1000), label="number")

    monkeypatch.setitem(properties.PROPERTIES, "small", Property(small_numbers.claim, mended, 50))
    assert reproduce(command.split()[-1], Theory())[1] is None


def test_examples_follow_from_the_seed(own_claims):
    drawn: list[int] = []

    @prop("drawing", "It draws.", source="nobody", wrong=("moved",), examples=10)
    def drawing(theory, data):
        drawn.append(data.draw(st.integers(0, 10**6)))

    claim = properties.PROPERTIES["drawing"].claim
    runs = []
    for seed in (1, 1, 2):
        drawn.clear()
        assert claim.check(Run(claim, Theory(), seed)).verdict == "confirmed"
        runs.append(list(drawn))
    assert runs[0] == runs[1] != runs[2]


def test_an_example_that_cannot_be_evaluated_leaves_the_property_undecided(own_claims):
    @prop("broken", "It breaks.", source="nobody", wrong=("moved",))
    def broken(theory, data):
        raise OverflowError("too large")

    claim = properties.PROPERTIES["broken"].claim
    finding = claim.check(Run(claim, Theory()))
    assert finding.verdict == "undecided"
    assert "OverflowError: too large" in finding.reason


@pytest.mark.parametrize(
    "token",
    ["", "nest-shift", "nest-shift:6:", "nothing:6.1:AAAA", "nest-shift:0.0.1:AAAA"],
)
def test_tokens_that_are_none_are_refused(token):
    with pytest.raises(ValueError, match="token") as caught:
        reproduce(token, Theory())
    assert "\n" not in str(caught.value)


def test_close_says_by_how_much():
    close(1.0, 1.0 + 1e-12)
    with pytest.raises(AssertionError, match=r"differ by -1.000e-03"):
        close(1.0, 1.001)


def test_the_suites_properties_are_claims():
    assert {one.id for one in all_claims() if "property" in one.tags} == set(PROPERTIES)
    assert registry.get_claim("nest-shift") is PROPERTIES["nest-shift"].claim


# -- the sums they are compared with ---------------------------------------------------------------


@given(
    a=st.floats(0.1, 2.0),
    field=st.floats(-1.0, 1.0),
    liftings=nests(st.integers(1, 3), increments=(0.05, 0.6), exponents=(0.5, 3.0), quenched=True),
)
@settings(max_examples=10)
def test_sums_of_a_gaussian_leaf_have_a_closed_form(a, field, liftings):
    curvature, offset = a, 0.0
    for v, s in zip(*liftings, strict=True):
        offset -= 0.5 * (np.log1p(s * v * curvature) / s if s > 0.0 else v * curvature)
        curvature /= 1.0 + s * v * curvature
    found = gibbs(lambda y: -0.5 * a * y**2, field, *liftings)
    close(found.value, offset - 0.5 * curvature * field**2, rel=1e-6, abs=1e-6)
    close(found.slope, -curvature * field, rel=1e-5, abs=1e-5)
    close(found.bend, -curvature, rel=1e-4, abs=1e-4)


def test_wrong_theories_are_wrong_by_what_they_say():
    fe = free_energy(ABP(0), 2)
    point = {"p_2": 0.6, "Q_2": 1.1}
    right, _ = Theory().functional(fe, point)
    close(right, cross_check(fe, point), rel=1e-9)
    close(Moved().functional(fe, point)[0], 1.03 * right)
    assert Moved().solution(ABP(0), 2).value == 1.03 * Theory().solution(ABP(0), 2).value
