"""One object for all kernels: what it gives is what its parameters give, to the last bit."""

import inspect
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from flint import arb
from sympy import Rational, sqrt

import theory
from numerics import certify, certify_deq, certify_mlp, deq_kernel, kernel, mlp_kernel, solve
from numerics.kernels import sklearn
from numerics.kernels.balls import Precision
from numerics.kernels.certify import certify_kernel
from theory import DEQ, MLP, SBP
from theory.kernels.recursion import SIGMA_V

sys.path.insert(0, str(Path(__file__).parent))
from reference import single_reference

X = np.random.default_rng(0).standard_normal((5, 3))
Y = np.random.default_rng(1).standard_normal((2, 3))


@pytest.mark.parametrize("other", [None, Y], ids=["symmetric", "rectangular"])
@pytest.mark.parametrize("name", ["relu", "erf"])
def test_a_model_is_its_parameters(name: str, other: np.ndarray | None) -> None:
    scales = {"sigma_w": 0.7, "sigma_b": 0.3, "sigma_v": 1.3}
    pairs = (
        (kernel(MLP(name, 2, **scales), X, other), mlp_kernel(X, other, name, 2, **scales)),
        (kernel(DEQ(name, sigma_u=0.9, **scales), X, other),
         deq_kernel(X, other, name, sigma_u=0.9, **scales)),
    )  # fmt: skip
    for one, two in pairs:
        assert type(one) is type(two)
        for field, value in vars(one).items():
            same = value == getattr(two, field)
            assert same.all() if isinstance(value, np.ndarray) else same


@pytest.mark.parametrize(
    "model",
    [
        MLP("relu", 3),
        MLP("erf", 200, 2.0),
        MLP("tanh", 5),
        MLP("sign", 1),
        DEQ("relu"),
        DEQ("tanh"),
    ],
    ids=str,
)
def test_diagonals_alone_are_those_of_the_matrices(model) -> None:
    """To the last bit: equal inputs have the recursion of a single one in the matrix, too."""
    told: list[float] = []
    one, whole = kernel(model, X, diag=True, progress=told.append), kernel(model, X)
    assert type(one) is type(whole)
    for name in ("nngp", "ntk", "fixed_point"):
        if hasattr(whole, name):
            assert getattr(one, name).tobytes() == np.diagonal(getattr(whole, name)).tobytes()
    assert 0.0 < one.error <= max(whole.error, 1e-14)
    made = mlp_kernel if isinstance(model, MLP) else deq_kernel
    depth = (model.depth,) if isinstance(model, MLP) else ()
    again = made(X, None, model.activation, *depth, *model.scales.values(), diag=True)
    assert (again.nngp == one.nngp).all()
    if isinstance(model, MLP):
        some = kernel(model, X, diag=True, tangent="almost_everywhere")
        assert np.isfinite(some.ntk).all()
    with pytest.raises(ValueError, match=r"diag=True takes the diagonal of x1 .* leave x2 out"):
        kernel(model, X, X, diag=True)


def test_errors_of_diagonals_hold_in_fifty_digits() -> None:
    for name in ("erf", "relu"):
        found = kernel(MLP(name, 40, 1.7, 0.1, 1.0), X, diag=True)
        for i, x in enumerate(X):
            exact = single_reference(x, name, 40, 1.7, 0.1, 1.0)
            for value, right in zip((found.nngp[i], found.ntk[i]), exact, strict=True):
                assert abs(value / float(right) - 1.0) <= found.error < 1e-12


def test_exact_scales_are_rounded_once() -> None:
    exact = kernel(DEQ("erf", "2/5", 1, 0, sqrt(2)), X)
    floats = deq_kernel(X, None, "erf", 0.4, 1.0, 0.0, float(np.sqrt(2.0)))
    assert (exact.ntk == floats.ntk).all()
    numpy = kernel(MLP("relu", np.int64(2), np.float32(0.1)), X)
    assert (numpy.nngp == mlp_kernel(X, None, "relu", 2, float(np.float32(0.1))).nngp).all()


