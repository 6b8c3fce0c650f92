"""The house: layers import what lies below them, rooms of a layer those before them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("theory", "numerics", "verify", "widegap")
# Rooms in the order in which they may import each other; what is in no room is for all.
ROOMS = {
    "theory": ("calculus", "kernels", "thresholds"),
    "numerics": ("nests", "functionals", "balls", "thresholds", "proofs", "kernels", "runs"),
    "verify": ("suite", "statistics", "networks", "thresholds", "kernels", "reports"),
    "widegap": ("show", "commands"),
}
FILES = [
    path
    for layer in LAYERS
    for path in sorted((ROOT / layer).rglob("*.py*"))
    if path.suffix in (".py", ".pyi")
]


def imported(path: Path) -> Iterator[str]:
    """Modules that a file imports, written out."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            yield ".".join((*above, *((node.module or "").split("."))))


def room(layer: str, parts: tuple[str, ...]) -> int | None:
    rooms = ROOMS.get(layer, ())
    return rooms.index(parts[0]) if parts and parts[0] in rooms else None


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_arrow_points_up(path: Path) -> None:
    layer, *inside = path.relative_to(ROOT).with_suffix("").parts
    own = room(layer, tuple(inside))
    for name in imported(path):
        other, *parts = name.split(".")
        if other not in LAYERS:
            continue
        assert LAYERS.index(other) <= LAYERS.index(layer), f"{layer} imports {name}"
        if other == layer and own is not None:
            there = room(layer, tuple(parts))
            assert there is None or there <= own, f"{ROOMS[layer][own]} imports {name}"


def test_no_folder_is_crowded() -> None:
    for layer in LAYERS:
        for folder in [ROOT / layer, *(p for p in (ROOT / layer).rglob("*") if p.is_dir())]:
            assert len(list(folder.glob("*.py"))) <= 17, folder


def test_cores_are_counted_in_one_place() -> None:
    """A process may use fewer cores than there are, which only one function knows how to ask."""
    asking = [path for path in FILES if re.search(r"cpu_count|affinity", path.read_text("utf-8"))]
    assert asking == [ROOT / "numerics/machine.py"]
