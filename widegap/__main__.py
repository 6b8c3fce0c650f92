"""The program's entry: the ``widegap`` command and ``python -m widegap``."""

import sys


def main() -> None:
    """Run the command line and exit with its status."""
    try:
        # imported here so that Ctrl-C during start-up is as quiet as later on
        from widegap.cli import cli

        cli.main(prog_name="widegap")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
