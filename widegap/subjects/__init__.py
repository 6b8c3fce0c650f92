"""The subjects' commands: a file each, with what `widegap solve` and `widegap experiment` do for it.

``widegap derive`` needs no file: it shows the laws that the subject lists in theory (`theory.calculus.law`).
"""

from __future__ import annotations

import importlib
import pkgutil

import click

__all__ = ["LAWS", "SUBJECTS", "VERBS", "command", "having"]

SUBJECTS = tuple(module.name for module in pkgutil.iter_modules(__path__))
"""Names on the command line, those of the rooms."""

LAWS = (*SUBJECTS, "kernels")
"""Rooms of theory whose laws ``widegap derive`` shows; kernels have commands of their own besides."""


VERBS = ("derive", "solve", "experiment")
"""Commands that take a subject where others take a model."""


def having(verb: str) -> tuple[str, ...]:
    """The subjects for which a verb does something."""
    return LAWS if verb == "derive" else SUBJECTS


def command(verb: str, subject: str) -> click.Command | None:
    """What a verb does for a subject; None where it does nothing for that."""
    if verb not in VERBS or subject not in having(verb):
        return None
    if verb == "derive":
        from widegap.commands.laws import laws_command

        return laws_command(subject)
    return getattr(importlib.import_module(f"{__name__}.{subject}"), verb)
