"""The bound of a mesh that is simulated in virtual time: a slow part is named, whatever the staleness."""

import heapq
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from earwitness.explain.speed import speed_of
from earwitness.series import Steps
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire
from trainer.rl.told import covered, stations, way

GROUPS = 8
STEPS = 30


@dataclass(frozen=True)
class Pace:
    """Seconds of each part; none bounds the others."""

    workers: int = 4
    generate: float = 1.0
    score: float = 0.05
    train: float = 1.0
    tell: float = 0.0
    """Between a step and the issue of what it makes room for."""
    take: float = 0.0
    """What the trainer takes to see that its groups are there, and to read them."""
    send: float = 0.2
    staleness: int = 0


def simulated(pace: Pace) -> Steps:
    """Workers that generate a group at a time, one reward worker, a trainer that publishes beside its next step."""
    free = [(0.0, worker) for worker in range(pace.workers)]
    scorer = trainer = sent = 0.0
    served, stepped = {0: 0.0}, {0: 0.0}
    steps: Steps = {}
    for step in range(1, STEPS + 1):
        version = max(0, step - 1 - pace.staleness)
        groups = [wire.Group(task=wire.GroupTask(ordinal=GROUPS * step + i)) for i in range(GROUPS)]
        for group in groups:
            arrived = stepped[version] + (pace.tell if version else 0.0)
            able = max(arrived, served[version])
            begun, worker = heapq.heappop(free)
            begun = max(begun, able)
            heapq.heappush(free, (begun + pace.generate, worker))
            group.passages.add(station="rollout", worker=str(worker), arrived=arrived, able=able, begun=begun,
                               ended=begun + pace.generate, kv_use=0.25)  # fmt: skip
        for group in sorted(groups, key=lambda g: g.passages[0].ended):
            arrived = group.passages[0].ended
            begun = max(scorer, arrived)
            scorer = begun + pace.score
            group.passages.add(station="reward", worker="r", arrived=arrived, able=arrived, begun=begun, ended=scorer)
        taken = max(trainer, *(group.passages[-1].ended for group in groups)) + pace.take
        done = taken + pace.train
        blocked = max(0.0, sent - done)
        sent = done + blocked + pace.send
        steps[step] = {
            "seconds.wait": taken - trainer,
            "seconds.train": pace.train,
            "seconds.publish": blocked,
            "seconds.publish.send": pace.send,
            **stations(groups, taken),
            **way(groups, [stepped[v] for v in range(version, step)], taken, GROUPS * step - 1),
        }
        trainer = stepped[step] = done + blocked
        served[step] = sent
    return steps


@pytest.mark.parametrize("staleness", [0, 2])
@pytest.mark.parametrize(
    ("slow", "bound"),
    [
        ({"workers": 1}, "rollout"),
        ({"score": 1.0}, "reward"),
        ({"train": 8.0}, "trainer"),
        ({"train": 2.0, "take": 2.0}, "trainer"),  # much of what is slow in it lies in its wait
        ({"send": 8.0}, "weights"),
    ],
)
def test_what_is_slow_is_named(slow: dict, bound: str, staleness: int) -> None:
    speed = speed_of(simulated(Pace(staleness=staleness, **slow)))
    assert speed is not None
    assert speed.bound == bound
    assert sum(speed.parts.values()) == pytest.approx(1)
    assert sum(speed.stations.values()) == pytest.approx(speed.step_seconds)
    assert all(0 <= share <= 1 for share in speed.idle.values())


@pytest.mark.parametrize(
    ("slow", "bound"),
    [
        ({"workers": 1, "score": 0.9, "train": 4.0, "send": 3.0}, "rollout"),
        ({"workers": 1, "generate": 0.4, "score": 0.8, "train": 3.0, "send": 2.0}, "reward"),
        ({"workers": 2, "generate": 0.5, "score": 0.2, "train": 4.0, "take": 1.0, "send": 1.0}, "trainer"),
        ({"workers": 2, "generate": 0.5, "train": 2.0, "send": 5.0}, "weights"),
    ],
)
@pytest.mark.parametrize("staleness", [0, 2])
def test_of_several_slow_parts_the_slowest_is_named(slow: dict, bound: str, staleness: int) -> None:
    speed = speed_of(simulated(Pace(staleness=staleness, **slow)))
    assert speed is not None and speed.bound == bound


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_a_promised_gain_is_not_missed_by_much(workers: int) -> None:
    """What one more worker is said to give at best, it gives within the rounding to whole groups a worker."""
    speed = speed_of(simulated(Pace(workers=workers)))
    more = speed_of(simulated(Pace(workers=workers + 1)))
    assert speed is not None and more is not None and speed.bound == "rollout"
    gained = speed.step_seconds / more.step_seconds
    assert 1 < gained <= speed.gain * 1.1
    assert f"one more, beside {workers}, gives at most {speed.gain:.1f} times" in speed.words


def test_a_trainer_that_is_slow_to_tell_of_its_step_is_the_bound() -> None:
    speed = speed_of(simulated(Pace(train=1.0, tell=3.0)))
    assert speed is not None and speed.bound == "trainer"
    assert speed.stations["trainer"] == pytest.approx(4.0)


def test_idle_workers_are_seen() -> None:
    slow_trainer = speed_of(simulated(Pace(train=8.0)))
    assert slow_trainer is not None
    assert slow_trainer.idle["rollout"] == pytest.approx(1 - 2.0 / slow_trainer.step_seconds, abs=0.01)
    assert slow_trainer.idle["trainer"] < 0.3 < slow_trainer.idle["reward"]
    assert slow_trainer.workers == {"rollout": 4, "reward": 1} and slow_trainer.kv_use == pytest.approx(0.25)


def test_overlapping_work_counts_once() -> None:
    assert covered([(0, 2), (1, 3), (5, 6)]) == 4
    assert covered([(0, 9), (1, 2)]) == 9
    assert covered([]) == 0


def test_steps_without_groups_have_no_bound() -> None:
    assert speed_of({}) is None
    assert speed_of({1: {"loss": 1.0}, 2: {"loss": 0.5}}) is None


def test_the_first_step_is_left_out_if_there_are_others() -> None:
    steps = {1: {"seconds.wait": 100.0}, 2: {"seconds.wait": 1.0, "seconds.train": 3.0}}
    speed = speed_of(steps)
    assert speed is not None and speed.step_seconds == 4 and speed.bound == "trainer"
    only = speed_of({1: steps[1]})
    assert only is not None and only.step_seconds == 100


RECORDED = [
    pytest.param(bound, {int(step): figures for step, figures in steps.items()}, id=f"{path.stem}-{bound}")
    for path in sorted(Path(__file__).parent.glob("bounds-*.json"))
    for bound, steps in json.loads(path.read_text()).items()
]
"""Steps of real meshes, each with one kind of process held up (`python -m benchmarks.bounds --record FILE`)."""


@pytest.mark.parametrize(("bound", "steps"), RECORDED)
def test_what_held_up_a_real_mesh_is_named(bound: str, steps: Steps) -> None:
    speed = speed_of(steps)
    assert speed is not None and speed.bound == bound
