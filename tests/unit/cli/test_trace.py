"""One group's way, as a tree."""

import pytest
from typer.testing import CliRunner

from earwitness.cli.commands import app
from earwitness.cli.where import Where
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire


def group(ordinal: int) -> wire.Group:
    made = wire.Group(worker="w0")
    made.task.run_id, made.task.ordinal, made.task.prompt.kind = "small-1/1-train/2", ordinal, "pitch"
    made.passages.add(station="rollout", worker="w0", arrived=1000, able=1000.25, begun=1000.5, ended=1002.5)
    made.passages.add(station="reward", worker="[red]r0", arrived=1002.625, able=1002.625, begun=1003, ended=1003.125)
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

    def groups(self, job_id: str) -> list[wire.Group]:
        return [group(9), group(7)] if job_id == "small-1" else []


@pytest.fixture(autouse=True)
def _mesh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Where, "connect", lambda self: Mesh())


def told(*words: str) -> list[str]:
    done = CliRunner().invoke(app, ["trace", *words])
    assert done.exit_code == 0, done.output
    return [line.strip(" │├└─") for line in done.output.splitlines()]


def test_a_group_s_seconds_stand_where_it_spent_them() -> None:
    lines = told("small-1", "7")
    assert lines[0].startswith("ordinal 7 of small-1/1-train/2, pitch: issued ") and lines[0].endswith("2 samples")
    assert lines[1:] == [
        "0.000 s  rollout, w0",
        "0.250 s  waits for weights",
        "0.250 s  waits for its turn",
        "2.000 s  generate",
        "sample 0: version 4: 12 tokens, version 5: 3 tokens; right, reward 0.8",
        "sample 1: version 4: 12 tokens, version 5: 3 tokens; wrong, reward 0",
        "2.625 s  reward, [red]r0",
        "0.375 s  waits for its turn",
        "0.125 s  score",
        "3.125 s  handed on",
    ]


def test_without_an_ordinal_it_is_the_newest() -> None:
    assert told("small-1")[0].startswith("ordinal 9 ")


def test_an_ordinal_that_is_not_there_is_answered_with_some_that_are() -> None:
    for words, there in ((["small-1", "8"], "such as 9, 7"), (["other", "8"], "none yet")):
        done = CliRunner().invoke(app, ["trace", *words])
        assert done.exit_code == 1 and there in done.output
