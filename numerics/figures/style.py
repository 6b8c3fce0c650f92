"""How figures look, and nothing else."""

from typing import Any

__all__ = ["BLUE", "GREY", "ORANGE", "STYLE"]

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#666666"  # Okabe-Ito: distinct to every eye
STYLE: dict[Any, Any] = {
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "lines.markersize": 5.0,
    "mathtext.fontset": "cm",
    "legend.frameon": False,
    "svg.hashsalt": "widegap",  # the same figure gives the same file
    "pdf.fonttype": 42,
}
"""Matplotlib settings of every figure, for ``rc_context``."""
