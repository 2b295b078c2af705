"""A supervisor on a disk that is full goes on, says so once, and writes its state when there is room."""

import errno
from pathlib import Path

import pytest

from earwitness.local import process, supervisor
from earwitness.local.plan import Options, ProcessPlan
from earwitness.local.process import Process
from earwitness.local.state import read_state, write_state
from earwitness.local.supervisor import Supervisor

FULL = OSError(errno.ENOSPC, "No space left on device")


def test_the_state_is_written_when_there_is_room_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    mesh = Supervisor(Options(tmp_path), lines.append)

    def full(*_: object) -> None:
        raise FULL

    monkeypatch.setattr(supervisor, "write_state", full)
    mesh._write()
    mesh._write()
    assert len(lines) == 1 and "No space left on device" in lines[0]
    monkeypatch.setattr(supervisor, "write_state", write_state)
    mesh._write()
    assert read_state(tmp_path).mesh == mesh._shared.mesh
    mesh._write("over")
    assert read_state(tmp_path).failure == "over"


def test_a_line_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    def full(line: str) -> None:
        raise FULL

    Supervisor(Options(tmp_path), full)._say("hello")


def test_a_process_whose_log_cannot_be_opened_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> None:
        raise FULL

    monkeypatch.setattr(process, "open_log", full)
    one = Process(
        ProcessPlan("one", "jobs", "127.0.0.1:1", ("/bin/sleep", "60")), {"EW_MESH": "none"}, tmp_path / "l", bool
    )
    one.start()
    try:
        assert one.running
    finally:
        one.kill()
