"""Sphinx configuration: the site is built by ``make docs`` into build/docs, without network."""

import os
import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]
os.environ.setdefault("MPLBACKEND", "Agg")

from widegap import __version__  # noqa: E402  # the path above comes first

project = "widegap"
author = "widegap contributors"
copyright = "2026, widegap contributors"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # MathJax comes from a package, not from the network
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "derived",  # _ext/derived.py: formulas that theory derives while the site is built
    "record",  # _ext/record.py: the table of record, to be sorted and searched
    "diagrams",  # _ext/diagrams.py: phase diagrams to zoom and to point at
    "architecture",  # _ext/architecture.py: the house, drawn from the imports
]
exclude_patterns = ["tutorials", "gallery/**/*.ipynb", "gallery/**/*.py", "gallery/**/*.json"]
nitpicky = False
suppress_warnings = ["ref.python"]  # the n of "shape (n, d)" is no reference to some attribute n

myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath", "deflist"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True  # fields of named tuples are documented members already

sphinx_gallery_conf = {
    "examples_dirs": "tutorials",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1e9,
    "remove_config_comments": True,
    "abort_on_example_error": True,
    "image_scrapers": "figures.scrape",  # _ext/figures.py: our figures do without pyplot
    "reset_modules": (),
    "copyfile_regex": r".*\.rst",
}

html_theme = "furo"
html_title = f"widegap {release}"
html_static_path = ["_static"]
html_css_files = ["widegap.css"]
html_show_sphinx = False
html_copy_source = False
mathjax3_config = {"chtml": {"displayAlign": "left", "displayIndent": "1.5em"}}


def _escape_bars(
    _app: object, _what: str, _name: str, _obj: object, _opt: object, lines: list
) -> None:
    """Let |h| in a docstring be what it is in a terminal, not a reStructuredText substitution."""
    for number, line in enumerate(lines):
        parts = re.split(r"(``.*?``|`.*?`)", line)
        parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
        lines[number] = "".join(parts)


def setup(app: Sphinx) -> None:
    """Register the project's own hooks."""
    app.connect("autodoc-process-docstring", _escape_bars)
