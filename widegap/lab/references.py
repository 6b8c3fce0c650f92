"""BibTeX of what is taken away from a page: widegap itself, and the papers that a result is from."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

from widegap import __version__

if TYPE_CHECKING:
    from theory import Model

__all__ = ["bibtex", "sources"]

_THEORY = "Stojnic, arXiv:2312.00073"


def sources(model: Model) -> str:
    """The papers that the docstring of a model names; for one of your own that of the theory."""
    notes = (inspect.getdoc(type(model)) or "").partition("Notes\n-----\n")[2].split("\n\n")[0]
    papers = re.findall(r"\s*([^;]*(?:\(\d{4}\)|arXiv:\d+\.\d+))", " ".join(notes.split()))
    number = _THEORY.partition(":")[2]
    return "; ".join(papers if number in notes else [*papers, _THEORY])


def bibtex(source: str) -> str:
    """Entries for widegap and for each of the papers in a text, which are separated by semicolons.

    Only what the text says: an entry has no title where the text has none.
    """
    entries = [f"@software{{widegap,\n  title = {{widegap}},\n  version = {{{__version__}}}\n}}"]
    for text in (part.strip(" .") for part in source.split(";")):
        if text in ("", "derived here"):
            continue
        numbers = re.findall(r"arXiv:(\d{4}\.\d{4,5})", text)
        key = re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")[:50]
        fields = [f"  note = {{{text}}}"]
        if len(numbers) == 1:
            fields += [f"  eprint = {{{numbers[0]}}}", "  archiveprefix = {arXiv}"]
        entries.append(f"@misc{{{key},\n" + ",\n".join(fields) + "\n}")
    return "\n\n".join(entries) + "\n"
