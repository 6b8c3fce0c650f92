"""Sphinx directives for what the program itself has to say, found out while the site is built.

`derived` shows a formula, `derivation` all steps of one, `help` the help text of a command.

The body of ``derived`` is Python; its last line is an expression whose value becomes a displayed
formula: LaTeX text as it is, anything else through sympy. What a page shows is thus what the
program computes with, and a page whose mathematics no longer exists does not build.

With ``:show:`` the Python lines are shown above the formula.
"""

import ast
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

PREAMBLE = (
    "import sympy\nimport theory\nfrom theory import *\nfrom theory import parities\n"
    "from theory.thresholds import asymptotics\n"
)


def evaluate(source: str) -> Any:
    """Run Python lines with the public names of theory and return the last line's value."""
    module = ast.parse(source)
    last = module.body.pop()
    if not isinstance(last, ast.Expr):
        raise ValueError(f"the last line of a derived formula is not an expression: {source!r}")
    scope: dict[str, Any] = {}
    exec(PREAMBLE, scope)
    exec(compile(module, "<derived>", "exec"), scope)
    return eval(compile(ast.Expression(last.value), "<derived>", "eval"), scope)


def as_latex(value: Any) -> str:
    """LaTeX of a derived object, without dollar signs."""
    if isinstance(value, str):
        return value.strip().strip("$").strip()
    own = getattr(value, "latex", None)
    if callable(own):
        return as_latex(own())
    from sympy import latex

    return latex(value)


def formula(text: str) -> nodes.math_block:
    """Return a displayed formula without a number."""
    return nodes.math_block(text, text, nowrap=False, number=None, label=None)


class Derived(SphinxDirective):
    """Show the value of a Python expression over theory as a displayed formula."""

    has_content = True
    option_spec: ClassVar = {"show": directives.flag}

    def run(self) -> list[nodes.Node]:
        """Evaluate the body and return the nodes of its formula."""
        source = "\n".join(self.content)
        try:
            text = as_latex(evaluate(source))
        except Exception as error:
            raise self.error(f"cannot derive {source!r}: {error}") from error
        code = nodes.literal_block(source, source, language="python")
        return [code, formula(text)] if "show" in self.options else [formula(text)]


class Derivation(SphinxDirective):
    """Show the steps of the free energy that a Python expression over theory gives."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Return one list item per step: title, explanation, formula."""
        from widegap.show.derivations import step_latex

        steps = nodes.enumerated_list(enumtype="arabic", prefix="", suffix=".")
        for step in evaluate(self.arguments[0]).steps:
            title = nodes.strong(step.title, f"{step.title}. ")
            text = nodes.paragraph("", "", title, nodes.Text(step.explanation))
            steps += nodes.list_item("", text, formula(step_latex(step)))
        return [steps]


class Help(SphinxDirective):
    """Show what a command prints when asked for help."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Return the help text as a literal block."""
        import click

        from widegap.cli import cli

        name = self.arguments[0]
        command: click.Command = cli
        for word in name.split():
            assert isinstance(command, click.Group)
            command = command.commands[word]
        context = click.Context(command, info_name=f"widegap {name}")
        text = f"$ widegap {name} --help\n{context.get_help()}"
        return [nodes.literal_block(text, text, language="console")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("derived", Derived)
    app.add_directive("derivation", Derivation)
    app.add_directive("help", Help)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
