"""Error bars hold, on any machine: random models and levels against thirty digits."""

import mpmath
import numpy as np
import pytest

from numerics import refine, solve
from theory import (
    ABP,
    SBP,
    SK,
    Hopfield,
    SphericalPerceptron,
    UPerceptron,
    ZeroOnePerceptron,
)

FAMILY = {
    "sbp": lambda x: (SBP(0.3 + 2.7 * x[0]), 2 + int(4 * x[1])),
    "abp": lambda x: (ABP(-1.0 + 2.5 * x[0]), 2 + int(3 * x[1])),
    "ubp": lambda x: (UPerceptron(0.5 + 1.5 * x[0]), 2 + int(2 * x[1])),
    "spherical": lambda x: (SphericalPerceptron(-2.0 + 4.0 * x[0]), 2 + int(2 * x[1])),
    "zero-one": lambda x: (ZeroOnePerceptron(0.5 * x[0]), 2 + int(2 * x[1])),
    "sk": lambda x: (SK(), 1 + int(5 * x[1])),
    "hopfield": lambda x: (Hopfield(alpha=0.2 + 3.0 * x[0]), 1 + int(3 * x[1])),
    "negative-hopfield": lambda x: (Hopfield(-1, alpha=0.6 + 3.0 * x[0]), 1 + int(2 * x[1])),
    "sbp energy": lambda x: (SBP(1, alpha=1.85 + 2.0 * x[0]), 1 + int(3 * x[1])),
    "abp energy": lambda x: (ABP(0, alpha=0.9 + 2.0 * x[0]), 1 + int(2 * x[1])),
    "spherical energy": lambda x: (SphericalPerceptron(1, alpha=1 + x[0]), 1 + int(2 * x[1])),
}


def drawn(name, seed):
    rng = np.random.default_rng([seed, *name.encode()])
    return FAMILY[name](rng.uniform(size=2))


def distances(model, level):
    """True distances and stated errors of a level's branches."""
    found = solve(model, level)
    for branch in found.branches or (found,):
        if branch.branch == "s -> infinity":
            continue
        known = refine(branch, 30)
        with mpmath.workdps(40):
            distance = abs(mpmath.mpf(branch.value) - known.value) + known.error
        yield float(distance), branch.error, branch


def check(name, seed):
    model, level = drawn(name, seed)
    ratios = []
    for distance, error, branch in distances(model, level):
        assert distance <= error, f"{branch.model}, level {level}: off by {distance}, error {error}"
        assert error <= 1e-11 * max(abs(branch.value), 0.1)
        ratios.append(error / max(distance, 1e-30))
    return ratios


QUICK = ("sbp", "ubp", "sk", "hopfield", "abp energy")


@pytest.mark.parametrize("name", QUICK)
def test_error_bars_hold(name):
    check(name, 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILY)
@pytest.mark.parametrize("seed", range(2, 11))
def test_error_bars_hold_everywhere(name, seed):
    check(name, seed)


@pytest.mark.slow
def test_error_bars_are_not_far_too_wide():
    ratios = [ratio for name in FAMILY for seed in range(3) for ratio in check(name, seed)]
    assert np.median(ratios) < 30
