"""What numerics could not do, and what it warns of.

All errors derive from `WidegapError`, which catches those of theory and of verify as well, and from one of
Python's own. Arguments that make no sense raise plain ``ValueError`` or ``TypeError``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from theory.errors import ActivationError, DivergenceError, WidegapError

__all__ = [
    "AccuracyWarning",
    "ActivationError",
    "CertificateError",
    "CertificationError",
    "ConvergenceError",
    "DivergenceError",
    "EnclosureError",
    "KernelFileError",
    "KernelMemoryError",
    "MissingExtraError",
    "NotRareError",
    "ResolutionError",
    "SingularKernelError",
    "SweepFileError",
    "WidegapError",
    "WorkersError",
]


class ConvergenceError(WidegapError, ArithmeticError):
    """No stationary point was reached to the digits asked for.

    Attributes
    ----------
    best : Mapping of str to float
        Order parameters of the best point found, and its ``value``; empty if there was none.
    gradient_norm : float
        Norm of the gradient there; nan if there was no point.
    """

    def __init__(self, message: str, best: Mapping[str, float], gradient_norm: float) -> None:
        super().__init__(message)
        self.best = dict(best)
        self.gradient_norm = gradient_norm

    def __reduce__(self) -> tuple[Any, ...]:
        # Python's own would call the class with the message alone, and fail where the copy arrives
        return type(self), (str(self), self.best, self.gradient_norm), self.__dict__


class ResolutionError(WidegapError, ArithmeticError):
    """A grid that would meet the error bound is too large, or a given grid does not meet it."""


class NotRareError(ResolutionError):
    """The mirror images of a nest count: it is not rare enough."""


class EnclosureError(WidegapError, ArithmeticError):
    """Something could not be proved."""


class CertificationError(WidegapError, ArithmeticError):
    """Nothing could be proved of a solution; says why."""


class CertificateError(WidegapError, ValueError):
    """A certificate is damaged, or what it claims could not be verified."""


class KernelFileError(WidegapError, ValueError):
    """A file cannot take this kernel; it is as it was."""


class KernelMemoryError(MemoryError, WidegapError):  # in this order, as only so __new__ is callable
    """A Gram matrix that does not fit; the message says how much is needed."""


class MissingExtraError(WidegapError, ImportError):
    """Something needs an extra of the installation; the message says which."""


class SingularKernelError(WidegapError, ArithmeticError):
    """A Gram matrix is too nearly singular for what is asked; the message says what would help."""


class SweepFileError(WidegapError, ValueError):
    """A file cannot take or give this sweep; it is as it was."""


class WorkersError(WidegapError, RuntimeError):
    """The workers are gone, or are of another version; what they finished before is stored."""


class AccuracyWarning(UserWarning):
    """Some entries are less accurate than usual; the result's ``error`` says by how much."""
