"""The house: layers import what lies below them, rooms of a layer those before them, tests mirror both."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import house
import pytest
from house import LAYERS, ROOMS, ROOT

FILES = house.files()

PUBLIC, LOOP, OPTIONS = "keywords of a public function", "compiled loop", "a command's options"
LONG = {  # functions over 100 lines or with more than 8 parameters, and why
    "numerics.kernels.deq.deq_kernel": PUBLIC,
    "numerics.kernels.loops.double.moments": LOOP,
    "numerics.kernels.loops.hermite.gathered": LOOP,
    "numerics.kernels.loops.hermite_sums._rest": LOOP,
    "numerics.kernels.loops.hermite_sums._terms": LOOP,
    "numerics.kernels.loops.hermite_sums._value_terms": LOOP,
    "numerics.thresholds.minimax.minimax": "of two kinds of coordinates, with the tolerances of a descent",
    "numerics.nests.doubles.evaluate_nest": PUBLIC,
    "numerics.kernels.mlp.mlp_kernel": PUBLIC,
    "numerics.kernels.prediction.predict.predict": PUBLIC,
    "numerics.kernels.sklearn.DEQ.__init__": PUBLIC,
    "numerics.kernels.sklearn.MLP.__init__": PUBLIC,
    "numerics.runs.kernels.kernel_to_file": PUBLIC,
    "numerics.runs.sweeps.sweep": PUBLIC,
    "verify.networks.covariances.equilibrium_covariances": PUBLIC,
    "verify.networks.draws.sample": PUBLIC,
    "verify.cases.run_cases": PUBLIC,
    "verify.networks.training.train": PUBLIC,
    "verify.networks.experiments.width_experiment": PUBLIC,
    "verify.operators.experiments.experiment": PUBLIC,
    "verify.suite.claims.claim": PUBLIC,
    "verify.suite.properties.prop": PUBLIC,
    "verify.thresholds.algorithms.clup._loosen": LOOP,
    "verify.thresholds.algorithms.focusing._focus": LOOP,
    "verify.thresholds.algorithms.replicas._anneal": LOOP,
    "verify.thresholds.algorithms.replicas._sweep": LOOP,
    "verify.thresholds.enumeration._count": LOOP,
    "verify.thresholds.enumeration._list": LOOP,
    "verify.thresholds.experiments.experiment": PUBLIC,
    "verify.thresholds.reach.energy_within": PUBLIC,
    "verify.thresholds.reach.no_solver_above": PUBLIC,
    "widegap.commands.experiment._run": OPTIONS,
    "widegap.commands.network._run": OPTIONS,
    "widegap.commands.solve.solve": OPTIONS,
    "widegap.commands.verify.verify": OPTIONS,
}


def long_functions(module: str, tree: ast.AST) -> set[str]:
    """Names of a module's functions over 100 lines or with more than 8 parameters."""
    found: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            parts = node.args
            given = [a.arg for a in (*parts.posonlyargs, *parts.args, *parts.kwonlyargs)]
            count = len(given) - (given[:1] in (["self"], ["cls"]))
            if count > 8 or (node.end_lineno or 0) - node.lineno >= 100:
                found.add(f"{module}.{node.name}")
        name = f"{module}.{node.name}" if isinstance(node, ast.ClassDef) else module
        found |= long_functions(name, node)
    return found


def test_functions_are_short_and_take_few_parameters() -> None:
    found: set[str] = set()
    for path in FILES:
        if path.suffix == ".py":
            found |= long_functions(house.module(path), ast.parse(path.read_text("utf-8")))
    assert found == set(LONG)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_arrow_points_up(path: Path) -> None:
    own = house.module(path)
    layer, room = own.split(".")[0], house.room(own)
    for item in house.imports(path):
        for name in {item.name, item.home}:
            other, there = name.split(".")[0], house.room(name)
            assert LAYERS.index(other) <= LAYERS.index(layer), f"{layer} imports {name}"
            if other == layer and room is not None and there is not None:
                order = ROOMS[layer]
                assert order.index(there) <= order.index(room), f"{room} imports {name}"


def test_theory_has_no_circles() -> None:
    """Imports inside functions count: they hide a circle and do not undo it."""
    graph = {
        house.module(path): {
            name
            for item in house.imports(path)
            for name in (item.name, item.home)
            if not item.typing and name.startswith("theory") and name != house.module(path)
        }
        for path in FILES
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] == "theory"
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_every_folder_is_a_room_and_says_what_it_is() -> None:
    for layer in LAYERS:
        folders = {path.parent.name for path in (ROOT / layer).glob("*/__init__.py")}
        assert folders == set(ROOMS[layer])
        for name in (layer, *(f"{layer}.{room}" for room in ROOMS[layer])):
            assert house.title(name).endswith(".")


def test_tests_mirror_the_packages() -> None:
    for layer in LAYERS:
        for path in (ROOT / "tests" / layer).rglob("*.py"):
            folder = path.parent.relative_to(ROOT / "tests")
            assert (ROOT / folder / "__init__.py").is_file(), f"{folder} is no package"


def test_imports_are_read_as_python_reads_them() -> None:
    """A module, a module's name, a public name and a name for type checkers, each in its own words."""
    found = house.imports(ROOT / "verify/suite/claims.py")
    assert house.Import("verify.suite.verdicts", "verify.suite.verdicts", False) in found
    assert house.Import("verify.suite.subject", "verify.suite.subject", True) in found
    found = house.imports(ROOT / "widegap/commands/plot.py")
    assert house.Import("numerics", "numerics.runs.store", False) in found
    assert house.homes("theory")["SBP"] == "theory.thresholds.models"
    assert house.homes("numerics")["solve"] == "numerics.thresholds.solve"
    assert ("numerics.thresholds", "theory.thresholds") in house.arrows()


def test_no_folder_is_crowded() -> None:
    for layer in LAYERS:
        for folder in [ROOT / layer, *(p for p in (ROOT / layer).rglob("*") if p.is_dir())]:
            assert len(list(folder.glob("*.py"))) <= 17, folder


def test_cores_are_counted_in_one_place() -> None:
    """A process may use fewer cores than there are, which only one function knows how to ask."""
    asking = [path for path in FILES if re.search(r"cpu_count|affinity", path.read_text("utf-8"))]
    assert asking == [ROOT / "numerics/machine.py"]


def test_no_merge_is_half_done() -> None:
    texts = [ROOT / "README.md", *FILES, *(ROOT / "docs").rglob("*.md")]
    for path in texts:
        assert not re.search("^(<{7}|>{7}) ", path.read_text("utf-8"), re.M), path
