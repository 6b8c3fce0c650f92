"""Branches from level to level: where they come to rest, and how that is told."""

import numpy as np
import pytest

from numerics import solve
from numerics.limits import branches
from numerics.limits.branches import branches_of, functional, gained
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


@pytest.mark.parametrize(
    ("flat", "wanted", "rising"), [(1e-9, 2, 2), (1e-9, 3, 3), (1e-3, 2, 1), (1e-3, 4, 1)]
)
def test_directions_too_flat_to_tell_count_as_those_wanted(flat, wanted, rising) -> None:
    """Two are flat, one rises in earnest; the Hessian is known to 1e-6."""
    noise = np.random.default_rng(3)
    exact = np.diag([-1.0, flat, flat, 0.5, 2.0])

    def rough(coords: np.ndarray) -> tuple[float, np.ndarray]:
        return 0.0, exact @ coords + 1e-11 * noise.normal(size=5)

    assert gained(rough, np.full(5, 0.1), wanted)[0] == rising


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
