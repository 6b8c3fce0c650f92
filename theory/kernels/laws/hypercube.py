"""Kernels on the hypercube: their eigenvalues on parities, and how many samples a parity takes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from sympy import Eq, Expr, Function, Le, Rational, S, Symbol, binomial, simplify, symbols

from theory.calculus.law import Law
from theory.calculus.price import K1, K2, C
from theory.calculus.steps import Step
from theory.calculus.walsh import walsh_coefficient
from theory.kernels.duals import dual
from theory.kernels.recursion import layer, readout

__all__ = [
    "both_active",
    "eigenvalue_law",
    "explained_variance_bound",
    "kernel_eigenvalue",
    "kernel_samples",
    "kernel_samples_law",
    "tangent_kernel",
]

N, K, M = symbols("n k m", integer=True, positive=True)
DEGREE = Symbol("t", integer=True, nonnegative=True)


def both_active(rho: Any) -> Expr:
    """Probability that normal weights without bias make a ReLU active at two inputs with correlation rho."""
    return dual("relu").derivative.subs({K1: 1, K2: 1, C: rho})


def tangent_kernel(rho: Any, sigma_w: Any = 1, sigma_b: Any = 0, sigma_v: Any = 1) -> Expr:
    """NTK of a ReLU perceptron with one hidden layer at two inputs of +-1 with overlap rho = x.x'/n."""
    cross, own = (layer(value, sigma_w**2, sigma_b**2) for value in (rho, S.One))
    relu = dual("relu")
    ntk = readout(relu.expr, relu.derivative, C, sigma_v**2)[1]
    return ntk.subs({K1: own, K2: own, C: cross}, simultaneous=True)


def kernel_eigenvalue(kernel: Callable[[Any], Any], n: Any, t: Any) -> Any:
    """Eigenvalue on parities of degree t of a kernel that is a function of the overlap x.x'/n.

    Parameters
    ----------
    kernel : callable
        Of exact overlaps.
    n, t : int or sympy expression
    """
    exact = isinstance(n, int) and isinstance(t, int)
    return walsh_coefficient(lambda z: kernel(Rational(z, n) if exact else z / n), n, t)


def explained_variance_bound(n: Any, k: Any, m: Any) -> Any:
    """Most of a parity's variance that a symmetric kernel explains from m samples: `kernel_samples_law`."""
    return m / binomial(n, k)


def kernel_samples(
    share: Any, wanted: Any, spectrum: Sequence[tuple[Any, Any]], ridge: Any = 0
) -> Any:
    """Samples from which kernel regression learns a share of an eigenfunction, in the mean field.

    Parameters
    ----------
    share : number
        Between 0 and 1: the mean coefficient of the eigenfunction in the prediction.
    wanted : number
        Its eigenvalue.
    spectrum : sequence of tuple
        All eigenvalues with their multiplicities.
    ridge : number

    Notes
    -----
    An eigenvalue lambda is learned to lambda/(lambda + kappa), and sum lambda/(lambda + kappa) +
    ridge/kappa is the number of samples: J. Simon, M. Dickens, D. Karkada and M. DeWeese, TMLR 2023. It is
    no theorem for parities; `kernel_samples_law` is.
    """
    kappa = wanted * (1 - share) / share
    return sum(count * value / (value + kappa) for value, count in spectrum) + ridge / kappa


@cache
def eigenvalue_law() -> Law:
    """Parities are the eigenvectors."""
    value, theta = Symbol("lambda_t", real=True), Function("Theta")
    rho, w, b, v = symbols("rho sigma_w sigma_b sigma_v", real=True)
    plain = tangent_kernel(rho)
    return Law(
        "Eigenvalue of a kernel on parities of degree t",
        Eq(value, kernel_eigenvalue(theta, N, DEGREE)),
        {value: "eigenvalue, of multiplicity C(n, t)", N: "coordinates", DEGREE: "degree"},
        "any kernel Theta of the overlap x.x'/n, inputs uniform on the hypercube",
        (
            Step(
                "Parities are its eigenvectors",
                "The overlap is the mean sign of the product of both inputs; its mean with a parity of one "
                "is the other's parity times a Walsh coefficient.",
                Eq(value, kernel_eigenvalue(theta, N, DEGREE)),
            ),
            Step(
                "The tangent kernel",
                "Of a ReLU perceptron with one hidden layer, from its dual.",
                Eq(theta(rho), tangent_kernel(rho, w, b, v)),
            ),
            Step(
                "Without bias",
                "Its odd part is linear: odd degrees from 3 on have eigenvalue 0, and are not learned from "
                "any number of samples.",
                simplify(plain - plain.subs(rho, -rho)) / 2,
            ),
        ),
        "derived here",
    )


@cache
def kernel_samples_law() -> Law:
    """What every symmetric kernel needs."""
    share = Symbol("E", positive=True)
    return Law(
        "Samples that a kernel needs for a parity",
        Le(share, explained_variance_bound(N, K, M)),
        {
            share: "share of the parity's variance that is explained, in the mean over data",
            M: "samples",
            N: "coordinates",
            K: "coordinates of the parity",
        },
        "kernels invariant under permutations of the coordinates, any ridge, even the best in hindsight",
        (
            Step(
                "A space of m dimensions",
                "The prediction lies in the span of the kernel at m inputs. Orthonormal functions have "
                "projections on it whose squares add up to at most its dimension; parities are orthonormal.",
                Le(binomial(N, K) * share, M),
            ),
            Step(
                "All parities alike",
                "Permutations exchange the targets and leave inputs and kernel as they are in law.",
                Le(share, explained_variance_bound(N, K, M)),
            ),
        ),
        "derived here",
    )
