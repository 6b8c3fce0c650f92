"""scikit-learn kernels of wide networks (extra ``widegap[sklearn]``), for GaussianProcessRegressor.

Hyper-parameters are the standard deviations; as everywhere in scikit-learn, ``theta`` holds their
logarithms, and gradients are with respect to those.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

try:
    from sklearn.gaussian_process.kernels import Hyperparameter, Kernel
except ImportError as error:  # pragma: no cover - depends on the installation
    raise ImportError(
        "kernels for scikit-learn need scikit-learn: pip install 'widegap[sklearn]'"
    ) from error

from theory import activation as known_activation
from theory import dual

from .deq import deq_diagonal, deq_kernel, lipschitz_constant
from .errors import AccuracyWarning
from .gradients import deq_gradient, mlp_gradient
from .mlp import DivergenceError, mlp_diagonal, mlp_kernel

__all__ = ["DEQ", "MLP"]

Array = NDArray[np.float64]
Bounds = tuple[float, float] | str
WIDE = (1e-3, 1e3)
_BAD = 1e100
"""Variance of the kernel that an optimiser sees where there is none: its likelihood is very small."""
_STEP = 1e-5


class _Wide(Kernel):
    """What both kernels share."""

    kind: str
    sigma_b_bounds: Bounds
    sigma_v_bounds: Bounds

    @abstractmethod
    def _evaluate(self, x: ArrayLike, y: ArrayLike | None) -> Any:
        """Kernel with ``nngp`` and ``ntk``."""

    @abstractmethod
    def _diagonal(self, x: Array) -> tuple[Array, ...]:
        """Diagonals of NNGP and NTK."""

    @abstractmethod
    def _gradient(self, x: Array) -> Array | None:
        """Gradient of k(x, x) in the standard deviations' logarithms, in their order by name."""

    @property
    def hyperparameter_sigma_b(self) -> Hyperparameter:
        """Of the biases."""
        return Hyperparameter("sigma_b", "numeric", self.sigma_b_bounds)

    @property
    def hyperparameter_sigma_v(self) -> Hyperparameter:
        """Of the readout."""
        return Hyperparameter("sigma_v", "numeric", self.sigma_v_bounds)

    def __call__(
        self, X: ArrayLike, Y: ArrayLike | None = None, eval_gradient: bool = False
    ) -> Any:
        """Return k(X, Y), and its gradient in theta if asked for.

        Parameters
        ----------
        X : array_like, shape (n, d)
        Y : array_like, shape (m, d), optional
        eval_gradient : bool, default False
            Only without Y. Where the kernel does not exist an optimiser then sees a very large multiple of
            the identity, which does not move.

        Returns
        -------
        ndarray, shape (n, m), or a pair of it and an ndarray of shape (n, n, n_dims)

        Raises
        ------
        ValueError
            If a gradient is asked for with Y given, the tangent kernel is infinite, or, without a
            gradient, the kernel does not exist at these parameters.
        """
        if self.kind not in ("nngp", "ntk"):
            raise ValueError(f"kind must be 'nngp' or 'ntk', got {self.kind!r}")
        if eval_gradient and Y is not None:
            raise ValueError("Gradient can only be evaluated when Y is None.")
        self._check()
        x = np.atleast_2d(np.asarray(X, dtype=float))
        if not eval_gradient:
            return getattr(self._evaluate(x, Y), self.kind)
        free = np.array([not h.fixed for h in self.hyperparameters], dtype=bool)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore", AccuracyWarning
                )  # far beyond what an optimiser needs
                matrix = getattr(self._evaluate(x, None), self.kind)
                if not free.any():
                    return matrix, np.empty((len(x), len(x), 0))
                gradient = self._gradient(x)
                if gradient is None:
                    return matrix, self._differences(x)
        except DivergenceError:
            return _BAD * np.eye(len(x)), np.zeros((len(x), len(x), int(free.sum())))
        return matrix, gradient[:, :, free]

    def _check(self) -> None:
        """Refuse a tangent kernel that is infinite."""
        limit = getattr(self, "tangent", "limit") == "limit"
        existence = known_activation(self.activation).existence
        if self.kind == "ntk" and limit and not existence.smooth:
            raise ValueError(
                f"the tangent kernel of {self.activation} is infinite on the diagonal; "
                "take kind='nngp', or tangent='almost_everywhere' if it only jumps"
            )

    def _differences(self, x: Array) -> Array:
        """The gradient by central differences."""
        parts = []
        for p in range(self.n_dims):
            step = np.zeros(self.n_dims)
            step[p] = _STEP
            up, down = (
                getattr(self.clone_with_theta(self.theta + s * step)._evaluate(x, None), self.kind)
                for s in (1.0, -1.0)
            )
            parts.append((up - down) / (2.0 * _STEP))
        return np.stack(parts, axis=2)

    def diag(self, X: ArrayLike) -> Array:
        """Return the diagonal of k(X, X), input by input."""
        self._check()
        return self._diagonal(np.atleast_2d(np.asarray(X, dtype=float)))[self.kind == "ntk"]

    def is_stationary(self) -> bool:
        """Kernels of networks depend on more than x - x'."""
        return False

    def _shape(self) -> str:
        """What is not a hyper-parameter, for display."""
        return ""

    def __repr__(self) -> str:
        values = ", ".join(
            f"{h.name}={float(getattr(self, h.name)):.3g}" for h in self.hyperparameters
        )
        return f"{type(self).__name__}({self.activation}, {self._shape()}{self.kind}, {values})"


