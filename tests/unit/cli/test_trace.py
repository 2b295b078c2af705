"""One group's way, as a tree."""

import re

import pytest
from typer.testing import CliRunner

from earwitness.cli.commands import app
from earwitness.cli.where import Where
from earwitness.client import ServerError
from earwitness.wire.jobs.v1 import jobs_pb2
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire


def group(ordinal: int) -> wire.Group:
    made = wire.Group(worker="w0")
    made.task.min_version = 4
    made.task.run_id, made.task.ordinal, made.task.prompt.kind = "small-1/1-train/2", ordinal, "pitch"
    made.passages.add(station="rollout", worker="w0", arrived=1000, able=1000.25, begun=1000.5, ended=1002.5)
    made.passages.add(station="reward", worker="[red]r0", arrived=1002.625, able=1002.625, begun=1003, ended=1003.125)
    made.passages.add(station="train", worker="t0", arrived=1003.25, able=1005, begun=1005, ended=1006, version=6)
    made.passages.add(station="publish", worker="t0", arrived=1006.5, able=1006.5, begun=1006.5, ended=1007, version=6)
    made.passages.add(station="load", worker="w1", arrived=1007.25, begun=1007.25, ended=1007.5, version=6)
    for index, correct in enumerate([True, False]):
        trajectory = made.trajectories.add(index=index, reward=wire.Reward(correct=correct, total=0.8 * correct))
        trajectory.versions.add(version=4, tokens=12)
        trajectory.versions.add(version=5, tokens=3)
    return made


class Mesh:
    def __enter__(self) -> "Mesh":
        return self

    def __exit__(self, *_: object) -> None:
        return

    def group(self, job_id: str, ordinal: int | None) -> jobs_pb2.GetGroupResponse:
        if ordinal == 8:
            raise ServerError("NOT_FOUND", "ordinal 8 is not among them")
        return jobs_pb2.GetGroupResponse(group=group(9 if ordinal is None else ordinal), submitted_at=940)


@pytest.fixture(autouse=True)
def _mesh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Where, "connect", lambda self: Mesh())


def told(*words: str) -> list[str]:
    done = CliRunner().invoke(app, ["trace", *words])
    assert done.exit_code == 0, done.output
    return [line.strip(" │├└─") for line in done.output.splitlines()]


def test_a_group_s_seconds_stand_where_it_spent_them() -> None:
    lines = told("small-1", "7")
    assert lines[0] == "ordinal 7 of small-1/1-train/2, pitch: 2 samples"
    assert re.fullmatch(r"-60\.000 s  submit, \d\d:\d\d:40", lines[1])
    assert re.fullmatch(r"0\.000 s  issue, \d\d:\d\d:40: version 4 or newer", lines[2])
    assert lines[3:] == [
        "0.000 s  rollout, w0",
        "0.250 s  waits for weights",
        "0.250 s  waits for its turn",
        "2.000 s  generate",
        "sample 0: version 4: 12 tokens, version 5: 3 tokens; right, reward 0.8",
        "sample 1: version 4: 12 tokens, version 5: 3 tokens; wrong, reward 0",
        "2.625 s  reward, [red]r0",
        "0.375 s  waits for its turn",
        "0.125 s  score",
        "3.250 s  train, t0: version 6",
        "1.750 s  waits for the step's other groups",
        "1.000 s  learn",
        "6.500 s  publish, t0: version 6",
        "0.500 s  publish",
        "7.250 s  load, w1: version 6",
        "0.250 s  load",
        "7.500 s  over",
    ]


def test_without_an_ordinal_the_mesh_chooses() -> None:
    assert told("small-1")[0].startswith("ordinal 9 ")


def test_an_ordinal_that_is_not_there_is_an_error() -> None:
    done = CliRunner().invoke(app, ["trace", "small-1", "8"])
    assert done.exit_code == 1 and "ordinal 8 is not among them" in done.output
