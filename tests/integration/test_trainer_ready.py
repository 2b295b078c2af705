"""What the trainer takes from a real queue: each group once, whatever the queue remembers, and none too stale."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from earwitness.admission import admit
from earwitness.log import Logger
from earwitness.queue import READY, TASKS, Queue, StaleRunError
from earwitness.redis_server import RedisServer, connect
from earwitness.wire.trajectory.v1 import trajectory_pb2
from trainer.board import PhaseWish
from trainer.checkpoint import Progress
from trainer.ranks import parallel
from trainer.rl.ready import ReadyGroups

RUN = "job/1-train/0"
AT_ONCE_MS = 1
"""What was held through a crash is delivered again without a wait."""


@pytest.fixture(autouse=True, scope="module")
def alone() -> None:
    parallel.initialize(1, 1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer("queue", tmp_path / "queue") as running:
        yield running


def source(queue: Queue, progress: Progress, max_staleness: int = 0, count: int = 2, run_id: str = RUN) -> ReadyGroups:
    limits = {"max_staleness": max_staleness, "vocab_size": 100, "max_positions": 16, "think_end": [99]}
    return ReadyGroups(
        queue,
        run_id,
        "job/" + run_id.rpartition("/")[2],
        "trainer",
        count,
        progress,
        lambda: PhaseWish.NONE,
        Logger("trainer"),
        **limits,
    )


def feed(queue: Queue, ordinal: int, *versions: int, run_id: str = RUN, lineage: str = "job/0") -> None:
    """Puts a group of one trajectory, one token for each version, on `ready`."""
    task = trajectory_pb2.GroupTask(run_id=run_id, ordinal=ordinal)
    group = trajectory_pb2.Group(task=task, prompt_token_ids=[1])
    trajectory = group.trajectories.add(token_ids=[7] * len(versions), logprobs=[-0.5] * len(versions))
    for version in versions:
        trajectory.versions.add(version=version, tokens=1, lineage=lineage)
    assert queue.issue(task)
    (taken,) = queue.take(TASKS, "feeder", 1, 0)
    assert queue.hand_off(TASKS, taken.message_id, group, READY) == "ok"


def ordinals(taken: object) -> list[int]:
    assert isinstance(taken, tuple), "no groups within the wait"
    return [group[0].ordinal for group in taken[0]]


def learn(progress: Progress, taken: object) -> list[int]:
    """What the driver of a phase notes after a step, and the step's ordinals."""
    progress.step += 1
    progress.used |= dict.fromkeys(ordinals(taken), progress.step)
    return ordinals(taken)


def test_a_group_that_a_crash_made_ready_again_is_not_used_twice(server: RedisServer, tmp_path: Path) -> None:
    queue, progress = Queue(connect(server.url), AT_ONCE_MS), Progress(version=10)
    ready = source(queue, progress)
    ready.open()
    for ordinal in (0, 1):
        feed(queue, ordinal, 10)
    kept = shutil.copytree(server.directory, tmp_path / "kept")
    assert learn(progress, ready.take(10)) == [0, 1]
    assert queue.ledger(RUN) == {0: "used:1", 1: "used:1"}

    server.kill()  # and its disk never saw the last second
    shutil.rmtree(server.directory)
    shutil.copytree(kept, server.directory)
    server.start()
    assert queue.ledger(RUN) == {0: "ready", 1: "ready"}
    for ordinal in (2, 3):
        feed(queue, ordinal, 11)
    assert learn(progress, ready.take(11)) == [2, 3]
    assert queue.ledger(RUN) == {0: "used:1", 1: "used:1", 2: "used:2", 3: "used:2"}
    assert progress.used == {0: 1, 1: 1, 2: 2, 3: 2}
    assert queue.counts(RUN).used == 4
    assert all(lag.waiting + lag.pending == 0 for lag in queue.lag())


def test_the_way_of_a_group_is_kept_without_its_texts_and_costs_no_step(
    server: RedisServer, gives_up_on_redis: None
) -> None:
    queue, progress = Queue(connect(server.url)), Progress(version=10)
    ready = source(queue, progress)
    ready.open()
    for ordinal in (0, 1):
        feed(queue, ordinal, 10)
    assert learn(progress, ready.take(10)) == [0, 1]
    ways = ready.learned
    ready.keep(ways)
    ready.carried(trajectory_pb2.Passage(station="publish", version=11, lineage="job/0"))
    kept = queue.ways()
    assert sorted(kept.groups, key=lambda way: way.task.ordinal) == ways
    assert [(stay.worker, stay.version) for stay in kept.carried] == [("trainer", 11)]
    for way in ways:
        (stay,) = way.passages
        assert (stay.station, stay.lineage) == ("train", "job/0") and 0 < stay.arrived <= stay.begun + 1
        (trajectory,) = way.trajectories
        assert [span.version for span in trajectory.versions] == [10] and not trajectory.token_ids
    server.kill()
    ready.keep(ways)  # nobody waits, nothing is raised
    server.start()


