"""Keeps the engine on the active job and its newest weights.

Follows two things: the active job (which model) and the weight plane's `latest` (which version). Generation asks for
the engine with `use`, which waits until weights new enough are in use.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass

import redis
import redis.asyncio

from earwitness import storage, tracing
from earwitness.active import ActiveJob, read_active_async
from earwitness.errors import EarwitnessError, InfrastructureError
from earwitness.log import Logger
from earwitness.queue import AsyncQueue
from earwitness.redis_client import OUTAGE_SECONDS, Patience, connect_async
from earwitness.weights import NEWS, MissingVersion, WeightReader
from earwitness.wire.trajectory.v1.trajectory_pb2 import Passage
from rollout.contract import Engine, EngineConfig, FetchError
from rollout.pace import Pace

POLL_SECONDS = 1.0
"""Longest time until a new job is noticed. New versions are announced, so they do not wait for it."""
LEASE_RENEWAL_SECONDS = 20.0
"""Pause between renewals of the lease on a version that is being fetched; it lasts 60 s."""
NOT_READY_SECONDS = 0.2
"""Pause after a version could not be fetched: it was deleted under our hands, and a newer one is there or comes."""

TELL_SECONDS = 1.0
"""Longest time until the queue has noted a load."""

VERSIONS_REMEMBERED = 64
"""Loads whose time is known: groups begin under one of the last few."""

StartEngine = Callable[[EngineConfig], Awaitable[Engine]]


@dataclass(frozen=True)
class Target:
    """What the mesh wants served."""

    job_id: str
    config: EngineConfig
    latest: tuple[str, int] | None
    """(lineage, version) that the weight plane names; possibly an earlier job's."""
    max_staleness: int = 0
    """Versions that a worker which takes tasks may be behind the newest."""

    @property
    def weights(self) -> tuple[str, int] | None:
        """(lineage, version) to serve; None before this job has published."""
        if self.latest is None or self.latest[0].rpartition("/")[0] != self.job_id:
            return None
        return self.latest


