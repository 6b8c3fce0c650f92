"""The second route to a limit, by profiles of few coefficients: its ladder, its law and its error."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from numerics import limit, solve
from numerics.errors import ConvergenceError
from numerics.limits import smooth
from numerics.limits.branches import Branch, branches_of, climb, functional
from numerics.limits.extrapolation import Extrapolation, richardson
from numerics.limits.limit import _of_both
from theory import SBP, SK, Hopfield, Model
from theory.thresholds.models import SphericalPerceptron, ZeroOnePerceptron

from .test_curves import curves_at, lowest, smooth_point

PARISI = 0.7631667265665  # Oppermann and Schmidt, from 200 levels


def test_the_error_holds_what_fewer_coefficients_and_levels_change(monkeypatch) -> None:
    def law(level: float) -> float:
        return 1.5 + 3.0 * level**-4 + 8.0 * level**-5 + 200.0 * level**-6

    missed = {12: 1e-9, 10: 4e-7}  # of the levels, by coefficients
    levels = [16, 18, 21, 24, 28]

    def climbed(model, branch, inner, ladder, count):
        return {r: (law(r) + missed[count], law(r) + missed[count - 2]) for r in levels}, 0.0

    monkeypatch.setattr(smooth, "_climbed", climbed)
    branch = replace(lowest(SBP(1), 5), levels=[3, 4, 5])
    branch = replace(branch, values=branch.values * 3, points=branch.points * 3)
    monkeypatch.setattr(smooth, "functional", lambda *_: functional(SBP(1), 5, branch.quenched))
    found = smooth.smooth(SBP(1), branch)
    assert found.value == pytest.approx(1.5 + 1e-9, abs=1e-10)
    assert 3.9e-7 < found.error < 2e-6
    missed[10] = missed[12]
    less = smooth.smooth(SBP(1), branch).error
    assert less < 3.9e-7
    assert less >= abs(richardson(levels, [law(r) for r in levels], 2)[0] - 1.5)


def test_what_is_foretold_of_two_pieces_is_a_quadratic_of_their_sizes() -> None:
    def at(n: int, m: int) -> np.ndarray:
        x, y = np.log(n), np.log(m)
        return np.array([1.0 + x - 2.0 * y + 0.5 * x * y, 0.3 * x * x - 0.2 * y * y])

    pairs = [(n, m) for n in range(3, 8) for m in range(3, 7)]
    known = {pair: at(*pair) for pair in pairs}
    assert smooth._foretold(known, (9, 6)) == pytest.approx(at(9, 6), abs=1e-5)
    alone = {(n,): at(n, 1) for n in (5, 6, 7)}
    assert smooth._foretold(alone, (9,)) == pytest.approx(at(9, 1), abs=1e-12)


def test_what_is_lost_is_reached_by_way_of_a_level_halfway(monkeypatch) -> None:
    visited: list[tuple[int, int]] = []

    class Fake:
        def __init__(self, model, level, quenched, count, inner=0, tolerance=0.0):
            self.sizes, self.count = (inner, level - 2 - inner), count
            self.objective = SimpleNamespace(
                with_work=lambda _: (0.0, 1),
                size=lambda _: 1.0,
                value=lambda x: x,
                unit=lambda _: 1.0,
            )

        def coefficients(self, point):
            return point

        def coords(self, coefficients):
            return coefficients, None

        def of_others(self, others):
            return np.eye(2)

    def stationary(curves, begin, metric=None, before=None):
        if curves.count == 8:
            return begin, float(sum(curves.sizes)) + 0.5, 2e-12, metric
        near = sum(curves.sizes) - sum(visited[-1] if visited else (5, 4)) <= 4
        if near and curves.sizes[0] < 15:
            visited.append(curves.sizes)
            return begin, float(sum(curves.sizes)), 1e-12, np.eye(2)
        return begin, math.inf, math.inf, None

    monkeypatch.setattr(smooth, "_curves", Fake)
    monkeypatch.setattr(smooth, "_stationary", stationary)
    known = [(3, 3), (4, 3), (4, 4), (5, 4)]
    branch = Branch(
        lowest(SBP(1), 5).start,
        True,
        [sum(pair) + 2 for pair in known],
        [1.0] * 4,
        [np.log([n, m]) for n, m in known],
    )
    ladder = [(sum(pair) + 2, pair[0]) for pair in ((9, 6), (12, 8), (15, 10))]
    values, left = smooth._climbed(SBP(1), branch, [n for n, _ in known], ladder, 10)
    assert values == {17: (15.0, 15.5), 22: (20.0, 20.5)}  # what is not reached ends the ladder
    assert left == 2e-12
    assert visited == [(7, 5), (9, 6), (10, 8), (12, 8), (14, 9), (14, 10)]


def test_a_ladder_with_a_gap_has_one_ratio() -> None:
    known = [(5, 4), (6, 4), (5, 5), (7, 5)]
    assert smooth._splits(1.4, 2, known) == [(6, 4), (9, 6), (12, 8), (15, 10), (18, 12)]
    even = smooth._splits(1.1, 2, known)
    assert even[:3] == [(5, 5), (6, 6), (7, 7)]
    assert all(n == m for n, m in even)
    assert sum(even[-1]) + 2 <= 32


def test_the_law_of_two_pieces_is_that_of_one_on_a_ray(monkeypatch) -> None:
    def law(n: int, m: int) -> float:
        return 0.5 + 5.0 * (n + 3.0) ** -4 + 0.6 * m**-4 + ((n + 3.0) * m) ** -2

    def climbed(model, branch, inner, ladder, count):
        return {r: (law(n, r - 2 - n),) * 2 for r, n in ladder}, 0.0

    monkeypatch.setattr(smooth, "_climbed", climbed)
    first = lowest(SBP(1), 5)
    pairs = [(3, 3), (4, 3), (4, 4), (5, 3), (5, 4), (6, 4), (6, 5)]
    branch = Branch(
        first.start,
        first.quenched,
        [sum(pair) + 2 for pair in pairs],
        [law(*pair) for pair in pairs],
        [smooth_point(sum(pair) + 2) for pair in pairs],
    )
    found = smooth.smooth(SBP(1), branch, [n for n, _ in pairs])
    assert abs(found.value - 0.5) <= found.error < 3e-5
    # of levels that alternate, what the law makes is far off
    jumping = [law(*pair) for pair in ((9, 6), (10, 6), (10, 7), (11, 8), (12, 8))]
    assert abs(richardson([17, 18, 19, 21, 22], jumping, 4)[0] - 0.5) > 10.0 * found.error


def test_the_smaller_error_counts_and_both_where_routes_differ() -> None:
    def route(value: float, error: float) -> Extrapolation:
        return Extrapolation(value, error, {}, 4.0)

    better, said = _of_both(route(1.0, 1e-3), route(1.0005, 1e-4))
    assert (better.value, better.error) == (1.0005, 1e-4)
    assert said == "; 1.00050, error 1.1e-04, by smooth profiles, which counts"
    better, said = _of_both(route(1.0, 1e-5), route(1.0005, 1e-3))
    assert (better.value, better.error) == (1.0, 1e-5)
    assert said == "; 1.0005, error 1.1e-03, by smooth profiles"
    neither, said = _of_both(route(1.0, 1e-5), route(1.0005, 1e-4))
    assert neither.value == 1.0
    assert neither.error >= 0.0005 + 1e-4
    assert said == "; smooth profiles do not agree"


def test_the_ladder_ends_at_twice_the_levels() -> None:
    assert smooth._ladder(14) == [16, 18, 21, 24, 28]
    assert smooth._ladder(6) == [7, 8, 9, 10, 12]


def test_saddles_are_reached_by_newtons_steps_where_curves_do_not_tell_their_ways(
    monkeypatch,
) -> None:
    """The same point; and none that goes up in more ways than the level's own."""
    curves, at, value = curves_at(SphericalPerceptron(-1), 5, 3)
    assert curves.ascents(at) == 5
    end, height, left, _ = smooth._stationary(curves, at)
    assert left < 1e-15
    assert curves.objective.value(height) == pytest.approx(value, rel=1e-4)
    monkeypatch.setattr(smooth.Curves, "ascents", lambda *_: None)
    again, same, left, curvature = smooth._stationary(curves, end + 1e-3)
    assert left < 1e-15
    assert same == pytest.approx(height, abs=1e-13)
    assert again == pytest.approx(end, abs=1e-5)
    assert curvature is not None
    assert (np.linalg.eigvalsh(curvature) < 0.0).sum() == 5
    assert smooth._stationary(curves, end + 1e-3, before=5)[1] == pytest.approx(height, abs=1e-13)
    assert smooth._stationary(curves, end + 1e-3, before=4)[2] == math.inf
    monkeypatch.setattr(type(curves.objective), "ascents", lambda *_: 4)
    assert smooth._stationary(curves, end + 1e-3)[2] == math.inf


