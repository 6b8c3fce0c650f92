r"""When the NNGP matrix of an equilibrium model is positive definite, and when it is singular.

Setting. S_ij = <s_i, s_j> with s_i = (sigma_u x_i/sqrt(d), sigma_b), K = sigma_w^2 G + S with G_ij =
E phi(u_i) phi(u_j), u ~ N(0, K). The NNGP matrix is sigma_v^2 G; sigma_w, sigma_u, sigma_v > 0.

**Theorem.** Let phi be Lipschitz and not affine. G is singular if and only if

(a) some s_i = 0 and phi(0) = 0, or
(b) some s_i = t s_j with i != j and phi(t x) = t phi(x) for all x.

If phi(x) = alpha x + beta, G is singular if and only if the rows (alpha s_i, beta) are linearly dependent.

*Proof.* Write u_i = <l_i, g> with a standard normal g. c'Gc = E (sum c_i phi(u_i))^2, so G is singular if
and only if sum c_i phi(<l_i, g>) = 0 almost surely for some c != 0.

*Lemma.* If the l_i are not 0, no two of them are collinear, and phi is not a polynomial, then c = 0. For j
!= 1 take e_j with <e_j, l_j> = 0 and <e_j, l_1> != 0. The difference operators along h_j e_j, one for each
j != 1, annihilate phi(<l_j, .>) and leave c_1 times an (n - 1)-fold difference of phi, with arbitrary
steps. If it vanishes for all of them and c_1 != 0, phi is a polynomial (Frechet). The same for every other
index.

*When are the l_i collinear?* K is the Gram matrix of the vectors v_i = (s_i, sigma_w phi(u_i)) of R^(d+1)
+ L^2. So u_i = t u_j almost surely if and only if s_i = t s_j and phi(u_i) = t phi(u_j) = phi(t u_j), that
is phi(t x) = t phi(x) where u_j is not 0. And u_i = 0 if and only if s_i = 0 and phi(0) = 0. So, failing
(a) and (b), the lemma applies: a Lipschitz polynomial is affine. Conversely (a) makes a row of G vanish,
and (b) makes row i t times row j. For affine phi, E phi(u_i) phi(u_j) = alpha^2 K_ij + beta^2, hence G (1
- sigma_w^2 alpha^2) = alpha^2 S + beta^2, the Gram matrix of the rows (alpha s_i, beta). QED

What (b) means: t = 1 are inputs that are equal; t = -1, opposite inputs without bias, needs an odd phi;
any other t > 0, parallel inputs without bias, a positively homogeneous one, as ReLU (or one that is so for
this t alone).
With a bias s_i = t s_j leaves t = 1 only. For sigma_w = 0 the conditions are sufficient: phi(t x) = r
phi(x) for any r is enough then (`Definiteness.proportional`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import sympy
from sympy import Expr, Rational

from theory.calculus.zeros import inside, less, proved_zero, vanishes
from theory.kernels.activations import Activation

__all__ = ["Definiteness"]

_POINTS = tuple(
    Rational(p, q) for p, q in ((3, 97), (13, 53), (71, 89), (193, 101), (367, 83), (997, 61))
)
_OPERATIONS = 150
_SHARES = Rational(3, 97), Rational(61, 89)


@dataclass(frozen=True)
class Definiteness:
    """What the theorem asks of an activation.

    Attributes
    ----------
    activation : Activation
    """

    activation: Activation

    @cached_property
    def affine(self) -> tuple[Expr, Expr] | None:
        """Alpha and beta, if phi(x) = alpha x + beta."""
        x, split = self.activation.symbol, self.activation.existence.pieces
        _, _, only = next(iter(split))
        if len(split) > 1 or not only.is_polynomial(x):
            return None
        poly = sympy.Poly(only, x)
        return (poly.coeff_monomial(x), poly.coeff_monomial(1)) if poly.degree() <= 1 else None

    @cached_property
    def vanishes(self) -> bool:
        """Whether phi(0) = 0, and this is proved."""
        value = self.activation.existence.at(sympy.S.Zero)
        return value is not None and proved_zero(value)

    @cached_property
    def parity(self) -> int:
        """1 if phi is even, -1 if it is odd, else 0."""
        return next((s for s in (1, -1) if self._scales(Rational(-1), sympy.Integer(s))), 0)

    def homogeneous(self, t: Rational) -> bool:
        """Whether phi(t x) = t phi(x) for all x."""
        return t == 1 or self._scales(t, t)

    def proportional(self, t: Rational) -> bool:
        """Whether phi(t x) = r phi(x) for all x and some number r."""
        for x in self._points(t):
            one, two = (self.activation.existence.at(v) for v in (x, t * x))
            if one is not None and two is not None and not vanishes(one):
                return self._scales(t, two / one)
        return True

    def _scales(self, t: Rational, r: Expr) -> bool:
        """Whether phi(t x) = r phi(x): not refuted at points of all pieces, and proved on each piece.

        Points alone prove nothing: bumps of smooth functions may be narrow, and far from all of them.
        """
        for x in self._points(t):
            one, two = (self.activation.existence.at(v) for v in (x, t * x))
            if one is None or two is None or not vanishes(two - r * one):
                return False
        return all(_same(f, g) for f, g in self._compared(t, r))

    def _compared(self, t: Rational, r: Expr) -> Iterator[tuple[Expr, Expr]]:
        """Phi(t x) and r phi(x), on every interval on which both are analytic."""
        x, split = self.activation.symbol, self.activation.existence.pieces
        ends = self._ends(t)
        for lower, upper in itertools.pairwise((-sympy.oo, *ends, sympy.oo)):
            here = inside(lower, upper)
            one, two = (
                next(f for _, end, f in split if less(place, end)) for place in (here, t * here)
            )
            yield two.subs(x, t * x), r * one

    def _ends(self, t: Rational) -> list[Expr]:
        """Where phi(x) or phi(t x) is not analytic."""
        places = [b for _, b, _ in self.activation.existence.pieces[:-1]]
        ends: list[Expr] = []
        for place in sorted([*places, *(b / t for b in places)], key=lambda r: sympy.N(r, 40)):
            if not ends or less(ends[-1], place):
                ends.append(place)
        return ends

    def _points(self, t: Rational) -> list[Expr]:
        """Some at large, and some in every interval on which both functions are analytic."""
        ends = self._ends(t)
        points = [s * p for p in _POINTS for s in (1, -1)]
        for r in ends:
            points += [r + s * p for p in _POINTS[:2] for s in (1, -1)]
        for lower, upper in itertools.pairwise(ends):
            middle = inside(lower, upper)
            for end in (lower, upper):
                points += [middle + (end - middle) * p for p in _SHARES]
        return points


def _same(f: Expr, g: Expr) -> bool:
    """Whether two analytic functions are proved to be the same."""
    rest = f - g
    for simpler in (sympy.expand, sympy.factor_terms, _cancelled):
        if rest == 0:
            return True
        rest = simpler(rest)
    return rest == 0


def _cancelled(expr: Expr) -> Expr:
    """A common denominator, with exponentials of one argument; unchanged where that is too long."""
    if expr.count_ops() > _OPERATIONS:
        return expr
    expr = expr.replace(sympy.tanh, lambda a: 1 - 2 / (1 + sympy.exp(2 * a)))
    return sympy.simplify(sympy.numer(sympy.together(expr)))
