"""The life of a worker: vLLM is imported while nothing waits for it, the weights are followed, groups are generated."""

from __future__ import annotations

import asyncio
import importlib
from types import ModuleType

from rollout.contract import BrokenEngineError, Engine, EngineConfig
from rollout.pace import CannotKeepUpError
from rollout.serving import Serving
from rollout.worker import RolloutWorker


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


async def live(serving: Serving, worker: RolloutWorker) -> None:
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
