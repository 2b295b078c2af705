"""The house: arrows between rooms point one way, no two modules wait for each other, names stay in their rooms."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from earwitness.recipe.stages import STAGES

ROOT = Path(__file__).parents[2]

MAY_IMPORT = {
    "earwitness": {"earwitness"},
    "trainer": {"trainer", "earwitness"},
    "rollout": {"rollout", "earwitness"},
    "reward": {"reward", "earwitness"},
    "services": {"services", "trainer", "rollout", "reward", "earwitness"},
}
"""Packages, and those that each may know."""

HEAVY = {
    "torch",
    "vllm",
    "megatron",
    "transformers",
    "transformer_engine",
    "scipy",
    "math_verify",
    "tokenizers",
    "numba",
}

FOR_PEOPLE = {"jobs", "plan", "local", "cluster", "client", "doctor", "cli"}
"""Rooms of `earwitness` that stand on its core: recipes, manifests, audio, the queue, the weight plane, the wire."""


@cache
def modules() -> dict[str, Path]:
    """Every hand-written module by its dotted name."""
    found = {}
    for package in MAY_IMPORT:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if "wire" not in parts:
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(node: ast.AST, *, deep: bool) -> Iterator[tuple[str, int]]:
    """Dotted name and line of each import; with `deep`, also those that run when a function is called."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name, child.lineno) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            for alias in child.names:
                full = f"{child.module}.{alias.name}"
                yield full if full in modules() else child.module or "", child.lineno
        elif isinstance(child, ast.If) and ast.unparse(child.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            continue
        elif deep or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from imports(child, deep=deep)


@cache
def arrows() -> dict[str, set[str]]:
    """Which of our modules each needs when it is imported."""
    return {
        name: {used for used, _ in imports(parsed(path), deep=False) if used in modules() and used != name}
        for name, path in modules().items()
    }


def offences(package: str, refused: set[str], *, deep: bool) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for module, path in modules().items()
        if module.split(".")[0] == package
        for name, line in imports(parsed(path), deep=deep)
        if name.split(".")[0] in refused
    ]


def circle(graph: dict[str, set[str]]) -> list[str]:
    """A way from a node back to itself; empty if there is none."""
    done: set[str] = set()

    def walk(node: str, way: list[str]) -> list[str]:
        if node in way:
            return [*way[way.index(node) :], node]
        if node in done:
            return []
        for following in sorted(graph.get(node, ())):
            if found := walk(following, [*way, node]):
                return found
        done.add(node)
        return []

    return next((found for node in sorted(graph) if (found := walk(node, []))), [])


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}}) == []


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_packages_know_only_those_below(package: str) -> None:
    """A command such as `listen` imports the part that it runs when it is called."""
    refused = set(MAY_IMPORT) - MAY_IMPORT[package]
    found = offences(package, refused, deep=True)
    assert [o for o in found if not o.startswith("earwitness/cli/")] == []


@pytest.mark.parametrize("package", ["trainer", "rollout", "reward"])
def test_the_three_in_the_middle_know_no_grpc(package: str) -> None:
    assert offences(package, {"grpc"}, deep=True) == []


def test_no_two_modules_wait_for_each_other() -> None:
    assert circle(arrows()) == []


def test_no_two_rooms_of_the_core_wait_for_each_other() -> None:
    rooms: dict[str, set[str]] = {}
    for name, used in arrows().items():
        if name.startswith("earwitness."):
            room = name.split(".")[1]
            rooms.setdefault(room, set()).update(
                other.split(".")[1] for other in used if other.startswith("earwitness.")
            )
            rooms[room].discard(room)
    assert circle(rooms) == []
    assert {room: rooms[room] & FOR_PEOPLE for room in set(rooms) - FOR_PEOPLE - {"__main__"}} == {
        room: set() for room in set(rooms) - FOR_PEOPLE - {"__main__"}
    }


def test_earwitness_is_light_when_imported() -> None:
    assert offences("earwitness", HEAVY | (set(MAY_IMPORT) - {"earwitness"}), deep=False) == []


def test_the_core_loads_no_heavy_package() -> None:
    """What the scan cannot see: a light package that imports a heavy one."""
    program = "import sys; from earwitness import audio, chat, logmel, manifest, recipe; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert HEAVY & set(done.stdout.split()) == set()


def test_a_stage_type_is_named_in_its_room_alone() -> None:
    """`eval` is the name of a manifest too; its class is not."""
    classes = {stage.__name__ for stage in STAGES.values()}
    words = set(STAGES) - {"eval"}
    named = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for module, path in modules().items()
        if not module.startswith("earwitness.recipe.stages") and module != "earwitness.recipe"
        for node in ast.walk(parsed(path))
        if (isinstance(node, ast.Constant) and node.value in words)
        or (isinstance(node, ast.Name) and node.id in classes)
        or (isinstance(node, ast.alias) and node.name in classes)
    ]
    assert named == []
