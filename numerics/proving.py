"""What is proved, by what it is proved of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from theory.kernels.architectures import DEQ, MLP

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .kernels.certify import CertifiedKernel
    from .proofs.certificates import Certificate
    from .thresholds.solution import Solution

__all__ = ["certify"]


@overload
def certify(subject: Solution, digits: int = ...) -> Certificate: ...


@overload
def certify(subject: MLP | DEQ, x: ArrayLike, *, digits: int = ...) -> CertifiedKernel: ...


def certify(subject: Any, *given: Any, **options: Any) -> Certificate | CertifiedKernel:
    """Prove what can be proved of a solution, or enclose the kernels of a wide network.

    Parameters
    ----------
    subject : Solution, theory.MLP or theory.DEQ
    x : array_like, shape (n, d)
        Inputs, of an architecture only.
    digits : int, default 30
        Of a solution the decimal digits of the claim, 5 to 300; of a kernel the working precision.

    Returns
    -------
    Certificate or CertifiedKernel

    Raises
    ------
    TypeError
        If the subject is none of these.
    ValueError, ArithmeticError
        As `numerics.proofs.certificates.certify` and `numerics.kernels.certify.certify_kernel`.
    """
    if isinstance(subject, MLP | DEQ):
        from .kernels.certify import certify_kernel

        return certify_kernel(subject, *given, **options)
    from .proofs.certificates import certify as certify_solution
    from .thresholds.solution import Solution

    if not isinstance(subject, Solution):
        raise TypeError(f"expected a Solution, theory.MLP or theory.DEQ, got {subject!r}")
    return certify_solution(subject, *given, **options)
