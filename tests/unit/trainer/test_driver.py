"""The driver of a phase: what it tells the world after each step, in which order, and what it writes down."""

from __future__ import annotations

import copy
import time
from types import SimpleNamespace
from typing import Any

import pytest

from earwitness.recipe.schema import Optimizer, Reinforcement, Tune
from earwitness.wire.trajectory.v1.trajectory_pb2 import Group
from trainer.board import PhaseWish
from trainer.checkpoint import Progress
from trainer.driver import Driver
from trainer.ranks import parallel
from trainer.rl.workers import Workers
from trainer.steps import Step

LEARNERS: Any = SimpleNamespace(pieces=list, policy=None)
OPTIMIZER = Optimizer(learning_rate=1e-3)


@pytest.fixture(autouse=True, scope="module")
def alone() -> None:
    parallel.initialize(1, 1)


class World:
    """Checkpoints, board, weight plane and queue: what happens to them, in order."""

    def __init__(self, *wishes: PhaseWish) -> None:
        self.happened: list[str] = []
        self.saved: list[Progress] = []
        self.figures: list[dict[str, float]] = []
        self._wishes = list(wishes)
        self.checkpoints: Any = SimpleNamespace(
            check=lambda: None, saving=None, save=self._save, figures=lambda: {"checkpoint.bytes": 7.0}
        )
        self.board: Any = SimpleNamespace(
            wish=lambda: self._wishes.pop(0) if self._wishes else PhaseWish.NONE,
            saving=lambda _: None,
            step_done=self._step_done,
        )
        self.kept: list[Any] = []
        publication: Any = SimpleNamespace(
            publish=self._publish,
            finish=lambda: self.happened.append("published"),
            figures={"publish.bytes": 5.0},
        )
        self.groups: Any = SimpleNamespace(
            open=lambda: self.happened.append("open"), dropped=lambda: {99: "stale"}, learned=[], keep=self.kept.extend
        )
        self.workers = Workers(publication, self.groups, None)  # type: ignore[arg-type]

    def drive(self, progress: Progress, steps: Any, training: Any, workers: Workers | None = None) -> bool:
        return Driver(progress, self.checkpoints, self.board, None).run(  # type: ignore[arg-type]
            steps, training, LEARNERS, workers
        )

    def _publish(self, version: int, _: Any, traceparents: list[str]) -> None:
        self.happened.append(f"publish {version}" + "".join(f" of {context}" for context in traceparents))

    def _save(self, progress: Progress, pieces: Any, export: Any) -> None:
        self.happened.append(f"save {progress.step}{' and export' if export else ''}")
        self.saved.append(copy.deepcopy(progress))

    def _step_done(self, step: int, version: int, figures: dict[str, float]) -> None:
        self.happened.append(f"report {step} of version {version}")
        self.figures.append(figures)


def steps_of(done: int, last: int, closed: list[int] | None = None) -> Any:
    try:
        for number in range(done + 1, last + 1):
            yield Step(number, {"loss": float(number)}, {10 * number, 10 * number + 1})
    finally:
        if closed is not None:
            closed.append(done)


def way(ordinal: int, traceparent: str) -> Group:
    """As the trainer takes a group, to be learned from."""
    made = Group()
    made.task.ordinal, made.task.traceparent = ordinal, traceparent
    made.passages.add(station="train", begun=time.time())
    return made


def tune(steps: int, every: int = 2) -> Tune:
    return Tune(steps=steps, checkpoint_every=every, optimizer=OPTIMIZER)


def test_the_run_is_opened_only_once_the_weights_are_there() -> None:
    """A worker with the weights of a lost lineage would else be ready for tasks of this one."""
    world, stage = World(), Reinforcement(steps=3, optimizer=OPTIMIZER)
    assert world.drive(Progress(step=3, version=12), steps_of(3, 3), stage, world.workers)
    assert world.happened == ["publish 12", "published", "open", "published"]


