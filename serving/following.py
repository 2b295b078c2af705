"""The talker that is a job of the mesh: vLLM with the newest weights that the job has published, followed in flight."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

from earwitness.errors import InputError
from earwitness.local.state import DEFAULT_FOLDER, NoMesh, read_state
from earwitness.log import Logger
from earwitness.redis_client import Patience, connect_async
from earwitness.settings import Settings as MeshSettings
from rollout.contract import BrokenEngineError
from rollout.life import start_engine
from rollout.serving import Serving
from rollout.settings import RolloutSettings
from serving.talk import Listening, Question, Tokens
from serving.thinking import Said

ACTIVE = "active"
"""In the place of a job's id: whichever the mesh works on."""


class FollowingTalker:
    """As `Talker`. An answer in progress goes on under the weights that come meanwhile; a job's last version is kept
    when it has ended."""

    def __init__(self, serving: Serving) -> None:
        """Follows from here on; needs an event loop."""
        self._serving = serving
        self._following = asyncio.create_task(serving.run())

    @classmethod
    async def start(cls, job: str, log: Logger) -> FollowingTalker:
        """Returns once weights of the job are served: that may be as long as it takes until the job has published.

        Raises BrokenEngineError, InputError if there is no mesh.
        """
        mesh, own = mesh_settings(), RolloutSettings.from_env()
        client = await connect_async(mesh.queue_url, Patience(log))
        serving = Serving(
            f"serve-{mesh.name}",
            client,
            mesh.weights_urls,
            start_engine,
            log,
            job="" if job == ACTIVE else job,
            threads=own.threads,
            tensor_parallel=own.tensor_parallel,
            gpu_share=own.gpu_percent / 100,
        )
        return await cls(serving).begun()

    async def begun(self) -> FollowingTalker:
        """Itself, once there are weights. Raises BrokenEngineError if there will be none."""
        holding = asyncio.create_task(self._hold_once())
        try:
            await asyncio.wait({holding, self._following}, return_when=asyncio.FIRST_COMPLETED)
            self.check()
        finally:
            holding.cancel()
        return self

    async def _hold_once(self) -> None:
        async with self._serving.hold():
            pass

    @property
    def room(self) -> int:
        """As `Talker.room`; none while there is no engine."""
        engine = self._serving.engine
        return importlib.import_module("serving.engine").EngineTalker(engine).room if engine else 0

    def check(self) -> None:
        """As `Talker.check`."""
        if self._following.done():
            why = "cancelled" if self._following.cancelled() else self._following.exception()
            raise BrokenEngineError(f"the weights are followed no more: {why}")

    def stop(self) -> None:
        """As `Talker.stop`."""
        self._following.cancel()

    async def listen(self, question: Question) -> Listening:
        """As `Talker.listen`. The engine is kept as long as it is listened to."""
        holding = AsyncExitStack()
        engine = await holding.enter_async_context(self._serving.hold())
        talker = importlib.import_module("serving.engine").EngineTalker(engine)
        return _Holding(await talker.listen(question), holding)

    async def answer(self, question: Question, tokens: Tokens) -> AsyncGenerator[Said, None]:
        """As `Talker.answer`."""
        async with self._serving.hold() as engine:
            talker = importlib.import_module("serving.engine").EngineTalker(engine)
            async with aclosing(talker.answer(question, tokens)) as pieces:
                async for said in pieces:
                    served = engine.served
                    tokens.weights = f"{served.lineage} {served.version}" if served else ""
                    yield said


class _Holding:
    """As `Listening`."""

    def __init__(self, listening: Listening, holding: AsyncExitStack) -> None:
        self.text = listening.text
        self.hear, self.answer = listening.hear, listening.answer
        self._listening, self._holding = listening, holding

    async def close(self) -> None:
        """As `Listening.close`."""
        await self._listening.close()
        await self._holding.aclose()


def mesh_settings() -> MeshSettings:
    """Where the mesh is: what the environment says, else the one of this folder. Raises InputError."""
    mesh = MeshSettings.from_env()
    if mesh.queue_url and mesh.weights_urls:
        return mesh
    try:
        local = read_state(Path(DEFAULT_FOLDER))
    except NoMesh as error:
        expected = "EW_QUEUE_URL and EW_WEIGHTS_URLS, or a mesh in this folder (`earwitness up`)"
        raise InputError("--job", "there is no mesh whose job could be followed", expected) from error
    return MeshSettings(queue_url=local.queue_url, weights_urls=local.weights_urls, name=mesh.name)
