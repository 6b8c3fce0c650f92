"""Properties of the lifted Gaussian expectation: exact facts that every nest of every leaf obeys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from verify.strategies import Leaf, Liftings, leaves, nests
from verify.suite.properties import close, prop

if TYPE_CHECKING:
    from verify.suite.subject import NestValue, Theory
    from verify.thresholds.quadrature import Averages

CALCULUS = "Gaussian integration by parts; the facts of the lifted Gaussian expectation"
_FIELDS = st.floats(-1.5, 1.5)


@prop(
    "nest-shift",
    "A constant added to the leaf is added to the nest.",
    source=CALCULUS,
    wrong=("moved",),
    tags=("nest",),
    cost=1.5,
)
def shift(theory: Theory, data: st.DataObject) -> None:
    """Compile the shifted leaf and compare."""
    from sympy import Lambda, Symbol

    leaf = data.draw(leaves(), label="leaf")
    v, s = data.draw(nests(quenched=True), label="nest")
    constant = data.draw(st.floats(-5.0, 5.0), label="constant")
    (h,) = leaf.function.variables
    moved = Lambda(h, leaf.function.expr + Symbol("shift", real=True))
    plain = theory.nest(leaf.function, 0.3, v, s, leaf.parameters).value
    shifted = theory.nest(moved, 0.3, v, s, {**leaf.parameters, "shift": constant}).value
    close(shifted, plain + constant, rel=1e-11, abs=1e-11)


@prop(
    "nest-monotone",
    "A larger leaf makes a larger nest.",
    source=CALCULUS,
    wrong=("reversed",),
    tags=("nest",),
    cost=0.2,
)
def monotone(theory: Theory, data: st.DataObject) -> None:
    """Widen the window, lower the margin, lengthen the field: leaves that grow at every h."""
    leaf = data.draw(leaves(["window", "one-sided", "union"]), label="leaf")
    v, s = data.draw(nests(quenched=True), label="nest")
    factor = data.draw(st.floats(1.02, 1.5), label="factor")
    kappa = leaf.parameters["kappa"]
    other = factor * kappa if leaf.kind == "window" else kappa / factor
    small, large = (
        theory.nest(leaf.function, 0.3, v, s, {**leaf.parameters, "kappa": k}).value
        for k in (kappa, other)
    )
    assert large > small, f"{large!r} is not above {small!r}"


@prop(
    "nest-zero-increment",
    "A level without variance is the identity.",
    source=CALCULUS,
    wrong=("sharpened",),
    tags=("nest",),
    cost=0.1,
)
def zero_increment(theory: Theory, data: st.DataObject) -> None:
    """Put a level of increment 0 in at the outside."""
    leaf = data.draw(leaves(), label="leaf")
    v, s = data.draw(nests(), label="nest")
    exponent = data.draw(st.floats(0.3, 6.0), label="exponent")
    plain = theory.nest(leaf.function, 0.2, v, s, leaf.parameters).value
    padded = theory.nest(leaf.function, 0.2, (*v, 0.0), (*s, exponent), leaf.parameters).value
    close(padded, plain)


@prop(
    "nest-merge",
    "Adjacent levels of equal exponent are one level; their variances add.",
    source=CALCULUS,
    wrong=("sharpened",),
    tags=("nest",),
    cost=0.1,
)
def merge(theory: Theory, data: st.DataObject) -> None:
    """Split the outermost level in two."""
    leaf = data.draw(leaves(), label="leaf")
    v, s = data.draw(nests(), label="nest")
    share = data.draw(st.floats(0.1, 0.9), label="share")
    whole = theory.nest(leaf.function, 0.2, v, s, leaf.parameters).value
    parts = (*v[:-1], share * v[-1], (1.0 - share) * v[-1])
    split = theory.nest(leaf.function, 0.2, parts, (*s, s[-1]), leaf.parameters).value
    close(split, whole)


def _by_sums(leaf: Leaf, field: float, liftings: Liftings) -> Averages:
    from sympy import Rational, Symbol

    from numerics.functionals.crosscheck import plain_leaf
    from verify.thresholds.quadrature import gibbs

    h = Symbol("h", real=True)
    numbers = {x: Rational(leaf.parameters[str(x)]) for x in leaf.function.free_symbols}
    return gibbs(plain_leaf(leaf.function(h).subs(numbers), h), field, *liftings)


def _both(theory: Theory, data: st.DataObject) -> tuple[NestValue, Averages]:
    leaf = data.draw(leaves(), label="leaf")
    depths = st.integers(1, 2)
    liftings = data.draw(nests(depths, increments=(0.05, 1.0), exponents=(0.5, 4.0)), label="nest")
    field = data.draw(_FIELDS, label="field")
    value = theory.nest(leaf.function, field, *liftings, leaf.parameters, gradient=True)
    return value, _by_sums(leaf, field, liftings)


@prop(
    "nest-definition",
    "The nest on chained grids is the one that its definition gives, summed level by level.",
    source="f_k(x) = (1/s_k) log E exp(s_k f_{k-1}(x + sqrt(v_k) U))",
    wrong=("moved", "sharpened"),
    examples=5,
    tags=("nest", "routes"),
    cost=1.3,
)
def definition(theory: Theory, data: st.DataObject) -> None:
    """Compare values."""
    nest, sums = _both(theory, data)
    close(nest.value, sums.value, rel=1e-7, abs=1e-7)


@prop(
    "nest-gibbs-weights",
    "The nest's slope is the leaf's slope averaged with the tilted weights exp(s_k (f_{k-1} - f_k)).",
    source=CALCULUS,
    wrong=("sharpened", "reversed"),
    examples=5,
    tags=("nest",),
    cost=1,
)
def gibbs_weights(theory: Theory, data: st.DataObject) -> None:
    """Compare the derivative in the field with the average over all levels."""
    leaf = data.draw(leaves(["binary", "one-sided", "absolute"]), label="leaf")
    liftings = data.draw(
        nests(st.integers(1, 2), increments=(0.05, 1.0), exponents=(0.5, 4.0)), label="nest"
    )
    field = data.draw(st.floats(0.2, 1.5), label="field")
    nest = theory.nest(leaf.function, field, *liftings, leaf.parameters, gradient=True)
    sums = _by_sums(leaf, field, liftings)
    close(nest.field, sums.observable, rel=2e-6, abs=2e-6)


@prop(
    "nest-heat",
    "The derivative in a variance is half the tilted average of f'' + s (f')^2 (heat, or Parisi, identity).",
    source=CALCULUS,
    wrong=("sharpened", "reversed"),
    examples=5,
    tags=("nest",),
    cost=1.2,
    profile="ci",
)
def heat(theory: Theory, data: st.DataObject) -> None:
    """Compare the gradient's entries with averages from the definition."""
    nest, sums = _both(theory, data)
    for mine, other in zip(nest.increments, sums.heats, strict=True):
        close(mine, other, rel=1e-5, abs=1e-5)


@prop(
    "nest-entropy",
    "The derivative in an exponent is a relative entropy: (<f_{k-1}> - f_k)/s_k, and never negative.",
    source=CALCULUS,
    wrong=("reversed",),
    examples=5,
    tags=("nest",),
    cost=1,
)
def entropy(theory: Theory, data: st.DataObject) -> None:
    """Compare the gradient's entries with averages from the definition."""
    nest, sums = _both(theory, data)
    for mine, other in zip(nest.exponents, sums.entropies, strict=True):
        assert mine >= -1e-12, f"the derivative in an exponent is {mine!r}"
        close(mine, other, rel=1e-5, abs=1e-6)