def test_after_a_step_of_rl_its_policy_is_published_then_saved_then_reported() -> None:
    world, progress = World(), Progress(version=4, used={1: 1})
    stage = Reinforcement(steps=3, checkpoint_every=2, optimizer=OPTIMIZER)
    assert world.drive(progress, steps_of(0, 3), stage, world.workers)
    assert world.happened == [
        "publish 4", "published", "open",
        "publish 5", "report 1 of version 5",
        "publish 6", "save 2", "report 2 of version 6",
        "publish 7", "save 3 and export", "report 3 of version 7",
        "published",
    ]  # fmt: skip
    assert progress == Progress(
        3, 7, final=True, used={1: 1, 10: 1, 11: 1, 20: 2, 21: 2, 30: 3, 31: 3}, dropped={99: "stale"}
    )
    assert [(p.step, p.version, p.final, len(p.used)) for p in world.saved] == [(2, 6, False, 5), (3, 7, True, 7)]
    assert all(f.keys() >= {"loss", "seconds.publish", "seconds.checkpoint", "publish.bytes"} for f in world.figures)


def test_a_version_carries_the_traces_of_the_groups_it_was_learned_from_and_no_others() -> None:
    world, stage = World(), Reinforcement(steps=2, checkpoint_every=9, optimizer=OPTIMIZER)

    def learn() -> Any:
        world.groups.learned = [way(1, "00-a"), way(2, ""), way(3, "00-b")]
        yield Step(1, {}, {1, 2})
        yield None
        world.groups.learned = [way(4, "00-c")]
        yield Step(2, {}, {3})

    assert world.drive(Progress(), learn(), stage, world.workers)
    published = [said for said in world.happened if said.startswith("publish ")]
    assert published == ["publish 0", "publish 1 of 00-a of 00-b", "publish 1", "publish 2 of 00-c"]
    assert [(kept.task.ordinal, kept.passages[-1].version) for kept in world.kept] == [(1, 1), (2, 1), (3, 1), (4, 2)]
    assert all(kept.passages[-1].ended >= kept.passages[-1].begun for kept in world.kept)


def test_while_groups_take_long_it_looks_whether_weights_and_run_are_still_there() -> None:
    def slow() -> Any:
        yield None
        yield from steps_of(0, 1)

    world, stage = World(), Reinforcement(steps=1, optimizer=OPTIMIZER)
    assert world.drive(Progress(), slow(), stage, world.workers)
    assert world.happened[3:6] == ["publish 0", "open", "publish 1"]


def test_updates_on_fixed_data_publish_nothing() -> None:
    world, progress = World(), Progress(step=1, version=3)
    assert world.drive(progress, steps_of(1, 4), tune(4))
    assert world.happened == [
        "save 2", "report 2 of version 3", "report 3 of version 3", "save 4 and export", "report 4 of version 3",
    ]  # fmt: skip
    assert [set(f) for f in world.figures] == [{"loss", "checkpoint.bytes"}] * 3


def test_a_stop_saves_what_is_done_and_ends_the_loop() -> None:
    world, closed = World(PhaseWish.NONE, PhaseWish.STOP), []
    progress = Progress()
    assert not world.drive(progress, steps_of(0, 9, closed), tune(9, every=100))
    assert world.happened == ["report 1 of version 0", "save 1"]
    assert closed == [0]
    assert progress.step == 1 and not progress.final


def test_a_step_is_saved_once_however_often_it_is_wished() -> None:
    def waits() -> Any:
        yield from (None, None)
        yield from steps_of(0, 1)

    world = World(PhaseWish.SAVE, PhaseWish.SAVE, PhaseWish.SAVE)
    stage = Reinforcement(steps=1, optimizer=OPTIMIZER)
    assert world.drive(Progress(), waits(), stage, world.workers)
    assert [h for h in world.happened if h.startswith("save")] == ["save 1 and export"]  # step 0 is where it began
    world = World(PhaseWish.NONE, PhaseWish.SAVE, PhaseWish.SAVE, PhaseWish.SAVE)
    assert world.drive(Progress(), steps_of(0, 4), tune(4, every=3))
    assert [h for h in world.happened if h.startswith("save")] == ["save 1", "save 2", "save 3", "save 4 and export"]


def test_it_wishes_no_second_checkpoint_while_one_is_written() -> None:
    world = World(PhaseWish.NONE, PhaseWish.SAVE, PhaseWish.SAVE)
    world.checkpoints.saving = object()
    assert world.drive(Progress(), steps_of(0, 3), tune(3, every=100))
    assert [h for h in world.happened if h.startswith("save")] == ["save 3 and export"]


def test_a_loop_that_fails_leaves_its_step_undone() -> None:
    def fails() -> Any:
        yield from steps_of(0, 1)
        raise ArithmeticError

    world, progress = World(), Progress()
    with pytest.raises(ArithmeticError):
        world.drive(progress, fails(), tune(4))
    assert progress.step == 1 and world.happened == ["report 1 of version 0"]
