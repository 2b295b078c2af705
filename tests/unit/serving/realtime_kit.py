"""A server's `/v1/realtime` over real WebSockets, and a client that says anything."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import soxr
import uvicorn
from websockets.asyncio.client import ClientConnection, connect

from earwitness.probe.sound import tone
from serving.app import Server
from serving.program import MAX_FRAME_BYTES, bound
from serving.settings import Settings
from tests.integration.process_kit import PATIENCE
from tests.unit.serving.serving_kit import LISTENER, server


@dataclass
class Place:
    """A server that listens."""

    made: Server
    address: str

    @asynccontextmanager
    async def session(self, **update: Any) -> AsyncIterator[Caller]:
        """A client, after its greeting; with `update`, after that."""
        # It reads whatever is sent: one that stopped would not see the server close, and wait ten seconds for it.
        url = f"ws://{self.address}/v1/realtime?model=listener"
        async with connect(url, proxy=None, max_queue=None) as socket:
            caller = Caller(socket)
            await caller.until("session.created")
            if update:
                await caller.say("session.update", session={"type": "realtime", **update})
                await caller.until("session.updated")
            yield caller

    @asynccontextmanager
    async def openai_session(self, api_key: str = "none") -> AsyncIterator[Any]:
        """A connection of OpenAI's own client."""
        import openai

        client = openai.AsyncOpenAI(
            api_key=api_key, base_url=f"http://{self.address}/v1", http_client=httpx.AsyncClient(trust_env=False)
        )
        async with client.realtime.connect(
            model="listener", websocket_connection_options={"proxy": None}
        ) as connection:
            yield connection


@dataclass
class Caller:
    """One client."""

    socket: ClientConnection

    async def say(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def hear(self) -> dict[str, Any]:
        return dict(json.loads(await asyncio.wait_for(self.socket.recv(), PATIENCE)))

    async def until(self, kind: str) -> list[dict[str, Any]]:
        """Events up to the first of a kind."""
        heard = [await self.hear()]
        while heard[-1]["type"] != kind:
            heard.append(await self.hear())
        return heard

    async def append(self, data: bytes) -> None:
        await self.say("input_audio_buffer.append", audio=base64.b64encode(data).decode())

    async def ask(self, words: str) -> None:
        part = {"type": "input_text", "text": words}
        await self.say("conversation.item.create", item={"type": "message", "role": "user", "content": [part]})
        await self.say("response.create")


@asynccontextmanager
async def place(talker: Any = None, **settings: Any) -> AsyncIterator[Place]:
    made = server(talker, **settings)
    await made.speech.load()
    listening = bound(Settings(LISTENER, port=0))
    web = uvicorn.Server(uvicorn.Config(made.app(), lifespan="off", log_config=None, ws_max_size=MAX_FRAME_BYTES))
    serving = asyncio.create_task(web._serve([listening]))
    try:
        yield Place(made, f"127.0.0.1:{listening.getsockname()[1]}")
    finally:
        web.should_exit = web.force_exit = True
        await serving
        made.verifier.stop()


def pcm(rate: int = 24_000, seconds: float = 1.0) -> bytes:
    """A tone of 440 Hz."""
    samples = soxr.resample(0.1 * tone(seconds, 440.0), 16_000, rate)
    return bytes((32_767 * samples).astype("<i2").tobytes())


async def until_done(connection: Any) -> list[Any]:
    """The events of OpenAI's client up to the end of a response."""
    heard: list[Any] = []
    async with asyncio.timeout(PATIENCE):
        async for event in connection:
            heard.append(event)
            if event.type == "response.done":
                break
    return heard
