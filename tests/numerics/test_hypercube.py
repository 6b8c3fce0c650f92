"""What kernels need for parities: eigenvalues of a Gram matrix, regressions that are really done."""

import math
from itertools import product

import numpy as np
import pytest

from numerics import mlp_kernel
from numerics.hypercube import KernelNeeds, kernel_needs


def gram(x, other, sigma_b):
    given = {"activation": "relu", "depth": 1, "sigma_w": 1.0, "sigma_b": sigma_b, "sigma_v": 1.0}
    return mlp_kernel(x, other, **given).ntk


def test_eigenvalues_are_those_of_the_whole_gram_matrix():
    n = 6
    x = np.array(list(product((-1.0, 1.0), repeat=n)))
    found = np.linalg.eigvalsh(gram(x, None, 0.3))[::-1] / 2**n
    table = kernel_needs(n, range(n + 1), sigma_b=0.3)
    want = np.repeat(table.eigenvalues, [math.comb(n, t) for t in range(n + 1)])
    np.testing.assert_allclose(found, np.sort(want)[::-1], atol=1e-12)
    assert table.samples[3] > table.bounds[3]
    for share in (0.5, 0.8):
        asked = kernel_needs(n, range(n + 1), sigma_b=0.3, share=share)
        for value, needed in zip(asked.eigenvalues, asked.samples, strict=True):
            ridge = (
                value * (1.0 - share) / share
            )  # the effective one at which this degree has the share
            assert needed == pytest.approx(float((found / (found + ridge)).sum()), rel=1e-8)
    assert KernelNeeds.from_dict(table.to_dict()) == table
    assert table.plot().axes


def test_a_regression_learns_the_share_that_the_mean_field_says():
    n, k, rng = 10, 2, np.random.default_rng(3)
    (needed,) = kernel_needs(n, (k,), sigma_b=0.3).samples
    whole = np.array(list(product((-1.0, 1.0), repeat=n)))
    shares = []
    for _ in range(30):
        x = rng.choice((-1.0, 1.0), (round(needed), n))
        dual = np.linalg.lstsq(gram(x, None, 0.3), x[:, :k].prod(axis=1), rcond=1e-12)[0]
        shares.append(float((gram(whole, x, 0.3) @ dual) @ whole[:, :k].prod(axis=1)) / len(whole))
    assert np.mean(shares) == pytest.approx(0.5, abs=0.06)


def test_without_bias_odd_degrees_take_for_ever():
    table = kernel_needs(40, (1, 2, 3, 4, 5))
    assert [m == math.inf for m in table.samples] == [False, False, True, False, True]
    assert table.bounds[2] == math.ceil(math.comb(40, 3) / 2)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"n": 5, "degrees": (6,)}, "from 0 to n"),
        ({"n": 5, "degrees": ()}, "got n = 5, degrees none"),
        ({"n": 5, "degrees": (2,), "share": 1.0}, "a share is between 0 and 1"),
        ({"n": 5, "degrees": (2,), "sigma_w": 0.0}, "sigma_w is positive"),
        ({"n": 5, "degrees": (2,), "sigma_b": math.nan}, "sigma_b not negative"),
    ],
)
def test_what_makes_no_sense_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        kernel_needs(**given)
