"""What is proved, by what it is proved of."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, overload

from theory.kernels.architectures import DEQ, MLP, not_an_architecture
from theory.parameters import shown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .kernels.certify import CertifiedKernel
    from .proofs.certificates import Certificate
    from .thresholds.solution import Solution

__all__ = ["certify"]

_DIGITS = 30


@overload
def certify(subject: Solution, *, digits: int = ...) -> Certificate: ...


@overload
def certify(subject: Solution, digits: int, /) -> Certificate: ...


@overload
def certify(subject: MLP | DEQ, x: ArrayLike, digits: int = ...) -> CertifiedKernel: ...


def certify(
    subject: Solution | MLP | DEQ, x: Any = None, digits: int | None = None
) -> Certificate | CertifiedKernel:
    """Prove what can be proved of a solution, or enclose the kernels of a wide network.

    ``certify(solution, digits=30)`` and ``certify(model, x, digits=30)``. A solution has no inputs, so that
    its digits may stand second: ``certify(solution, 12)``.

    Parameters
    ----------
    subject : Solution, theory.MLP or theory.DEQ
    x : array_like, shape (n, d) or (d,)
        Inputs, of an architecture only; a vector is one input.
    digits : int, default 30
        Of a solution the decimal digits of the claim, 5 to 300; of a kernel the working precision, 1 to
        10000.

    Returns
    -------
    Certificate or CertifiedKernel

    Raises
    ------
    TypeError
        If the subject is none of these, an architecture has no inputs or a solution has some, or digits are
        no integer.
    ValueError, ArithmeticError
        As `numerics.proofs.certificates.certify` and `numerics.kernels.certify.certify_kernel`.
    """
    if isinstance(subject, MLP | DEQ):
        if x is None:
            raise TypeError(f"{subject} is certified on inputs: certify(model, x)")
        from .kernels.certify import certify_kernel

        return certify_kernel(subject, x, digits=_DIGITS if digits is None else digits)
    from .proofs.certificates import certify as certify_solution
    from .thresholds.solution import Solution

    if not isinstance(subject, Solution):
        expected = "a Solution, theory.MLP or theory.DEQ"
        raise not_an_architecture(subject, x, expected=expected)
    if x is not None and digits is not None:
        raise TypeError(f"a solution has no inputs, only digits, got {shown(x)} and {digits}")
    given = digits if x is None else x
    if given is None:
        return certify_solution(subject, _DIGITS)
    if not hasattr(given, "__index__") or getattr(given, "shape", ()) != ():
        raise TypeError(f"digits of a solution must be an integer, got {shown(given)}")
    return certify_solution(subject, given if isinstance(given, bool) else operator.index(given))