class MLP(_Wide):
    """Kernel of a wide multilayer perceptron; see `numerics.mlp_kernel`.

    Parameters
    ----------
    activation : str or sympy.Expr
    depth : int
    sigma_w, sigma_b, sigma_v : float
    kind : {"nngp", "ntk"}
        Prior of the Bayesian network, or of gradient descent.
    sigma_w_bounds, sigma_b_bounds, sigma_v_bounds : pair of float or "fixed"
    tangent : {"limit", "almost_everywhere"}
        As in `numerics.mlp_kernel`.
    """

    def __init__(
        self,
        activation: Any = "relu",
        depth: int = 3,
        sigma_w: float = 1.1,
        sigma_b: float = 0.2,
        sigma_v: float = 0.9,
        kind: str = "nngp",
        sigma_w_bounds: Bounds = (1e-2, 3.0),
        sigma_b_bounds: Bounds = WIDE,
        sigma_v_bounds: Bounds = WIDE,
        tangent: str = "limit",
    ) -> None:
        self.activation = activation
        self.depth = depth
        self.sigma_w = sigma_w
        self.sigma_b = sigma_b
        self.sigma_v = sigma_v
        self.kind = kind
        self.sigma_w_bounds = sigma_w_bounds
        self.sigma_b_bounds = sigma_b_bounds
        self.sigma_v_bounds = sigma_v_bounds
        self.tangent = tangent

    @property
    def hyperparameter_sigma_w(self) -> Hyperparameter:
        """Of the weights."""
        return Hyperparameter("sigma_w", "numeric", self.sigma_w_bounds)

    def _scales(self) -> tuple[float, float, float]:
        return float(self.sigma_w), float(self.sigma_b), float(self.sigma_v)

    def _evaluate(self, x: ArrayLike, y: ArrayLike | None) -> Any:
        tangent: Any = self.tangent
        return mlp_kernel(
            x, y, self.activation, self.depth, *self._scales(), tangent=tangent, refine=False
        )

    def _diagonal(self, x: Array) -> tuple[Array, ...]:
        tangent: Any = self.tangent
        return mlp_diagonal(x, self.activation, self.depth, *self._scales(), tangent=tangent)

    def _gradient(self, x: Array) -> Array | None:
        tangent: Any = self.tangent
        squares = (s**2 for s in self._scales())
        gram = x @ x.T / x.shape[1]
        found = mlp_gradient(dual(self.activation), tangent, gram, self.depth, *squares)
        if found is None:
            return None
        w, b, v = np.moveaxis(found[self.kind == "ntk"], 2, 0)
        return np.stack([b, v, w], axis=2)  # in the order of hyperparameters, by name

    def _shape(self) -> str:
        return f"depth={self.depth}, "


class DEQ(_Wide):
    """Kernel of a wide deep equilibrium model; see `numerics.deq_kernel`.

    Parameters
    ----------
    activation : str or sympy.Expr
    sigma_w, sigma_u, sigma_b, sigma_v : float
    kind : {"nngp", "ntk"}
    sigma_w_bounds : pair of float or "fixed", optional
        By default up to 0.98/Lip(phi): beyond 1/Lip(phi) there is no equilibrium.
    sigma_u_bounds, sigma_b_bounds, sigma_v_bounds : pair of float or "fixed"
    """

    def __init__(
        self,
        activation: Any = "erf",
        sigma_w: float = 0.4,
        sigma_u: float = 1.0,
        sigma_b: float = 0.1,
        sigma_v: float = 1.0,
        kind: str = "nngp",
        sigma_w_bounds: Bounds | None = None,
        sigma_u_bounds: Bounds = WIDE,
        sigma_b_bounds: Bounds = WIDE,
        sigma_v_bounds: Bounds = WIDE,
    ) -> None:
        self.activation = activation
        self.sigma_w = sigma_w
        self.sigma_u = sigma_u
        self.sigma_b = sigma_b
        self.sigma_v = sigma_v
        self.kind = kind
        self.sigma_w_bounds = sigma_w_bounds
        self.sigma_u_bounds = sigma_u_bounds
        self.sigma_b_bounds = sigma_b_bounds
        self.sigma_v_bounds = sigma_v_bounds

    @property
    def hyperparameter_sigma_u(self) -> Hyperparameter:
        """Of the input weights."""
        return Hyperparameter("sigma_u", "numeric", self.sigma_u_bounds)

    @property
    def hyperparameter_sigma_w(self) -> Hyperparameter:
        """Of the recurrent weights."""
        bounds = self.sigma_w_bounds
        if bounds is None:
            lip = lipschitz_constant(known_activation(self.activation))
            bounds = (1e-3, 0.98 / lip if 0.0 < lip < 1e3 else 1.0)
        return Hyperparameter("sigma_w", "numeric", bounds)

    def _scales(self) -> tuple[float, float, float, float]:
        return float(self.sigma_w), float(self.sigma_u), float(self.sigma_b), float(self.sigma_v)

    def _evaluate(self, x: ArrayLike, y: ArrayLike | None) -> Any:
        return deq_kernel(x, y, self.activation, *self._scales(), refine=False)

    def _diagonal(self, x: Array) -> tuple[Array, ...]:
        return deq_diagonal(x, self.activation, *self._scales())

    def _gradient(self, x: Array) -> Array | None:
        fixed = self._evaluate(x, None).fixed_point
        squares = (s**2 for s in self._scales())
        found = deq_gradient(dual(self.activation), x @ x.T / x.shape[1], fixed, *squares)
        if found is None:
            return None
        w, u, b, v = np.moveaxis(found[self.kind == "ntk"], 2, 0)
        return np.stack([b, u, v, w], axis=2)
