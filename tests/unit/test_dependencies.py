"""Imports point one way: services -> trainer / rollout / reward -> earwitness, and earwitness stays light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = {"earwitness", "trainer", "rollout", "reward", "services"}
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

MAY_IMPORT = {
    "earwitness": {"earwitness"},
    "trainer": {"trainer", "earwitness"},
    "rollout": {"rollout", "earwitness"},
    "reward": {"reward", "earwitness"},
    "services": OURS,
}


def modules(package: str) -> list[Path]:
    return [p for p in sorted((ROOT / package).rglob("*.py")) if "wire" not in p.relative_to(ROOT).parts]


def imports(node: ast.AST, *, deep: bool) -> Iterator[tuple[str, int]]:
    """Top-level package and line of each import; with `deep`, also those that run when a function is called."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name.split(".")[0], child.lineno) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield (child.module or "").split(".")[0], child.lineno
        elif isinstance(child, ast.If) and ast.unparse(child.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            continue
        elif deep or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from imports(child, deep=deep)


def offences(package: str, refused: set[str], *, deep: bool) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in modules(package)
        for name, line in imports(ast.parse(path.read_text()), deep=deep)
        if name in refused
    ]


@pytest.mark.parametrize("package", ["trainer", "rollout", "reward"])
def test_the_three_in_the_middle_know_only_earwitness(package: str) -> None:
    assert modules(package)
    assert offences(package, OURS - MAY_IMPORT[package] | {"grpc"}, deep=True) == []


def test_earwitness_knows_nobody_but_its_commands_may_run_a_part() -> None:
    """A command such as `listen` imports the part that it runs when it is called."""
    found = offences("earwitness", OURS - {"earwitness"}, deep=True)
    assert [o for o in found if not o.startswith("earwitness/cli/")] == []


def test_earwitness_is_light_when_imported() -> None:
    assert modules("earwitness")
    assert offences("earwitness", HEAVY | (OURS - {"earwitness"}), deep=False) == []


def test_the_core_loads_no_heavy_package() -> None:
    """What the scan cannot see: a light package that imports a heavy one."""
    program = "import sys; from earwitness import audio, chat, logmel, manifest, recipe; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert HEAVY & set(done.stdout.split()) == set()
