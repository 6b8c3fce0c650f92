"""What SAM and its graph variant descend along, where they end, and where they are stable."""

from __future__ import annotations

from functools import cache

import sympy as sp

from theory.calculus.law import Law
from theory.calculus.steps import Step

__all__ = [
    "descent_edge",
    "graph_alignment",
    "graph_cycle",
    "graph_direction",
    "graph_fixed_point",
    "graph_shift",
    "sam_cycle",
    "sam_edge",
    "sam_expansion",
]

_ETA, _RHO, _LAM = sp.symbols("eta rho lambda", positive=True)
_H, _NU, _W = sp.symbols("h nu w", positive=True)
_OF = {
    _ETA: "step size",
    _RHO: "radius of the perturbation",
    _LAM: "weight of the graph's gradient",
}


def _along(direction: sp.Matrix) -> tuple[sp.Expr, sp.Matrix, sp.Matrix]:
    """A loss at rho times a direction of the plane, to second order, with its gradient and Hessian at 0."""
    x, y = sp.symbols("x y", real=True)
    a, b, p, q, r, *third = sp.symbols("a b p q r c_0:4", real=True)
    cubic = sum(c * x**k * y ** (3 - k) for k, c in enumerate(third))
    loss = a * x + b * y + (p * x**2 + 2 * q * x * y + r * y**2) / 2 + cubic
    at = loss.subs({x: _RHO * direction[0], y: _RHO * direction[1]}, simultaneous=True)
    series = sum(at.diff(_RHO, k).subs(_RHO, 0) * _RHO**k / sp.factorial(k) for k in (1, 2))
    norm = sp.sqrt(loss.diff(x) ** 2 + loss.diff(y) ** 2)
    slope = sp.Matrix([norm.diff(x), norm.diff(y)]).subs({x: 0, y: 0})
    return sp.expand(series), slope, sp.Matrix([[p, q], [q, r]])


@cache
def sam_expansion() -> Law:
    """What SAM descends: the loss, the norm of its gradient and the curvature along it."""
    gradient = sp.Matrix(sp.symbols("a b", real=True))
    norm = sp.sqrt(gradient.dot(gradient))
    series, slope, hessian = _along(gradient / norm)
    second = (gradient.T * hessian * gradient)[0] / norm**2
    first, rest = (sp.simplify(series.coeff(_RHO, k)) for k in (1, 2))
    assert sp.simplify(first - norm) == 0
    assert sp.simplify(rest - second / 2) == 0
    assert sp.simplify(slope - hessian * gradient / norm) == sp.zeros(2, 1)
    loss, ahead, curvature = sp.symbols("L L_rho c", real=True)
    steps = (
        Step(
            "Taylor's series along g/|g|",
            "In the plane; gradient (a, b), second derivatives p, q, r: coefficients of rho and rho^2.",
            sp.Tuple(first, rest),
        ),
        Step(
            "The gradient of |g|",
            "It is H g/|g|, what the gradient at w + rho g/|g| has more than g: to first order in rho, SAM "
            "follows the gradient of L + rho |g|.",
            slope,
        ),
    )
    return Law(
        "SAM penalises the norm of the gradient",
        sp.Eq(ahead, loss + _RHO * _NU + _RHO**2 * curvature / 2),
        {
            ahead: "loss at w + rho g/|g|",
            loss: "loss",
            _RHO: _OF[_RHO],
            _NU: "norm of the gradient g",
            curvature: "curvature along the gradient, g'Hg/|g|^2",
        },
        "to second order in rho, where the gradient is not 0",
        steps,
        "Foret et al. 2021",
    )


@cache
def graph_alignment() -> Law:
    """What FGSAM's perturbation penalises: the alignment of the peer's gradient with the graph's."""
    gradient, graph = (sp.Matrix(sp.symbols(names, real=True)) for names in ("a b", "g_x g_y"))
    size, norm = (sp.sqrt(v.dot(v)) for v in (graph, gradient))
    series, _, _ = _along(graph / size)
    first = sp.factor(series.coeff(_RHO, 1))
    assert sp.simplify(first - norm * gradient.dot(graph) / (norm * size)) == 0
    loss, ahead, angle, curvature = sp.symbols("L_M L_rho cos c", real=True)
    steps = (
        Step(
            "Taylor's series along the graph's gradient",
            "The peer's gradient is (a, b), the graph's (g_x, g_y): the coefficient of rho is the norm of "
            "the former times the cosine of their angle.",
            first,
        ),
        Step(
            "With equal gradients",
            "SAM's norm again.",
            sp.simplify(first.subs(zip(graph, gradient, strict=True))),
        ),
    )
    return Law(
        "FGSAM penalises the alignment of the peer's gradient with the graph's",
        sp.Eq(ahead, loss + _RHO * _NU * angle + _RHO**2 * curvature / 2),
        {
            ahead: "the peer's loss at w + rho g_G/|g_G|",
            loss: "the peer's loss",
            _RHO: _OF[_RHO],
            _NU: "norm of the peer's gradient",
            angle: "cosine of the angle between the two gradients",
            curvature: "curvature of the peer's loss along the graph's gradient",
        },
        "to second order in rho, where the graph's gradient is not 0",
        steps,
        "derived here",
    )


