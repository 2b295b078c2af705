"""The state file: private, whole, and honest about what is not there."""

import os
import stat
from pathlib import Path

import pytest

from earwitness.local.control import AlreadyUp, make_room
from earwitness.local.state import (
    MeshState,
    NoMesh,
    Scale,
    read_scale,
    read_state,
    remove_state,
    write_scale,
    write_state,
)
from earwitness.local.sweep import alive, born


def a_state(pid: int = 1, since: int = 0) -> MeshState:
    return MeshState(
        mesh="m", pid=pid, born=since, address="127.0.0.1:1", token="t", queue_url="q", weights_urls=("w",),
        ready=False, failure="", processes=(),
    )  # fmt: skip


def test_state_comes_back_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    folder = tmp_path / "mesh"
    write_state(folder, a_state())
    assert read_state(folder) == a_state()
    assert stat.S_IMODE((folder / "mesh.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [p.name for p in folder.iterdir()] == ["mesh.json"]
    remove_state(folder)
    with pytest.raises(NoMesh, match="earwitness up"):
        read_state(folder)


def test_a_damaged_state_is_no_mesh(tmp_path: Path) -> None:
    (tmp_path / "mesh.json").write_text("{")
    with pytest.raises(NoMesh):
        read_state(tmp_path)


def test_scale_comes_back(tmp_path: Path) -> None:
    assert read_scale(tmp_path) == Scale()
    write_scale(tmp_path, Scale(rollout=3))
    assert read_scale(tmp_path) == Scale(rollout=3)


def test_a_second_mesh_in_one_folder_is_refused(tmp_path: Path) -> None:
    write_state(tmp_path, a_state(os.getpid(), born(os.getpid())))
    with pytest.raises(AlreadyUp, match="earwitness down"):
        make_room(tmp_path)


def test_a_pid_that_was_used_again_is_not_the_mesh(tmp_path: Path) -> None:
    write_state(tmp_path, a_state(os.getpid(), born(os.getpid()) + 1))
    make_room(tmp_path)
    assert alive(os.getpid(), born(os.getpid()))
