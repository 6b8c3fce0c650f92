"""Pictures of the pages for the documentation: ``python -m tests.widegap.lab.pictures docs/_static``."""

import subprocess
import sys
import tempfile
from pathlib import Path

from ...verify.reports.browser import Page, browser_path
from .test_pages import opened, press, put, said

SIZES = {
    "step": (700, 620),
    "model": (900, 1000),
    "network": (900, 1200),
    "subject": (900, 1000),
    "claim": (420, 900),
}


def main(folder: Path) -> None:
    """Start the lab, do what a user does, and keep what is to be seen."""
    line = [sys.executable, "-m", "widegap", "lab", "--port", "0", "--no-browser"]
    program = browser_path()
    assert program is not None
    with (
        subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as lab,
        tempfile.TemporaryDirectory() as profile,
        Page(program, Path(profile)) as page,
    ):
        assert lab.stderr is not None
        address = lab.stderr.readline().split()[4].rstrip(";")

        def taken(name: str, after: str) -> None:
            page.wait("!document.querySelector('progress')")
            top = f"document.querySelector({after!r})"
            page.evaluate(f"{top}.scrollIntoView()")
            page.wait("new Promise(done => setTimeout(done, 500)) && true")
            (folder / f"lab-{name}.webp").write_bytes(page.picture(60))

        # from the address to the threshold of one's own constraint
        opened(page, address, *SIZES["step"])
        press(page, "level", "[role=slider]", "ArrowLeft")
        taken("step-1", "nav")
        press(page, "Model", "select", *["ArrowDown"] * 8)
        put(page, "Constraint", "-kappa <= z <= 3*kappa")
        said(page, r"typed\(kappa=1\), level 3: alpha")
        taken("step-2", "h1")
        press(page, "kappa", "[role=slider]", *["ArrowRight"] * 5)
        said(page, r"typed\(kappa=5/4\), level 3: alpha")
        taken("step-3", "h1")
        taken("step-4", "h2")
        opened(page, address, *SIZES["model"])
        press(page, "level", "[role=slider]", "ArrowRight")
        said(page, "level 5: alpha")
        taken("model", "h1")
        opened(page, f"{address}network/", *SIZES["network"])
        said(page, "relative to the kernel", "caption")
        taken("network", "img.figure")
        opened(page, f"{address}subjects/?subject=parities", *SIZES["subject"])
        page.wait("document.querySelectorAll('img.figure').length > 1")
        taken("subject", "h2")
        opened(page, f"{address}claims/", *SIZES["claim"])
        press(page, "About", "select", "s", "b", "p")
        press(page, "Theory", "select", "ArrowDown")
        press(page, "Check it", "button", "Enter")
        said(page, "rejected")
        taken("claim", "h1")
        lab.terminate()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
