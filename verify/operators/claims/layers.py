"""What is claimed of the layer itself: parameters, features, products of the axes, real outputs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from sympy import Eq, Function

from numerics.operators.designs import parameters, shift_tail
from numerics.operators.grids import Conditioning, Ranks, conditioning, rank_errors
from theory.operators.layers import DEPTH, IN, N_FEATURES, OUT, WIDTH, hermitian, network_parameters
from verify.suite.claims import Run, claim
from verify.suite.verdicts import Curve, Finding, Plot, printed_tolerance
from verify.suite.wrong import replaced

CODE = "AM-FNO (NeurIPS 2024), as re-implemented in SirenFNO (baseline/AMFNO.py)"
COUNTS = "CAFE+FNO preprint, table 6"
FEATURES, GRID = 10, 64


def told(value: float | None) -> float:
    """A number that a result may not have; nan passes no comparison."""
    return math.nan if value is None else value


def _orthogonal(n: int = FEATURES, grid: int = GRID) -> Conditioning:
    right = conditioning(n, grid)
    return replace(right, condition=(1.0,) * len(right.places), overlap=(0.0,) * len(right.places))


def _fewer(kind: str, size: int, width: int, dimension: int = 1) -> int:
    other = parameters("fourier", 2, width, dimension)
    return other if kind == "amortised" else parameters(kind, size, width, dimension)


def _real_only(dimension: int) -> Any:
    law = network_parameters(dimension)
    return replace(
        law, statement=Eq(law.statement.lhs, law.value - DEPTH * law.steps[1].expression / 2)
    )


def _every_sign(cells: float, n: int, *, both: bool = True) -> float:
    return shift_tail(cells, n)


def _products(*arguments: Any, **options: Any) -> Ranks:
    right = rank_errors(*arguments, **options)
    return replace(right, errors=(0.0,) * len(right.errors))


def _whole() -> Any:
    law = hermitian()
    (k,) = law.symbols
    return replace(law, statement=Eq(law.statement.lhs, Function("R")(k)))


ORTHOGONAL = replaced(
    "operators-orthogonal",
    "The orthogonal embedding is orthogonal on the grid.",
    {conditioning: _orthogonal},
)
FEWER = replaced(
    "operators-always-fewer",
    "An amortised layer always has fewer parameters.",
    {parameters: _fewer},
)
REAL = replaced(
    "operators-real-kernel",
    "One network makes the kernel, which is real.",
    {network_parameters: _real_only},
)
SIGNS = replaced(
    "operators-every-sign",
    "A shift takes pi s features on the half spectrum, too.",
    {shift_tail: _every_sign},
)
PRODUCTS = replaced(
    "operators-products",
    "Every symbol is a product of the axes.",
    {rank_errors: _products},
)
WHOLE = replaced(
    "operators-whole-kernel",
    "A real output uses the whole kernel.",
    {hermitian: _whole},
)


def _network(run: Run, dimension: int, width: int, channels: int) -> int:
    law = run.theory.of(network_parameters)(dimension)
    return int(law.value.subs({N_FEATURES: FEATURES, WIDTH: width, IN: channels, OUT: 1, DEPTH: 4}))


@claim(
    "operators-count-darcy",
    "The amortised network for Darcy flow (four layers, 32 channels, 10 features) has 385,473 parameters.",
    source=COUNTS,
    printed="385473",
    tags=("operators", "parameters"),
    wrong=(REAL,),
)
def count_darcy(run: Run) -> Finding:
    """Count the layers of the re-implementation in two dimensions."""
    count = _network(run, 2, 32, 1)
    good = count == 385_473
    return Finding("confirmed" if good else "refuted", f"Its layers have {count:,}.", float(count))


@claim(
    "operators-count-burgers",
    "The amortised network for Burgers (four layers, 64 channels, 10 features) has 823,073 parameters.",
    source=COUNTS,
    printed="823073",
    tags=("operators", "parameters"),
    wrong=(REAL,),
)
def count_burgers(run: Run) -> Finding:
    """Count the layers in one dimension; the number of input channels is what the text does not say."""
    counts = {channels: _network(run, 1, 64, channels) for channels in range(1, 33)}
    fits = [channels for channels, count in counts.items() if count == 823_073]
    good = fits == [10]
    reason = f"With one input channel it has {counts[1]:,}; the printed count is that of "
    reason += f"{fits[0]}, the steps it is given." if fits else "no number of channels up to 32."
    return Finding(
        "confirmed" if good else "refuted", reason, float(counts[fits[0]] if fits else counts[1])
    )


@claim(
    "operators-fewer-parameters",
    "A kernel of 10 features has fewer parameters than a Fourier layer's only from 22 modes on in one "
    "dimension and from 5 in two, at the widths 32 and 64.",
    source=f"{CODE}: 'a fixed number of parameters'",
    tags=("operators", "parameters"),
    wrong=(FEWER,),
)
def fewer_parameters(run: Run) -> Finding:
    """Compare both counts mode by mode."""
    count = run.theory.of(parameters)
    least = {}
    for d in (1, 2):
        for w in (32, 64):
            ours = count("amortised", FEATURES, w, d)
            least[d, w] = min(m for m in range(1, 100) if count("fourier", m, w, d) > ours)
    good = all(least[d, w] == (22, 5)[d - 1] for d, w in least)
    text = ", ".join(f"{m} modes (dimension {d}, {w} channels)" for (d, w), m in least.items())
    return Finding("confirmed" if good else "refuted", f"It is the smaller one from {text}.")


_CONDITIONS = {
    "half k/N": "1.9e7",
    "both k/N": "6.7e4",
    "both 2k/N": "3.65",
    "nodes": "1.0",
}


@claim(
    "operators-conditioning",
    "T_1 .. T_10 at k/N on 64 points are not orthogonal: their condition is 1.9e7 on the half spectrum and "
    "6.7e4 with both signs; rescaled it is below 4, and single precision fits a shift better.",
    source=CODE,
    tags=("operators", "features"),
    wrong=(ORTHOGONAL,),
)
def conditioning_claim(run: Run) -> Finding:
    """Singular values against the stated ones, and single-precision least squares as a second route."""
    import numpy as np

    from numerics.operators.grids import EMBEDDINGS, embedding

    found = run.theory.of(conditioning)(FEATURES, GRID)
    values = dict(zip(found.places, map(told, found.condition), strict=True))
    off = [
        f"{place}: {values[place]:.3g}, stated {stated}"
        for place, stated in _CONDITIONS.items()
        if abs(values[place] - float(stated)) > printed_tolerance(stated) * 1.0001
    ]
    angle = 8.0 * math.pi * np.fft.rfftfreq(GRID)
    parts = np.cos(angle), -np.sin(angle)
    errors = {}
    for place in ("half k/N", "half 4k/N - 1"):
        matrix = np.c_[np.ones(GRID // 2 + 1), embedding(EMBEDDINGS[place](GRID), FEATURES)]
        single = matrix.astype(np.float32)
        left = [
            part - single @ np.linalg.lstsq(single, part.astype(np.float32), rcond=None)[0]
            for part in parts
        ]
        errors[place] = float(np.linalg.norm(left) / np.linalg.norm(parts))
    mends = errors["half k/N"] > 2.0 * errors["half 4k/N - 1"]
    lost = values["half k/N"] > 1e3 * values["half 4k/N - 1"]
    evidence = {"condition": values, "single precision, shift by 4": errors}
    if off or mends != lost:
        return Finding("refuted", "; ".join(off) or "Fits do not agree.", None, evidence)
    reason = f"A shift by 4 is fitted to {errors['half k/N']:.3f} in single precision, and to "
    reason += f"{errors['half 4k/N - 1']:.4f} with rescaled features."
    return Finding("confirmed", reason, values["half k/N"], evidence)


_TAILS = {2: "0.005", 3: "0.136", 4: "0.596", 6: "0.795"}


@claim(
    "operators-threshold",
    "A shift by s cells takes more than pi s features on an axis with both signs of k, and half as many on "
    "the half spectrum.",
    source="Jacobi-Anger; derived here",
    tags=("operators", "features"),
    wrong=(SIGNS,),
)
def threshold_claim(run: Run) -> Finding:
    """Least squares on a fine grid beside theory's tail of Bessel functions."""
    import numpy as np

    from numerics.operators.designs import amortised_errors

    tail, n, grid = run.theory.of(shift_tail), 24, 2048
    failures, curves = [], []
    for both in (True, False):
        t = np.linspace(-1.0 if both else 0.0, 1.0, grid)
        for cells in (1, 2, 3, 4, 6):
            fit = amortised_errors(np.exp(-1j * math.pi * cells * t), np.ones(grid), n, t)
            series = [tail(cells, k, both=both) for k in range(1, n + 1)]
            start = math.pi * cells * (1.0 if both else 0.5)
            for k in range(1, n + 1):
                close = abs(math.log(fit[k - 1] / series[k - 1])) < math.log(4.0)
                if series[k - 1] > 1e-12 and not close:
                    failures.append(f"s = {cells}, n = {k}: {fit[k - 1]:.2g}, {series[k - 1]:.2g}")
                if k < 0.7 * start and fit[k - 1] < 0.3:
                    failures.append(f"s = {cells}: {k} features do")
                if k > start + 3.0 * start ** (1.0 / 3.0) + 1.0 and fit[k - 1] > 0.1:
                    failures.append(f"s = {cells}: {k} features do not")
            label = f"s = {cells}, {'both signs' if both else 'half spectrum'}"
            curves.append(Curve(label, tuple(map(float, range(1, n + 1))), tuple(fit.tolist())))
    for cells, stated in _TAILS.items():
        if abs(tail(cells, FEATURES) - float(stated)) > printed_tolerance(stated) * 1.0001:
            failures.append(f"tail at s = {cells}: {tail(cells, FEATURES):.4f}, stated {stated}")
    plot = Plot(
        "Errors fall beyond the threshold", "features", "relative error", tuple(curves), log=True
    )
    if failures:
        return Finding(
            "refuted", "; ".join(failures[:4]) + ".", None, {"failures": failures}, (plot,)
        )
    reason = "Fits and tails agree within a factor 4, and fall where they should, for five shifts."
    return Finding("confirmed", reason, None, {}, (plot,))


