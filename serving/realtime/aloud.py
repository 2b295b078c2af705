"""Puts questions to a server aloud: clips at the pace of speech, answers by ear, and how long a speaker waits."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from earwitness.audio import read_audio
from earwitness.chat import question_text, render_response
from earwitness.errors import EarwitnessError, InfrastructureError
from earwitness.loopback import is_loopback
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire
from serving.realtime.formats import Pcm, encoded

FRAME_SECONDS = 0.02
FORMAT = Pcm(type="audio/pcm", rate=16_000)
"""As clips are read."""
SILENT_SECONDS = 600.0
"""Longest wait for the next event: the longest answer."""


@dataclass
class Heard:
    """What a server has answered."""

    groups: list[wire.Group] = field(default_factory=list)
    """A group of one for each question that was answered: the reasoning, and the transcript of the answer."""
    first_seconds: list[float] = field(default_factory=list)
    """From the last sample of each question to the first of its answer."""
    refused: list[str] = field(default_factory=list)
    """Why the others were not."""


async def ask_all(server: str, token: str, prompts: Sequence[wire.Prompt], told: Callable[[int, int], None]) -> Heard:
    """One question after another; `told` hears how many of how many have been put.

    `server`: where it is, http or https. Raises InfrastructureError if it is not there, or goes.
    """
    heard = Heard()
    url = urlsplit(server)
    address = url._replace(scheme={"https": "wss"}.get(url.scheme, "ws"), path="/v1/realtime").geturl()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    proxy: Literal[True] | None = None if is_loopback(url.hostname or "") else True
    try:
        async with connect(address, additional_headers=headers, proxy=proxy) as socket:
            for number, prompt in enumerate(prompts):
                await _ask(socket, prompt, heard)
                told(number + 1, len(prompts))
    except (OSError, TimeoutError, WebSocketException) as error:
        words = f"{error} ({type(error).__name__}); is `earwitness serve` running?"
        raise InfrastructureError(server, 0.0, words) from error
    return heard


class _RefusedError(Exception):
    """The server's words."""


async def _ask(socket: ClientConnection, prompt: wire.Prompt, heard: Heard) -> None:
    listening = {"input": {"format": FORMAT.model_dump()}}
    try:
        sound = encoded(await asyncio.to_thread(read_audio, prompt.audio_uri), FORMAT)
        await _begin(socket)
        instructions = question_text(prompt)
        session = {"output_modalities": ["audio"], "audio": listening, "instructions": instructions}
        await _say(socket, "session.update", session=session)
        last = await play(partial(_say, socket), sound)
        await _say(socket, "input_audio_buffer.commit")
        await _say(socket, "response.create")
        first, reasoning, done = None, "", None
        while done is None:
            event = await _next(socket)
            match event["type"]:
                case "response.output_audio.delta":
                    first = first or time.perf_counter() - last
                case "response.reasoning_text.done":
                    reasoning = event["text"]
                case "response.done":
                    done = event["response"]
        if done["status"] not in ("completed", "incomplete"):
            raise _RefusedError(json.dumps(done["status_details"]))
    except (EarwitnessError, _RefusedError) as error:
        heard.refused.append(f"{prompt.id}: {error}")
        return
    answer = done["output"][0]["content"][0]["transcript"]
    trajectory = wire.Trajectory(text=render_response(reasoning, answer), finish_reason=wire.FINISH_REASON_STOP)
    heard.groups.append(wire.Group(task=wire.GroupTask(prompt=prompt), trajectories=[trajectory]))
    if first is not None:
        heard.first_seconds.append(first)


async def _begin(socket: ClientConnection) -> None:
    """Leaves behind what was said to the question before."""
    await _say(socket, "input_audio_buffer.clear")
    while json.loads(await socket.recv())["type"] != "input_audio_buffer.cleared":
        pass


async def play(say: Callable[..., Awaitable[None]], sound: bytes) -> float:
    """Sends sound as a microphone would; the moment of its last frame."""
    size = int(FRAME_SECONDS * FORMAT.rate) * FORMAT.width
    began = time.perf_counter()
    for index, start in enumerate(range(0, len(sound), size)):
        await asyncio.sleep(max(0.0, began + (index + 1) * FRAME_SECONDS - time.perf_counter()))
        await say("input_audio_buffer.append", audio=base64.b64encode(sound[start : start + size]).decode())
    return time.perf_counter()


async def _say(socket: ClientConnection, kind: str, **fields: Any) -> None:
    await socket.send(json.dumps({"type": kind, **fields}))


async def _next(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(SILENT_SECONDS):
        event: dict[str, Any] = json.loads(await socket.recv())
    if event["type"] == "error":
        raise _RefusedError(event["error"]["message"])
    return event
