"""The house: its layers, their rooms, and which module imports which, read from the sources.

The page on the architecture draws it, ``tests/test_house.py`` holds it to the rules.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
LAYERS = ("theory", "numerics", "verify", "widegap")
"""In the order in which they may import each other."""
SUBJECTS = tuple(
    sorted(p.stem for p in (ROOT / "widegap" / "subjects").glob("*.py") if p.stem != "__init__")
)
"""The subjects that `widegap derive SUBJECT` knows, in the alphabet's order."""


def _subjects(layer: str) -> tuple[str, ...]:
    """Those that are rooms of a layer, and not single files."""
    return tuple(name for name in SUBJECTS if (ROOT / layer / name / "__init__.py").is_file())


ROOMS = {
    "theory": ("calculus", "kernels", "thresholds", *_subjects("theory")),
    "numerics": (
        "figures",
        "nests",
        "functionals",
        "balls",
        "thresholds",
        "limits",
        "proofs",
        "kernels",
        "runs",
        *_subjects("numerics"),
    ),
    "verify": (
        "suite",
        "statistics",
        "networks",
        "thresholds",
        "kernels",
        *_subjects("verify"),
        "reports",
    ),
    "widegap": ("show", "commands", "subjects", "lab"),
}
"""In the order in which those of a layer may import each other; what is in no room is for all."""


@dataclass(frozen=True)
class Import:
    """One import of one of our modules.

    Attributes
    ----------
    name : str
        The module, written out.
    home : str
        The module that has what is imported, where ``name`` is a package that only lists it.
    typing : bool
        Whether type checkers alone see it.
    """

    name: str
    home: str
    typing: bool


@cache
def files() -> tuple[Path, ...]:
    """Every source of the layers, stubs as well."""
    return tuple(
        path
        for layer in LAYERS
        for path in sorted((ROOT / layer).rglob("*.py*"))
        if path.suffix in (".py", ".pyi")
    )


def module(path: Path) -> str:
    """Name of a file's module; a package's is its folder's."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> frozenset[str]:
    """Names of all modules and packages."""
    return frozenset(map(module, files()))


@cache
def imports(path: Path) -> tuple[Import, ...]:
    """What a file imports of the layers, anywhere in it."""
    return tuple(_within(ast.parse(path.read_text(encoding="utf-8")), path, False))


@cache
def homes(package: str) -> dict[str, str]:
    """Names that a package lists and does not define, and the modules that have them."""
    folder = ROOT.joinpath(*package.split("."))
    for path in (folder / "__init__.pyi", folder / "__init__.py"):
        if path.is_file():
            tree = ast.parse(path.read_text(encoding="utf-8"))
            nodes = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
            return {a.asname or a.name: _source(node, path) for node in nodes for a in node.names}
    return {}


def _source(node: ast.ImportFrom, path: Path) -> str:
    """The module of ``from .. import``, written out."""
    package = path.relative_to(ROOT).parts[:-1]
    above = package[: len(package) + 1 - node.level] if node.level else ()
    return ".".join((*above, *((node.module,) if node.module else ())))


def _within(node: ast.AST, path: Path, typing: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        named = [(alias.name, alias.name) for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        base = _source(node, path)
        named = []
        for alias in node.names:
            inside = f"{base}.{alias.name}"
            name = inside if inside in modules() else base  # what is imported may be a module
            named.append((name, name if name == inside else homes(base).get(alias.name, base)))
    elif isinstance(node, ast.If) and ast.unparse(node.test).split(".")[-1] == "TYPE_CHECKING":
        for part in node.body:
            yield from _within(part, path, True)
        for part in node.orelse:
            yield from _within(part, path, typing)
        return
    else:
        for part in ast.iter_child_nodes(node):
            yield from _within(part, path, typing)
        return
    for name, home in dict.fromkeys(named):
        if name.split(".")[0] in LAYERS:
            yield Import(name, home, typing)


def room(name: str) -> str | None:
    """The room of a module, or None if it is for all."""
    layer, *parts = name.split(".")
    return parts[0] if parts and parts[0] in ROOMS.get(layer, ()) else None


def arrows() -> dict[tuple[str, str], int]:
    """How many modules of a place import from another; places are rooms and, for what is in none, layers.

    Imports that are for type checkers alone do not count, nor does a package's list of its public names.
    """
    found: dict[tuple[str, str], set[str]] = {}
    for path in files():
        own = module(path)
        if path.suffix == ".pyi" or own in LAYERS:
            continue
        for item in imports(path):
            ends = place(own), place(item.home)
            if not item.typing and ends[0] != ends[1]:
                found.setdefault(ends, set()).add(own)
    return {ends: len(by) for ends, by in sorted(found.items())}


def place(name: str) -> str:
    """Layer and room of a module, or its layer alone."""
    layer, own = name.split(".")[0], room(name)
    return layer if own is None else f"{layer}.{own}"


def title(name: str) -> str:
    """First line of a package's docstring."""
    path = ROOT.joinpath(*name.split("."), "__init__.py")
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    if not text:
        raise ValueError(f"{name} does not say what it is")
    return text.splitlines()[0]
