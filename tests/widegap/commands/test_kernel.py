"""``widegap kernel`` and ``derive`` of activations: files in and out, one line for what makes no sense."""

import dataclasses
import json
import os
import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from numerics import deq_kernel, mlp_kernel, predict
from theory import DEQ, MLP


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with data files, in which the command runs."""
    x = np.random.default_rng(0).standard_normal((5, 3))
    np.save(tmp_path / "x.npy", x)
    np.savetxt(tmp_path / "y.csv", x[:2], delimiter=",")
    np.save(tmp_path / "nan.npy", np.array([[1.0, np.nan, 0.0]]))
    np.save(tmp_path / "wide.npy", np.ones((2, 4)))
    np.save(tmp_path / "object.npy", np.array([None]), allow_pickle=True)
    (tmp_path / "text.csv").write_text("a,b\n1,2\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "head.csv").write_text("x1,x2\n1,2\n")
    (tmp_path / "semi.csv").write_text("1;2\n3;4\n")
    (tmp_path / "wide.csv").write_bytes("1,2\n".encode("utf-16"))
    (tmp_path / "mark.csv").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "y.csv").read_bytes())
    (tmp_path / "zero.csv").symlink_to(os.devnull)
    np.savez(tmp_path / "archive.npz", x)
    (tmp_path / "archive.npz").rename(tmp_path / "archive.npy")
    (tmp_path / "half.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:90])
    np.save(tmp_path / "words.npy", np.array(["a"]))
    np.save(tmp_path / "flat.npy", np.zeros((2, 0)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_mlp(run: Callable[..., Result], folder: Path) -> None:
    result = run("kernel", "mlp", "--data", "x.npy", "--data2", "y.csv", "--out", "k.npz")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("nngp, ntk (5 x 2) in k.npz; error bound ")
    x = np.load("x.npy")
    expected = mlp_kernel(x, x[:2])
    with np.load("k.npz") as found:
        assert found["nngp"] == pytest.approx(expected.nngp, rel=1e-15)
        assert found["ntk"] == pytest.approx(expected.ntk, rel=1e-15)
        about = json.loads(str(found["about"]))
    assert about["activation"] == "relu"
    assert about["depth"] == 3


def test_a_table_may_begin_with_a_byte_order_mark(run: Callable[..., Result], folder: Path) -> None:
    for name in ("y", "mark"):
        line = ("kernel", "mlp", "--data", f"{name}.csv", "--out", f"{name}.npz")
        assert run(*line).exit_code == 0
    with np.load("y.npz") as one, np.load("mark.npz") as other:
        assert (one["nngp"] == other["nngp"]).all()


def test_deq(run: Callable[..., Result], folder: Path) -> None:
    result = run("kernel", "deq", "--sigma-w", "0.3", "--data", "x.npy", "--out", "k.npz")
    assert result.exit_code == 0, result.stderr
    with np.load("k.npz") as found:
        expected = deq_kernel(np.load("x.npy"), sigma_w=0.3)
        assert (found["fixed_point"] == expected.fixed_point).all()


DATA = ("--data", "x.npy", "--out", "k.npz")
LABELLED = (*DATA, "--data2", "x.npy", "--labels", "x.npy")


def test_bounds_are_those_of_the_library() -> None:
    from numerics.kernels import inputs
    from theory.kernels import architectures
    from widegap.commands import kernel

    assert kernel.MAX_DEPTH == architectures.MAX_DEPTH
    assert kernel.MAX_SCALE == inputs.MAX_SCALE


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("mlp", "--out", "k.npz"), "--data"),
        (("mlp", "--data", "x.npy"), "--out"),
        (("mlp", "--data", "none.npy", "--out", "k.npz"), "cannot read --data none.npy"),
        (("mlp", "--data", "x.txt", "--out", "k.npz"), "a name ending in .npy, .csv"),
        (("mlp", "--data", "text.csv", "--out", "k.npz"), "no table of numbers"),
        (("mlp", "--data", "empty.csv", "--out", "k.npz"), "no table of numbers"),
        (("mlp", "--data", "object.npy", "--out", "k.npz"), "no table of numbers"),
        (
            ("mlp", "--data", "nan.npy", "--out", "k.npz"),
            "--data nan.npy has NaN or infinite entries",
        ),
        (("mlp", "--data", "head.csv", "--out", "k.npz"), "first line is a header, take it away"),
        (("mlp", "--data", "semi.csv", "--out", "k.npz"), "Columns are separated by commas"),
        (("mlp", "--data", "wide.csv", "--out", "k.npz"), "it is no text in UTF-8"),
        (("mlp", "--data", "archive.npy", "--out", "k.npz"), "an archive of arrays"),
        (("mlp", "--data", "half.npy", "--out", "k.npz"), "it is damaged"),
        (
            ("mlp", "--data", "zero.csv", "--out", "k.npz"),
            "cannot read --data zero.csv: it is not a file",
        ),
        (
            ("mlp", "--data", "words.npy", "--out", "k.npz"),
            "--data words.npy must hold real numbers",
        ),
        (("mlp", "--data", "flat.npy", "--out", "k.npz"), "--data flat.npy must have shape (n, d)"),
        (
            ("mlp", "--data2", "wide.npy", *DATA),
            "--data and --data2 wide.npy must have as many columns, got 3 and 4",
        ),
        (("mlp", "--data", "x.npy", "--out", "k.csv"), "a name ending in .npz, .npy"),
        (("mlp", "--resume", *DATA), "--resume is about kernels in an .npy file, got k.npz"),
        (("mlp", "--scheduler", "host:1", *DATA), "--scheduler is about kernels in an .npy file"),
        (("mlp", "--times", "1", *DATA), "--times is about predictions: add --labels"),
        (("deq", "--posterior", *DATA), "--posterior is about predictions: add --labels"),
        (("deq", "--ridge", "-1", *DATA), "--ridge is a finite number >= 0, got '-1'"),
        (("mlp", "--labels", "x.npy", *DATA), "--labels needs --data2, the inputs to predict at"),
        (("mlp", *LABELLED, "--times", "1,x"), "--times takes numbers >= 0 or inf, separated"),
        (("mlp", *LABELLED, "--times", "nan"), "--times takes numbers >= 0 or inf, separated"),
        (("mlp", *LABELLED, "--times", "1", "--posterior"), "the posterior has no time"),
        (("mlp", *LABELLED, "--rate", "0"), "--rate is a positive number, got 0"),
        (("mlp", *LABELLED, "--labels", "y.csv"), "one row for each of the 5 training inputs"),
        (("mlp", *LABELLED, "--labels", "nan.npy"), "one row for each of the 5 training inputs"),
        (("mlp", *LABELLED, "--labels", "none.npy"), "cannot read --labels none.npy"),
        (("mlp", "--data", "x.npy", "--out", "no/k.npz"), "does not exist"),
        (("mlp", "--depth", "0", *DATA), "--depth is an integer >= 1"),
        (("mlp", "--sigma-w", "-1", *DATA), "--sigma-w is a finite number >= 0, got '-1'"),
        (("mlp", "--sigma-w", "1e60", *DATA), "--sigma-w is at most 1e50 in doubles, got '1e60'"),
        (("deq", "--sigma-u", "1e400", *DATA), "--sigma-u is at most 1e50 in doubles, got '1e400'"),
        (("mlp", "--sigma-w", "inf", *DATA), "--sigma-w is a finite number >= 0, got 'inf'"),
        (("mlp", "--depth", "1000001", *DATA), "--depth is an integer <= 1000000"),
        (("mlp", "--sigma-b", "nan", *DATA), "--sigma-b is a finite number"),
        (("mlp", "--sigma-v", "one", *DATA), "--sigma-v is a finite number"),
        (("mlp", "--activation", "rleu", *DATA), "unknown activation 'rleu'; choose from identity"),
        (("mlp", "--activation", "__import__('os').system('touch pwned')", *DATA), "unexpected"),
        (("mlp", "--activation", "x.__class__", *DATA), "unexpected '.'"),
        (("mlp", "--activation", "x**99999", *DATA), "exponents are integers up to 12"),
        (
            ("mlp", "--activation", "sign", *DATA),
            "take --tangent almost_everywhere if it only jumps",
        ),
        (("mlp", "--sigma-w", "20", "--depth", "500", *DATA), "the kernel map does not contract"),
        (
            ("deq", "--activation", "relu", "--sigma-w", "1.2", *DATA),
            "equilibrium (well-posedness of the finite-width equilibrium, sigma_w Lip(phi) < 1): it is "
            "1.2, 0.2 too much",
        ),
        (("phase", "--out", "a.txt"), ".png, .svg, .pdf"),
        (("phase", "--sigma-w", "1", "--out", "a.png"), "at least 2 in each direction"),
        (("deq", "--activation", "log(x)", *DATA), "log(x) is not at x = -1"),
        (("phase", "--activation", "1/x", "--out", "a.png"), "E phi(u)^2 is infinite"),
        (("frobnicate",), "frobnicate"),
    ],
)
def test_one_line_and_status_2(
    run: Callable[..., Result], folder: Path, arguments: tuple[str, ...], says: str
) -> None:
    before = sorted(folder.iterdir())
    result = run("kernel", *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("widegap: error: ")
    assert result.stderr.count("\n") == 1
    assert says in result.stderr
    assert sorted(folder.iterdir()) == before


def test_predictions(run: Callable[..., Result], folder: Path) -> None:
    x, y = np.load("x.npy"), np.arange(5.0)
    np.savetxt("labels.csv", y, delimiter=",")
    np.save("two.npy", np.column_stack([y, y**2]))
    data = ("--data", "x.npy", "--data2", "y.csv", "--out", "p.npz")
    model = ("kernel", "mlp", "--activation", "erf", "--depth", "2")
    times = ("--times", "0,10,inf", "--rate", "0.5", "--ridge", "0.1")
    result = run(*model, *data, "--labels", "labels.csv", *times)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(
        "mean (3 x 2), covariance (3 x 2 x 2), times (3) in p.npz; error bounds of mean and covariance "
    )
    given = {"times": [0, 10, np.inf], "learning_rate": 0.5, "ridge": 0.1}
    expected = predict(MLP("erf", 2), x, y, np.loadtxt("y.csv", delimiter=","), **given)
    with np.load("p.npz") as found:
        assert (found["mean"] == expected.mean).all()
        assert (found["covariance"] == expected.covariance).all()
        assert found["times"].tolist() == [0.0, 10.0, np.inf]
        about = json.loads(str(found["about"]))
    assert about["mean_error"] == expected.mean_error.tolist()
    assert about["largest_rate"] == expected.largest_rate
    assert about["ridge"] == 0.1
    result = run(*model, *data, "--labels", "two.npy", "--posterior", "--ridge", "0.1")
    assert result.exit_code == 0, result.stderr
    with np.load("p.npz") as found:
        assert found["mean"].shape == (1, 2, 2)


def test_equal_inputs_say_what_ridge_they_need(run: Callable[..., Result], folder: Path) -> None:
    np.save("twice.npy", np.ones((2, 3)))
    line = ("kernel", "deq", "--data", "twice.npy", "--labels", "twice.npy", "--data2", "x.npy")
    result = run(*line, "--out", "p.npz")
    assert result.exit_code == 2
    assert "take a ridge above" in result.stderr
    assert not (folder / "p.npz").exists()
    assert run(*line, "--out", "p.npz", "--ridge", "0.1").exit_code == 0


def test_bands_into_a_file(run: Callable[..., Result], folder: Path) -> None:
    line = ("kernel", "deq", "--data", "x.npy", "--out", "k.npy")
    result = run(*line)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("nngp, ntk (5 x 5) in k.npy; error bound ")
    expected = deq_kernel(np.load("x.npy"))
    assert (np.load("k.npy") == np.stack([expected.nngp, expected.ntk])).all()
    again = run(*line)
    assert again.exit_code == 2
    assert "k.npy exists; resume it or choose another name" in again.stderr
    assert run(*line, "--resume").stdout == result.stdout
    other = run(*line, "--resume", "--sigma-w", "0.3")
    assert other.exit_code == 2
    assert "cannot be resumed with model = deq" in other.stderr


def test_a_full_disk_is_one_line(
    run: Callable[..., Result], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from numerics.runs import kernels

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kernels._Writing, "_write", full)
    result = run("kernel", "mlp", "--data", "x.npy", "--out", "k.npy")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "widegap: error: cannot write k.npy: No space left on device; --resume goes on from what is there"
    ]


def test_too_large_a_matrix_is_refused_before_the_work(
    run: Callable[..., Result], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numerics.kernels.tiles

    monkeypatch.setattr(numerics.kernels.tiles, "available_memory", lambda: 100)
    result = run("kernel", "mlp", *DATA)
    assert result.exit_code == 2
    assert "need 0.0 GiB" in result.stderr
    assert not (folder / "k.npz").exists()


def test_a_note_on_singular_matrices(run: Callable[..., Result], folder: Path) -> None:
    np.save("ray.npy", np.array([[1.0, 2.0], [2.0, 4.0]]))
    result = run("kernel", "deq", "--activation", "relu", "--data", "ray.npy", "--out", "k.npz")
    assert result.exit_code == 0
    assert "inputs 0 and 1 are parallel" in result.stderr


def test_a_phase_diagram(run: Callable[..., Result], folder: Path) -> None:
    grid = ("--sigma-w", "0.5:2.5:0.5", "--sigma-b", "0:0.4:0.2")
    result = run("kernel", "phase", *grid, "--out", "erf.png")
    assert result.exit_code == 0, result.stderr
    assert (folder / "erf.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("output_format", ["text", "latex", "python"])
def test_derive_dual(run: Callable[..., Result], output_format: str) -> None:
    result = run("derive", "dual", "erf", "--format", output_format)
    assert result.exit_code == 0, result.stderr
    assert "asin" in result.stdout
    if output_format == "python":
        names: dict = {}
        exec(result.stdout, names)
        assert names["dual"](1.0, 0.0, 1.0) == pytest.approx((0.0, 4 / (3 * np.pi)))


def test_derive_dual_with_steps(run: Callable[..., Result]) -> None:
    result = run("derive", "dual", "relu", "--steps")
    assert result.exit_code == 0, result.stderr
    for part in ("Price's theorem", "DiracDelta(x)", "1/(2*pi*sqrt(k11*k22 - k12**2))"):
        assert part in result.stdout


@pytest.mark.parametrize("output_format", ["text", "latex"])
@pytest.mark.parametrize("steps", [(), ("--steps",)], ids=["plain", "steps"])
def test_derive_architectures(
    run: Callable[..., Result], output_format: str, steps: tuple[str, ...]
) -> None:
    for model, options in (
        (MLP("relu", 2), ("mlp", "relu", "--depth", "2")),
        (DEQ("erf"), ("deq", "erf")),
    ):
        result = run("derive", *options, "--format", output_format, *steps)
        assert result.exit_code == 0, result.stderr
        assert result.stdout.endswith(getattr(model.generic, output_format)().rstrip("\n") + "\n")
        assert ("Price's theorem" in result.stdout) == bool(steps)
    assert run("derive", "mlp", "relu").stdout.startswith("mlp(relu, depth=3,")


def test_help_shows_what_the_models_have(run: Callable[..., Result]) -> None:
    for kind in (MLP, DEQ):
        text = run("kernel", kind.name, "--help").stdout
        shown = {f.name: f.default for f in dataclasses.fields(kind)}
        for name, value in shown.items():
            option = f"--{name.replace('_', '-')} "
            (line,) = (x for x in text.splitlines() if x.strip().startswith(option))
            assert line.endswith(f"[default: {value}]")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("derive", "mlp"), "derive mlp needs an activation"),
        (("derive", "mlp", "rleu"), "unknown activation"),
        (("derive", "mlp", "relu", "--depth", "0"), "--depth is an integer >= 1"),
        (("derive", "deq", "relu", "--depth", "2"), "derive deq takes no --depth"),
        (("derive", "sbp", "--level", "2", "--depth", "2"), "derive sbp takes no --depth"),
        (("derive", "deq", "relu", "--kappa", "1"), "no --level, --kappa or --alpha"),
        (("derive", "deq", "relu", "--format", "python"), "derive deq writes text and latex"),
        (("derive", "dual"), "needs an activation"),
        (("derive", "dual", "rleu"), "unknown activation"),
        (("derive", "dual", "relu", "--level", "3"), "takes an activation, no --level"),
        (("derive", "sbp", "relu", "--level", "3"), "derive sbp takes no activation"),
        (("derive", "dual", "tanh", "--format", "python"), "no closed form"),
        (("derive", "dual", "relu", "--format", "python", "--steps"), "--steps"),
    ],
)
def test_bad_derivations(run: Callable[..., Result], arguments: tuple[str, ...], says: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert says in result.stderr


def test_the_tutorial_runs(capsys: pytest.CaptureFixture[str]) -> None:
    root = Path(__file__).parents[3]
    scope = runpy.run_path(str(root / "docs" / "tutorials" / "plot_kernels.py"))
    assert len(scope["figure"].axes) == 8
    assert scope["certified"].smallest_eigenvalue > 0
    shown = capsys.readouterr().out
    assert "inputs 0 and 2 are parallel" in shown
    assert "it is 1.2, 0.2 too much" in shown


def test_a_warning_of_accuracy_is_a_note_even_where_python_raises_warnings(
    run: Callable[..., Result], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("numerics.runs.kernels.POOR", 0.0)  # as if the network had amplified
    result = run("kernel", "mlp", "--data", "x.npy", "--out", "k.npy")
    assert result.exit_code == 0
    assert "note: pairs have errors up to" in result.stderr
