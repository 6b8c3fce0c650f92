"""The page of a network: the dual of its activation, order and chaos, and networks beside their kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from widegap.lab import page
from widegap.lab.references import bibtex

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from numerics import PhaseDiagram
    from widegap.lab.worker import Tell

__all__ = ["SIGMA_B", "SIGMA_W", "dual_of", "phase", "widths"]

SIGMA_W, SIGMA_B = (0.1, 3.0), (0.0, 2.0)
"""What the phase diagram shows."""
_ACROSS, _DOWN = 18, 11
_WIDTHS = (10, 30, 100, 300, 1000)
_SHOWN = (10, 100, 1000)
_DRAWS = 32
_INPUTS = 12


def dual_of(tell: Tell, phi: str) -> str:
    """The dual of an activation, derived step by step, and files with it."""
    from theory import dual

    tell(page.progress(0.0, "deriving"))
    made = dual(phi)
    shown = page.fold("The dual", page.formula(made.latex()), shown=True)
    taken = [("dual.tex", made.latex() + "\n"), ("dual.bib", bibtex(""))]
    if made.is_closed:  # else there is no function to write
        taken.append(("dual.py", made.python()))
    return page.steps(made.steps) + shown + page.files(*taken)


_diagrams: dict[str, PhaseDiagram] = {}


def phase(tell: Tell, phi: str, sigma_w: float, sigma_b: float) -> str:
    """The phase diagram of a deep perceptron, and what it has at a point."""
    import numpy as np

    from numerics import phase_diagram

    here = phase_diagram(phi, [sigma_w], [sigma_b])
    row = {
        "sigma_w": sigma_w,
        "sigma_b": sigma_b,
        "chi": float(here.chi[0, 0]),
        "variance": float(here.variance[0, 0]),
        "correlation": float(here.correlation[0, 0]),
        "length": float(here.length[0, 0]),
    }
    numbers = page.paragraph(_regime(row["chi"], float(here.error[1, 0, 0])), "value")
    numbers += page.table([row], "At the point")
    tell(numbers + page.progress(0.0, "the diagram"))
    if phi not in _diagrams:
        across, down = (
            np.linspace(*ends, count) for ends, count in ((SIGMA_W, _ACROSS), (SIGMA_B, _DOWN))
        )
        _diagrams[phi] = phase_diagram(
            phi,
            across,
            down,
            progress=lambda done: tell(numbers + page.progress(done, "the diagram")),
        )
    text = f"Order and chaos of {phi}; the point is at sigma_w = {sigma_w:g}, sigma_b = {sigma_b:g}"
    return numbers + page.figure(_pointed(_diagrams[phi], sigma_w, sigma_b), text)


def _regime(chi: float, error: float) -> str:
    """Order or chaos, where the error of chi leaves no doubt."""
    if chi != chi:
        return "The recursion has no finite variance here."
    side = "the edge of chaos" if abs(chi - 1.0) <= error else "order" if chi < 1.0 else "chaos"
    return f"chi = {chi:.6g}: {side}"


def _pointed(diagram: PhaseDiagram, sigma_w: float, sigma_b: float) -> Figure:
    from numerics.figures.phases import phase_figure

    figure = phase_figure(diagram)
    for axis in figure.axes:
        if axis.get_title():  # a panel, not its colour bar
            axis.plot([sigma_w], [sigma_b], "o", color="white", markeredgecolor="black", zorder=5)
    return figure


def widths(tell: Tell, phi: str, depth: int, sigma_w: float, sigma_b: float) -> str:
    """The kernel of a deep perceptron beside networks that are drawn, width by width."""
    import numpy as np

    from numerics import kernel
    from theory import MLP
    from verify.networks import Network
    from verify.networks.experiments import Block, errors_by_width, run_block
    from widegap.commands.network import Row, width_figure

    tell(page.progress(0.0, "the kernel"))
    scales = {"sigma_w": sigma_w, "sigma_b": sigma_b}
    x = [[np.cos(a), np.sin(a)] for a in np.linspace(0.0, np.pi, _INPUTS)]
    exact = kernel(MLP(phi, depth=depth, **scales), x).nngp
    given: dict[str, Any] = {"kind": "mlp", "activation": phi, "depth": depth, **scales}
    drawn = {"kernel": exact}
    blocks: list[Block] = []
    for k, width in enumerate(_WIDTHS):
        tell(page.progress(k / len(_WIDTHS), f"width {width}") + _beside(drawn))
        blocks.append(run_block(given, x, width, 0, _DRAWS, 0))
        if width in _SHOWN:
            drawn[f"width {width}"] = np.array(run_block(given, x, width, 1, 1, 0).sums)
    rows = [
        Row(width, _DRAWS, error, None, bias, spread, failures)
        for width, (error, bias, spread, failures) in errors_by_width(blocks, exact).items()
    ]
    listed = [
        {
            "width": row.width,
            "error of one": row.error,
            "largest bias": row.bias,
            "its std. error": row.spread,
        }
        for row in rows
    ]
    figure = width_figure(Network(width=1, **given), rows)
    return (
        _beside(drawn)
        + page.figure(figure, "Distance of drawn networks from the kernel against their width")
        + page.table(listed, f"{_DRAWS} networks of each width, relative to the kernel's diagonal")
    )


def _beside(drawn: dict[str, Any]) -> str:
    """The kernel and covariances of single networks on the same inputs, in the same colours."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 2.7), layout="constrained")
    axes = figure.subplots(1, 1 + len(_SHOWN), squeeze=False)[0]
    size = abs(drawn["kernel"]).max() or 1.0
    for axis in axes:
        axis.set_axis_off()
    for axis, (title, values) in zip(axes, drawn.items(), strict=False):
        picture = axis.imshow(values, cmap="RdBu_r", vmin=-size, vmax=size)
        axis.set_title(title)
        if title == "kernel":
            figure.colorbar(picture, ax=axes)
    return page.figure(figure, f"Covariances on inputs on half a circle: {', '.join(drawn)}")