def test_groups_older_than_the_bound_are_dropped_and_others_issued(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.rl.ready.QUIET_SECONDS", 0.0)
    queue, used = Queue(connect(server.url)), {0: 1, 1: 1, 2: 2, 3: 2}
    ready = source(queue, Progress(step=2, version=12, used=used), max_staleness=1)
    ready.open()
    feed(queue, 4, 10, 12)  # the first token alone is too old
    feed(queue, 5, 11, 12)
    assert ready.take(12) is None  # one is held
    assert queue.ledger(RUN)[4] == "dropped:stale: generated under version 10, 2 behind, bound 1"
    counts = queue.counts(RUN)
    before_the_drop = admit(64, 0, 1, 2, 2, accepted=counts.accepted + counts.dropped)
    assert admit(64, counts.running, 1, 2, 2, counts.accepted) == before_the_drop + 1
    feed(queue, 6, 12)
    assert ordinals(ready.take(12)) == [5, 6]
    assert queue.ledger(RUN)[5] == queue.ledger(RUN)[6] == "used:3"


def test_on_policy_means_the_version_that_learns(server: RedisServer) -> None:
    queue, progress = Queue(connect(server.url)), Progress(version=7)
    ready = source(queue, progress, count=1)
    ready.open()
    feed(queue, 0, 7)
    assert learn(progress, ready.take(7)) == [0]
    feed(queue, 1, 7)  # overtaken: it stays on `ready` while the step is trained
    feed(queue, 2, 8)
    assert ordinals(ready.take(8)) == [2]
    assert queue.ledger(RUN)[1] == "dropped:stale: generated under version 7, 1 behind, bound 0"


def test_what_the_ledger_has_dropped_meanwhile_is_not_learned_from(server: RedisServer) -> None:
    """The trainer stood still for longer than it may: its group was claimed, failed elsewhere, and is a dead letter."""
    queue, thief = Queue(connect(server.url), 60_000), Queue(connect(server.url), 0)
    progress = Progress(version=7)
    ready = source(queue, progress)
    ready.open()
    feed(queue, 0, 7)
    ready._collect(7)
    (stolen,) = thief.take(READY, "another", 1, 50)
    assert queue.drop(READY, stolen.message_id, RUN, 0, "dead letter") == "ok"
    feed(queue, 1, 7)
    feed(queue, 2, 7)
    assert learn(progress, ready.take(7)) == [1, 2]
    assert queue.ledger(RUN) == {0: "dropped:dead letter", 1: "used:1", 2: "used:1"}
    assert progress.used == {1: 1, 2: 1}


def test_tokens_of_another_lineage_or_of_a_version_to_come_are_refused(server: RedisServer) -> None:
    queue = Queue(connect(server.url), AT_ONCE_MS)
    ready = source(queue, Progress(version=12), max_staleness=1, count=1)
    ready.open()
    feed(queue, 0, 12, lineage="job/3")
    feed(queue, 1, 12, lineage="")
    feed(queue, 2, 12, 14)
    feed(queue, 3, 11, 12)
    assert ordinals(ready.take(12)) == [3]
    ledger = queue.ledger(RUN)
    assert ledger[0] == "dropped:generated under lineage job/3, not job/0"
    assert ledger[1] == "dropped:generated under lineage unknown, not job/0"
    assert ledger[2] == "dropped:of the future: generated under version 14, the policy is version 12"


def test_a_trainer_that_was_cut_off_and_comes_back_changes_nothing(server: RedisServer) -> None:
    queue = Queue(connect(server.url), 60_000)
    behind = Progress(version=5)
    old = source(queue, behind, count=1)
    old.open()
    feed(queue, 0, 5)
    assert learn(behind, old.take(5)) == [0]
    newer = "job/1-train/1"
    new = source(queue, Progress(version=5), count=1, run_id=newer)
    new.open()
    feed(queue, 0, 5, run_id=newer, lineage="job/1")
    before = queue.ledger(newer)
    with pytest.raises(StaleRunError):
        old.open()
    with pytest.raises(StaleRunError):
        old.take(6)
    assert queue.current_run() == newer and queue.ledger(newer) == before == {0: "ready"}
    assert ordinals(new.take(5)) == [0] and queue.ledger(newer) == {0: "used:1"}


def test_a_run_whose_beginning_the_queue_has_lost_is_opened_again(server: RedisServer) -> None:
    queue = Queue(connect(server.url), AT_ONCE_MS)
    ready = source(queue, Progress(version=5), count=1)
    ready.open()
    feed(queue, 0, 5)
    ready._collect(5)
    connect(server.url).flushall()  # more than it can lose
    assert ordinals(ready.take(5)) == [0]
    assert queue.ledger(RUN) == {0: "used:1"} and queue.current_run() == RUN
