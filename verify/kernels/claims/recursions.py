"""Properties of the kernels of wide networks, by routes that share nothing with their recursions."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

from hypothesis import assume
from hypothesis import strategies as st

from verify.strategies import activations, inputs
from verify.suite.properties import close, prop

if TYPE_CHECKING:
    from verify.suite.subject import Theory

PRICE = "Price 1958; Cho, Saul 2009; Lee et al. 2018"
HOMOGENEOUS = ("relu", "leaky_relu:0.2", "abs")
SMOOTH = ("erf", "sin", "cos", "tanh", "gelu", "gaussian:-1", "hermite:3")
CONTRACTING = ("relu", "erf", "tanh", "sin", "leaky_relu:0.2")


def as_function(name: str) -> Any:
    """Return an activation as a NumPy function, from its text-book formula."""
    import numpy as np
    from scipy import special

    return {
        "relu": lambda x: np.maximum(x, 0.0),
        "leaky_relu:0.2": lambda x: np.where(x > 0.0, x, 0.2 * x),
        "abs": np.abs,
        "erf": special.erf,
        "sin": np.sin,
        "cos": np.cos,
        "tanh": np.tanh,
        "gelu": lambda x: x * special.ndtr(x),
        "gaussian:-1": lambda x: np.exp(-x * x),
        "hermite:3": lambda x: (x**3 - 3.0 * x) / math.sqrt(6.0),
    }[name]


def dual_by_sums(name: str, k11: float, k12: float, k22: float) -> float:
    """E phi(u) phi(v) by plain sums: over the plane, or over the angle where phi is homogeneous.

    The sum over the plane is a trapezoid rule of a smooth function; that over the angle has panels of
    Gauss and Legendre between the angles at which u or v change sign.
    """
    import numpy as np

    phi = as_function(name)
    a = math.sqrt(k11)
    b = k12 / a if a > 0.0 else 0.0
    c = math.sqrt(max(k22 - b * b, 0.0))
    if name in HOMOGENEOUS:
        x, w = np.polynomial.legendre.leggauss(24)
        turns = sorted({0.0, 0.5 * math.pi, math.pi, 1.5 * math.pi, 2.0 * math.pi})
        kink = math.atan2(-b, c) % math.pi
        turns = sorted({*turns, kink, kink + math.pi})
        total = 0.0
        for low, high in itertools.pairwise(turns):
            angle = 0.5 * (high + low) + 0.5 * (high - low) * x
            u, v = a * np.cos(angle), b * np.cos(angle) + c * np.sin(angle)
            total += 0.5 * (high - low) * float(w @ (phi(u) * phi(v)))
        return 2.0 * total / (2.0 * math.pi)  # E r^2 = 2
    z = np.linspace(-9.0, 9.0, 451)
    density = np.exp(-0.5 * z * z)
    density /= density.sum()
    inner = phi(b * z[:, None] + c * z[None, :]) @ density
    return float(density @ (phi(a * z) * inner))


def dual(theory: Theory, activation: str, covariance: Any) -> Any:
    """D[phi] of a covariance matrix, through a network of depth 1 whose inputs have it as Gram matrix."""
    import numpy as np

    values, vectors = np.linalg.eigh(np.asarray(covariance, dtype=float))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    x = math.sqrt(root.shape[1]) * root
    kernel = theory.mlp(x, activation=activation, depth=1, sigma_w=1.0, sigma_b=0.0, sigma_v=1.0)
    return kernel.nngp


@prop(
    "kernel-dual",
    "The derived dual activation is E phi(u) phi(v), summed over the plane or over the angle.",
    source=PRICE,
    wrong=("moved", "shifted"),
    examples=20,
    tags=("kernel", "routes"),
    group="kernels",
    cost=2.0,
)
def kernel_dual(theory: Theory, data: st.DataObject) -> None:
    """Compare at random covariances."""
    import numpy as np

    name = data.draw(activations([*HOMOGENEOUS, *SMOOTH]), label="activation")
    k11 = data.draw(st.floats(0.1, 3.0), label="k11")
    k22 = data.draw(st.floats(0.1, 3.0), label="k22")
    rho = data.draw(st.floats(-0.98, 0.98), label="correlation")
    k12 = rho * math.sqrt(k11 * k22)
    value = dual(theory, name, np.array([[k11, k12], [k12, k22]]))
    close(float(value[0, 1]), dual_by_sums(name, k11, k12, k22), rel=1e-8, abs=1e-9)


@prop(
    "kernel-recursion",
    "NNGP and NTK of a deep network are the recursion of one layer, layer by layer.",
    source="Lee et al. 2018; Jacot, Gabriel, Hongler 2018",
    wrong=("moved", "shifted"),
    examples=15,
    tags=("kernel", "routes"),
    group="kernels",
    cost=3.0,
)
def kernel_recursion(theory: Theory, data: st.DataObject) -> None:
    """Compare with covariances by sums and slopes by difference quotients of these (Price's theorem)."""
    import numpy as np

    name = data.draw(activations([*HOMOGENEOUS, *SMOOTH[:5]]), label="activation")
    depth = data.draw(st.integers(1, 3), label="depth")
    x = np.array(
        [[1.0, 0.4], data.draw(st.tuples(st.floats(0.2, 1.5), st.floats(-1.5, -0.2)), label="x")]
    )
    w, b, v = 1.1, 0.3, 0.9
    k = w * w * (x @ x.T) / 2 + b * b
    tangent = float(k[0, 1])
    slope, entries = 0.0, [0.0, 0.0, 0.0]
    for layer in range(depth):
        k11, k12, k22 = float(k[0, 0]), float(k[0, 1]), float(k[1, 1])
        step = 1e-3 * math.sqrt(k11 * k22)

        def off(shift: float, at: tuple[float, float, float] = (k11, k12, k22)) -> float:
            return dual_by_sums(name, at[0], at[1] + shift, at[2])

        slope = (8.0 * (off(step) - off(-step)) - (off(2 * step) - off(-2 * step))) / (12.0 * step)
        entries = [dual_by_sums(name, k11, k11, k11), off(0.0), dual_by_sums(name, k22, k22, k22)]
        if layer == depth - 1:
            break
        k = np.array([[entries[0], entries[1]], [entries[1], entries[2]]]) * w * w + b * b
        tangent = float(k[0, 1]) + w * w * slope * tangent
    kernel = theory.mlp(x, activation=name, depth=depth, sigma_w=w, sigma_b=b, sigma_v=v)
    close(float(kernel.nngp[0, 1]), v * v * entries[1], rel=1e-8, abs=1e-9)
    close(float(kernel.ntk[0, 1]), v * v * (entries[1] + slope * tangent), rel=1e-6, abs=1e-7)


@prop(
    "kernel-gram",
    "Gram matrices are symmetric, obey Cauchy and Schwarz and are positive semi-definite, also on "
    "duplicates, parallel, opposite and zero rows.",
    source="a covariance is one",
    wrong=("shifted",),
    examples=40,
    tags=("kernel",),
    group="kernels",
    cost=3.0,
)
def kernel_gram(theory: Theory, data: st.DataObject) -> None:
    """Look at both kernels of a random network on random data."""
    import numpy as np

    x = data.draw(inputs(), label="inputs")
    name = data.draw(activations(), label="activation")
    bias = data.draw(st.sampled_from([0.0, 0.4]), label="sigma_b")
    depth = data.draw(st.integers(1, 3), label="depth")
    kernels = theory.mlp(x, activation=name, depth=depth, sigma_b=bias)
    assert np.isfinite(kernels.nngp).all(), "a covariance is not finite"
    for kernel in (kernels.nngp, kernels.ntk):
        scale = float(np.abs(np.diag(kernel)).max()) + 1e-300
        assert (kernel == kernel.T).all(), "a Gram matrix is not symmetric"
        diagonal = np.diag(kernel)
        excess = np.abs(kernel) - np.sqrt(np.outer(diagonal, diagonal))
        assert excess.max() <= 1e-12 * scale, f"Cauchy and Schwarz: {excess.max():.3e}"
        least = float(np.linalg.eigvalsh(kernel).min())
        assert least >= -1e-11 * scale * len(x), f"an eigenvalue is {least:.3e}"


@prop(
    "kernel-rotation",
    "Rotated data have the same kernels.",
    source="Gaussian weights are isotropic",
    wrong=("slanted",),
    examples=30,
    tags=("kernel",),
    group="kernels",
    cost=2.0,
)
def kernel_rotation(theory: Theory, data: st.DataObject) -> None:
    """Rotate a plane."""
    import numpy as np

    x = data.draw(inputs(columns=(2, 4)), label="inputs")
    name = data.draw(activations(), label="activation")
    angle = data.draw(st.floats(0.3, 2.8), label="angle")
    rotation = np.eye(x.shape[1])
    rotation[:2, :2] = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    one, two = (theory.mlp(y, activation=name, depth=2) for y in (x, x @ rotation))
    for a, b in ((one.nngp, two.nngp), (one.ntk, two.ntk)):
        scale = max(float(np.abs(a).max()), 1e-30)
        worst = float(np.abs(a - b).max())
        # correlations near 1 lose half their digits in the slopes of rectifiers
        assert worst <= 1e-6 * scale, f"a kernel moves by {worst:.3e}"


@prop(
    "kernel-homogeneous",
    "Without biases a positively homogeneous activation has kernels that scale with the inputs.",
    source="phi(c x) = c phi(x) for c > 0",
    wrong=("slanted",),
    examples=30,
    tags=("kernel",),
    group="kernels",
    cost=1.0,
)
def kernel_homogeneous(theory: Theory, data: st.DataObject) -> None:
    """Scale all inputs by one positive factor."""
    import numpy as np

    x = data.draw(inputs(), label="inputs")
    name = data.draw(activations(HOMOGENEOUS), label="activation")
    factor = data.draw(st.floats(0.01, 100.0), label="factor")
    assume(abs(factor - 1.0) > 0.05)
    one, two = (theory.mlp(y, activation=name, depth=2, sigma_b=0.0) for y in (x, factor * x))
    for a, b in ((one.nngp, two.nngp), (one.ntk, two.ntk)):
        scale = max(float(np.abs(a).max()), 1e-30)
        worst = float(np.abs(b / factor**2 - a).max())
        assert worst <= 1e-6 * scale, f"a kernel is off by {worst:.3e}"


@prop(
    "deq-fixed-point",
    "The equilibrium model's covariance is the limit of the finite-depth recursion, and its NTK obeys "
    "Theta = K + sigma_w^2 D' Theta.",
    source="Gao, Huo, Liu, Gao, NeurIPS 2023",
    wrong=("moved", "shifted"),
    examples=15,
    tags=("kernel", "deq", "routes"),
    group="kernels",
    cost=3.0,
)
def deq_fixed_point(theory: Theory, data: st.DataObject) -> None:
    """Iterate sums from zero until nothing moves."""
    import numpy as np

    name = data.draw(activations(CONTRACTING), label="activation")
    w = data.draw(st.floats(0.1, 0.6), label="sigma_w")
    b = data.draw(st.sampled_from([0.0, 0.5]), label="sigma_b")
    x = np.array(
        [[1.0, 0.4], data.draw(st.tuples(st.floats(0.2, 1.5), st.floats(-1.5, -0.2)), label="x")]
    )
    s = (x @ x.T) / 2 + b * b
    k = s.copy()
    k11 = k12 = k22 = 0.0
    d = [0.0, 0.0, 0.0]
    for _ in range(200):
        k11, k12, k22 = float(k[0, 0]), float(k[0, 1]), float(k[1, 1])
        d = [dual_by_sums(name, *at) for at in ((k11, k11, k11), (k11, k12, k22), (k22, k22, k22))]
        new = s + w * w * np.array([[d[0], d[1]], [d[1], d[2]]])
        moved = float(np.abs(new - k).max())
        k = new
        if moved < 1e-13:
            break
    kernel = theory.deq(x, activation=name, sigma_w=w, sigma_u=1.0, sigma_b=b, sigma_v=1.0)
    close(float(kernel.fixed_point[0, 1]), float(k[0, 1]), rel=1e-7, abs=1e-9)
    close(float(kernel.nngp[0, 1]), d[1], rel=1e-7, abs=1e-9)
    step = 1e-3 * math.sqrt(k11 * k22)
    up, down = (dual_by_sums(name, k11, k12 + t, k22) for t in (step, -step))
    slope = (up - down) / (2.0 * step)
    tangent = float(k[0, 1]) / (1.0 - w * w * slope)
    close(float(kernel.ntk[0, 1]), d[1] + slope * tangent, rel=1e-4, abs=1e-5)
