"""``widegap certify``: verify a certificate, or prove the small-margin constant."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from widegap.arguments import Integer
from widegap.errors import Failure, deliver, emit

if TYPE_CHECKING:
    from numerics import Certificate

__all__ = ["certificate_target", "certify", "certify_solution", "write_certificate"]

_LARGEST = 1_000_000  # bytes; a certificate has a few thousand


@click.command(
    epilog="\b\nExamples:\n  widegap solve sbp --kappa 1 --level 3 --certify --certificate l3.json\n"
    "  widegap certify --check l3.json\n  widegap certify --small-margin --digits 50"
)
@click.option("--check", "path", type=click.Path(), metavar="FILE", help="Verify this certificate.")
@click.option(
    "--small-margin", is_flag=True, help="Prove the constant C of kappa ~ C sqrt(alpha/-log alpha)."
)
@click.option(
    "--digits", type=Integer("--digits", 5, 300), metavar="N", help="Digits of C. [default: 30]"
)
@click.option(
    "--certificate", type=click.Path(), metavar="FILE", help="Write the certificate of C."
)
def certify(
    path: str | None, small_margin: bool, digits: int | None, certificate: str | None
) -> None:
    """Verify a certificate from scratch, or prove the small-margin constant.

    A certificate is made by `widegap solve .. --certify`. Verification derives the functional anew, evaluates
    it in balls and compares; nothing of the solver that found the point is used.
    """
    if (path is not None) == small_margin:
        raise click.UsageError("certify needs --check FILE or --small-margin")
    if path is not None:
        if digits is not None or certificate is not None:
            raise click.UsageError("--digits and --certificate go with --small-margin")
        _check(path)
        return
    target = certificate_target(certificate)
    from numerics import certify_small_margin
    from widegap.show.progress import Waiting

    try:
        with Waiting("proving"):
            proved = certify_small_margin(30 if digits is None else digits)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    deliver(partial(emit, f"{proved}\n"), partial(write_certificate, proved, target))


def _check(path: str) -> None:
    from numerics import CertificateError, check
    from widegap.files import read_text
    from widegap.show.progress import Waiting

    try:
        text = read_text(path, _LARGEST)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else "") or error
        raise click.UsageError(f"cannot read {path}: {reason}") from error
    try:
        with Waiting("verifying"):
            certificate = check(text)
    except CertificateError as error:
        raise click.UsageError(f"{path} is not verified: {error}") from error
    emit(f"verified\n{certificate}\n")


def certificate_target(path: str | None) -> Path | None:
    """Where a certificate will be written, checked before long work.

    Raises
    ------
    click.UsageError
        If it cannot be written there.
    """
    if path is None:
        return None
    from widegap.files import check_writable

    try:
        return check_writable(path)
    except OSError as error:
        raise click.UsageError(f"cannot write --certificate {path}: {error}") from error


def write_certificate(certificate: "Certificate", target: Path | None) -> None:
    """Write a certificate, whole or not at all."""
    if target is None:
        return
    from widegap.files import atomic_write

    try:
        with atomic_write(target) as stream:
            stream.write(certificate.to_json().encode())
    except OSError as error:
        raise Failure(f"cannot write {target}: {error}") from error


def certify_solution(solution: object, digits: int) -> "Certificate":
    """Prove what can be proved of a solution, or fail in one line."""
    from numerics import CertificationError, ConvergenceError, ResolutionError, Solution
    from numerics import certify as prove
    from widegap.show.progress import Waiting

    assert isinstance(solution, Solution)
    try:
        with Waiting("proving"):
            return prove(solution, digits)
    except (CertificationError, ConvergenceError, ResolutionError) as error:
        raise Failure(f"not certified: {error}") from error