@cache
def sam_cycle() -> Law:
    """Where SAM ends on a quadratic loss: on either side of the minimum, along the largest curvature."""
    image = _W - _ETA * _H * (_W + _RHO)
    (amplitude,) = sp.solve(sp.Eq(image, -_W), _W)
    small, share = sp.symbols("epsilon s", positive=True)
    along = sp.factor(-image.diff(_W))
    gradient = sp.Matrix([_H * _W, share * _H * small])
    beside = small - _ETA * share * _H * (
        small + _RHO * gradient[1] / sp.sqrt(gradient.dot(gradient))
    )
    across = sp.expand(sp.simplify(beside.diff(small).subs(small, 0).subs(_W, amplitude)))
    steps = (
        Step("A step", "From w > 0 on h w^2/2.", sp.Eq(sp.Symbol("w'"), image)),
        Step(
            "A cycle of two", "w' = -w; the next step leads back by symmetry.", sp.Eq(_W, amplitude)
        ),
        Step(
            "It attracts",
            "What an error of |w| is multiplied by: less than 1 for 0 < eta h < 2.",
            along,
        ),
        Step(
            "Across it",
            "An error where the curvature is s h is multiplied by a factor that falls in s, from 1 at s = 0 "
            "to -1 at s = 1: the cycle is stable if h is the largest curvature, and unstable if it is not.",
            sp.Tuple(
                across, *(sp.simplify(across.subs(share, s)) for s in (0, 1)), across.diff(share)
            ),
        ),
    )
    return Law(
        "SAM's two-cycle on a quadratic loss",
        sp.Eq(sp.Symbol("A"), amplitude),
        {
            sp.Symbol("A"): "distance from the minimum, on both sides",
            _ETA: _OF[_ETA],
            _H: "largest curvature",
            _RHO: _OF[_RHO],
        },
        "0 < eta h < 2, rho > 0",
        steps,
        "Bartlett, Long, Bousquet 2023; derived here",
    )


@cache
def descent_edge() -> Law:
    """Gradient descent's edge of stability."""
    factor = 1 - _ETA * _H
    (edge,) = sp.solve(sp.Eq(factor, -1), _H)
    name = sp.Symbol("h_edge")
    return Law(
        "The edge of stability of gradient descent",
        sp.Eq(name, edge),
        {name: "largest curvature at which descent is stable", _ETA: _OF[_ETA]},
        "quadratic losses",
        (Step("A step", "It multiplies w by a factor, which is -1 at the edge.", factor),),
        "Cohen et al. 2021",
    )


@cache
def sam_edge() -> Law:
    """SAM's edge of stability at a gradient of a given norm."""
    factor = 1 - _ETA * _H * (1 + _RHO * _H / _NU)
    (edge,) = [e for e in sp.solve(sp.Eq(factor, -1), _H) if e.subs({_ETA: 1, _RHO: 1, _NU: 1}) > 0]
    on_cycle = sp.simplify(factor.subs(_NU, _H * sam_cycle().value))
    steps = (
        Step("A step", "It multiplies a gradient along an eigenvector by", factor),
        Step("At the edge", "The factor is -1.", sp.Eq(_H, edge)),
        Step(
            "Limits",
            "For rho to 0 descent's edge; for small gradients the edge falls as the root of nu, times",
            sp.Tuple(sp.limit(edge, _RHO, 0), sp.limit(edge / sp.sqrt(_NU), _NU, 0, "+")),
        ),
        Step("The two-cycle is at the edge", "The factor at nu = h A.", on_cycle),
    )
    name = sp.Symbol("h_edge")
    return Law(
        "The edge of stability of SAM",
        sp.Eq(name, edge),
        {
            name: "largest curvature at which SAM is stable",
            _ETA: _OF[_ETA],
            _RHO: _OF[_RHO],
            _NU: "norm of the gradient",
        },
        "quadratic losses, the gradient along an eigenvector",
        steps,
        "Long, Bartlett 2024; derived here",
    )


