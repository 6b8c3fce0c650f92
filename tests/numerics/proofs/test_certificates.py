"""Certificates: what is proved, that it is verified from scratch, and everything that must fail."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics import (
    Certificate,
    CertificateError,
    CertificationError,
    certify,
    certify_small_margin,
    check,
    refine,
    solve,
)
from numerics.balls.nest import evaluate_ball_nest
from numerics.balls.plan import BallGrid
from numerics.balls.program import ball_program
from numerics.balls.windows import Windows
from numerics.proofs import certificates as module
from numerics.proofs.integrals import EnclosureError, lifting_integrals
from numerics.proofs.krawczyk import enclose, prove_stationary
from numerics.proofs.small_margin import small_margin_ball
from numerics.thresholds.functional import functional_of
from theory import ABP, SBP, SK, SphericalPerceptron, UPerceptron, free_energy
from theory.thresholds.asymptotics import small_kappa_constant


@pytest.fixture(scope="module")
def proved() -> Callable[[str], Certificate]:
    """Certificates that several tests look at, made once."""
    made: dict[str, Certificate] = {}
    makers = {
        "closed": lambda: certify(solve(SBP(1), 2), 40),
        "spherical": lambda: certify(solve(SphericalPerceptron("1/2"), 1), 30),
        "upper": lambda: certify(solve(SBP(1), 4), 20),
        "stationary": lambda: certify(solve(ABP(0), 2), 12),
        "constant": lambda: certify_small_margin(40),
    }

    def get(name: str) -> Certificate:
        if name not in made:
            made[name] = makers[name]()
        return made[name]

    return get


NAMES = ["closed", "spherical", "upper", "stationary", "constant"]


# -- rigorous integration ----------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize(("model", "level"), [(SBP(1), 3), (ABP("0.2"), 2)], ids=str)
def test_integrals_and_grids_enclose_the_same(model, level):
    """Two rigorous routes that share nothing but the leaf: their balls overlap, derivatives agree."""
    functional, coords = functional_of(solve(model, level))
    with ctx.workdps(30):
        gaps = functional.gaps([arb(t) for t in coords])
        for index, nest in enumerate(functional.program.nests):
            inputs = [arb(a) for a in nest.inputs(*gaps, *functional.parameters())]
            found = lifting_integrals(nest.leaf, inputs, 9.0, ["kappa"])
            other = functional.nest(index, gaps, BallGrid(15), gradient=True)
            assert found.value.overlaps(other.value)
            assert found.value.rad() < 1e-15
            names = nest.leaf.parameters
            for k, (a, b) in enumerate(zip(found.first, other.d_inputs[1:], strict=True)):
                if k >= 2 and names[k - 2] == "kappa":
                    continue
                assert abs(a - b).mid() < 1e-13
                assert found.first[k].rad() < 1e-12


def test_short_integrals_enclose_nothing_wrong():
    """Integrals that end too soon widen; they never miss."""
    functional, coords = functional_of(solve(ABP(0), 2))
    nest = functional.program.nests[0]
    with ctx.workdps(25):
        gaps = functional.gaps([arb(t) for t in coords])
        inputs = [arb(a) for a in nest.inputs(*gaps, *functional.parameters())]
        good = lifting_integrals(nest.leaf, inputs, 10.0)
        for reach in (1.0, 2.0, 4.0, 6.0):
            short = lifting_integrals(nest.leaf, inputs, reach)
            assert short.value.contains(good.value.mid())
            assert short.value.rad() > 1e-12
            assert short.second[0][0].contains(good.second[0][0].mid())


def test_leaves_without_bounds_on_their_tails_are_refused():
    leaf = ball_program(free_energy(UPerceptron(), 3)).nests[1].leaf
    with pytest.raises(EnclosureError, match="tails"):
        lifting_integrals(leaf, [arb(0), arb(1), arb(2), arb(0.1), arb(1)], 8.0, ["kappa"])


# -- the Krawczyk test -------------------------------------------------------------------------------


@pytest.mark.long
def test_the_hessian_is_that_of_differences():
    functional, _ = functional_of(solve(ABP(0), 2))
    point = [arb("0.56"), arb("2.5")]
    with ctx.workdps(25):
        at = enclose(functional, point, 8.5)
        step = arb(10) ** -6
        for i in range(2):
            up = [x + step if j == i else x for j, x in enumerate(point)]
            moved = enclose(functional, up, 8.5)
            assert abs((moved.value - at.value) / step - at.gradient[i]).mid() < 1e-5
            for j in range(2):
                slope = (moved.gradient[j] - at.gradient[j]) / step
                assert abs(slope - at.hessian[i][j]).mid() < 1e-4


@pytest.mark.long
def test_the_krawczyk_test_needs_a_point_near_enough_and_a_box_of_the_right_size():
    solution = refine(solve(ABP(0), 2), 25, check=False)
    functional, _ = functional_of(solution)
    point = [arb(mpmath.nstr(x, 25)).mid() for x in solution.order_parameters.values()]
    with ctx.workdps(30):
        found = prove_stationary(functional, point, arb(10) ** -8, 8.5)
        assert found.negative == 1
        assert found.value.rad() < 1e-14
        assert all(found.point[k].contains(p) for k, p in zip(("p_2", "Q_2"), point, strict=True))
        wrong = [point[0] * (1 + arb(10) ** -5), point[1]]
        for at, radius in ((wrong, arb(10) ** -8), (point, arb("0.3")), (point, arb(10) ** -28)):
            with pytest.raises(EnclosureError):
                prove_stationary(functional, at, radius, 8.5)
        with pytest.raises(EnclosureError):  # the integrals are too short
            prove_stationary(functional, point, arb(10) ** -8, 3.0)


# -- the constant ------------------------------------------------------------------------------------


@pytest.mark.parametrize("digits", [5, 20, 100])
def test_the_small_margin_constant_is_enclosed(digits):
    ball = small_margin_ball(digits)
    with ctx.workdps(digits + 20):
        other = mpmath.nstr(small_kappa_constant().evaluate(digits + 10), digits + 10)
        assert ball.overlaps(arb(other) + arb(0, 1) * arb(10) ** -(digits + 8))
        assert ball.rad() < arb(10) ** -digits


# -- certificates ------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_certificates_are_verified_from_their_text_alone(proved, name):
    certificate = proved(name)
    assert check(certificate.to_json()) == certificate
    assert 0 < certificate.width < 10.0 ** (2 - certificate.digits)
    assert certificate.statement in str(certificate)


@pytest.mark.long
def test_certified_values_are_the_solutions(proved):
    for name, value in (
        ("closed", solve(SBP(1), 2).value),
        ("spherical", solve(SphericalPerceptron("1/2"), 1).value),
        ("upper", solve(SBP(1), 4).value),
        ("stationary", solve(ABP(0), 2).value),
        ("constant", 1.2385175301674539),
    ):
        lower, upper = (float(x) for x in (proved(name).lower, proved(name).upper))
        assert lower - 1e-13 <= value <= upper + 1e-13


@pytest.mark.long
def test_upper_bounds_fall_from_level_to_level():
    """The proved upper bound of a level lies below the level before; at level 3 that is proved as well."""
    bounds = [certify(solve(SBP(1), level), 10) for level in (4, 5)]
    assert bounds[1].upper < bounds[0].lower < "1.6575"
    assert all(c.kind == "upper bound" for c in bounds)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_every_changed_digit_is_caught(proved, name, data):
    """In the text: the checksum does not fit. With a new checksum: what is proved does not."""
    certificate = proved(name)
    text = certificate.to_json()
    places = [i for i, c in enumerate(text) if c.isdigit()]
    place = data.draw(st.sampled_from(places))
    digit = data.draw(st.sampled_from([d for d in "0123456789" if d != text[place]]))
    with pytest.raises(CertificateError):
        check(text[:place] + digit + text[place + 1 :])


# What each field can be changed to; a copy of a certificate is written in full, with a new checksum.
OTHERS = {
    "lower": st.sampled_from(["0", "-1", "1.8158", "nan", "", "1e999999999", "1" * 5000]),
    "upper": st.sampled_from(["9", "1", "1.8159", "inf", "", "1e999999999", "1" * 5000]),
    "statement": st.sampled_from(["alpha is anything.", ""]),
    "kind": st.sampled_from(
        ["closed form", "stationary point", "upper bound", "small-margin constant", "theorem", ""]
    ),
    "model": st.sampled_from(["sbp", "abp", "ubp", "spherical", "sk", "hopfield", "nothing", ""]),
    "parameters": st.sampled_from(
        [
            {},
            {"kappa": "2"},
            {"kappa": "1.0"},
            {"kappa": "-1"},
            {"kappa": "1", "alpha": "1"},
            {"kappa": "1" * 5000},
            {"kappa": "1e-999"},
            {"gamma": "1"},
        ]
    ),
    "level": st.sampled_from([1, 2, 3, 4, 5, 50, 0, -1, 10**7, 10**30]),
    "point": st.sampled_from(
        [{}, {"p_2": "0.5"}, {"p_2": "1e9999"}, {"q_2": "1"}, {"p_2": "0.5", "Q_2": "1"}]
    ),
    "radius": st.sampled_from(["", "0", "1", "1e-5", "1e-300", "-1e-12", "1e9999", "x"]),
    "digits": st.sampled_from([5, 12, 13, 29, 41, 300, 301, 0, -1, 10**9]),
}
WRONG_TYPES = st.sampled_from([None, True, 1.5, [], {}, 7, "7", {"a": 1}, [["x"]], float("nan")])


SLOW = pytest.param("stationary", marks=pytest.mark.slow)
FIELDS = [field.name for field in dataclasses.fields(Certificate)]


@pytest.mark.long
@pytest.mark.parametrize("name", [SLOW if name == "stationary" else name for name in NAMES])
@pytest.mark.parametrize("field", FIELDS)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_every_changed_field_is_caught(proved, name, field, data):
    certificate = proved(name)
    there = getattr(certificate, field)
    every = [OTHERS[field], WRONG_TYPES]
    if isinstance(there, str) and any(c.isdigit() for c in there):
        every.append(st.builds(_other_digit, st.just(there), st.integers(0, 10**6)))
    if isinstance(there, int):
        every.append(st.sampled_from([there - 1, there + 1]))
    if isinstance(there, dict) and there:
        every.append(st.builds(_other_entry, st.just(there), st.integers(0, 10**6)))
    changed = data.draw(st.one_of(*every).filter(lambda value: value != there or value is True))
    content = json.loads(certificate.to_json()) | {field: changed}
    del content["checksum"]
    text = json.dumps(content | {"checksum": module._checksum(content)})
    with pytest.raises(CertificateError):
        check(text)
    with pytest.raises(CertificateError):
        check(dataclasses.replace(certificate, **{field: changed}))


@pytest.mark.long
@pytest.mark.parametrize("field", FIELDS)
def test_a_changed_field_of_a_stationary_point_is_caught(proved, field):
    certificate = proved("stationary")
    there = getattr(certificate, field)
    changed = {
        int: lambda: there + 1,
        str: lambda: {"model": "sbp", "kind": "upper bound"}.get(field) or _other_digit(there, 3),
        dict: lambda: _other_entry(there, 0),
    }[type(there)]()
    with pytest.raises(CertificateError):
        check(dataclasses.replace(certificate, **{field: changed}))


def _other_digit(text: str, seed: int) -> str:
    places = [i for i, c in enumerate(text) if c.isdigit()]
    place = places[seed % len(places)]
    return text[:place] + str((int(text[place]) + 1 + seed % 9) % 10) + text[place + 1 :]


def _other_entry(table: dict[str, str], seed: int) -> dict[str, str]:
    name = sorted(table)[seed % len(table)]
    entries = [{**table, name: _other_digit(table[name], seed)}, {**table, f"{name}x": "1"}]
    return [*entries, {k: v for k, v in table.items() if k != name}][seed % 3]


def test_a_point_that_needs_too_many_nodes_is_refused_before_the_work(proved):
    certificate = proved("upper")
    for value in ("1" + "0" * 20, "1" + "0" * 300):
        point = {**certificate.point, "s_3": value}
        with pytest.raises(CertificateError, match="nodes"):
            check(dataclasses.replace(certificate, point=point))


@given(
    st.lists(st.floats(-1e4, 0.0), min_size=1, max_size=700),
    st.integers(-900, 900),
    st.integers(-2000, 2000),
    st.floats(1e-7, 1.0),
    st.floats(0.1, 1e3),
)
def test_windows_are_those_of_a_look_at_all_nodes(weights, first, x, c, margin):
    log_weights = np.array(weights)
    distance = first + np.arange(log_weights.size) - x
    heights = log_weights - c * distance * distance
    kept = np.flatnonzero(heights >= heights.max() - margin)
    assert Windows(log_weights, first, c, margin).around(x) == (kept[0], kept[-1])


@pytest.mark.parametrize("name", ["closed", "upper", "constant"])
@pytest.mark.parametrize("field", ["lower", "upper"])
def test_bounds_that_exclude_the_value_are_not_verified(proved, name, field):
    certificate = proved(name)
    other = {"lower": certificate.upper, "upper": certificate.lower}[field]
    with pytest.raises(CertificateError, match="what is proved"):
        check(dataclasses.replace(certificate, **{field: other}))


@pytest.mark.parametrize(
    "change",
    [
        {"level": 5},
        {"kind": "closed form"},
        {"kind": "stationary point"},
        {"kind": "theorem"},
        {"model": "abp"},
        {"model": "nothing"},
        {"parameters": {"kappa": "2"}},
        {"parameters": {"kappa": "-1"}},
        {"point": {}},
        {"digits": 4000},
        {"digits": "many"},
        {"statement": "alpha is anything."},
        {"level": 10**7},
        {"level": "4"},
        {"lower": "1e999999999"},
        {"upper": "nan"},
        {"lower": "1" * 5000},
        {"point": None},
        {"parameters": []},
    ],
    ids=str,
)
def test_claims_about_something_else_are_not_verified(proved, change):
    with pytest.raises(CertificateError):
        check(dataclasses.replace(proved("upper"), **change))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("p_3", "0.9"),
        ("s_2", "0.9"),
        ("s_2", "20"),
        ("p_2", "1.2"),
        ("Q_2", "-1"),
        ("Q_2", "x"),
        ("Q_2", "1e999999999"),
        ("Q_2", 1),
    ],
)
def test_a_wrong_parameter_is_not_verified(proved, name, value):
    certificate = proved("upper")
    point = {**certificate.point, name: value}
    with pytest.raises(CertificateError):
        check(dataclasses.replace(certificate, point=point))


def test_a_coarse_grid_or_a_small_window_never_proves_more(proved, monkeypatch):
    """Spoilt grids give a wider enclosure, so the claim fails; never a wrong one."""
    certificate = proved("upper")
    for spoilt in ({"coarsen": 1.6}, {"narrow": 0.5}):
        monkeypatch.setattr(module, "BallGrid", lambda digits, s=spoilt: BallGrid(digits, **s))
        with pytest.raises(CertificateError):
            check(certificate)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"format": "widegap certificate 1"}',
        "null",
        "[" * 100_000,
        '{"a":' * 100_000,
        f'{{"level": {"1" * 5000}}}',
        '{"digits": NaN}',
        "\x00",
    ],
    ids=lambda text: text[:20],
)
def test_other_files_are_no_certificates(text):
    with pytest.raises(CertificateError):
        check(text)


def test_missing_fields_are_named(proved):
    content = json.loads(proved("closed").to_json())
    del content["lower"], content["checksum"]
    content["checksum"] = module._checksum(content)
    with pytest.raises(CertificateError, match="lower"):
        check(json.dumps(content))


@pytest.mark.long
@pytest.mark.parametrize(
    ("solution", "says"),
    [
        (lambda: solve(SK(), 2), "proofs exist"),
        (lambda: solve(ABP(0), 3), "proofs exist"),
        (lambda: solve(UPerceptron(1), 3), "tails"),
        (lambda: solve(SBP(1, alpha=1), 2), "satisfiable"),
        (lambda: dataclasses.replace(solve(SBP(1), 3), error=0.1), "did not converge"),
    ],
)
def test_what_cannot_be_proved_is_refused(solution, says):
    with pytest.raises(CertificationError, match=says):
        certify(solution(), 10)


@pytest.mark.parametrize("digits", [4, 301])
def test_settle_of_a_claim(digits):
    with pytest.raises(ValueError, match="between 5 and 300"):
        certify(solve(SBP(1), 2), digits)


@pytest.mark.parametrize("digits", [True, 10.0, "10"])
def test_settle_are_an_integer(digits):
    with pytest.raises(TypeError):
        certify(solve(SBP(1), 2), digits)


def test_only_solutions_are_certified_and_certificates_verified():
    with pytest.raises(TypeError, match="Solution"):
        certify(1.6)
    with pytest.raises(TypeError, match="expected a Certificate or its text, got 1.6"):
        check(1.6)


def test_a_nest_of_the_wrong_strip_would_be_noticed():
    """A grid twice as coarse as the bound allows: the ball says so, and still contains the truth."""
    leaf = ball_program(free_energy(SBP(), 3)).nests[0].leaf
    with ctx.workdps(40):
        inputs = [arb(0), arb(1), arb(3)]
        fine = evaluate_ball_nest(leaf, inputs, 1, BallGrid(25)).value
        coarse = evaluate_ball_nest(leaf, inputs, 1, BallGrid(25, coarsen=2.0)).value
        assert coarse.contains(fine.mid())
        assert coarse.rad() > 1e-14


@pytest.mark.slow
def test_level_three_is_proved_to_thirty_digits():
    certificate = certify(solve(SBP(1), 3), 28)
    assert certificate.width < 1e-25
    assert "a minimum" in certificate.statement
    assert check(certificate.to_json()) == certificate


@pytest.mark.slow
def test_level_seven_lies_below_the_printed_value():
    assert certify(solve(SBP(1), 7), 10).upper < "1.6021"
