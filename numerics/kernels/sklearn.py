"""scikit-learn kernels of wide networks (extra ``widegap[sklearn]``), for GaussianProcessRegressor.

Hyper-parameters are the standard deviations of `theory.MLP` and `theory.DEQ`, whose defaults they have. As
everywhere in scikit-learn, ``theta`` holds their logarithms, and gradients are with respect to those; a
standard deviation of 0, which has none, is fixed unless it is given bounds.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from dataclasses import fields
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

try:
    from sklearn.gaussian_process.kernels import Hyperparameter, Kernel
except ImportError as error:  # pragma: no cover - depends on the installation
    raise ImportError(
        "kernels for scikit-learn need scikit-learn: pip install 'widegap[sklearn]'"
    ) from error

import theory

from .deq import lipschitz_constant
from .error_bounds import AccuracyWarning
from .gradients import deq_gradient, mlp_gradient
from .inputs import check_alone, check_tangent, model_scales
from .kernel import kernel
from .loops.code import uses_series
from .mlp import DivergenceError, perceptron

__all__ = ["DEQ", "MLP"]

Array = NDArray[np.float64]
Bounds = tuple[float, float] | str
WIDE = (1e-3, 1e3)
_BAD = 1e100
"""Variance of the kernel that an optimiser sees where there is none: its likelihood is very small."""
_STEP = 1e-5


class _Wide(Kernel):
    """What both kernels share."""

    activation: Any
    kind: str
    tangent: Any = "limit"
    _model: type[theory.MLP | theory.DEQ]

    @property
    def model(self) -> theory.MLP | theory.DEQ:
        """The architecture."""
        names = (field.name for field in fields(self._model))
        return self._model(**{name: getattr(self, name) for name in names})

    @classmethod
    def from_model(cls, model: theory.MLP | theory.DEQ, **options: Any) -> Self:
        """Return the kernel of an architecture.

        Parameters
        ----------
        model : theory.MLP or theory.DEQ
            The one that this class is the kernel of.
        **options
            ``kind``, bounds and whatever else the class takes.

        Raises
        ------
        TypeError
            If it is another architecture.
        """
        if not isinstance(model, cls._model):
            raise TypeError(f"expected theory.{cls._model.__name__}, got {model}")
        shape = {f.name: getattr(model, f.name) for f in fields(model)} | model_scales(model)
        return cls(**shape, **options)

    def _evaluate(self, x: ArrayLike, y: ArrayLike | None) -> Any:
        """Kernel with ``nngp`` and ``ntk``."""
        return kernel(self.model, x, y, tangent=self.tangent, refine=False)

    def _bounded(self, name: str) -> Hyperparameter:
        """A standard deviation with its bounds."""
        bounds = getattr(self, f"{name}_bounds")
        if bounds is None:
            bounds = "fixed" if getattr(self, name) == 0 else WIDE
        return Hyperparameter(name, "numeric", bounds)

    @abstractmethod
    def _gradient(self, x: Array) -> Array | None:
        """Gradient of k(x, x) in the standard deviations' logarithms, in their order by name."""

    @property
    def hyperparameter_sigma_b(self) -> Hyperparameter:
        """Of the biases."""
        return self._bounded("sigma_b")

    @property
    def hyperparameter_sigma_v(self) -> Hyperparameter:
        """Of the readout."""
        return self._bounded("sigma_v")

    def __call__(
        self, X: ArrayLike, Y: ArrayLike | None = None, eval_gradient: bool = False
    ) -> Any:
        """Return k(X, Y), and its gradient in theta if asked for.

        Parameters
        ----------
        X : array_like, shape (n, d)
        Y : array_like, shape (m, d), optional
        eval_gradient : bool, default False
            Only without Y. Kernels without a closed form are then estimated to 1e-7 or better, relative to
            sqrt(k_ii k_jj), and their gradients to 1e-5, where inputs are nearly parallel and variances
            large: enough for an optimiser, and no bound. Where the kernel does not exist an optimiser sees a
            very large multiple of the identity, which does not move.

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
                if not free.any():
                    return self._matrix(x), np.empty((len(x), len(x), 0))
                gradient = self._gradient(x)
                if gradient is None:
                    return self._matrix(x), self._differences(x)
                matrix = self._readout(x, gradient)
        except DivergenceError:
            return _BAD * np.eye(len(x)), np.zeros((len(x), len(x), int(free.sum())))
        return matrix, gradient[:, :, free]

    def _matrix(self, x: Array) -> Array:
        return getattr(self._evaluate(x, None), self.kind)

    def _readout(self, x: Array, gradient: Array) -> Array:
        """The kernel along with its gradient.

        It is half of its derivative in log sigma_v. That is as good as an optimiser needs, which is where
        kernels without a closed form are worth their while.
        """
        if not uses_series(self.model.dual):
            return self._matrix(x)
        names = [h.name for h in self.hyperparameters]
        return 0.5 * gradient[:, :, names.index("sigma_v")]

    def _check(self) -> None:
        """Refuse a tangent kernel that is infinite."""
        existence = theory.activation(self.activation).existence
        if self.kind == "ntk" and self.tangent == "limit" and not existence.smooth:
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
        x = np.atleast_2d(np.asarray(X, dtype=float))
        return getattr(kernel(self.model, x, diag=True, tangent=self.tangent), self.kind)

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
    """Kernel of a wide multilayer perceptron; see `numerics.kernel`.

    Parameters
    ----------
    activation, depth, sigma_w, sigma_b, sigma_v
        As of `theory.MLP`.
    kind : {"nngp", "ntk"}
        Prior of the Bayesian network, or of gradient descent.
    sigma_w_bounds, sigma_b_bounds, sigma_v_bounds : pair of float or "fixed", optional
    tangent : {"limit", "almost_everywhere"}
        As in `numerics.kernel`.
    """

    _model = theory.MLP

    def __init__(
        self,
        activation: Any = theory.MLP.activation,
        depth: int = theory.MLP.depth,
        sigma_w: Any = theory.MLP.sigma_w,
        sigma_b: Any = theory.MLP.sigma_b,
        sigma_v: Any = theory.MLP.sigma_v,
        kind: str = "nngp",
        sigma_w_bounds: Bounds = (1e-2, 3.0),
        sigma_b_bounds: Bounds | None = None,
        sigma_v_bounds: Bounds | None = None,
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
        return self._bounded("sigma_w")

    def _gradient(self, x: Array) -> Array | None:
        model = self.model
        squares = (s**2 for s in model_scales(model).values())
        if uses_series(model.dual):  # refuses what diverges
            assert isinstance(model, theory.MLP)
            made = perceptron(model, check_tangent(self.tangent))
            made.alone(made.side(check_alone(x, None)))
        gram = x @ x.T / x.shape[1]
        gradient = mlp_gradient(
            model.dual, self.tangent, gram, self.depth, *squares, ntk=self.kind == "ntk"
        )
        if gradient is None:
            return None
        w, b, v = np.moveaxis(gradient, 2, 0)
        return np.stack([b, v, w], axis=2)  # in the order of hyperparameters, by name

    def _shape(self) -> str:
        return f"depth={self.depth}, "


class DEQ(_Wide):
    """Kernel of a wide deep equilibrium model; see `numerics.kernel`.

    Parameters
    ----------
    activation, sigma_w, sigma_u, sigma_b, sigma_v
        As of `theory.DEQ`.
    kind : {"nngp", "ntk"}
    sigma_w_bounds : pair of float or "fixed", optional
        By default up to 0.98/Lip(phi): beyond 1/Lip(phi) there is no equilibrium.
    sigma_u_bounds, sigma_b_bounds, sigma_v_bounds : pair of float or "fixed", optional
    """

    _model = theory.DEQ

    def __init__(
        self,
        activation: Any = theory.DEQ.activation,
        sigma_w: Any = theory.DEQ.sigma_w,
        sigma_u: Any = theory.DEQ.sigma_u,
        sigma_b: Any = theory.DEQ.sigma_b,
        sigma_v: Any = theory.DEQ.sigma_v,
        kind: str = "nngp",
        sigma_w_bounds: Bounds | None = None,
        sigma_u_bounds: Bounds | None = None,
        sigma_b_bounds: Bounds | None = None,
        sigma_v_bounds: Bounds | None = None,
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
        return self._bounded("sigma_u")

    @property
    def hyperparameter_sigma_w(self) -> Hyperparameter:
        """Of the recurrent weights."""
        bounds = self.sigma_w_bounds
        if bounds is None and self.sigma_w == 0:
            bounds = "fixed"
        if bounds is None:
            lip = lipschitz_constant(theory.activation(self.activation))
            bounds = (1e-3, 0.98 / lip if 0.0 < lip < 1e3 else 1.0)
        return Hyperparameter("sigma_w", "numeric", bounds)

    def _gradient(self, x: Array) -> Array | None:
        model = self.model
        fixed = self._evaluate(x, None).fixed_point
        squares = (s**2 for s in model_scales(model).values())
        gram = x @ x.T / x.shape[1]
        gradient = deq_gradient(model.dual, gram, fixed, *squares, ntk=self.kind == "ntk")
        if gradient is None:
            return None
        w, u, b, v = np.moveaxis(gradient, 2, 0)
        return np.stack([b, u, v, w], axis=2)
