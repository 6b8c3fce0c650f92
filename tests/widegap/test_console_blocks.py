"""Every line that the documentation tells to type is one that the program takes, and prints what is shown."""

from __future__ import annotations

import math
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from widegap import subjects
from widegap.cli import FIRST, cli

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", *(str(p.relative_to(ROOT)) for p in sorted((ROOT / "docs").rglob("*.md")))]
# Too long for a quick run: `test_every_line_of_readme` has them.
LONG = re.compile(
    r"make |widegap (sweep|plot|experiment|network|verify)|--level (7|inf)|kernel phase"
)


def steps(page: str) -> list[tuple[str, list[str]]]:
    """What is typed in the console blocks of a page, each with what is shown below it."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"^```console\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif line.strip():
                found[-1][1].append(line)
    return found


def arguments(typed: str) -> list[str]:
    """Words after ``widegap``, without comments and what the shell does with the output."""
    words = shlex.split(typed, comments=True)
    names = [i for i, word in enumerate(words) if word in ("widegap", ".venv/bin/widegap")]
    end = next((i for i, word in enumerate(words) if word in (">", "|", "&&")), len(words))
    return words[names[0] + 1 : end] if names else []


def taken(words: list[str]) -> None:
    """Read a line as the program does, without doing anything."""
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group) and words and words[0] in command.commands:
        _, found, words = command.resolve_command(context, words)  # a verb of a subject, too
        assert found is not None
        command = found
    command.make_context(command.name, list(words), parent=context, resilient_parsing=False)


@pytest.mark.parametrize("page", PAGES)
def test_every_line_is_one_that_the_program_takes(page: str) -> None:
    for typed, _ in steps(page):
        if words := arguments(typed):
            taken(words)


def every(command: click.Command, name: str) -> Iterator[tuple[click.Command, str]]:
    """A command, or all that a group consists of, with what is typed for it."""
    if not isinstance(command, click.Group):
        yield command, name
        return
    for word, inside in command.commands.items():
        yield from every(inside, f"{name} {word}")


def test_every_help_ends_with_two_examples_that_the_program_takes() -> None:
    found = list(every(cli, "widegap"))
    for verb in subjects.VERBS:
        for subject in subjects.having(verb):
            if command := subjects.command(verb, subject):
                found += every(command, f"widegap {verb} {subject}")
    assert len(found) > 30
    for command, name in found:
        text = re.sub(r"\\\n\s+", "", command.get_help(click.Context(command, info_name=name)))
        lines = [line for line in text.splitlines() if line.strip().startswith("widegap ")]
        assert len(lines) >= 2, name
        for line in lines:
            taken(arguments(line))


def test_the_first_screen_has_an_example_of_each_verb() -> None:
    lines = re.findall(r"  (widegap (?:derive|solve|experiment|verify)\b.*)", FIRST)
    assert len(lines) == 4
    for line in lines:
        taken(arguments(line))


def typed_in(folder: Path, typed: str) -> str:
    python = shlex.quote(sys.executable)
    program = re.sub(r"(?<!\S)\.venv/bin/widegap", f"{python} -m widegap", typed)
    program = re.sub(r"(?<!\S)\.venv/bin/python", python, program)
    result = subprocess.run(
        ["sh", "-c", program], cwd=folder, capture_output=True, text=True, timeout=1500
    )
    assert result.returncode == 0, (typed, result.stderr)
    return result.stdout


def shows(shown: list[str], printed: str) -> None:
    """Compare line by line; ``..`` stands for what is left out, at the end of a line or for whole lines."""
    lines = [line for line in printed.splitlines() if line.strip()]
    for line in shown:
        if line == "..":
            following = shown[shown.index(line) + 1]
            while not same(following, lines[0]):
                lines.pop(0)
            continue
        assert same(line, lines[0]), (line, lines[0])
        lines.pop(0)


def same(shown: str, printed: str) -> bool:
    """Whether two lines agree, but for times, and for errors and norms, which are the machine's."""
    if shown.endswith(" .."):
        return printed.startswith(shown[:-2])
    pairs = list(zip(shown.split(), printed.split(), strict=False))
    if len(shown.split()) != len(printed.split()):
        return False
    for k, (one, other) in enumerate(pairs):
        timed = k + 1 < len(pairs) and pairs[k + 1] == ("s", "s")
        rough = all(re.fullmatch(r"\d(\.\d)?e-\d+", word) for word in (one, other))
        rough = rough and abs(math.log10(float(one) / float(other))) <= 1.0
        if one == other or timed or rough:
            continue
        try:
            if not math.isclose(float(one), float(other), rel_tol=1e-9):
                return False
        except ValueError:
            return False
    return True


def test_what_is_compared() -> None:
    assert same("2  1.8158754958  2.2e-16  0.00 s", "2  1.8158754958  1.1e-16  3.10 s")
    assert not same("2  1.8158754958", "2  1.8158754")
    assert same("error bound 7e-15", "error bound 6e-15")
    assert not same("error bound 7e-15", "error bound 7e-12")
    assert not same("proved: [1, 2]", "proved: [1, 3]")
    assert same("a solution ..", "a solution of an equation")
    shows(["..", "b 1", "c .."], "x\ny\n\nb 1\nc d\n")
    with pytest.raises(AssertionError):
        shows(["b 2"], "b 1\n")


@pytest.mark.long
def test_short_lines_of_readme_print_what_is_shown(tmp_path: Path) -> None:
    tried = 0
    for typed, shown in steps("README.md"):
        if not LONG.search(typed):
            shows(shown, typed_in(tmp_path, typed))
            tried += 1
    assert tried >= 6


@pytest.mark.slow
def test_every_line_of_readme_prints_what_is_shown(tmp_path: Path) -> None:
    for typed, shown in steps("README.md"):
        if typed.startswith("make "):  # what make runs stands below it
            (tmp_path / "build").mkdir(exist_ok=True)
            ran = [k for k, line in enumerate(shown) if line.startswith(".venv/bin/widegap ")]
            if not ran:
                continue
            typed, shown = shown[ran[0]], shown[ran[0] + 1 :]
        shows(shown, typed_in(tmp_path, typed))
