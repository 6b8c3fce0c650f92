"""The name under which users import the kernels of `numerics.kernels.sklearn`."""

from numerics.kernels.sklearn import *  # noqa: F403
from numerics.kernels.sklearn import __all__ as __all__
