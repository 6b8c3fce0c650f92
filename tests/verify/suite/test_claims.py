"""Claims, what is expected of them, and the statistics that they rest on."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from verify.statistics.tests import FALSE_ALARM, CountTest, MeanTest, interval
from verify.suite.checks import limit_bracket
from verify.suite.claims import (
    PROFILES,
    Run,
    UnknownClaimError,
    all_claims,
    claim,
    false_alarm_bound,
    register,
    select,
)
from verify.suite.expectations import ExpectationError, read_expectations
from verify.suite.subject import Theory
from verify.suite.verdicts import SEVERITY, Expected, Finding, plain, printed_tolerance
from verify.suite.wrong import WRONG, theory_by_name

# -- the suite's own list --------------------------------------------------------------------------


def test_every_claim_says_what_it_needs_to():
    for one in all_claims():
        assert one.statement.endswith("."), one.id
        assert one.statement[0].isupper(), one.id
        assert one.source, one.id
        assert one.tags, one.id
        assert set(one.wrong) <= WRONG.keys(), one.id
        assert one.module.startswith("verify."), one.id
        assert one.expected.verdict == "confirmed" or len(one.expected.reason) > 40, one.id


def test_every_published_value_has_a_claim():
    printed = {one.printed for one in all_claims() if one.printed}
    wanted = {"1.8159", "1.6021", "1.59", "1.58", "1.2385", "1.429", "0.8330786", "0.7764"}
    assert wanted | {"0.77..0.78", "2", "1.7784", "0.3281", "0.763"} <= printed


@pytest.mark.parametrize("profile", PROFILES)
def test_the_family_wise_bound_of_a_profile(profile):
    bound = false_alarm_bound(select(all_claims(), profile))
    assert 0.0 <= bound < 1e-6


def test_every_random_test_has_power():
    designs = [design for one in all_claims() for design in one.designs]
    assert designs
    for design in designs:
        assert design.power > 0.999, design
        assert design.false_alarm <= 1e-7, design


def test_profiles_contain_each_other():
    quick, ci, full = (select(all_claims(), profile) for profile in PROFILES)
    assert set(c.id for c in quick) < set(c.id for c in ci) <= set(c.id for c in full)
    assert sum(one.cost for one in quick) < 120
    assert sum(one.cost for one in ci) < 1150  # below ten minutes on two cores


# -- registering and choosing ----------------------------------------------------------------------


def test_a_claim_takes_a_few_lines(own_claims):
    @claim("two-is-two", "Two is two.", source="arithmetic", tags=("numbers",))
    def check(run):
        return Finding("confirmed", "It is.", 2.0)

    (found,) = all_claims()
    assert found.id == "two-is-two"
    assert found.module == __name__
    assert found.check(Run(found, Theory())).value == 2.0
    assert check(Run(found, Theory())).value == 2.0, "the function stays what it is"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"id": "Two"}, "lower-case"),
        ({"id": "two three"}, "lower-case"),
        ({"wrong": ()}, "no wrong theory"),
        ({"profile": "slow"}, "a profile is one of"),
    ],
)
def test_incomplete_claims_are_refused(own_claims, made_claim, fields, message):
    with pytest.raises(ValueError, match=message):
        register(made_claim(**fields))


def test_an_identifier_is_given_once(own_claims, made_claim):
    register(made_claim("one", module="here"))
    with pytest.raises(ValueError, match="there is a claim 'one' already, in here"):
        register(made_claim("one", module="there"))


def test_choosing(made_claim):
    claims = [
        made_claim("a", tags=("x",)),
        made_claim("b", tags=("x", "y")),
        made_claim("c", tags=("x",), profile="full"),
    ]
    assert [c.id for c in select(claims)] == ["a", "b"]
    assert [c.id for c in select(claims, "full")] == ["a", "b", "c"]
    assert [c.id for c in select(claims, only=["y"])] == ["b"]
    assert [c.id for c in select(claims, only=["c", "y"])] == ["b", "c"], (
        "by name whatever the profile"
    )
    with pytest.raises(UnknownClaimError, match="no claim and no tag 'aa'"):
        select(claims, only=["aa"])


def test_a_slip_of_the_pen_is_answered_with_what_comes_near():
    with pytest.raises(UnknownClaimError, match="did you mean sbp-level-7"):
        select(all_claims(), only=["sbp-levle-7"])


def test_streams_depend_on_seed_and_identifier_alone(made_claim):
    def numbers(id: str, seed: int, *path: int) -> list[float]:
        return Run(made_claim(id), Theory(), seed).stream(*path).normal(size=3).tolist()

    assert numbers("a", 1) == numbers("a", 1)
    others = [numbers("a", 2), numbers("b", 1), numbers("a", 1, 0), numbers("a", 1, 1)]
    assert all(numbers("a", 1) != other for other in others)
    assert len({tuple(other) for other in others}) == len(others)


# -- verdicts --------------------------------------------------------------------------------------


def test_severity_and_complaints():
    verdicts = list(SEVERITY)
    assert verdicts == ["confirmed", "differs", "undecided", "refuted"]
    for expected in verdicts:
        for found in verdicts:
            complaint = Expected(expected, "because").complaint(Finding(found, ""))
            assert bool(complaint) == (SEVERITY[found] > SEVERITY[expected])


def test_a_recorded_value_that_moves_is_a_complaint():
    expected = Expected("differs", "because", 1.5, 1e-3)
    assert not expected.complaint(Finding("differs", "", 1.5001))
    assert "our value is 1.51" in expected.complaint(Finding("differs", "", 1.51))
    assert not expected.complaint(Finding("confirmed", "", 1.6))


def test_expectations_need_reasons():
    with pytest.raises(ValueError, match="needs a reason"):
        Expected("differs", " ")
    with pytest.raises(ValueError, match="a verdict is one of"):
        Expected("wrong", "because")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[", "not a file of recorded verdicts"),
        ("a = " + "[" * 20_000, "nested too deeply"),
        ("a = " + "1" * 5000, "not a file of recorded verdicts"),
        ("\udcff", "not a file of recorded verdicts"),
        ("x" * 10_000_001, "more than 10000000 bytes"),
        ("[none]", "names 'none', which is no claim"),
        ("mine = 1", "may have reason, tolerance, value, verdict and nothing else"),
        ('[mine]\nverdict = "proved"', "the verdict of mine is one of"),
        ('[mine]\nverdict = "differs"', "needs a reason"),
        ('[mine]\nverdict = "confirmed"\nreason = 7', "the reason of mine is text"),
        ('[mine]\nverdict = "confirmed"\nvalue = "1.5"', "the value of mine is a number"),
        ('[mine]\nverdict = "confirmed"\nvalue = inf', "the value of mine is not finite"),
        ('[mine]\nverdict = "confirmed"\ntolerance = nan', "the tolerance of mine is not finite"),
        ('[mine]\nverdict = "confirmed"\nvalue = 2020-01-01', "the value of mine is a number"),
    ],
    ids=lambda text: text[:30].encode("ascii", "replace").decode(),
)
def test_recorded_verdicts_that_are_none(made_claim, tmp_path, text, says):
    (tmp_path / "e.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ExpectationError, match=says) as caught:
        read_expectations(tmp_path / "e.toml", [made_claim("mine")])
    assert "\n" not in str(caught.value)[:300]


@pytest.mark.parametrize(("printed", "half"), [("1.6021", 5e-5), ("2", 0.5), ("0.10", 5e-3)])
def test_half_a_unit_of_what_is_printed(printed, half):
    assert printed_tolerance(printed) == pytest.approx(half)


def test_plain_content_is_json():
    import json

    content = {
        "a": np.float64(1.5),
        2: (math.nan, math.inf),
        "c": np.arange(2),
        "d": {1},
        "e": None,
    }
    assert json.loads(json.dumps(plain(content), allow_nan=False)) == {
        "a": 1.5,
        "2": [None, None],
        "c": [0, 1],
        "d": [1],
        "e": None,
    }


def test_wrong_theories_have_names():
    assert theory_by_name("").name == "widegap"
    assert all(theory_by_name(name).name == name for name in WRONG)
    with pytest.raises(ValueError, match="no wrong theory 'right'; choose from moved"):
        theory_by_name("right")


# -- extrapolation ---------------------------------------------------------------------------------


@given(st.floats(-2.0, 2.0), st.floats(0.1, 3.0), st.floats(0.7, 5.0))
def test_power_laws_are_bracketed_and_one_end_is_exact(limit, size, power):
    values = [limit + size * k**-power for k in range(1, 6)]
    low, high = limit_bracket(values)
    assert low <= high
    assert min(abs(low - limit), abs(high - limit)) < 1e-6 * (1.0 + size)


@given(st.floats(-2.0, 2.0), st.floats(0.1, 3.0), st.floats(0.1, 0.6))
def test_geometric_sequences_have_their_limit_at_an_end(limit, size, ratio):
    values = [limit + size * ratio**k for k in range(4)]
    low, high = limit_bracket(values)
    assert min(abs(low - limit), abs(high - limit)) < 1e-9 * (1.0 + size)


@pytest.mark.parametrize("values", [[1.0, 2.0], [1.0, 2.0, 4.0], [1.0, 2.0, 1.5]])
def test_sequences_without_a_limit_are_refused(values):
    with pytest.raises(ValueError, match="three values|do not shrink"):
        limit_bracket(values)


# -- statistics ------------------------------------------------------------------------------------


@given(st.integers(50, 2000), st.floats(0.05, 0.95), st.sampled_from([1e-9, 1e-6, 1e-3]))
def test_counts_are_rejected_as_rarely_as_said(size, null, false_alarm):
    low, high = CountTest(null, size, 0.5, false_alarm).region()
    outside = stats.binom.cdf(low - 1, size, null) + stats.binom.sf(high, size, null)
    assert outside <= false_alarm * (1.0 + 1e-9)
    # and the region is not larger than it has to be
    assert stats.binom.cdf(low, size, null) > 0.5 * false_alarm or low == 0
    assert stats.binom.sf(high - 1, size, null) > 0.5 * false_alarm or high == size


def test_power_is_the_share_of_rejections():
    test = CountTest(0.5, 400, 0.6, 1e-3)
    rng = np.random.default_rng(5)
    counts = rng.binomial(400, 0.6, 4000)
    share = np.mean([not test.accepts(int(count)) for count in counts])
    assert share == pytest.approx(test.power, abs=0.03)
    assert test.p_value(200) == pytest.approx(1.0)


def test_means_have_students_quantile_and_power():
    test = MeanTest(0.0, 2000, 0.1, 1e-3)
    rng = np.random.default_rng(6)
    t = np.array([stats.ttest_1samp(rng.normal(0.1, 1.0, 2000), 0.0).statistic for _ in range(500)])
    assert np.mean(np.abs(t) > test.critical()) == pytest.approx(test.power, abs=0.06)
    assert MeanTest(0.0, 10_000, 0.02).power < 0.01 < 0.999 < MeanTest(0.0, 10_000, 0.1).power
    assert FALSE_ALARM == 1e-9


def test_a_copied_claim_is_noticed(own_claims):
    """The same identifier twice in one module is a mistake; a module that is imported anew is none."""

    def make(check):
        return claim("one", "A sentence.", source="here")(check)

    def first(run):
        return Finding("confirmed", "yes")

    def second(run):
        return Finding("confirmed", "yes")

    make(first)
    make(first)
    with pytest.raises(ValueError, match="there is a claim 'one' already"):
        make(second)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"tags": "sk"}, TypeError, "sequence of names"),
        ({"wrong": "moved"}, TypeError, "sequence of names"),
        ({"wrong": ("mooved",)}, ValueError, "wrong theories are moved"),
        ({"cost": math.nan}, ValueError, "number of seconds"),
        ({"id": "a--b"}, ValueError, "lower-case words"),
        ({"id": "²"}, ValueError, "lower-case words"),
    ],
)
def test_a_claim_that_makes_no_sense_is_refused(own_claims, options, error, message):
    options = {"id": "one", "statement": "A sentence.", "source": "here", **options}
    with pytest.raises(error, match=message):
        claim(**options)(lambda run: Finding("confirmed", "yes"))


def test_an_unknown_profile_is_named():
    with pytest.raises(ValueError, match="a profile is one of quick, ci, full"):
        select((), "foo")


def test_intervals_are_student_s():
    low, high = interval([1.0, 2.0, 3.0])
    assert (low + high) / 2 == pytest.approx(2.0)
    assert (high - low) / 2 == pytest.approx(4.302653 / 3**0.5, rel=1e-6)