@cache
def graph_direction() -> tuple[Law, Law]:
    """FGSAM's direction on quadratic losses and its derivative, which says for which steps a rest is stable.

    Returns
    -------
    tuple of Law
        The direction at a place, and its Jacobian there.
    """
    n, gamma = sp.Symbol("n", integer=True, positive=True), sp.Symbol("gamma", positive=True)
    graph, peer = sp.MatrixSymbol("G", n, n), sp.MatrixSymbol("M", n, n)
    a, b, u, w = (sp.MatrixSymbol(name, n, 1) for name in "abuw")
    direction = _LAM * graph * (w - b) + peer * (w + _RHO * u - a)
    turn = (sp.Identity(n) - u * u.T) * graph / gamma
    jacobian = _LAM * graph + peer + _RHO * peer * turn
    # the derivative of g/|g| in the plane, g = H (x, y)
    x, y, p, q, r = sp.symbols("x y p q r", real=True)
    hessian = sp.Matrix([[p, q], [q, r]])
    gradient = hessian * sp.Matrix([x, y])
    norm = sp.sqrt(gradient.dot(gradient))
    unit = gradient / norm
    derived = unit.jacobian([x, y]) - (sp.eye(2) - unit * unit.T) * hessian / norm
    assert sp.simplify(derived) == sp.zeros(2, 2)
    steps = (
        Step("The direction", "At w, with u = g_G/|g_G|.", direction),
        Step("The derivative of u", "Worked out in the plane; gamma = |g_G|.", turn),
        Step(
            "The derivative of the direction",
            "With eigenvalues mu, a rest is stable where |1 - eta mu| < 1 for all of them: the smaller "
            "gamma, the smaller eta has to be.",
            jacobian,
        ),
    )
    own = {graph: "Hessian of the graph's loss", peer: "Hessian of the peer's loss", n: "dimension"}
    own |= {_LAM: _OF[_LAM], _RHO: _OF[_RHO], u: "g_G/|g_G|"}
    along, slope = sp.MatrixSymbol("d", n, 1), sp.MatrixSymbol("J", n, n)
    minima = {a: "minimum of the peer's loss", b: "minimum of the graph's loss", w: "place"}
    holds = "quadratic losses, the graph's gradient not 0"
    return (
        Law(
            "FGSAM's direction on quadratic losses",
            sp.Eq(along, direction, evaluate=False),
            {along: "the direction", **own, **minima},
            holds,
            steps[:1],
            "FGSAM, NeurIPS 2024",
        ),
        Law(
            "Stability of FGSAM's fixed point",
            sp.Eq(slope, jacobian, evaluate=False),
            {slope: "derivative of the direction", gamma: "norm of the graph's gradient", **own},
            holds,
            steps,
            "derived here",
        ),
    )


@cache
def graph_fixed_point() -> tuple[Law, Law]:
    """FGSAM's fixed point on quadratic losses, and whether there is one.

    Returns
    -------
    tuple of Law
        The equation of the norm of the graph's gradient there, and the place.
    """
    n = sp.Symbol("n", integer=True, positive=True)
    gamma, norm = sp.symbols("gamma c", positive=True)
    graph, peer = sp.MatrixSymbol("G", n, n), sp.MatrixSymbol("M", n, n)
    a, b, u = (sp.MatrixSymbol(name, n, 1) for name in ("a", "b", "u"))
    eye = sp.Identity(n)
    resolvent = gamma * (_LAM * peer.inv() + graph.inv()) + _RHO * eye
    place = b + gamma * graph.inv() * u
    w = sp.MatrixSymbol("w", n, 1)
    direction = graph_direction()[0].value.subs({w: place, a: b + resolvent * u})
    assert direction.expand().doit().is_ZeroMatrix
    # one coordinate c of a - b in the eigenvectors of K = lambda M^-1 + G^-1, of eigenvalue kappa
    kappa = sp.Symbol("kappa", positive=True)
    term = (norm / (gamma * kappa + _RHO)) ** 2
    away = resolvent.inv() * (a - b)
    steps = (
        Step(
            "The direction at a place of unit graph gradient u times gamma",
            "lambda G (w - b) + M (w + rho u - a): put in, all terms cancel if a - b is",
            sp.Eq(a - b, resolvent * u, evaluate=False),
        ),
        Step(
            "So u is known from gamma", "And has to be of length 1.", sp.Eq(u, away, evaluate=False)
        ),
        Step(
            "One gamma, or none",
            "The squared length is a sum over eigenvectors of terms that fall with gamma, from (c/rho)^2 "
            "to 0: it is 1 once if |a - b| > rho, and else nowhere.",
            sp.Tuple(
                term, sp.factor(term.diff(gamma)), term.subs(gamma, 0), sp.limit(term, gamma, sp.oo)
            ),
        ),
    )
    symbols = {
        gamma: "norm of the graph's gradient at the fixed point",
        _RHO: _OF[_RHO],
        _LAM: _OF[_LAM],
        graph: "Hessian of the graph's loss",
        peer: "Hessian of the peer's loss",
        a: "minimum of the peer's loss",
        b: "minimum of the graph's loss",
        n: "dimension",
    }
    holds = "positive definite G and M; there is a fixed point if and only if |a - b| > rho, and then one"
    return (
        Law(
            "The norm of the graph's gradient at FGSAM's fixed point",
            sp.Eq(sp.Identity(1), away.T * away, evaluate=False),
            symbols,
            holds,
            steps,
            "derived here",
        ),
        Law(
            "FGSAM's fixed point on quadratic losses",
            sp.Eq(w, place.subs(u, away), evaluate=False),
            {w: "the fixed point", **symbols},
            holds + "; gamma solves the secular equation",
            steps,
            "derived here",
        ),
    )


