"""The entry of ``python -m benchmarks``."""

import sys


def main() -> None:
    """Run the command line and exit with its status."""
    try:
        from benchmarks.cli import cli

        cli.main(prog_name="benchmarks")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