_RANKS = (
    ("poisson", {}, {1: "0.438", 4: "0.008"}),
    ("screened-poisson", {"kappa": 1.0}, {1: "0.167"}),
    ("half-wave", {"c": 1.0}, {1: "0.778"}),
)


@claim(
    "operators-products",
    "Products of the axes hold heat and advection exactly, the inverse Laplacian with a relative error of "
    ".438 (four of them .008), 1/(1 + k^2) with .167 and exp(-i|k|) with .778, on 64 x 64 points.",
    source=CODE,
    tags=("operators", "products"),
    wrong=(PRODUCTS,),
)
def products_claim(run: Run) -> Finding:
    """Singular values against those stated, and alternating least squares as a second route."""
    import numpy as np

    from numerics.operators.symbols import symbol

    errors = run.theory.of(rank_errors)
    off, evidence = [], {}
    for name, values, stated in _RANKS:
        found = errors(name, values, grid=GRID, most=4).errors
        evidence[name] = found
        for rank, text in stated.items():
            if abs(found[rank - 1] - float(text)) > printed_tolerance(text):
                off.append(f"{name}: {rank} products leave {found[rank - 1]:.4f}, stated {text}")
        g = symbol(
            name, values, np.fft.fftfreq(GRID, 1.0 / GRID)[:, None], np.arange(GRID // 2 + 1)
        )
        right = run.stream(len(evidence)).standard_normal(g.shape[1]) + 0j
        left = g @ right
        for _ in range(200):
            left = g @ right.conj() / np.linalg.norm(right) ** 2
            right = g.T @ left.conj() / np.linalg.norm(left) ** 2
        direct = float(np.linalg.norm(g - left[:, None] * right) / np.linalg.norm(g))
        if abs(direct - found[0]) > 1e-6:
            off.append(f"{name}: alternating least squares leave {direct:.4f}")
    for name, values in (("heat", {"nu": 0.01}), ("advection", {"c": 0.3})):
        if errors(name, values, grid=GRID, most=1).errors[0] > 1e-13:
            off.append(f"{name} is not a product")
    if off:
        return Finding("refuted", "; ".join(off) + ".", None, evidence)
    return Finding("confirmed", "All as stated.", evidence["poisson"][0], evidence)


@claim(
    "operators-hermitian",
    "Of a kernel on a half spectrum, real outputs use the Hermitian part alone on the columns k_y = 0 and "
    "N/2.",
    source=CODE,
    tags=("operators", "features"),
    wrong=(WHOLE,),
)
def hermitian_claim(run: Run) -> Finding:
    """Random kernels and fields: replace both columns by what theory says is used; nothing may change."""
    import numpy as np
    import sympy

    law = run.theory.of(hermitian)()
    (k,) = law.symbols
    plus, minus = sympy.symbols("plus minus")
    r = Function("R")
    part = sympy.lambdify([plus, minus], law.value.subs({r(k): plus, r(-k): minus}))
    worst, changed = 0.0, 1.0
    for trial in range(20):
        rng, n = run.stream(trial), 2 * (3 + trial % 5)
        kernel = rng.standard_normal((n, n // 2 + 1)) + 1j * rng.standard_normal((n, n // 2 + 1))
        v = np.fft.rfft2(rng.standard_normal((n, n)))
        other = kernel.copy()
        mirrored = np.roll(kernel[::-1], 1, axis=0)
        for column in (0, n // 2):
            other[:, column] = part(kernel[:, column], mirrored[:, column])
        ours, theirs = (np.fft.irfft2(x * v, s=(n, n)) for x in (other, kernel))
        worst = max(worst, float(np.abs(ours - theirs).max() / np.abs(theirs).max()))
        changed = min(changed, float(np.abs(other - kernel).max()))
    evidence = {"largest change of an output": worst, "smallest change of a kernel": changed}
    good = worst < 1e-12 and changed > 1e-3
    reason = f"Outputs change by {worst:.0e}, kernels by at least {changed:.2f}."
    return Finding("confirmed" if good else "refuted", reason, None, evidence)
