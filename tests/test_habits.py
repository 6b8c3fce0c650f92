"""What stands in two places says the same in both."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import yaml

import widegap

ROOT = Path(__file__).parents[1]


def read(name: str) -> dict:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_a_commit_runs_what_make_check_runs() -> None:
    # these tests may be run by make themselves
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    line = ["make", "--no-print-directory", "-n", "check"]
    make = subprocess.run(line, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    (local,) = read(".pre-commit-config.yaml")["repos"]
    assert local["repo"] == "local"
    commands = []
    exported = re.findall(r"^export (\w+) := (\w+)$", (ROOT / "Makefile").read_text("utf-8"), re.M)
    for hook in local["hooks"]:
        assert (hook["language"], hook["pass_filenames"]) == ("system", False)
        _, settings, command = re.fullmatch(r"(env ((?:\w+=\w+ )*))?(.*)", hook["entry"]).groups()
        assert {tuple(item.split("=")) for item in (settings or "").split()} <= set(exported)
        commands.append(command)
    # before them make sets up what is missing
    assert make.stdout.splitlines()[-len(commands) :] == commands
    recipe = (ROOT / "Makefile").read_text("utf-8").split("\ncheck:")[1].split("\n\n")[0]
    assert recipe.count("\n\t") == len(commands)


def test_the_citation_is_of_this_version() -> None:
    citation = read("CITATION.cff")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert citation["cff-version"] == "1.2.0"
    assert citation["title"] == project["name"]
    assert citation["version"] == widegap.__version__
    assert citation["license"] == project["license"]
    assert citation["authors"] == project["authors"]
    assert {"message", "abstract", "keywords"} <= citation.keys()


def test_forms_are_well_made() -> None:
    folder = ROOT / ".github/ISSUE_TEMPLATE"
    forms = sorted(folder.glob("*.md"))
    assert forms
    for form in forms:
        _, head, body = form.read_text(encoding="utf-8").split("---\n", 2)
        assert {"name", "about"} <= yaml.safe_load(head).keys()
        assert body.strip()


def test_decisions_are_numbered_and_say_why() -> None:
    folder = ROOT / "docs/decisions"
    pages = sorted(path for path in folder.glob("*.md") if path.stem != "index")
    listed = (folder / "index.md").read_text(encoding="utf-8")
    for number, page in enumerate(pages, 1):
        assert page.name.startswith(f"{number:04}-")
        assert page.stem in listed
        text = page.read_text(encoding="utf-8")
        assert re.findall(r"^## (.*)$", text, re.M) == ["Context", "Decision", "Consequence"]
        assert "**Status:** " in text