def test_one_set_of_defaults() -> None:
    # functions, scikit-learn's kernels and certificates have those of the models, which stay what they are
    assert (MLP.activation, MLP.depth) == ("relu", 3)
    assert (MLP.sigma_w, MLP.sigma_b, MLP.sigma_v) == (1.1, 0.2, 0.9)
    assert (DEQ.activation, DEQ.sigma_w, DEQ.sigma_u) == ("erf", 0.4, 1.0)
    assert (DEQ.sigma_b, DEQ.sigma_v) == (0.0, 1.0)
    for model, functions in (
        (MLP, (mlp_kernel, certify_mlp, sklearn.MLP)),
        (DEQ, (deq_kernel, certify_deq, sklearn.DEQ)),
    ):
        known = {name: p.default for name, p in inspect.signature(model).parameters.items()}
        for function in functions:
            found = inspect.signature(function).parameters
            assert {name: found[name].default for name in known} == known


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (
            lambda: kernel(MLP("relu", sigma_v=SIGMA_V), X),
            ValueError,
            "sigma_v of mlp.* is a symbol",
        ),
        (
            lambda: kernel(MLP("relu", sigma_w="1e60"), X),
            ValueError,
            r"sigma_w must be at most 1e50 in doubles, got 1e\+60$",
        ),
        (
            lambda: kernel(MLP("relu", sigma_b="1e900"), X),
            ValueError,
            r"sigma_b must be at most 1e50 in doubles, got 1e\+900$",
        ),
        (
            lambda: kernel(DEQ("erf", sigma_u=1e200), X),
            ValueError,
            r"sigma_u must be at most 1e50 in doubles, got 1e\+200$",
        ),
        (
            lambda: kernel(MLP(sigma_v=sqrt(10**201)), X),
            ValueError,
            "sigma_v must be at most 1e50 in doubles, got 1000",
        ),
        (
            lambda: mlp_kernel(X, sigma_w=float("inf")),
            ValueError,
            "sigma_w must be a finite number >= 0, got inf",
        ),
        (
            lambda: kernel("relu", X),
            TypeError,
            "expected theory.MLP, theory.DEQ or theory.Sequential, got 'relu'; mlp_kernel takes names",
        ),
        (
            lambda: kernel(X, MLP()),
            TypeError,
            r"expected theory.MLP, theory.DEQ or theory.Sequential, got array.{,70}; the "
            "architecture comes first$",
        ),
        (lambda: kernel(X, Y, DEQ()), TypeError, "; the architecture comes first$"),
        (
            lambda: certify(X, MLP()),
            TypeError,
            r"expected a Solution, theory.MLP or theory.DEQ, got array.{,70}; the architecture comes first$",
        ),
        (lambda: certify_kernel(X, MLP()), TypeError, "; the architecture comes first$"),
        (lambda: certify(MLP()), TypeError, r"certify\(model, x\)"),
        (
            lambda: certify(MLP(), X, digits=2.5),
            TypeError,
            "digits must be an integer from 1 to 10000, got 2.5",
        ),
        (
            lambda: certify(MLP(), X, digits="a"),
            TypeError,
            "digits must be an integer from 1 to 10000, got 'a'",
        ),
        (
            lambda: certify(DEQ(), X, True),
            TypeError,
            "digits must be an integer from 1 to 10000, got True",
        ),
        (
            lambda: certify_mlp(X, digits=None),
            TypeError,
            "digits must be an integer from 1 to 10000, got None",
        ),
        (
            lambda: certify(MLP(), X, 0),
            ValueError,
            "digits must be an integer from 1 to 10000, got 0",
        ),
        (
            lambda: certify(solve(SBP(1), 2), X),
            TypeError,
            "digits of a solution must be an integer, got array",
        ),
        (
            lambda: certify(solve(SBP(1), 2), 12, 13),
            TypeError,
            "a solution has no inputs, only digits, got 12 and 13",
        ),
        (lambda: kernel(SBP(1), X, diag=True), TypeError, "expected theory.MLP, theory.DEQ or"),
        (lambda: kernel(DEQ(), X, tangent="both"), ValueError, "tangent must be"),
        (lambda: certify("relu"), TypeError, "expected a Solution, theory.MLP or theory.DEQ"),
        (lambda: certify(MLP("tanh"), X), ValueError, "only closed duals"),
        (lambda: certify(MLP("relu", sigma_w=1e49, depth=4), X), ValueError, "outside the range"),
    ],
)
def test_what_makes_no_sense_is_said(call, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says) as caught:
        call()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def bits(matrix) -> list:
    return [(v.mid().man_exp(), v.rad().man_exp()) for v in matrix.entries()]


