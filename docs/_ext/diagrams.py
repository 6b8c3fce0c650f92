"""Sphinx directives `thresholds` and `order-and-chaos`: the figures of `phases`."""

from __future__ import annotations

import phases
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Thresholds(SphinxDirective):
    """Show `thresholds`."""

    def run(self) -> list[nodes.Node]:
        """Return the figure as raw HTML."""
        self.env.note_dependency(str(phases.DATA))
        return [nodes.raw("", phases.html(phases.thresholds(), scripts=True), format="html")]


class OrderAndChaos(SphinxDirective):
    """Show `order_and_chaos` of the activation that is the argument, on a page with `thresholds`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the figure as raw HTML."""
        drawn = phases.order_and_chaos(self.arguments[0])
        return [nodes.raw("", phases.html(drawn, scripts=False), format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("thresholds", Thresholds)
    app.add_directive("order-and-chaos", OrderAndChaos)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
