"""Planted faults: each is one line that says what is wrong and what mends it."""

import ast
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from earwitness.cli.commands import app
from earwitness.doctor import Finding, all_checks, look, machine, place, programs, quick_checks
from earwitness.doctor.gpus import gpus

ROOT = Path(__file__).parents[3]
OURS = ("earwitness", "rollout", "trainer")


def test_a_machine_that_runs_these_tests_has_quick_parts_that_are_well(tmp_path: Path) -> None:
    findings = list(look(quick_checks(tmp_path)))
    assert [finding for finding in findings if not finding.ok] == []
    assert {"python", "processor", "cores", "memory", "disk", "/dev/shm", "state folder", "ports"} <= {
        finding.part for finding in findings
    }


def test_every_part_of_the_quick_look_is_in_the_whole_one(tmp_path: Path) -> None:
    names = [str(check) for check in all_checks(tmp_path)]
    assert len(names) > len(quick_checks(tmp_path))
    assert len(set(names)) == len(names)


def faults(folder: Path) -> dict[str, Callable[[], Finding]]:
    file = folder / "file"
    file.write_text("")
    (folder / "cpuinfo").write_text("processor: 0\nflags\t\t: fpu sse4_2\n")
    (folder / "meminfo").write_text("MemTotal:       25165824 kB\n")
    (folder / "memory.max").write_text(f"{2**30}\n")
    (folder / "nvidia0").write_text("")
    return {
        "/dev/shm": lambda: machine.shared_memory(folder / "none"),
        "AVX2": lambda: machine.processor(folder / "cpuinfo"),
        "1.0 GiB": lambda: machine.memory(folder / "meminfo", folder),
        "Not a directory": lambda: place.state_folder(file / "state"),
        "libnone.so.1": lambda: machine.system_library("libnone.so.1"),
        "no nvidia-smi": lambda: gpus(folder),
    }


@pytest.mark.parametrize("fault", ["/dev/shm", "AVX2", "1.0 GiB", "Not a directory", "libnone.so.1", "no nvidia-smi"])
def test_a_planted_fault_is_found(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    finding = faults(tmp_path)[fault]()
    assert not finding.ok
    if fault != "/dev/shm":
        assert fault in finding.found
    assert finding.mend


def test_a_full_disk_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10 * 2**20))
    assert "2 GiB free" in machine.disk(tmp_path / "not" / "yet").mend
    assert not machine.shared_memory(tmp_path).ok


@pytest.mark.parametrize(
    ("version", "well"), [((3, 10), False), ((3, 11), True), ((3, 13), True), ((3, 14), False)], ids=str
)
def test_a_python_without_wheels_is_found(
    version: tuple[int, int], well: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine.sys, "version_info", (*version, 0, "final", 0))
    assert machine.python().ok == well


def test_what_the_programs_take_of_ours_is_there() -> None:
    """They are text, in which no type checker sees that a name has gone."""
    for check in programs.programs():
        for taken in ast.walk(ast.parse(check.args[1])):
            if isinstance(taken, ast.ImportFrom) and str(taken.module).partition(".")[0] in OURS:
                source = ast.parse((ROOT / f"{str(taken.module).replace('.', '/')}.py").read_text())
                names = {getattr(node, "name", "") for node in source.body}
                names |= {target.id for node in source.body if isinstance(node, ast.Assign) for target in node.targets
                          if isinstance(target, ast.Name)}  # fmt: skip
                assert {name.name for name in taken.names} <= names, taken.module


def test_a_check_that_fails_itself_is_a_finding() -> None:
    def broken() -> Finding:
        raise ValueError("surprise")

    (finding,) = look([broken])
    assert not finding.ok and "surprise" in finding.found


def test_gpus_are_named_and_old_ones_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def driver(answer: str, status: int = 0) -> Finding:
        program.write_text(f"#!/bin/sh\necho '{answer}'\nexit {status}\n")
        program.chmod(0o755)
        return gpus(tmp_path)

    well = driver("NVIDIA H100 80GB HBM3, 550.54, 9.0, 81559 MiB")
    assert well.ok and "550.54" in well.found and "9.0" in well.found
    assert "Tesla V100" in driver("Tesla V100, 550.54, 7.0, 16384 MiB").mend
    mismatch = driver("Failed to initialize NVML: Driver/library version mismatch", 18)
    assert not mismatch.ok and "mismatch" in mismatch.found


def test_the_command_prints_json_and_its_status_says_whether_all_is_well(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["doctor", "--quick", "--json", "--state", str(tmp_path)])
    parts = json.loads(done.output)
    assert done.exit_code == 0 and all(part["ok"] for part in parts)
    (tmp_path / "file").write_text("")
    for command in (["doctor", "--quick"], ["up"]):  # `up` looks first, and starts nothing
        done = CliRunner().invoke(app, [*command, "--state", str(tmp_path / "file" / "state")])
        assert done.exit_code == 1
        assert "state folder" in done.output and "Not a directory" in done.output
        assert "Traceback" not in done.output
