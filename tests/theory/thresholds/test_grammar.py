"""Models typed as text: what the grammar takes is what it says, and nothing else."""

import numpy as np
import pytest
from sympy import Symbol

from theory import ABP, SBP, BinaryPrior, DiscretePrior, SphericalPrior, UPerceptron, free_energy
from theory.thresholds.grammar import typed_constraint, typed_model, typed_prior

H, GAMMA = Symbol("h", real=True), Symbol("gamma", positive=True)


@pytest.mark.parametrize(
    ("typed", "known"),
    [
        ("z >= kappa", ABP),
        ("|z| <= kappa", SBP),
        ("kappa >= |z|", SBP),
        ("|z|>=kappa", UPerceptron),
    ],
)
def test_what_has_a_name_has_the_same_functional(typed, known) -> None:
    own, named = (
        free_energy(m, 3).expr for m in (typed_model(typed, "{1, -1}", "1/2"), known("1/2"))
    )
    assert (own - named).simplify() == 0


@pytest.mark.parametrize(
    ("typed", "inside"),
    [
        ("-kappa <= z <= 2*kappa", lambda z: (z >= -0.5) & (z <= 1.0)),
        ("3/2 >= z >= .5*kappa", lambda z: (z >= 0.25) & (z <= 1.5)),
        ("z <= -1", lambda z: z <= -1.0),
        ("kappa <= |z| <= 2", lambda z: (abs(z) >= 0.5) & (abs(z) <= 2.0)),
        ("-1 <= |z| <= kappa", lambda z: abs(z) <= 0.5),
    ],
)
def test_the_leaf_is_the_squared_distance_to_what_is_typed(typed, inside) -> None:
    fields = np.linspace(-3.0, 3.0, 121)
    allowed = fields[inside(fields)]
    leaf = typed_constraint(typed, "0.5").leaf(H, GAMMA)
    for h in fields[::7]:
        distance = abs(allowed - h).min()
        value = float(leaf.subs({H: float(h), GAMMA: 0.25}))
        assert value == pytest.approx(distance**2, abs=1e-12)


def test_priors() -> None:
    assert typed_prior(" sphere ") == SphericalPrior()
    assert typed_prior("{1, -1}") == BinaryPrior()
    assert typed_prior("{0,1}") == DiscretePrior((0, 1))
    assert typed_prior("{-1/2, 0.5, 2}") == DiscretePrior((-0.5, 0.5, 2))


def test_without_a_number_kappa_stays_a_symbol() -> None:
    assert typed_model("z >= kappa", "{-1, 1}").constraint.kappa.is_symbol
    assert typed_constraint("1 <= z <= kappa").generic == typed_constraint("1 <= z <= kappa")


@pytest.mark.parametrize(
    "typed",
    [
        "", "z", "z >", "z == 1", "z > 0", "x >= 1", "1 <= 2", "1 <= z >= 2", "z >= kappa**2", "z >= 1e5",
        "z >= sqrt(2)", "z >= 1/0", "1 <= z <= 2 <= z", "z >= kappa*2", "__import__('os')", "z >= \uff11",
        "z >= " + "1" * 80, "2 <= z <= 1", "|z| <= 0", "|z| >= 0", "1 <= |z| <= 1", "z >= kappa; 1",
        "lambda: 0",
    ],
)  # fmt: skip
def test_nothing_else_is_a_constraint(typed: str) -> None:
    with pytest.raises(ValueError, match=r"\S") as error:
        typed_constraint(typed, 1)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 250


@pytest.mark.parametrize(
    "typed",
    ["", "{}", "{1}", "{1, 1}", "{0, x}", "[0, 1]", "0, 1", "{0,1,2,3,4,5,6}", "Sphere()", "{1e9}"],
)
def test_nothing_else_is_a_prior(typed: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        typed_prior(typed)
