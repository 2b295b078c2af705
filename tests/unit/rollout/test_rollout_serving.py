"""When a worker takes tasks, and when it gives up: the engine and the mesh only as far as Serving asks them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from earwitness.active import ActiveJob
from earwitness.errors import InfrastructureError
from earwitness.log import get_logger
from earwitness.wire.trajectory.v1.trajectory_pb2 import Passage
from rollout import serving as serving_module
from rollout.contract import EngineConfig, FetchError, Served
from rollout.pace import CannotKeepUpError, Pace
from rollout.serving import Serving
from tests.integration.process_kit import PATIENCE


class FakeEngine:
    """Serves what it is told, unless that version is one of `broken`."""

    def __init__(self) -> None:
        self.served: Served | None = None
        self.broken: set[int] = set()
        self.loads: list[int] = []

    async def serve(self, lineage: str, version: int) -> None:
        self.loads.append(version)
        if version in self.broken:
            raise FetchError("ChecksumError", f"version {version} is damaged")
        self.served = Served(lineage, version)

    def check(self) -> None: ...

    def stop(self) -> None: ...


class FakeWeights:
    """What the weight plane names as the newest."""

    newest: tuple[str, int] | None = None

    def latest(self) -> tuple[str, int] | None:
        return self.newest

    def lease(self, *_: Any) -> None: ...

    def release(self, *_: Any) -> None: ...


class FakeMesh:
    """Serving over fakes; `step` is one turn of its loop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, max_staleness: int, pace: Pace, job: str = "") -> None:
        self.engine, self.weights = FakeEngine(), FakeWeights()
        self.carried: list[Passage] = []
        self.queue_is_away = False

        async def start(config: EngineConfig) -> Any:
            return self.engine

        async def active(client: Any) -> ActiveJob:
            return ActiveJob("job", "/model", max_staleness=max_staleness)

        monkeypatch.setattr(serving_module, "read_active_async", active)
        monkeypatch.setattr(serving_module, "WeightReader", lambda urls, at_first: self.weights)
        monkeypatch.setattr(serving_module, "NOT_READY_SECONDS", 0.0)
        monkeypatch.setattr(serving_module, "AsyncQueue", lambda client: self)
        urls, log = ("redis://weights",), get_logger("test")
        self.serving = Serving("w", None, urls, start, log, pace=pace, job=job)  # type: ignore[arg-type]

    async def keep_carried(self, stay: Passage) -> None:
        if self.queue_is_away:
            raise InfrastructureError("Redis", 1.0, "gone")
        self.carried.append(stay)

    async def look(self, version: int | None = None, lineage: str = "job/0") -> None:
        if version is not None:
            self.weights.newest = (lineage, version)
        await self.serving._look()

    async def step(self) -> bool:
        return await self.serving._follow()


