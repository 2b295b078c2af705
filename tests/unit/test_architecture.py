"""The house: arrows between rooms point one way, no two modules wait for each other, names stay in their rooms."""

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from earwitness.families.registry import FAMILIES
from earwitness.recipe.stages import STAGES

ROOT = Path(__file__).parents[2]

MAY_IMPORT = {
    "earwitness": {"earwitness"},
    "listener": {"listener", "earwitness"},
    "trainer": {"trainer", "listener", "earwitness"},
    "rollout": {"rollout", "listener", "earwitness"},
    "reward": {"reward", "earwitness"},
    "serving": {"serving", "rollout", "reward", "listener", "earwitness"},
    "services": {"services", "trainer", "rollout", "reward", "listener", "earwitness"},
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

LONGEST_FILE = 350
LONGEST_FUNCTION = 60
"""Lines, docstrings included."""

FOR_PEOPLE = {"page", "jobs", "plan", "local", "cluster", "client", "doctor", "cli"}
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


@cache
def imports(path: Path, *, deep: bool) -> list[tuple[str, int]]:
    """Dotted name and line of each import; with `deep`, also those that run when a function is called."""
    return list(imported(parsed(path), deep=deep))


def imported(node: ast.AST, *, deep: bool) -> Iterator[tuple[str, int]]:
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
            yield from imported(child, deep=deep)


@cache
def arrows() -> dict[str, set[str]]:
    """Which of our modules each needs when it is imported."""
    return {
        name: {used for used, _ in imports(path, deep=False) if used in modules() and used != name}
        for name, path in modules().items()
    }


def offences(package: str, refused: set[str], *, deep: bool) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for module, path in modules().items()
        if module.split(".")[0] == package
        for name, line in imports(path, deep=deep)
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


def test_the_listener_is_plain_torch() -> None:
    assert offences("listener", HEAVY - {"torch"} | {"grpc"}, deep=True) == []


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
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
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


FAMILY_ROOMS = ("earwitness.families", "listener")


def family_words() -> set[str]:
    """What families are called: their modules, their constants, and what their configs say."""
    modules_of = {Path(inspect.getfile(family.read)).stem for family in FAMILIES}
    said = {word for family in FAMILIES for word in (family.model_type, family.architecture.split("For")[0])}
    return {*modules_of, *(name.upper() for name in modules_of), *said}


def named_in(tree: ast.Module, words: set[str]) -> list[int]:
    """Lines where a name, an import or a string (docstrings aside) holds one of the words."""
    prose = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom | ast.Import):
            said = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            said = [node.name]
        elif isinstance(node, ast.Name):
            said = [node.id]
        elif isinstance(node, ast.Attribute):
            said = [node.attr]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            said = [node.value]
        else:
            continue
        if any(word in text for text in said for word in words):
            lines.append(node.lineno)
    return lines


def test_a_family_name_is_found_wherever_it_stands() -> None:
    lines = [
        '"""step_audio here is prose."""',
        "from a.step_audio import b",
        'if kind == "step_audio_2":',
        "    x = STEP_AUDIO",
    ]
    assert named_in(ast.parse("\n".join(lines)), family_words()) == [2, 3, 4]


def test_a_model_family_is_named_in_its_rooms_alone() -> None:
    words = family_words()
    lines = {module: named_in(parsed(path), words) for module, path in modules().items()}
    named = {module: found for module, found in lines.items() if found and not module.startswith(FAMILY_ROOMS)}
    assert named == {}
    inside = {module for module, found in lines.items() if found}
    registries = {"earwitness.families.registry", "earwitness.families.toy", "listener.build"}
    assert {module for module in inside if module.split(".")[-1] not in family_words()} == registries


def test_a_family_of_claims_is_known_by_the_registry_alone() -> None:
    """What they share, and how values and parts are compared, is no family's."""
    shared = {"base", "bounds", "comparing", "course", "guessing", "readings", "said", "stretches", "values"}
    rooms = {name.rpartition(".")[2] for name in modules() if name.startswith("reward.families.")} - shared
    assert len(rooms) >= 16
    named = [
        f"{path.relative_to(ROOT)}:{line}"
        for module, path in modules().items()
        if not module.startswith("reward.families")
        for used, line in imports(path, deep=True)
        if used.startswith("reward.families.") and used.split(".")[2] in rooms
    ]
    assert named == []


def test_files_and_functions_are_short() -> None:
    """Tests and benchmarks too."""
    written = [*modules().values(), *(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    long = [
        f"{path.relative_to(ROOT)}: {lines} lines"
        for path in written
        if (lines := path.read_text().count("\n")) > LONGEST_FILE
    ] + [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {lines} lines"
        for path in written
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (lines := (node.end_lineno or 0) - node.lineno + 1) > LONGEST_FUNCTION
    ]
    assert long == []