def test_certify_takes_solutions_and_models() -> None:
    for one, two in (
        (certify(MLP("erf", 2), X), certify_mlp(X, "erf", 2)),
        (certify(DEQ("relu", 0.7), X, digits=40), certify_deq(X, "relu", 0.7, digits=40)),
    ):
        assert bits(one.nngp) == bits(two.nngp)
        assert bits(one.ntk) == bits(two.ntk)
    model = MLP("relu", 1)
    for found in (certify(model, X[:2], 20), certify(model, x=X[:2], digits=np.int64(20))):
        assert type(found.digits) is int
        assert found.digits == 20
    solution = solve(SBP(1), 2)
    for digits in ((10,), (np.int64(10),)):
        assert certify(solution, *digits).digits == 10
    assert certify(solution, digits=10) == certify(solution, 10)
    assert certify(solution).digits == certify(model, X[:2]).digits == 30


def test_the_signature_says_what_there_is() -> None:
    assert list(inspect.signature(certify).parameters) == ["subject", "x", "digits"]


def test_a_vector_is_one_input() -> None:
    for model in (MLP("erf"), DEQ("erf")):
        assert (kernel(model, X[0]).ntk == kernel(model, X[:1]).ntk).all()
        assert (kernel(model, X, X[0]).ntk == kernel(model, X, X[:1]).ntk).all()
    assert bits(certify(MLP("erf", 1), X[0]).ntk) == bits(certify(MLP("erf", 1), X[:1]).ntk)


def test_exact_scales_are_enclosed_and_floats_are_what_they_are() -> None:
    # on one input NNGP = sigma_v^2 sigma_w^2 x^2/2 for ReLU of depth 1, without bias
    for given, exact in (
        ("0.1", Rational(1, 10)),
        (Fraction(1, 3), Rational(1, 3)),
        (0.1, Rational(Fraction(0.1).numerator, Fraction(0.1).denominator)),
    ):
        found = certify(MLP("relu", 1, given, 0, 1), [[1.0]], digits=40).nngp[0, 0]
        half = exact**2 / 2
        with Precision(60):
            true = arb(int(half.p)) / arb(int(half.q))
            assert found.contains(true)
            assert float((found - true).abs_upper()) < 1e-38
    root = certify(MLP("relu", 1, sqrt(2), 0, 1), [[1.0]], digits=40).nngp[0, 0]
    assert root.overlaps(arb(1))


def test_kernels_for_scikit_learn_and_models_are_two_views() -> None:
    for kind, model in ((sklearn.MLP, MLP("erf", 2, 0.7)), (sklearn.DEQ, DEQ("relu", "1/2"))):
        made = kind.from_model(model, kind="ntk")
        assert (made(X) == kernel(model, X, refine=False).ntk).all()
        assert made.model.phi == model.phi
        assert type(made.sigma_w) is float
        assert made.hyperparameter_sigma_b.fixed == (model.sigma_b == 0)
        assert kind().model == type(model)()
        with pytest.raises(TypeError, match="expected theory"):
            kind.from_model(theory.DEQ() if kind is sklearn.MLP else theory.MLP())
