"""scikit-learn kernels: gradients against differences, cloning, pickling, a fit to real data."""

import pickle
import warnings

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, WhiteKernel

from numerics import DivergenceError
from numerics.kernels.series.jet import jet
from numerics.kernels.sklearn import DEQ, MLP
from theory.kernels.activations import activation
from theory.kernels.duals import dual

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


@pytest.mark.parametrize("name", ["sign", "rectified_monomial:0"])
def test_jumping_activations_have_finite_gradients(name: str, x: np.ndarray) -> None:
    kernel = MLP(name, 2)
    value, gradient = kernel(x, eval_gradient=True)
    assert np.isfinite(value).all()
    assert np.isfinite(gradient).all()
    up, down = (kernel.clone_with_theta(kernel.theta + s * np.eye(3)[2] * 1e-5)(x) for s in (1, -1))
    assert gradient[:, :, 2] == pytest.approx((up - down) / 2e-5, rel=2e-6, abs=1e-7)
    with pytest.raises(ValueError, match="infinite on the diagonal"):
        MLP(name, 2, kind="ntk")(x)
    flat = MLP(name, 2, kind="ntk", tangent="almost_everywhere")
    assert np.isfinite(flat(x, eval_gradient=True)[1]).all()


def test_where_there_is_no_kernel_an_optimiser_sees_a_bad_value(x: np.ndarray) -> None:
    kernel = DEQ("erf", sigma_w=2.0)
    with pytest.raises(DivergenceError, match="equilibrium"):
        kernel(x)
    value, gradient = kernel(x, eval_gradient=True)
    assert np.linalg.slogdet(value)[1] > 1000.0
    assert (gradient == 0.0).all()
    process = GaussianProcessRegressor(kernel, optimizer=None)
    process.kernel_ = kernel
    process.X_train_, process.y_train_ = x, x[:, 0]
    assert process.log_marginal_likelihood(kernel.theta, eval_gradient=True)[0] < -300.0


def test_display_names_all_that_is_fixed() -> None:
    assert repr(MLP("relu", 7)) == "MLP(relu, depth=7, nngp, sigma_b=0.2, sigma_v=0.9, sigma_w=1.1)"


@pytest.mark.parametrize("kernel", [MLP("tanh", 3), DEQ("tanh"), MLP("erf", 3), MLP("relu", 3)])
def test_diagonals_take_one_recursion_for_each_input(kernel: MLP | DEQ) -> None:
    x = np.random.default_rng(1).standard_normal((100, 4))
    whole = kernel(x[:20])
    assert kernel.diag(x)[:20] == pytest.approx(np.diag(whole), rel=1e-13)


SERIES = [
    MLP("tanh", 2),
    DEQ("tanh", sigma_w=0.5),
    *(
        pytest.param(kernel, marks=pytest.mark.slow)
        for kernel in (
            MLP("min(1, max(-1, x))", 2, kind="ntk"),
            MLP("softplus", 2),
            MLP("sigmoid", 3),
            MLP("silu", 2, kind="ntk"),
            DEQ("sigmoid", sigma_w=1.5),
            MLP("x/(1 + abs(x))", 2, sigma_w_bounds="fixed"),
        )
    ),
]


@pytest.mark.parametrize("kernel", [MLP("tanh", 2, kind="ntk"), DEQ("tanh")], ids=repr)
def test_the_matrix_that_comes_with_a_gradient_is_the_kernel(
    kernel: MLP | DEQ, x: np.ndarray
) -> None:
    alone, (with_gradient, _) = kernel(x), kernel(x, eval_gradient=True)
    size = np.sqrt(np.outer(np.diag(alone), np.diag(alone)))
    assert np.abs(with_gradient - alone).max() <= 1e-7 * size.min()


@pytest.mark.long
@pytest.mark.parametrize("kernel", SERIES, ids=repr)
def test_series_can_be_fitted(kernel: MLP | DEQ) -> None:
    rng = np.random.default_rng(2)
    data = rng.standard_normal((40, 3))
    target = np.tanh(data[:, 0]) + 0.1 * rng.standard_normal(40)
    start = kernel + WhiteKernel(0.5)
    fixed = GaussianProcessRegressor(start, optimizer=None).fit(data, target)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = GaussianProcessRegressor(start).fit(data, target)
    assert fitted.log_marginal_likelihood_value_ > fixed.log_marginal_likelihood_value_
    _, gradient = kernel(data[:6], eval_gradient=True)
    for p in range(kernel.n_dims):
        step = np.eye(kernel.n_dims)[p] * 1e-4
        up, down = (kernel.clone_with_theta(kernel.theta + s * step)(data[:6]) for s in (1, -1))
        assert gradient[:, :, p] == pytest.approx((up - down) / 2e-4, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9, 1.0 - 1e-9])
def test_what_series_leave_out_of_gradients_falls_with_the_powers_of_the_correlation(
    rho: float,
) -> None:
    k = np.array([1.0, 1.3])
    c = np.array([[k[0], rho * np.sqrt(k.prod())], [rho * np.sqrt(k.prod()), k[1]]])
    at = jet(dual(activation("max(x - 1, 0)")), "limit", k, c)
    # its slope is the probability that both inputs are above 1
    exact = multivariate_normal(cov=c, allow_singular=True).cdf([-1.0, -1.0])
    scale = np.sqrt(at.slope[0, 0] * at.slope[1, 1])
    assert at.converged == (rho <= 0.9)
    assert at.left < (1e-17 if rho <= 0.9 else 1.0)
    assert abs(at.slope[0, 1] - exact) <= (at.left + 1e-5) * scale  # of the integral over a plane
