"""Whatever the grammar takes gives kernels within their stated errors, or one line that says why not."""

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from numerics import AccuracyWarning, mlp_kernel
from numerics.kernels.series.series import Series
from theory.errors import ActivationError, DivergenceError
from theory.kernels.activations import activation

sys.path.insert(0, str(Path(__file__).parent))
from random_activations import case, second_moments

SIGMA_W, SIGMA_B, SIGMA_V = 1.1, 0.1, 0.9
QUICK = (*range(11, 21), *range(33, 52))
"""Of the first ones those that take little time; most would compile loops of their own for seconds."""


def covariance(inputs: np.ndarray) -> np.ndarray:
    """Layer 1."""
    return SIGMA_W**2 * inputs @ inputs.T / inputs.shape[1] + SIGMA_B**2


def is_said(error: Exception) -> bool:
    """Whether a refusal is one line, without numbers that are none."""
    line = str(error)
    return bool(line) and "\n" not in line and "nan" not in line


def fault(seed: int) -> str:
    """What is wrong with the kernels of a case, if anything is."""
    own = case(seed)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AccuracyWarning)
            made = mlp_kernel(
                own.inputs, None, own.activation, own.depth, SIGMA_W, SIGMA_B, SIGMA_V
            )
    except (ActivationError, DivergenceError) as error:
        return "" if is_said(error) else f"says {error}"
    if not np.isfinite(made.nngp).all() or np.isnan(made.ntk).any() or np.isnan(made.error):
        return "is not finite"
    if not made.error < np.inf:  # and says so
        return ""
    roots = np.sqrt(np.diag(made.nngp))
    if not (np.abs(made.nngp) <= np.outer(roots, roots) * (1.0 + 2.0 * made.error)).all():
        return "is beyond Cauchy and Schwarz"
    if own.depth > 1:
        return ""
    value, off = second_moments(activation(own.activation), covariance(own.inputs[:2]))
    apart = np.abs(made.nngp[:2, :2] - SIGMA_V**2 * value)
    allowed = made.error * np.outer(roots[:2], roots[:2]) + off
    known = np.isfinite(off)
    return "" if (apart <= allowed)[known].all() else f"is off by {apart} of {allowed}"


@pytest.mark.parametrize("seed", QUICK)
def test_second_moments_of_random_activations(seed: int) -> None:
    own = case(seed)
    k = covariance(own.inputs[:2])
    said: Exception | None = None
    try:
        phi = activation(own.activation)
        found = Series(phi).tables(np.diag(k).copy())
    except (ActivationError, DivergenceError) as error:
        said = error
    else:
        value, off = (np.diag(v) for v in second_moments(phi, k))
        known = np.isfinite(off)
        within = np.abs(found.second - value)[known] <= (found.own[0] * found.second + off)[known]
        assert within.all(), own
    assert said is None or is_said(said)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200))
def test_kernels_of_random_activations(seed: int) -> None:
    assert fault(seed) == "", case(seed)