class Serving:
    """The engine of this worker."""

    def __init__(
        self,
        name: str,
        queue_client: redis.asyncio.Redis,
        weight_urls: tuple[str, ...],
        start: StartEngine,
        log: Logger,
        *,
        job: str = "",
        threads: int = 1,
        tensor_parallel: int = 1,
        gpu_share: float = EngineConfig.gpu_share,
        pace: Pace | None = None,
    ) -> None:
        """`queue_client`: where the active job is; `weight_urls`: the shards of the weight plane, in shard order;
        `job`: the only one that is followed, if it is not empty."""
        self.engine: Engine | None = None
        self.state = "idle"
        """loading while an engine starts, else idle."""
        self.load_seconds = 0.0
        """How long the newest version took to fetch and load."""
        self._name = name
        self._queue_client = queue_client
        self._weight_urls = weight_urls
        self._weights = WeightReader(weight_urls, Patience(log))
        self._start = start
        self._job = job
        self._log = log
        self._threads = threads
        self._tensor_parallel = tensor_parallel
        self._gpu_share = gpu_share
        self._pace = pace or Pace()
        self._config: EngineConfig | None = None
        self._target: Target | None = None
        self._looked = False
        self._served: deque[tuple[int, float]] = deque(maxlen=VERSIONS_REMEMBERED)
        """Versions of the current lineage in the order of their loading, each with when (seconds since the epoch)."""
        self._users = 0
        self._changed = asyncio.Condition()

    @property
    def ready(self) -> bool:
        """True while a verified version of the active job's weights is in use, within the job's staleness bound."""
        return self._target is not None and self._serves(0) and self.behind <= self._target.max_staleness

    @property
    def behind(self) -> int:
        """Versions that the weights in use are behind the newest; all there are if they are of another lineage."""
        target = self._target
        if target is None or target.weights is None:
            return 0
        served = self.engine.served if self.engine else None
        return target.weights[1] - (served.version if served and self._serves(0) else 0)

    def able_at(self, min_version: int) -> float:
        """When it first served at least this version, of those it remembers; seconds since the Unix epoch."""
        return next((when for version, when in self._served if version >= min_version), 0.0)

    async def until_ready(self, seconds: float) -> None:
        """Returns once it is ready, or after `seconds`."""
        async with self._changed:
            try:
                async with asyncio.timeout(seconds):
                    await self._changed.wait_for(lambda: self.ready)
            except TimeoutError:
                return

    @property
    def settled(self) -> bool:
        """True while it serves what the mesh wants: a verified version, or nothing as long as none is published."""
        return self._looked and (self._target is None or self._target.weights is None or self._serves(0))

    @asynccontextmanager
    async def use(self, min_version: int, lineage: str = "") -> AsyncIterator[Engine]:
        """The engine, once it serves the newest lineage in a version of at least `min_version`.

        With `lineage` only if that is the newest one: a version says nothing about the weights of another.
        """
        while True:  # a task may come before the news of the version it needs, never before the version
            try:
                await self._look()
                break
            except InfrastructureError:  # `run` asks too, says so, and gives up when that is due
                await asyncio.sleep(POLL_SECONDS)
        async with self._used_once(lambda: self._serves(min_version, lineage)) as engine:
            yield engine

    def hold(self) -> AbstractAsyncContextManager[Engine]:
        """The engine with whatever weights it has, of the newest job or the one before, once it has any."""
        return self._used_once(lambda: self.engine is not None and self.engine.served is not None)

    @asynccontextmanager
    async def _used_once(self, ready: Callable[[], bool]) -> AsyncIterator[Engine]:
        """The engine for one more user, who is counted, once it is ready for that one."""
        async with self._changed:
            await self._changed.wait_for(ready)
            self._users += 1
        assert self.engine is not None
        try:
            yield self.engine
        finally:
            async with self._changed:
                self._users -= 1
                self._changed.notify_all()

    async def run(self) -> None:
        """Follows until cancelled, for OUTAGE_SECONDS also without a Redis: a new engine would take longer to start.

        Raises BrokenEngineError when only a new process helps, CannotKeepUpError, InfrastructureError.
        """
        shard = await connect_async(self._weight_urls[0], Patience(self._log))
        news = shard.pubsub(ignore_subscribe_messages=True)
        away_since: float | None = None
        try:
            await news.subscribe(NEWS)
            while True:
                try:
                    await self._look()
                    if self.engine is not None:
                        self.engine.check()
                    if not await self._follow():
                        await news.get_message(timeout=POLL_SECONDS)
                    away_since = None
                except (InfrastructureError, redis.ConnectionError, redis.TimeoutError) as error:
                    away_since = away_since or time.monotonic()
                    seconds = time.monotonic() - away_since
                    if seconds > OUTAGE_SECONDS:
                        raise InfrastructureError("the weight plane", seconds, str(error)) from error
                    self._log.warning("waiting", waiting_for="the weight plane", seconds=round(seconds, 1),
                                      limit=OUTAGE_SECONDS, error=str(error))  # fmt: skip
                    await asyncio.sleep(POLL_SECONDS)
        finally:
            await news.aclose()
            await shard.aclose()
            self._stop()

    async def _look(self) -> None:
        """Reads what the mesh wants served. Without a job the engine is kept: the next may well use the same model."""
        job = await read_active_async(self._queue_client)
        latest = await asyncio.to_thread(self._weights.latest)
        async with self._changed:
            if job and job.model_uri and self._job in ("", job.job_id):
                self._target = Target(job.job_id, self._config_of(job), latest, job.max_staleness)
            else:
                self._target = None
            self._looked = True
            self._changed.notify_all()

    async def _follow(self) -> bool:
        """One step towards what is wanted; False if there is nothing to do."""
        target = self._target
        if target is None:
            return False
        if self.engine is None or target.config != self._config:
            await self._load(target.config)
            return True
        served, wanted = self.engine.served, target.weights
        if wanted is None or self.ready:
            self._pace.within()
        else:
            bound = f"{self.behind} versions behind, bound {target.max_staleness}"
            self._pace.beyond(bound if served else "no version could be served", time.monotonic())
        if wanted is None or (served is not None and (served.lineage, served.version) == wanted):
            return False
        await self._serve(self.engine, *wanted)
        return True

    async def _load(self, config: EngineConfig) -> None:
        """Replaces the engine once nobody uses it."""
        async with self._changed:
            self._config = config
            await self._changed.wait_for(lambda: self._users == 0)
        self._stop()
        self.state = "loading"
        self._log.info("engine starts", model=config.model_dir, dtype=config.dtype, threads=config.threads)
        started = time.perf_counter()
        self.engine = await self._start(config)
        self.state = "idle"
        self._log.info("engine started", seconds=round(time.perf_counter() - started, 2))

    def _stop(self) -> None:
        engine, self.engine = self.engine, None
        if engine is not None:
            engine.stop()

    async def _serve(self, engine: Engine, lineage: str, version: int) -> None:
        started = time.perf_counter()
        try:
            async with self._leased(lineage, version):
                await engine.serve(lineage, version)
        except (MissingVersion, FetchError) as error:
            self._log.warning("weights not loaded", lineage=lineage, version=version, error=str(error))
            self._pace.tried()
            await asyncio.sleep(NOT_READY_SECONDS)
            return
        self._pace.tried()
        self.load_seconds = time.perf_counter() - started
        if self._served and self._served[-1][0] >= version:
            self._served.clear()  # another lineage, or another engine
        self._served.append((version, time.time()))
        if tracing.on():
            await asyncio.to_thread(self._trace, lineage, version)
        self._log.info("weights loaded", lineage=lineage, version=version, seconds=round(self.load_seconds, 3))
        async with self._changed:
            self._changed.notify_all()
        await self._carried(lineage, version)

    async def _carried(self, lineage: str, version: int) -> None:
        """Keeps when it was loaded, for people; a queue that does not answer is not waited for."""
        ended = self._served[-1][1]
        begun = ended - self.load_seconds
        stay = Passage(station="load", worker=self._name, arrived=begun, able=begun, begun=begun, ended=ended)
        stay.lineage, stay.version = lineage, version
        with suppress(TimeoutError, InfrastructureError):
            async with asyncio.timeout(TELL_SECONDS):
                await AsyncQueue(self._queue_client).keep_carried(stay)

    def _trace(self, lineage: str, version: int) -> None:
        """Tells of the load in the traces of the groups that the version was learned from."""
        ended = time.time()
        try:
            parents = self._weights.manifest(lineage, version).traceparents
        except EarwitnessError:  # deleted or damaged meanwhile: it is loaded, only nobody is told
            return
        for parent in parents:
            tracing.child(parent, "load", ended - self.load_seconds, ended, worker=self._name, version=version)

    @asynccontextmanager
    async def _leased(self, lineage: str, version: int) -> AsyncIterator[None]:
        """Keeps the version from being deleted. Raises MissingVersion."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(LEASE_RENEWAL_SECONDS)
                await asyncio.to_thread(self._weights.lease, self._name, lineage, version)

        await asyncio.to_thread(self._weights.lease, self._name, lineage, version)
        renewal = asyncio.create_task(renew())
        try:
            yield
        finally:
            renewal.cancel()
            await asyncio.gather(renewal, return_exceptions=True)
            await asyncio.to_thread(self._weights.release, self._name)

    def _serves(self, min_version: int, lineage: str = "") -> bool:
        engine, target = self.engine, self._target
        if engine is None or target is None or target.config != self._config:
            return False
        if engine.served is None or target.weights is None or lineage not in ("", target.weights[0]):
            return False
        # An older lineage belongs to a trainer that was since restored: its versions count something else.
        return engine.served.lineage == target.weights[0] and engine.served.version >= min_version

    def _config_of(self, job: ActiveJob) -> EngineConfig:
        return EngineConfig(
            model_dir=str(storage.local_path(job.model_uri)),
            dtype=job.dtype,
            max_model_len=job.max_model_len,
            weight_urls=self._weight_urls,
            threads=self._threads,
            tensor_parallel=self._tensor_parallel,
            gpu_share=self._gpu_share,
        )
