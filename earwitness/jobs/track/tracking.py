"""Feeds the trackers that a recipe names with the job's events, beside the job and never in its way.

Events are read from the store, so nothing is lost when the jobs service dies: `tracked.json` in the job's folder says
how far the trackers have come. What happens twice then (a second of events) has the same step and the same value.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from operator import methodcaller
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from earwitness import artifacts, storage
from earwitness.jobs.context import RunningJob
from earwitness.jobs.report.clips import choose
from earwitness.jobs.report.compare import REPORT, flat
from earwitness.jobs.store import LeadershipLost
from earwitness.jobs.track.tracker import Tracker, sample_of
from earwitness.recipe.recipe import Recipe
from earwitness.wire.jobs.v1 import jobs_pb2


def _tensorboard(folder: Path, job_id: str) -> Tracker:
    from earwitness.jobs.track.tensorboard import TensorBoard

    return TensorBoard(folder, job_id)


def _wandb(folder: Path, job_id: str) -> Tracker:
    from earwitness.jobs.track.wandb import Wandb

    return Wandb(folder, job_id)


def _mlflow(folder: Path, job_id: str) -> Tracker:
    from earwitness.jobs.track.mlflow import Mlflow

    return Mlflow(folder, job_id)


MAKERS: dict[str, Callable[[Path, str], Tracker]] = {
    "tensorboard": _tensorboard, "wandb": _wandb, "mlflow": _mlflow,
}  # fmt: skip
"""What makes each tracker. Its package is imported then: it may not be there, and takes its time."""

POLL_SECONDS = 1.0
"""Between two looks for new events."""

BATCH = 500
"""Events fed at once."""

END_SECONDS = 30.0
"""The end of a job waits so long for its trackers."""

STATE = "tracked.json"

T = TypeVar("T")


class Tracking:
    """The trackers of one job, for as long as the block runs; it ends when they have what the job told."""

    def __init__(self, job: RunningJob) -> None:
        self._job = job
        self._trackers: dict[str, Tracker] = {}
        self._ending = asyncio.Event()
        self._worker = _Thread()

    async def __aenter__(self) -> Tracking:
        self._task = asyncio.create_task(self._follow(), name="track")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        if error is None:
            await asyncio.wait({self._task}, timeout=END_SECONDS)
        self._task.cancel()
        (outcome,) = await asyncio.gather(self._task, return_exceptions=True)
        if isinstance(outcome, Exception) and not isinstance(outcome, LeadershipLost):
            self._job.log.exception("tracking ended", outcome)

    async def _follow(self) -> None:
        record, store = self._job.record, self._job.store
        names = self._job.submitted_recipe.track
        if not names:
            return
        after, problems = await self._worker.run(self._open, names)
        await self._tell(problems)
        while self._trackers:
            last = self._ending.is_set()
            events = await store.events(record.job_id, after, BATCH)
            if events:
                after = events[-1].sequence
                await self._tell(await self._worker.run(self._feed, events))
            elif last:
                break
            else:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._ending.wait(), POLL_SECONDS)
        await self._tell(await self._worker.run(self._each, methodcaller("close")))

    async def _tell(self, problems: Sequence[str]) -> None:
        for problem in problems:
            if self._job.record.state.ended:
                self._job.log.warning("tracker", problem=problem)
            else:
                await self._job.tell("worker", problem)

    def _open(self, names: Sequence[str]) -> tuple[int, list[str]]:
        """Makes the trackers. Behind which event they go on, and what cannot be had."""
        job_id, problems = self._job.record.job_id, []
        try:
            folder = storage.local_path(self._job.record.output_uri)
        except storage.StorageError as error:
            return 0, [f"no tracker: {error}"]
        for name in names:
            try:
                self._trackers[name] = MAKERS[name](folder, job_id)
            except ModuleNotFoundError as error:
                if name not in Recipe.model_fields["track"].default:  # which nobody asked for
                    problems.append(f"no tracker {name}: package {error.name!r} is missing")
            except Exception as error:  # noqa: BLE001 - whatever it is, the job goes on
                problems.append(_failed(name, error))
        state = Path(folder, STATE)
        return artifacts.read_json(str(state))["sequence"] if state.is_file() else 0, problems

    def _feed(self, events: Sequence[jobs_pb2.Event]) -> list[str]:
        problems = []
        for event in events:
            figures = {metric.name: metric.value for metric in event.metrics}
            if event.kind == "step":
                phase, step = f"{event.job.stage_index + 1}-{event.job.stage_type}", event.job.step
                problems += self._each(methodcaller("scalars", phase, step, event.time, figures))
            elif event.kind == "report":
                problems += self._report(figures)
        artifacts.write_json(self._job.record.path(STATE), {"sequence": events[-1].sequence})
        return problems

    def _report(self, figures: Mapping[str, float]) -> list[str]:
        report = artifacts.read_json(self._job.record.path(REPORT))
        settings = {name: value for name, value in flat(report["config"]) if value is not None}
        problems = self._each(methodcaller("result", settings, figures))
        file = report["samples"]["final"]
        for group in choose(artifacts.read_groups(self._job.record.path(file))) if file else []:
            problems += self._each(methodcaller("sample", sample_of(group)))
        return problems

    def _each(self, act: Callable[[Tracker], None]) -> list[str]:
        """Acts on each tracker; one that fails is left alone from then on."""
        problems = []
        for name, tracker in list(self._trackers.items()):
            try:
                act(tracker)
            except Exception as error:  # noqa: BLE001 - whatever it is, the job goes on
                del self._trackers[name]
                problems.append(_failed(name, error))
        return problems


class _Thread:
    """A thread that trackers are called on. A daemon: one that hangs keeps neither job nor service from ending."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def run(self, work: Callable[..., T], *given: Any) -> T:
        """What `work` returns, or raises."""
        loop, done = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()

        def settle(outcome: T | None, error: Exception | None) -> None:
            if not done.done():
                done.set_exception(error) if error is not None else done.set_result(outcome)

        def call() -> None:
            try:
                loop.call_soon_threadsafe(settle, work(*given), None)
            except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
                loop.call_soon_threadsafe(settle, None, error)

        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="trackers", daemon=True)
            self._thread.start()
        self._calls.put(call)
        result: T = await done
        return result

    def _serve(self) -> None:
        while True:
            self._calls.get()()


def _failed(name: str, error: Exception) -> str:
    words = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return f"tracker {name} failed, and is left alone from now on: {words}"
