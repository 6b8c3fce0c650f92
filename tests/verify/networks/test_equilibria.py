"""Definiteness and well-posedness of finite networks."""

from __future__ import annotations

import numpy as np
import pytest

from numerics import deq_kernel
from verify.networks import Network
from verify.networks.definite import data_sets, spectrum
from verify.networks.posed import census, locate
from verify.suite.claims import all_claims


def test_data_sets_are_what_they_are_called():
    found = data_sets(np.random.default_rng(0))
    x = found["duplicated directions"]
    assert (x[-1] == 2.0 * x[0]).all()
    assert all(np.isfinite(x).all() and len(x) == 12 for x in found.values())
    if "real" in found:
        assert found["real"].shape[1] == 10


@pytest.mark.parametrize(("bias", "singular"), [(0.0, True), (0.5, False)])
def test_parallel_inputs_are_the_exception(bias, singular):
    scales = {"sigma_w": 0.6, "sigma_b": bias}
    x = data_sets(np.random.default_rng(1), inputs=5)["duplicated directions"]
    kernel = deq_kernel(x, activation="relu", **scales).nngp
    found = spectrum(Network("deq", "relu", 500, **scales), x, kernel, draws=3)
    assert found.bound is not None
    if singular:
        assert found.bound <= 0.0
        assert abs(found.network) < 1e-12
    else:
        assert 0.0 < found.bound <= found.kernel * (1 + 1e-9)
        assert 0.3 < found.network / found.kernel < 3.0


@pytest.mark.long
def test_activations_without_closed_dual_have_no_certificate():
    x = np.eye(3)
    kernel = deq_kernel(x, activation="tanh").nngp
    found = spectrum(Network("deq", "tanh", 100), x, kernel, draws=1)
    assert found.bound is None
    assert found.network > 0.0


def test_the_spectral_radius_is_the_root_of_chi():
    found = census(Network("deq", "tanh", 300, sigma_w=0.8), np.ones(4), 4, starts=2)
    assert (found.distinct == 1).all()
    chi = deq_kernel(np.ones((1, 4)), activation="tanh", sigma_w=0.8).conditions.stability
    assert found.chi.mean() == pytest.approx(chi, rel=0.1)
    assert np.mean(found.radius**2) == pytest.approx(chi, rel=0.2)


def test_equilibria_end_beyond_chi_one_and_not_at_the_sufficient_condition():
    start = Network("deq", "relu", 60, expansive=True)
    found = locate(start, np.ones(3), (1.05, 2.5), 10, starts=2)
    assert found[1.05].none + found[1.05].several <= 0.2
    assert found[2.5].none + found[2.5].several >= 0.5


def test_a_census_is_of_one_input():
    with pytest.raises(ValueError, match="one input"):
        census(Network(), np.eye(2), 3)


def test_the_wide_claims_are_there():
    wide = {claim.id: claim for claim in all_claims() if "wide" in claim.tags}
    assert len(wide) == 9
    assert all(claim.wrong and claim.designs for claim in wide.values())
