"""Branches from level to level: where they come to rest, and how that is told."""

import numpy as np
import pytest

from numerics import solve
from numerics.limits import branches
from numerics.limits.branches import branches_of, climb, functional, gained
from numerics.thresholds.points import objective_of
from numerics.thresholds.starts import interpolated
from theory import ABP, SBP, SK


def test_what_is_left_to_gain_is_newtons_model() -> None:
    curvature = np.array([[2.0, 0.5], [0.5, -1.0]])
    at = np.array([0.3, -0.2])
    rising, left = gained(lambda x: (0.5 * x @ curvature @ x, curvature @ x), at)
    sizes, vectors = np.linalg.eigh(curvature)
    assert rising == 1
    assert left == pytest.approx(0.5 * (np.abs(sizes) * (vectors.T @ at) ** 2).sum(), rel=1e-9)


@pytest.mark.long
@pytest.mark.parametrize("model", [SK(), SBP(1), ABP(0)], ids=str)
def test_what_a_search_left_is_gained_by_newtons_steps(model, monkeypatch) -> None:
    """Searches end where gradients are short, which in flat directions is far from the point."""
    monkeypatch.setattr(branches, "_GRADIENT", 1e-3)
    monkeypatch.setattr(branches, "_FLAT", 1e-4)
    branch = branches_of(solve(model, 4))[0]
    fe = functional(model, 5, branch.quenched)
    objective = branches._coarse(objective_of(fe))
    start = interpolated(fe, branch.start)
    assert start is not None
    coords = start.coords(objective.evaluator.coordinates)
    coords, left = branches._end(objective, coords)
    assert left < 1e-18
    assert objective.value(objective(coords)[0]) == pytest.approx(solve(model, 5).value, rel=1e-12)


@pytest.mark.long
def test_values_are_off_by_what_grids_differ(monkeypatch) -> None:
    first = solve(SK(), 4)
    ((fine, *_),) = climb(SK(), branches_of(first), 5)
    monkeypatch.setattr(branches, "TOLERANCE", 1e-5)
    ((rough, *_),) = climb(SK(), branches_of(first), 5)
    assert fine.left < 1e-14
    assert 1e-12 < rough.left < 1e-6
    assert abs(fine.values[-1] - rough.values[-1]) <= rough.left
