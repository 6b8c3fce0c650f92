"""Collect the figures that a tutorial makes without pyplot, for sphinx-gallery."""

from typing import Any

from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst


def scrape(block: tuple[Any, ...], block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Save the figure a block of code made, if it made one, and return the lines that show it.

    A figure belongs to the first block after which it is known by a name.
    """
    seen = block_vars.setdefault("widegap_figures", set())
    known = block_vars["example_globals"].values()
    found = {id(value): value for value in known if isinstance(value, Figure)}  # once per figure
    paths = []
    for key in found.keys() - seen:
        seen.add(key)
        path = next(block_vars["image_path_iterator"])
        found[key].savefig(path, dpi=150)
        paths.append(path)
    return figure_rst(paths, gallery_conf["src_dir"])
