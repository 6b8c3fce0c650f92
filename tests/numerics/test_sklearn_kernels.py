"""scikit-learn kernels: gradients against differences, cloning, pickling, a fit to real data."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, WhiteKernel

from numerics.sklearn_kernels import DEQ, MLP

KERNELS = [
    MLP("relu", 3),
    MLP("relu", 2, kind="ntk"),
    MLP("erf", 3, kind="ntk"),
    MLP("erf", 1, sigma_v_bounds="fixed"),
    DEQ("erf"),
    DEQ("relu", sigma_w=0.7, kind="ntk"),
    DEQ("relu", sigma_w=0.7, sigma_b_bounds="fixed"),
    pytest.param(MLP("rectified_monomial:2", 2, kind="ntk"), marks=pytest.mark.slow),
    pytest.param(MLP("gelu", 2, kind="ntk"), marks=pytest.mark.slow),
    pytest.param(MLP("sin", 2, kind="ntk"), marks=pytest.mark.slow),
    pytest.param(DEQ("tanh", sigma_w=0.6, kind="ntk"), marks=pytest.mark.slow),
]


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    """Inputs with a duplicate."""
    made = np.random.default_rng(0).standard_normal((6, 3))
    made[4] = made[0]
    return made


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_gradients_are_differences(kernel: MLP | DEQ, x: np.ndarray) -> None:
    value, gradient = kernel(x, eval_gradient=True)
    assert gradient.shape == (6, 6, kernel.n_dims)
    assert np.isfinite(gradient).all()
    for p in range(kernel.n_dims):
        step = np.zeros(kernel.n_dims)
        step[p] = 1e-5
        up, down = (kernel.clone_with_theta(kernel.theta + s * step)(x) for s in (1, -1))
        assert gradient[:, :, p] == pytest.approx((up - down) / 2e-5, rel=2e-7, abs=1e-8)
    assert (value == kernel(x)).all()


@pytest.mark.parametrize("kernel", KERNELS[:6], ids=repr)
def test_scikit_learns_own_checks(kernel: MLP | DEQ, x: np.ndarray) -> None:
    copy = clone(kernel)
    assert copy == kernel
    assert copy is not kernel
    assert copy.get_params() == kernel.get_params()
    again = pickle.loads(pickle.dumps(kernel))
    assert (again(x) == kernel(x)).all()
    copy.theta = kernel.theta + 0.05
    assert copy.theta == pytest.approx(kernel.theta + 0.05)
    names = [h.name for h in kernel.hyperparameters if not h.fixed]
    assert kernel.theta == pytest.approx(np.log([getattr(kernel, n) for n in names]))
    assert kernel.bounds.shape == (kernel.n_dims, 2)
    assert kernel.diag(x) == pytest.approx(np.diag(kernel(x)), rel=1e-12)
    assert kernel(x, x) == pytest.approx(kernel(x), rel=1e-12)
    with pytest.raises(ValueError, match="Y is None"):
        kernel(x, x, eval_gradient=True)
    assert not kernel.is_stationary()
    total = ConstantKernel(2.0) * kernel + WhiteKernel(0.1)
    _, gradient = total(x, eval_gradient=True)
    assert gradient.shape[2] == total.n_dims


@pytest.mark.parametrize("kernel", [MLP("relu", 2), DEQ("erf")], ids=repr)
def test_regression_on_diabetes_finds_better_parameters(kernel: MLP | DEQ) -> None:
    data, target = load_diabetes(return_X_y=True)
    data = data / data.std(axis=0)
    target = (target - target.mean()) / target.std()
    start = kernel + WhiteKernel(0.5)
    fixed = GaussianProcessRegressor(start, optimizer=None).fit(data[:150], target[:150])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a parameter may end at its bound
        fitted = GaussianProcessRegressor(start).fit(data[:150], target[:150])
    assert fitted.log_marginal_likelihood_value_ > fixed.log_marginal_likelihood_value_ + 1.0
    assert fitted.score(data[150:], target[150:]) > 0.4


def test_unknown_kind() -> None:
    with pytest.raises(ValueError, match="'nngp' or 'ntk'"):
        MLP(kind="ntp")(np.eye(2))
