"""Graphs to classify the nodes of: stochastic block models, and the imports between sympy's modules."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["Graph", "block_model", "few_shots", "gcn_matrix", "module_graph", "neighbour_mean"]

_WORDS = 128
_IMPORT = re.compile(
    r"^[ ]*(?:from (\.*)([\w.]*) import (\([^)]*\)|[^\n]*)|import ([\w.]+))", re.MULTILINE
)


@dataclass(frozen=True)
class Graph:
    """A graph whose nodes have features and a class.

    Attributes
    ----------
    adjacency : array, shape (n, n)
        Symmetric, of zeros and ones, the diagonal zero.
    features : array, shape (n, d)
    labels : array of int, shape (n,)
    """

    adjacency: Array
    features: Array
    labels: NDArray[np.int64]


def block_model(
    rng: np.random.Generator,
    nodes: int,
    p: float,
    q: float,
    separation: float,
    *,
    classes: int = 2,
    dimension: int = 0,
) -> Graph:
    """Draw a contextual stochastic block model.

    Parameters
    ----------
    rng : numpy.random.Generator
    nodes : int
        A multiple of ``classes``.
    p, q : float
        Probabilities of edges within and between classes.
    separation : float
        Distance of the means of any two classes.
    classes : int
    dimension : int
        Of the features, at least ``classes``, whose means are along the first coordinates; 0 for one
        coordinate on which two classes have opposite means.

    Raises
    ------
    ValueError
        For what is no such graph.
    """
    for name, value in (("p", p), ("q", q)):
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"{name} is a probability between 0 and 1, got {value}")
    if not 0.0 < separation < np.inf:
        raise ValueError(f"separation is a positive, finite number, got {separation}")
    if classes < 2 or nodes < classes or nodes % classes:
        raise ValueError(f"{classes} classes of equal size need a multiple of nodes, got {nodes}")
    if dimension < classes and (dimension, classes) != (0, 2):
        raise ValueError(f"{classes} classes need a dimension of at least that, got {dimension}")
    labels = np.repeat(np.arange(classes), nodes // classes)
    chance = np.where(labels[:, None] == labels[None, :], p, q)
    upper = np.triu(rng.random((nodes, nodes)) < chance, 1)
    features = rng.standard_normal((nodes, max(dimension, 1)))
    if dimension:
        features[np.arange(nodes), labels] += separation / np.sqrt(2.0)
    else:
        features[:, 0] += separation * (0.5 - labels)  # class 0 is y = 1
    return Graph((upper | upper.T).astype(float), features, labels)


def neighbour_mean(adjacency: Array) -> Array:
    """Return the matrix that replaces each node's feature by its neighbours' mean.

    Raises
    ------
    ValueError
        If a node has no neighbour.
    """
    degree = adjacency.sum(axis=1)
    if not degree.all():
        alone = np.flatnonzero(degree == 0)
        raise ValueError(
            f"{len(alone)} of {len(degree)} nodes have no neighbour, the first is node {alone[0]}: their "
            "neighbours' mean is not defined; leave them out or take a denser graph"
        )
    return adjacency / degree[:, None]


def gcn_matrix(adjacency: Array) -> Array:
    """Return D^(-1/2) (A + I) D^(-1/2) with the degrees D of A + I; isolated nodes keep their feature."""
    looped = adjacency + np.eye(len(adjacency))
    root = looped.sum(axis=1) ** -0.5
    return looped * root[:, None] * root[None, :]


def few_shots(rng: np.random.Generator, labels: NDArray[np.int64], shots: int) -> NDArray[np.int64]:
    """Draw some nodes of each class.

    Raises
    ------
    ValueError
        If a class has no node beside these.
    """
    places = [np.flatnonzero(labels == c) for c in np.unique(labels)]
    if not 1 <= shots < min(map(len, places)):
        raise ValueError(
            f"shots are from 1 to {min(map(len, places)) - 1}, fewer than the smallest class has; got {shots}"
        )
    return np.concatenate([rng.choice(place, shots, replace=False) for place in places])


@cache
def module_graph(classes: int = 5) -> Graph:
    """The imports between the modules of the installed sympy: a real graph that is always there.

    Nodes are modules of its largest subpackages, which are the classes; edges join a module to those that it
    imports; features are log(1 + n) of the words in its text without the lines that import, hashed to 128
    counts, in standard units. Modules outside the largest connected component are left out. The graph depends
    on the version of sympy.

    Parameters
    ----------
    classes : int
        Subpackages, the largest ones.
    """
    import sympy
    from scipy.sparse.csgraph import connected_components

    root = Path(sympy.__path__[0])
    texts = {
        ".".join(("sympy", *path.relative_to(root).with_suffix("").parts)): path
        for path in sorted(root.rglob("*.py"))
        if path.name != "__init__.py" and not {"tests", "benchmarks"} & set(path.parts)
    }
    sizes: dict[str, int] = {}
    for name in texts:
        if name.count(".") > 1:
            sizes[name.split(".")[1]] = sizes.get(name.split(".")[1], 0) + 1
    chosen = sorted(sizes, key=lambda k: (-sizes[k], k))[:classes]
    names = [n for n in texts if n.count(".") > 1 and n.split(".")[1] in chosen]
    place = {name: k for k, name in enumerate(names)}
    adjacency = np.zeros((len(names), len(names)))
    counts = np.zeros((len(names), _WORDS))
    for name, row in place.items():
        text = texts[name].read_text(encoding="utf-8", errors="replace")
        for dots, module, what, plain in _IMPORT.findall(text):
            base = ".".join((*name.split(".")[: -len(dots)], *filter(None, [module])))
            module = plain or (base if dots else module)
            for other in (module, *(f"{module}.{word}" for word in re.findall(r"\w+", what))):
                if other in place and other != name:
                    adjacency[row, place[other]] = adjacency[place[other], row] = 1.0
        for word in re.findall(r"[a-z]{4,}", re.sub(r".*\bimport\b.*", "", text).lower()):
            counts[row, zlib.crc32(word.encode()) % _WORDS] += 1.0
    _, component = connected_components(adjacency, directed=False)
    kept = component == np.bincount(component).argmax()
    features = np.log1p(counts[kept])
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    labels = np.array([chosen.index(name.split(".")[1]) for name in names])[kept]
    return Graph(adjacency[np.ix_(kept, kept)], features, labels)
