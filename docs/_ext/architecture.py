"""Sphinx directives that draw the house and list its rooms, read from the imports while the site is built.

`house` is the picture: an arrow points at what a room imports. Arrows that follow from others are left out,
as they are in a Hasse diagram. `rooms` is the table, with the first line of every room's docstring.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

import house
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

COLOURS = {"theory": "#2c6e9b", "numerics": "#3d7a4a", "verify": "#96621c", "widegap": "#6c4a86"}
WIDTH, HEIGHT = 1.2, 0.46  # of a box
STEP, GAP = 0.95, 0.45  # between floors, and between layers


@dataclass(frozen=True)
class Box:
    """A room in the picture."""

    name: str
    x: float
    y: float


def graph() -> dict[str, set[str]]:
    """Rooms and the rooms that they import, without what follows from the rest."""
    rooms = [f"{layer}.{name}" for layer in house.LAYERS for name in house.ROOMS[layer]]
    direct = {name: {b for a, b in house.arrows() if a == name and b in rooms} for name in rooms}

    def below(name: str) -> set[str]:
        return direct[name].union(*map(below, direct[name]))

    return {
        name: {b for b in there if not any(b in below(c) for c in there - {b})}
        for name, there in direct.items()
    }


def boxes(arrows: dict[str, set[str]]) -> dict[str, Box]:
    """Places of the rooms: each a floor above those of its layer that it imports."""
    placed: dict[str, Box] = {}
    bottom = 0.0
    for layer in house.LAYERS:
        floors: list[list[str]] = []
        floor: dict[str, int] = {}
        for room in house.ROOMS[layer]:
            name = f"{layer}.{room}"
            floor[name] = max((floor[b] + 1 for b in arrows[name] if b in floor), default=0)
            floors += [[]] * (floor[name] + 1 - len(floors))
            floors[floor[name]] = [*floors[floor[name]], name]
        for number, row in enumerate(floors):

            def middle(name: str) -> float:
                """Where the rooms are that this one stands on."""
                under = [placed[b].x for b in arrows[name] if b in placed]
                return sum(under) / len(under) if under else 0.0

            for place, name in enumerate(sorted(row, key=middle)):
                x = 2.6 * (place - (len(row) - 1) / 2)
                # rooms one above the other would hide each other's arrows
                placed[name] = Box(name, x + 0.4 * (-1) ** number, bottom + STEP * number)
        bottom += STEP * (len(floors) - 1) + HEIGHT + GAP + STEP / 2
    return placed


def bend(a: Box, b: Box, others: list[Box]) -> float:
    """How much an arrow is bent, as little as it takes to go round the other boxes."""
    (x0, y0), (x1, y1) = (a.x, a.y - HEIGHT / 2), (b.x, b.y + HEIGHT / 2)

    def hidden(bent: float) -> int:
        # matplotlib's arc3 is a parabola with this point as its control
        x, y = (x0 + x1) / 2 + bent * (y1 - y0), (y0 + y1) / 2 - bent * (x1 - x0)
        behind = 0
        for t in (number / 50 for number in range(51)):
            u = (1 - t) ** 2 * x0 + 2 * t * (1 - t) * x + t * t * x1
            v = (1 - t) ** 2 * y0 + 2 * t * (1 - t) * y + t * t * y1
            away = [(abs(u - c.x) / WIDTH, abs(v - c.y) / HEIGHT) for c in others]
            ends = [(abs(u - c.x) / WIDTH, abs(v - c.y) / HEIGHT) for c in (a, b)]
            behind += any(i < 0.55 and j < 0.6 for i, j in away)
            behind += any(i < 0.5 and j < 0.49 for i, j in ends)
        return behind

    tries = [sign * number / 20 for number in range(12) for sign in (1, -1)]
    return min(tries, key=lambda bent: (hidden(bent), abs(bent)))


def picture() -> str:
    """The house as SVG."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

    arrows = graph()
    placed = boxes(arrows)
    left = min(box.x for box in placed.values()) - WIDTH
    right = max(box.x for box in placed.values()) + WIDTH
    figure = Figure(figsize=(7.2, 9.6), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    for layer in house.LAYERS:
        heights = [box.y for box in placed.values() if box.name.startswith(f"{layer}.")]
        low, high = min(heights) - HEIGHT / 2 - 0.2, max(heights) + HEIGHT / 2 + 0.2
        band = Rectangle((left, low), right - left, high - low, color=COLOURS[layer], alpha=0.12)
        axes.add_patch(band)
        axes.text(left + 0.1, high - 0.12, layer, color=COLOURS[layer], weight="bold", va="top")
    for name, there in arrows.items():
        for other in sorted(there):
            a, b = placed[name], placed[other]
            # start and end at the borders of the boxes
            ends = (a.x, a.y - HEIGHT / 2), (b.x, b.y + HEIGHT / 2)
            colour = COLOURS[name.split(".")[0]]
            others = [box for box in placed.values() if box not in (a, b)]
            style = {"arrowstyle": "-|>", "mutation_scale": 9, "color": colour, "alpha": 0.8}
            style["connectionstyle"] = f"arc3,rad={bend(a, b, others)}"
            axes.add_patch(FancyArrowPatch(*ends, shrinkA=0, shrinkB=0, lw=1.0, **style))
    for box in placed.values():
        corner = box.x - WIDTH / 2, box.y - HEIGHT / 2
        edge = {"ec": COLOURS[box.name.split(".")[0]], "fc": "white", "lw": 1.2}
        shape = "round,pad=0,rounding_size=0.1"
        axes.add_patch(FancyBboxPatch(corner, WIDTH, HEIGHT, boxstyle=shape, zorder=3, **edge))
        label = box.name.split(".")[1]
        axes.text(box.x, box.y, label, ha="center", va="center", zorder=4, size=9.5)
    axes.set_xlim(left - 0.1, right + 0.1)
    axes.set_ylim(-0.6, max(box.y for box in placed.values()) + 0.7)
    out = io.StringIO()
    settings = {"svg.fonttype": "none", "svg.hashsalt": "house", "font.family": "sans-serif"}
    with matplotlib.rc_context(settings):
        figure.savefig(out, format="svg", metadata={"Date": None})
    return re.sub(r"^.*?(?=<svg )", "", out.getvalue(), flags=re.S)


def rows() -> list[tuple[str, str, str]]:
    """Room, what it is, and the rooms it imports, layer by layer."""
    found = []
    for layer in house.LAYERS:
        for room in house.ROOMS[layer]:
            name = f"{layer}.{room}"
            there = [b for a, b in house.arrows() if a == name and b not in house.LAYERS]
            own = f"{layer}."
            found.append((name, house.title(name), ", ".join(b.removeprefix(own) for b in there)))
    return found


class House(SphinxDirective):
    """Show the layers, their rooms and who imports whom as a picture."""

    def run(self) -> list[nodes.Node]:
        """Return the picture, which stands in the page itself."""
        for path in house.files():
            self.env.note_dependency(str(path))
        text = "Layers and rooms; every arrow points down, at what a room imports."
        figure = f'<figure class="house" role="img" aria-label="{text}">{picture()}</figure>'
        return [nodes.raw("", figure, format="html")]


class Rooms(SphinxDirective):
    """Show the table of rooms."""

    def run(self) -> list[nodes.Node]:
        """Return the table, parsed as the page is."""
        lines = ["| room | what it is | imports |", "| --- | --- | --- |"]
        for name, text, there in rows():
            plain = re.sub(r":\w+:(?=`)", "", text).replace("|", r"\|")
            lines.append(f"| `{name}` | {plain} | {there} |")
        table = nodes.container()
        self.state.nested_parse(StringList(lines, "rooms"), self.content_offset, table)
        return table.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("house", House)
    app.add_directive("rooms", Rooms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
