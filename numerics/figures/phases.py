"""Pictures of kernels: order and chaos."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure


__all__ = ["phase_figure"]


def phase_figure(diagram: Any) -> "Figure":
    """Draw chi, the two fixed points and the correlation length over (sigma_w, sigma_b).

    Parameters
    ----------
    diagram : numerics.PhaseDiagram

    Returns
    -------
    Figure
        Four maps; the black line is chi = 1, the edge of chaos. Where the variance diverges there is
        nothing.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 6.6), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True, sharey=True)
    length = np.where(np.isfinite(diagram.length), diagram.length, np.nan)
    panels: tuple[tuple[str, Any, str, dict[str, Any]], ...] = (
        (
            r"$\chi = \sigma_w^2\, \mathrm{E}\,\varphi'(u)^2$",
            diagram.chi,
            "RdBu_r",
            {"vmin": 0, "vmax": 2},
        ),
        ("variance $k^*$", diagram.variance, "viridis", {}),
        ("correlation of two inputs", diagram.correlation, "viridis", {"vmin": 0, "vmax": 1}),
        ("correlation length, layers", np.log10(length), "magma", {"vmin": -0.5, "vmax": 2.5}),
    )
    for axis, (title, values, colours, limits) in zip(axes.flat, panels, strict=True):
        shown = np.ma.masked_invalid(np.asarray(values, dtype=float))
        mesh = axis.pcolormesh(
            diagram.sigma_w, diagram.sigma_b, shown, cmap=colours, shading="nearest", **limits
        )
        bar = figure.colorbar(mesh, ax=axis)
        if "length" in title:
            bar.set_ticks([0, 1, 2], labels=["1", "10", "100"])
        finite = diagram.chi[np.isfinite(diagram.chi)]
        if finite.size and finite.min() < 1.0 < finite.max():
            filled = np.ma.masked_invalid(diagram.chi)
            axis.contour(diagram.sigma_w, diagram.sigma_b, filled, levels=[1.0], colors="black")
        axis.set_title(title)
    for axis in axes[1]:
        axis.set_xlabel(r"$\sigma_w$")
    for axis in axes[:, 0]:
        axis.set_ylabel(r"$\sigma_b$")
    figure.suptitle(f"{diagram.activation}: order and chaos")
    return figure