@pytest.mark.long
def test_curves_from_ten_levels_of_sk_tend_to_parisis_limit() -> None:
    *_, reached = climb(SK(), branches_of(solve(SK(), 6)), 10)
    found = smooth.smooth(SK(), reached[0])
    assert abs(found.value - PARISI) <= found.error < 1e-8
    assert abs(found.value - PARISI) < 1e-4 * (reached[0].values[-1] - PARISI)


def test_too_few_levels_are_refused() -> None:
    (branch, *_) = branches_of(solve(SK(), 4))
    with pytest.raises(ConvergenceError, match="a branch of 3 levels is needed"):
        smooth.smooth(SK(), branch)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "value", "known"),
    [
        (SBP(1), 1.59650278, 3e-8),
        (ZeroOnePerceptron(0), 0.54605, 2e-6),
        (Hopfield(-1, 1), 0.3282488, 4e-7),
    ],
    ids=str,
)
def test_both_routes_to_a_limit_agree(model: Model, value: float, known: float) -> None:
    found = limit(model)
    (levels, off), (curves, missed) = found.routes["levels"], found.routes["smooth profiles"]
    assert abs(levels - curves) <= off + missed
    assert (found.value, found.error) == (curves, missed)
    assert abs(found.value - value) <= found.error + known < 4e-6
