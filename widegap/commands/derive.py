"""The command ``widegap derive``: functionals of models, duals and kernels of activations."""

import click

from widegap.arguments import MAX_LEVEL, MODELS, Integer, OneOf, build
from widegap.commands.kernel import MAX_DEPTH
from widegap.errors import emit, shown
from widegap.options import alpha_option, kappa_option

__all__ = ["derive"]

FORMATS = ("text", "latex", "python")
KERNELS = ("dual", "mlp", "deq")


@click.command(
    epilog="\b\nExamples:\n  widegap derive sbp --level 3\n"
    "  widegap derive sbp --level 4 --format latex --steps\n"
    "  widegap derive dual relu --steps\n"
    "  widegap derive deq erf --format latex"
)
@click.argument("model", type=OneOf("model", (*MODELS, *KERNELS)), metavar="MODEL")
@click.argument("activation", required=False)
@click.option(
    "--level",
    type=Integer("--level", 1, MAX_LEVEL),
    metavar="R",
    help="Lifting level of a MODEL; 2 or more for capacities with binary x, else 1 or more.",
)
@kappa_option
@alpha_option
@click.option(
    "--depth",
    type=Integer("--depth", 1, MAX_DEPTH),
    metavar="L",
    help="Hidden layers of MODEL mlp; theory.MLP's own if it is not given.",
)
@click.option(
    "--format",
    "output_format",
    type=OneOf("format", FORMATS),
    default="text",
    metavar="|".join(FORMATS),
    help="Plain text, LaTeX, or a runnable Python module. [default: text]",
)
@click.option("--steps", is_flag=True, help="Show how the functional is derived, step by step.")
def derive(
    model: str,
    activation: str | None,
    level: int | None,
    kappa: str | None,
    alpha: str | None,
    depth: int | None,
    output_format: str,
    steps: bool,
) -> None:
    """Derive the functional of MODEL at a level: alpha of a capacity or xi of a ground state.

    Parameters that are not given stay symbolic. With MODEL dual, derive the dual of an ACTIVATION, from
    which the kernels of wide networks are made; with mlp or deq these kernels, of a perceptron or an
    equilibrium model.
    """
    if steps and output_format == "python":
        raise click.UsageError("--steps explains a formula and cannot go with --format python")
    if model in KERNELS:
        if level is not None or kappa is not None or alpha is not None:
            raise click.UsageError(
                f"derive {model} takes an activation, no --level, --kappa or --alpha"
            )
        from widegap.commands.kernel import derive_kernel

        derive_kernel(model, activation, depth, output_format, steps)
        return
    if depth is not None:
        raise click.UsageError(f"derive {model} takes no --depth")
    if activation is not None:
        raise click.UsageError(f"derive {model} takes no activation, got {shown(activation)}")
    if level is None:
        raise click.UsageError("Missing option '--level'.")
    instance = build(model, {"kappa": kappa, "alpha": alpha})
    from theory import free_energy

    try:
        energy = free_energy(instance, level)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if steps:
        from widegap.show.derivations import steps_text

        emit(steps_text(energy, output_format) + "\n")
    emit(getattr(energy, output_format)().rstrip("\n") + "\n")
