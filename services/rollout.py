"""The rollout worker: generates groups off `tasks` with vLLM, follows the weights; and answers Generate for itself.

Beside what every service reads: EW_ROLLOUT_THREADS (CPU threads of the engine, default 1), EW_ROLLOUT_GROUPS (groups in
flight, default 16), EW_ROLLOUT_GRACE_SECONDS (what groups in flight get on SIGTERM, default 5),
EW_ROLLOUT_TENSOR_PARALLEL (GPUs that share each layer, default 1), EW_ROLLOUT_BEHIND_SECONDS (so long beyond the
staleness bound, although it loads what is published, means that it cannot keep up, default 120). It then leaves with
exit status 75.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

import grpc
from prometheus_client import Gauge

from earwitness.errors import InfrastructureError, InputError
from earwitness.log import get_logger
from earwitness.queue import AsyncQueue
from earwitness.redis_client import Patience, connect_async
from earwitness.wire.rollout.v1 import rollout_pb2, rollout_pb2_grpc
from earwitness.wire.trajectory.v1 import trajectory_pb2
from rollout.contract import BrokenEngineError, Engine, EngineConfig
from rollout.pace import BEHIND_SECONDS, CannotKeepUpError, Pace
from rollout.parent import WORKER_PID, end_with_worker
from rollout.serving import Serving
from rollout.worker import Worker
from services.server import serve
from services.settings import Settings

MAX_SAMPLES = 256
"""Most trajectories of one group: what the engine generates at a time."""

EXIT_CANNOT_KEEP_UP = 75
"""Exit status of a worker that leaves because it cannot keep up: EX_TEMPFAIL of sysexits.h, no crash."""


@dataclass(frozen=True)
class RolloutSettings:
    """What only this service reads from the environment."""

    threads: int
    groups: int
    grace_seconds: int
    tensor_parallel: int
    behind_seconds: int

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> RolloutSettings:
        """Raises InputError naming the variable that is wrong."""
        return cls(
            threads=_count(environ, "EW_ROLLOUT_THREADS", 1, 256),
            groups=_count(environ, "EW_ROLLOUT_GROUPS", 16, 4096),
            grace_seconds=_count(environ, "EW_ROLLOUT_GRACE_SECONDS", 5, 3600, least=0),
            tensor_parallel=_count(environ, "EW_ROLLOUT_TENSOR_PARALLEL", 1, 64),
            behind_seconds=_count(environ, "EW_ROLLOUT_BEHIND_SECONDS", int(BEHIND_SECONDS), 86_400),
        )


class RolloutService(rollout_pb2_grpc.RolloutServiceServicer):
    """Generate and GetStatus, for tests, evaluation and people."""

    def __init__(self, name: str, serving: Serving, worker: Worker) -> None:
        self._name = name
        self._serving = serving
        self._worker = worker

    async def Generate(  # noqa: N802 (name of the wire)
        self, request: rollout_pb2.GenerateRequest, context: grpc.aio.ServicerContext
    ) -> rollout_pb2.GenerateResponse:
        """One group with the weights in use; UNAVAILABLE while there are none."""
        check_sampling(request.sampling)
        if not self._serving.ready:
            raise InfrastructureError("weights to generate with", 0.0, "no job has published a version yet")
        async with self._serving.use(0) as engine:
            prompt_ids, trajectories = await engine.generate(
                request.prompt, request.sampling, ordinal=0, without_audio=request.without_audio
            )
        task = trajectory_pb2.GroupTask(
            prompt=request.prompt, sampling=request.sampling, without_audio=request.without_audio
        )
        group = trajectory_pb2.Group(
            task=task, prompt_token_ids=prompt_ids, trajectories=trajectories, worker=self._name
        )
        return rollout_pb2.GenerateResponse(group=group)

    async def GetStatus(  # noqa: N802 (name of the wire)
        self, request: rollout_pb2.GetStatusRequest, context: grpc.aio.ServicerContext
    ) -> rollout_pb2.GetStatusResponse:
        """What the worker does; version 0 and no lineage before the first version."""
        engine = self._serving.engine
        served = engine.served if engine else None
        return rollout_pb2.GetStatusResponse(
            worker=self._name,
            version=served.version if served else 0,
            lineage=served.lineage if served else "",
            groups=len(self._worker.flights),
            tokens=engine.tokens if engine else 0,
            state=self._worker.state,
        )


def check_sampling(sampling: trajectory_pb2.Sampling) -> None:
    """Raises InputError naming the field that is out of range."""
    if not 1 <= sampling.samples <= MAX_SAMPLES:
        raise InputError("sampling.samples", f"is {sampling.samples}", f"1 to {MAX_SAMPLES}")
    if not sampling.temperature > 0:
        raise InputError("sampling.temperature", f"is {sampling.temperature}", "above 0")
    if not 0 <= sampling.top_p <= 1:
        raise InputError("sampling.top_p", f"is {sampling.top_p}", "in (0, 1]")
    if sampling.max_tokens < 1:
        raise InputError("sampling.max_tokens", "is 0", "at least 1")


async def start_engine(config: EngineConfig) -> Engine:
    """Imports vLLM on a thread, and starts it."""
    module = await asyncio.to_thread(load_engine)
    engine: Engine = await module.RolloutEngine.start(config)
    return engine


def load_engine() -> ModuleType:
    """Imports vLLM, which takes seconds. Raises ImportError also where vLLM itself would only warn."""
    module = importlib.import_module("rollout.engine")
    importlib.import_module("rollout.kernels").require_kernels()
    return module


async def run(serving: Serving, worker: Worker) -> None:
    """Follows and works until cancelled. The worker leaves first: its groups still need the engine."""
    # Before a job is there, nothing waits for it.
    warm = asyncio.create_task(asyncio.to_thread(load_engine))
    following, working = asyncio.create_task(serving.run()), asyncio.create_task(worker.run())
    try:
        done, _ = await asyncio.wait({following, working, warm}, return_when=asyncio.FIRST_COMPLETED)
        if done == {warm}:
            warm.result()  # without vLLM there is nothing to wait for
            done, _ = await asyncio.wait({following, working}, return_when=asyncio.FIRST_COMPLETED)
        for ended in done:
            ended.result()
    except CannotKeepUpError:
        worker.cannot_keep_up = True
        raise
    except BrokenEngineError:
        worker.crashed = True
        raise
    finally:
        for task in (working, following, warm):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def main() -> None:
    """Runs the service until SIGTERM."""
    settings, own = Settings.from_env(), RolloutSettings.from_env()
    log = get_logger("rollout").bind(name=settings.name)
    client = await connect_async(settings.queue_url, Patience(log))
    serving = Serving(
        settings.name,
        client,
        settings.weights_urls,
        start_engine,
        log,
        threads=own.threads,
        tensor_parallel=own.tensor_parallel,
        pace=Pace(own.behind_seconds),
    )
    worker = Worker(
        AsyncQueue(client, settings.claim_idle_ms),
        serving,
        settings.name,
        log,
        max_groups=own.groups,
        claim_idle_ms=settings.claim_idle_ms,
        grace_seconds=own.grace_seconds,
    )
    measure(serving, worker)
    service = RolloutService(settings.name, serving, worker)
    await serve(
        "rollout",
        settings,
        lambda server: rollout_pb2_grpc.add_RolloutServiceServicer_to_server(service, server),
        [run(serving, worker)],
        ready=lambda: serving.settled,
    )
    # All is left in order. Taking down an interpreter with vLLM in it costs seconds, and before that asyncio would wait
    # for the thread on which vLLM may be starting.
    os._exit(0)


def measure(serving: Serving, worker: Worker) -> None:
    """Prometheus figures, read when they are asked for."""
    Gauge("ew_rollout_tokens", "Tokens generated since the engine started").set_function(
        lambda: serving.engine.tokens if serving.engine else 0
    )
    Gauge("ew_rollout_version", "Weight version in use; 0 before the first").set_function(
        lambda: served.version if serving.engine and (served := serving.engine.served) else 0
    )
    Gauge("ew_rollout_groups", "Groups in flight").set_function(lambda: len(worker.flights))
    Gauge("ew_rollout_dropped", "Prompts that could not be generated from").set_function(lambda: worker.dropped)
    Gauge("ew_rollout_behind", "Versions that the weights in use are behind the newest").set_function(
        lambda: serving.behind
    )
    Gauge("ew_rollout_handed_back", "Tokens handed back for others to go on from").set_function(
        lambda: worker.handed_back
    )
    Gauge("ew_rollout_weight_load_seconds", "Time to fetch and load the newest version").set_function(
        lambda: serving.load_seconds
    )
    Gauge("ew_rollout_weight_fetch_seconds", "Of that, fetching and verifying beside the generation").set_function(
        lambda: serving.engine.sync.fetch_seconds if serving.engine else 0
    )
    Gauge("ew_rollout_weight_pause_seconds", "Of that, loading while generation stands still").set_function(
        lambda: serving.engine.sync.pause_seconds if serving.engine else 0
    )
    Gauge("ew_rollout_weight_fetched_bytes", "Bytes fetched for the newest version").set_function(
        lambda: serving.engine.sync.nbytes if serving.engine else 0
    )


def _count(environ: Mapping[str, str], variable: str, default: int, largest: int, least: int = 1) -> int:
    text = environ.get(variable, "") or str(default)
    if not text.isdigit() or not least <= int(text) <= largest:
        raise InputError(variable, f"{text!r} is not a number in range", f"a whole number from {least} to {largest}")
    return int(text)


if __name__ == "__mp_main__":  # a process that vLLM starts imports this module before anything else
    end_with_worker()

if __name__ == "__main__":
    os.environ[WORKER_PID] = str(os.getpid())  # not that of a worker in whose shell a mesh was started
    try:
        asyncio.run(main())
    except CannotKeepUpError:
        sys.exit(EXIT_CANNOT_KEEP_UP)
