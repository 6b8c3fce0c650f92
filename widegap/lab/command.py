"""The command ``widegap lab``: the pages, served on this machine alone."""

import click

from widegap.arguments import Integer
from widegap.errors import refusals

__all__ = ["lab"]

_PORT = 2719


@click.command(epilog="\b\nExamples:\n  widegap lab\n  widegap lab --port 0 --no-browser")
@click.option(
    "--port",
    type=Integer("--port", 0, 65535),
    default=_PORT,
    metavar="N",
    help=f"Of the loopback address; 0 takes one that is free. [default: {_PORT}]",
)
@click.option("--no-browser", is_flag=True, help="Only say where it is, and open nothing.")
def lab(port: int, no_browser: bool) -> None:
    """Open the lab in the browser: models, networks, subjects and claims as pages that react.

    Served on the loopback address alone, until Ctrl-C. Nothing that is typed there is run as code. Needs the
    extra widegap[lab].
    """
    from verify.extras import need

    with refusals():
        need("marimo")
    from widegap.lab.server import serve

    serve(port, browser=not no_browser)