@cache
def graph_shift() -> Law:
    """How far FGSAM's fixed point is from the minimum of lambda L_G + L_M, to first order."""
    n = sp.Symbol("n", integer=True, positive=True)
    graph, peer = sp.MatrixSymbol("G", n, n), sp.MatrixSymbol("M", n, n)
    u, s = sp.MatrixSymbol("u", n, 1), sp.MatrixSymbol("s", n, 1)
    joint = _LAM * graph + peer
    shift = -_RHO * joint.inv() * peer * u
    assert (joint * shift + _RHO * peer * u).doit().is_ZeroMatrix
    a, b, w = sp.symbols("a b w", real=True)
    hg, hm = sp.symbols("h_G h_M", positive=True)
    direction = _LAM * hg * (w - b) + hm * (w + _RHO - a)
    (fixed,) = sp.solve(direction, w)
    (minimum,) = sp.solve(direction.subs(_RHO, 0), w)
    steps = (
        Step(
            "The direction beside that minimum",
            "There lambda g_G + g_M = 0; a shift s and the perturbation rho u add",
            joint * s + _RHO * peer * u,
        ),
        Step("It vanishes at", "", sp.Eq(s, shift, evaluate=False)),
        Step(
            "In one dimension",
            "With a positive graph's gradient, exactly the same:",
            sp.factor(fixed - minimum),
        ),
        Step("That gradient is positive", "h_G times this, for a > b + rho:", sp.factor(fixed - b)),
    )
    return Law(
        "The shift of FGSAM's fixed point",
        sp.Eq(s, shift, evaluate=False),
        {
            s: "fixed point less the minimum of lambda L_G + L_M",
            _RHO: _OF[_RHO],
            _LAM: _OF[_LAM],
            graph: "Hessian of the graph's loss",
            peer: "Hessian of the peer's loss",
            u: "g_G/|g_G| at that minimum",
            n: "dimension",
        },
        "to first order in rho, which is smaller than the distance of the minima of the two losses",
        steps,
        "derived here",
    )


@cache
def graph_cycle() -> Law:
    """FGSAM where both losses have the same minimum: a cycle like SAM's, not a fixed point."""
    hg, hm = sp.symbols("h_G h_M", positive=True)
    image = _W - _ETA * (_LAM * hg * _W + hm * (_W + _RHO))
    (amplitude,) = map(sp.factor, sp.solve(sp.Eq(image, -_W), _W))
    steps = (
        Step("A step", "From w > 0, both minima at 0.", sp.Eq(sp.Symbol("w'"), image)),
        Step("A cycle of two", "w' = -w.", sp.Eq(_W, amplitude)),
        Step("Without the graph's term", "SAM's amplitude.", amplitude.subs(_LAM, 0)),
    )
    return Law(
        "FGSAM's two-cycle where the minima coincide",
        sp.Eq(sp.Symbol("A"), amplitude),
        {
            sp.Symbol("A"): "distance from the minimum, on both sides",
            hg: "curvature of the graph's loss",
            hm: "curvature of the peer's loss",
            **_OF,
        },
        "one dimension, 0 < eta (lambda h_G + h_M) < 2",
        steps,
        "derived here",
    )