@pytest.fixture
async def mesh(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> AsyncIterator[FakeMesh]:
    mesh = FakeMesh(monkeypatch, getattr(request, "param", 0), Pace(seconds=0.0, attempts=3))
    await mesh.look()
    assert await mesh.step()  # the engine starts
    yield mesh


async def test_no_task_is_taken_before_a_version_of_this_job_is_served(mesh: FakeMesh) -> None:
    assert not mesh.serving.ready
    await mesh.look(7, "earlier/0")
    assert not await mesh.step() and not mesh.serving.ready
    await mesh.look(1)
    assert not mesh.serving.ready and mesh.serving.behind == 1
    assert await mesh.step()
    assert mesh.serving.ready and mesh.serving.behind == 0 and mesh.engine.loads == [1]


@pytest.mark.parametrize(("mesh", "allowed"), [(0, 0), (2, 2)], indirect=["mesh"])
async def test_tasks_are_taken_only_within_the_staleness_bound(mesh: FakeMesh, allowed: int) -> None:
    await mesh.look(5)
    await mesh.step()
    for behind in range(4):
        await mesh.look(5 + behind)
        assert mesh.serving.behind == behind
        assert mesh.serving.ready is (behind <= allowed)
    assert await mesh.step()  # it loads the newest, not those between
    assert mesh.engine.loads == [5, 8] and mesh.serving.ready


async def test_it_knows_since_when_a_version_was_there(mesh: FakeMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([10.0, 20.0, 30.0])
    monkeypatch.setattr(serving_module.time, "time", lambda: next(times))
    assert mesh.serving.able_at(0) == 0.0
    for version in (3, 5):
        await mesh.look(version)
        await mesh.step()
    assert [mesh.serving.able_at(version) for version in (1, 3, 4, 5, 6)] == [10.0, 10.0, 20.0, 20.0, 0.0]
    await mesh.look(4, "job/1")
    await mesh.step()
    assert [mesh.serving.able_at(version) for version in (3, 4, 5)] == [30.0, 30.0, 0.0]


async def test_it_notes_what_it_has_loaded_and_waits_for_no_queue(mesh: FakeMesh) -> None:
    for version in (5, 6, 7):
        mesh.queue_is_away = version == 6
        await mesh.look(version)
        assert await mesh.step() and mesh.serving.ready
    assert [(stay.station, stay.worker, stay.lineage, stay.version) for stay in mesh.carried] == [
        ("load", "w", "job/0", 5), ("load", "w", "job/0", 7),
    ]  # fmt: skip
    assert all(stay.arrived == stay.begun <= stay.ended for stay in mesh.carried)


async def test_a_restored_trainers_lineage_counts_anew(mesh: FakeMesh) -> None:
    await mesh.look(9)
    await mesh.step()
    await mesh.look(6, "job/1")
    assert not mesh.serving.ready
    await mesh.step()
    assert mesh.serving.ready and mesh.engine.served == Served("job/1", 6)


async def test_of_several_jobs_the_one_that_was_named_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    for job, followed in (("", True), ("job", True), ("other", False)):
        mesh = FakeMesh(monkeypatch, 0, Pace(), job)
        await mesh.look(3)
        assert await mesh.step() is followed
        assert (await mesh.step(), mesh.engine.loads) == ((True, [3]) if followed else (False, []))


async def test_who_holds_the_engine_waits_for_the_first_weights_and_keeps_the_last(mesh: FakeMesh) -> None:
    first = asyncio.create_task(held(mesh))
    await asyncio.sleep(0)
    assert not first.done()
    await mesh.look(1)
    await mesh.step()
    assert await first == Served("job/0", 1)
    mesh.serving._target = None  # the job has ended
    assert await held(mesh) == Served("job/0", 1) and mesh.serving._users == 0


async def held(mesh: FakeMesh) -> Served | None:
    async with mesh.serving.hold() as engine:
        assert mesh.serving._users == 1  # nobody replaces it meanwhile
        return engine.served


async def test_a_task_waits_for_the_lineage_it_needs(mesh: FakeMesh) -> None:
    """Version 14 of a lineage that was given up is no version 12 of the next one."""
    await mesh.look(14)
    await mesh.step()
    entered = asyncio.Event()

    async def work() -> None:
        async with mesh.serving.use(12, "job/1"):
            entered.set()

    working = asyncio.create_task(work())
    await asyncio.sleep(0.05)
    assert mesh.serving.ready and not entered.is_set()
    await mesh.look(12, "job/1")
    await mesh.step()
    async with asyncio.timeout(PATIENCE):
        await working
    assert entered.is_set()


async def test_a_task_waits_for_the_version_it_needs(mesh: FakeMesh) -> None:
    await mesh.look(1)
    await mesh.step()
    entered = asyncio.Event()

    @asynccontextmanager
    async def use() -> AsyncIterator[None]:
        async with mesh.serving.use(2):
            entered.set()
            yield

    async def work() -> None:
        async with use():
            pass

    working = asyncio.create_task(work())
    await asyncio.sleep(0.05)
    assert not entered.is_set()
    await mesh.look(2)
    await mesh.step()
    await asyncio.wait_for(working, PATIENCE)


async def test_ready_is_waited_for_without_polling(mesh: FakeMesh) -> None:
    await mesh.look(1)
    waiting = asyncio.create_task(mesh.serving.until_ready(PATIENCE))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    await mesh.step()
    await asyncio.wait_for(waiting, PATIENCE)
    await mesh.look(2)
    await asyncio.wait_for(mesh.serving.until_ready(0.02), PATIENCE)
    assert not mesh.serving.ready


async def test_who_cannot_load_what_is_published_gives_up_and_never_serves_it(mesh: FakeMesh) -> None:
    await mesh.look(1)
    await mesh.step()
    mesh.engine.broken = {2, 3, 4}
    with pytest.raises(CannotKeepUpError, match="2 versions behind, bound 0"):
        for version in (2, 3, 3, 3, 3):
            await mesh.look(version)
            await mesh.step()
    assert mesh.engine.served == Served("job/0", 1) and not mesh.serving.ready


async def test_who_catches_up_goes_on(mesh: FakeMesh) -> None:
    await mesh.look(1)
    await mesh.step()
    for version in range(2, 12):
        mesh.engine.broken = {version}
        await mesh.look(version)
        await mesh.step()
        mesh.engine.broken = set()
        await mesh.step()
        assert mesh.serving.ready
        assert not await mesh.step()
