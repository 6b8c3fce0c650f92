"""Panels hold what they say, however far out they go."""

import numpy as np
import pytest

from numerics.kernels.series.between import ACCURACY, between
from numerics.kernels.series.mesh import Mesh
from theory.kernels.activations import activation


@pytest.mark.parametrize("reach", [64.0, 2.0**13, 2.0**20])
def test_panels_of_an_odd_function_are_mirrored(reach):
    made = Mesh(activation("tanh")).panels(reach)
    ends = np.array([float(p.lower.mid()) for p in made] + [float(made[-1].upper.mid())])
    # what is next to 0 shows in derivatives of the whole panel only, which nodes do not see
    assert 0.5 in ends
    np.testing.assert_array_equal(ends, -ends[::-1])


def test_polynomials_between_values_are_as_accurate_as_they_say():
    rng = np.random.default_rng(0)
    one, two = np.exp(rng.uniform(3.0, 3.1, (2, 2000)))
    rho = 1.0 - np.exp(rng.uniform(-9.0, -4.0, 2000))
    tanh, some = activation("tanh"), slice(0, 1)
    made = between(tanh, one, two, rho)
    alone = between(tanh, one[some], two[some], rho[some])  # without polynomials
    assert made.error <= 100.0 * ACCURACY
    assert abs(made.value[0] - alone.value[0]) <= 100.0 * ACCURACY
    np.testing.assert_allclose(made.value_rho, made.slope * np.sqrt(one * two), rtol=1e-6)
    for name in ("slope_rho", "value_one", "slope_one", "value_two", "slope_two"):
        np.testing.assert_allclose(
            getattr(made, name)[some], getattr(alone, name), rtol=1e-4, err_msg=name
        )
