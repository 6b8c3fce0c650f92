"""Learning rules of graph networks: Adam's gradient, SAM, FGSAM and FGSAM+, and what the released code does.

A rule is given two gradients, of the graph network's loss and of the peer's with the same weights, and says
what is descended along. FGSAM+ remembers directions from step to step, so a rule takes and returns a memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from verify.networks.training import jax_modules

__all__ = ["DEFAULTS", "METHODS", "Settings", "gradients_per_step", "rule"]

METHODS = {
    "adam": "gradient of the graph's loss",
    "peer": "gradient of the peer's loss alone",
    "joint": "lambda g_G + g_M, FGSAM without its perturbation",
    "sam": "the graph's gradient at w + rho g_G/|g_G|",
    "fgsam": "lambda g_G + g_M at w + rho g_G/|g_G|",
    "fgsam-code": "(1 - lambda) g_G + lambda g_M ahead, the first layer alone moved ahead",
    "fgsam+": "fgsam, with its corrections kept for k steps",
    "fgsam+-code": "fgsam-code, one correction kept for k steps, projected tensor by tensor",
}
"""What each descends along; those that end in -code are the released code's variants."""


class Settings(NamedTuple):
    """Numbers of the rules, as the source has them for its smallest setting.

    Attributes
    ----------
    weight : float
        Lambda.
    radius, radius_plus : float
        Rho of SAM and FGSAM, and of FGSAM+.
    every : int
        k, steps from one projection to the next.
    kept : float
        Alpha, the share of the kept correction.
    """

    weight: float = 0.5
    radius: float = 0.05
    radius_plus: float = 0.1
    every: int = 2
    kept: float = 0.7


DEFAULTS = Settings()

Gradient = Callable[[Any, int], Any]
"""Of the weights, and of the pass within a step (for what is random in it)."""


def rule(
    method: str, graph: Gradient, peer: Gradient, settings: Settings = DEFAULTS
) -> Callable[[Any, Any, Any], tuple[Any, Any]]:
    """Return a learning rule.

    Parameters
    ----------
    method : str
        A key of `METHODS`.
    graph, peer : callable
        ``graph(w, k)``, the gradient in the k-th pass of a step. Weights are a dictionary of layers, one of
        which is "first".
    settings : Settings

    Returns
    -------
    callable
        ``(w, memory, step)`` to direction and memory; the memory begins as a pair of zeros like w.

    Raises
    ------
    ValueError
        For a method that there is not.
    """
    if method not in METHODS:
        raise ValueError(f"no method {method!r}; choose from {', '.join(METHODS)}")
    jax, _, _ = jax_modules()
    lam, code = settings.weight, method.endswith("-code")
    rho = settings.radius_plus if "+" in method else settings.radius
    mix = (1.0 - lam, lam) if code else (lam, 1.0)

    def sharp(w: Any) -> tuple[Any, Any]:
        """The graph's gradient, and FGSAM's direction."""
        g = graph(w, 0)
        return g, _sum((mix[0], g), (mix[1], peer(_ahead(w, g, rho, code), 1)))

    simple: dict[str, Callable[[Any], Any]] = {
        "adam": lambda w: graph(w, 0),
        "peer": lambda w: peer(w, 0),
        "joint": lambda w: _sum((lam, graph(w, 0)), (1.0, peer(w, 0))),
        "sam": lambda w: graph(_ahead(w, graph(w, 0), rho), 1),
        "fgsam": lambda w: sharp(w)[1],
        "fgsam-code": lambda w: sharp(w)[1],
    }
    if method in simple:
        return lambda w, memory, step: (simple[method](w), memory)

    def exact(w: Any, memory: Any) -> tuple[Any, Any]:
        g, m = graph(w, 0), peer(w, 0)
        s = peer(_ahead(w, g, rho, code), 1)
        along = _sum((mix[0], g), (mix[1], s))
        kept = _rest(along, m, True) if code else _rest(s, m)
        return along, (kept, memory[1] if code else _rest(g, m))

    def cheap(w: Any, memory: Any) -> tuple[Any, Any]:
        m = peer(w, 0)
        along = _sum((1.0, m), (settings.kept, _scaled(memory[0], m, code)))
        if not code:
            along = _sum((1.0, along), (lam, m), (lam, _scaled(memory[1], m)))
        return along, memory

    return lambda w, memory, step: jax.lax.cond(step % settings.every == 0, exact, cheap, w, memory)


def gradients_per_step(method: str, settings: Settings = DEFAULTS) -> tuple[float, float]:
    """Gradients of the graph network and of the peer in a step, on average, counted as they are taken."""
    jax, jnp, _ = jax_modules()
    taken = {"graph": 0, "peer": 0}

    def counted(name: str) -> Gradient:
        def gradient(w: Any, k: int) -> Any:
            taken[name] += 1
            return jax.tree.map(lambda x: x + k + 1.0, w)

        return gradient

    w = {"first": jnp.ones(2), "second": jnp.arange(3.0)}
    memory = (w, w)
    follow = rule(method, counted("graph"), counted("peer"), settings)
    with jax.disable_jit():  # branches that are not taken are not run
        for step in range(settings.every):
            _, memory = follow(w, memory, step)
    return taken["graph"] / settings.every, taken["peer"] / settings.every


def _sum(*terms: tuple[float, Any]) -> Any:
    jax, _, _ = jax_modules()
    factors = [factor for factor, _ in terms]
    return jax.tree.map(
        lambda *xs: sum(f * x for f, x in zip(factors, xs, strict=True)), *(t for _, t in terms)
    )


def _inner(a: Any, b: Any) -> Any:
    jax, jnp, _ = jax_modules()
    return sum(jnp.vdot(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


def _ratio(a: Any, b: Any) -> Any:
    """a/b, and 0 where both are 0: no direction, no step along it."""
    _, jnp, _ = jax_modules()
    return jnp.where(b > 0.0, a / jnp.where(b > 0.0, b, 1.0), 0.0)


def _ahead(w: Any, g: Any, rho: float, first: bool = False) -> Any:
    """The weights moved along a gradient to a distance rho; the first layer's alone if asked for."""
    jax, jnp, _ = jax_modules()
    if first:
        g = {
            name: x if name == "first" else jax.tree.map(jnp.zeros_like, x) for name, x in g.items()
        }
    return _sum((1.0, w), (_ratio(rho, jnp.sqrt(_inner(g, g))), g))


def _rest(g: Any, m: Any, tensors: bool = False) -> Any:
    """Take from g its part along m, of the whole or tensor by tensor."""
    jax, _, _ = jax_modules()
    if tensors:
        return jax.tree.map(_rest, g, m)
    return _sum((1.0, g), (-_ratio(_inner(g, m), _inner(m, m)), m))


def _scaled(g: Any, m: Any, tensors: bool = False) -> Any:
    """Bring g to the length of m, as a whole or tensor by tensor."""
    jax, jnp, _ = jax_modules()
    if tensors:
        return jax.tree.map(_scaled, g, m)
    return _sum((_ratio(jnp.sqrt(_inner(m, m)), jnp.sqrt(_inner(g, g))), g))
