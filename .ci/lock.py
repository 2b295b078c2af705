"""Writes requirements-cpu.lock and requirements-torch-cuda.lock anew: `make lock`.

Versions stay as the locks have them: to change one, change its line and run this. For each package the *file* is chosen
that CPython 3.11, 3.12 and 3.13 take on x86-64 Linux (the most specific wheel for glibc 2.31), and its SHA-256 is
what the lock says. An install therefore cannot end with another file of the same version, such as a wheel without the
library that it needs, and a package that would have to be built is refused here. The torch without CUDA is not on
PyPI: its hashes are kept as they stand.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

LOCK = Path("requirements-cpu.lock")
CUDA_LOCK = Path("requirements-torch-cuda.lock")
PYTHONS = ((3, 11), (3, 12), (3, 13))
GLIBC_MINOR = 31
"""llguidance, which vLLM needs, asks for glibc 2.31; torch and vLLM for 2.28."""

HEADER = """\
# Versions by hand, hashes by `make lock`: the files of CPython 3.11, 3.12 and 3.13 on x86-64 Linux, glibc >= 2.31.
"""


def tags_of(python: tuple[int, int]) -> dict[Tag, int]:
    """Rank of every wheel tag that fits, best first."""
    platforms = [f"manylinux_2_{minor}_x86_64" for minor in range(GLIBC_MINOR, 4, -1)]
    platforms += ["manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64"]
    interpreter = f"cp{python[0]}{python[1]}"
    tags = [*cpython_tags(python, platforms=platforms), *compatible_tags(python, interpreter, platforms)]
    return {tag: rank for rank, tag in enumerate(tags)}


def index_url() -> str:
    """The index that pip is configured with, or its default."""
    for key in (":env:.index-url", "global.index-url"):
        asked = subprocess.run([sys.executable, "-m", "pip", "config", "get", key], capture_output=True, text=True)
        if asked.returncode == 0:
            return asked.stdout.strip().rstrip("/")
    from pip._internal.models.index import PyPI

    return str(PyPI.simple_url).rstrip("/")


def files_of(index: str, name: str) -> list[dict[str, object]]:
    """What the index holds of a package (PEP 691)."""
    asked = urllib.request.Request(
        f"{index}/{canonicalize_name(name)}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return list(json.load(answer)["files"])


def hashes_of(files: list[dict[str, object]], name: str, version: str) -> list[str]:
    """SHA-256 of the wheel that each Python takes; refuses a package that one of them would have to build."""
    found: dict[str, None] = {}
    wheels = []
    for file in files:
        filename = str(file["filename"])
        if filename.endswith(".whl") and filename.split("-")[1] == version and not file.get("yanked"):
            wheels.append((file, parse_wheel_filename(filename)[-1]))
    for python in PYTHONS:
        ranks = tags_of(python)
        fits = [(min(ranks[t] for t in tags if t in ranks), f) for f, tags in wheels if any(t in ranks for t in tags)]
        if not fits:
            raise SystemExit(f"lock: {name}=={version} has no wheel for Python {python[0]}.{python[1]}; replace it")
        file = min(fits, key=lambda fit: fit[0])[1]
        found[str(file["hashes"]["sha256"])] = None  # type: ignore[index]
    return list(found)


def written(index: str, packages: list[tuple[str, str, str]], kept: dict[str, str]) -> str:
    """The lock's text; `kept` holds the entries, by name, that are taken as they are."""

    def entry(package: tuple[str, str, str]) -> str:
        name, version, marker = package
        if name in kept:
            return kept[name]
        hashes = hashes_of(files_of(index, name), name, version)
        return " \\\n    ".join(
            [f"{name}=={version}" + (f" ; {marker}" if marker else ""), *(f"--hash=sha256:{h}" for h in hashes)]
        )

    with ThreadPoolExecutor(8) as pool:
        return HEADER + "\n".join(pool.map(entry, sorted(packages))) + "\n"


def pins(lock: Path) -> list[tuple[str, str, str]]:
    """(name, version, marker) of a lock as it is."""
    lines = re.findall(r"^([\w.\-]+)==([^\s;\\]+)(?:\s*;\s*([^\\\n]+?))?\s*\\?$", lock.read_text(), re.MULTILINE)
    return [(name, version, marker) for name, version, marker in lines]


def rewrite(lock: Path, index: str) -> None:
    """The lock again, with the hashes of what the index holds now."""
    text = lock.read_text()
    kept = {
        found[1]: found[0]
        for found in re.finditer(r"^([\w.\-]+)==\S+\+cpu.*(?:\n    --hash\S+(?: \\)?)*", text, re.MULTILINE)
    }
    lock.write_text(written(index, pins(lock), kept))


if __name__ == "__main__":
    rewrite(LOCK, index_url())
    rewrite(CUDA_LOCK, index_url())
