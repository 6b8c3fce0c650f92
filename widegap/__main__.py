"""The program's entry: the ``widegap`` command and ``python -m widegap``."""

import os
import signal
import sys


def main() -> None:
    """Run the command line and exit with its status."""
    _open_missing()
    try:
        # imported here so that Ctrl-C during start-up is as quiet as later on
        from widegap.errors import Terminated

        def terminate(number: int, frame: object) -> None:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a second one ends it at once
            raise Terminated

        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, terminate)
        from widegap.cli import cli

        cli.main(prog_name="widegap")
    except KeyboardInterrupt as error:
        sys.exit(143 if type(error).__name__ == "Terminated" else 130)


def _open_missing() -> None:
    """Open the standard streams that are closed on nothing, lest a file of ours takes their number."""
    if os.name != "posix":
        return
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


if __name__ == "__main__":
    main()
