"""The command line, put together from `widegap.commands`.

Start-up is kept light on purpose: sympy, numpy, numba, rich and matplotlib are imported inside the
commands that need them, after the input has been looked at as far as possible without them.
"""

import click

from widegap import __version__, subjects
from widegap.commands import (
    certify,
    derive,
    experiment,
    kernel,
    network,
    plot,
    solve,
    sweep,
    table,
    verify,
)
from widegap.errors import OneLineGroup
from widegap.lab import command

__all__ = ["cli"]


class _Verbs(OneLineGroup):
    """A verb whose first argument is a subject does what that subject has for it."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of a verb, and of a subject where one follows it."""
        verb, command, rest = super().resolve_command(ctx, args)
        if verb is not None and rest:
            own = subjects.command(verb, rest[0])
            if own is not None:
                return f"{verb} {rest[0]}", own, rest[1:]
        return verb, command, rest


@click.group(
    cls=_Verbs,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "--version", prog_name="widegap")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Derive and solve computational gaps of wide neural networks.

    widegap derives the functional of a model at a level of fully lifted random duality theory, and
    finds its stationary value: a threshold alpha = m/n, or a ground-state energy xi.

    \b
    Models, x binary where not said otherwise:
      sbp                symmetric perceptron, |Gx| <= kappa
      abp                asymmetric perceptron, Gx >= kappa
      ubp                u-function perceptron, |Gx| >= kappa
      zero-one           Gx >= kappa with weights 0 and 1
      spherical          Gx >= kappa with x on the sphere
      hopfield           max |Gx|
      negative-hopfield  min |Gx|
      sk                 Sherrington-Kirkpatrick, max x'Gx
    """  # noqa: D301 - click's mark for text that is not to be wrapped
    if ctx.invoked_subcommand is None:
        click.echo(FIRST.format(", ".join(subjects.SUBJECTS)))


FIRST = """\
widegap derives, solves and verifies the theory of perceptrons and wide networks.

  derive      the formula, with all steps    widegap derive sbp --level 3
  solve       the number, with its error     widegap solve sbp --kappa 1 --level 7
  experiment  what networks really do        widegap experiment parities --out grid.sqlite
  verify      which claims hold              widegap verify

Models: sbp, abp, ubp, zero-one, spherical, hopfield, negative-hopfield, sk.
Subjects: {}.

widegap --help lists all commands, widegap COMMAND --help says what one does."""
"""What is shown to whoever types the name alone."""


for module in (derive, solve, table, sweep, plot, experiment, kernel, network, verify, certify):
    cli.add_command(getattr(module, module.__name__.rpartition(".")[2]))
cli.add_command(command.lab)
