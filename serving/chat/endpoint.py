"""`POST /v1/chat/completions`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from earwitness.errors import InputError
from earwitness.hearing import MAX_CLIPS
from serving.chat.answer import Answer
from serving.chat.request import AddressPart, AudioPart, ChatRequest, TextPart
from serving.claims.live import verified
from serving.claims.verifier import Heard, Verifier
from serving.clips import Clip, clip_of, from_address, from_base64
from serving.errors import RefusedError
from serving.figures import counted
from serving.settings import ANSWER_SECONDS, Settings
from serving.talk import Question, Talker, Tokens
from serving.thinking import Said


class EventStream(Response):
    """Server-sent events; what makes them is closed with the response, however that ends."""

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        super().__init__(
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}, media_type="text/event-stream"
        )
        del self.headers["content-length"]
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends what comes, when it comes."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with aclosing(self._events) as events, asyncio.timeout(ANSWER_SECONDS):
            async for event in events:
                await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def complete(request: Request, settings: Settings, talker: Talker, verifier: Verifier) -> Response:
    """One question. Raises what is refused."""
    asked = await asyncio.to_thread(ChatRequest.model_validate_json, await request.body())
    if asked.model != settings.name:
        raise RefusedError(404, f"model: there is no {asked.model!r}; expected {settings.name!r}", "model_not_found",
                           "model")  # fmt: skip
    text, clips, at = await read(asked, settings)
    if asked.verify and not clips:
        raise InputError("verify", "is true, and there is no clip to check claims against", "a clip in the message")
    tokens = Tokens()
    heard = tuple(clip.samples for clip in clips)
    question = Question(text, heard, asked.temperature, asked.top_p, asked.seed, asked.longest, at)
    answer = Answer(settings.name, tokens)
    pieces = counted(talker.answer(question, tokens), tokens)
    checked = Heard(verifier, [clip.data for clip in clips], text) if asked.verify else None
    if not asked.stream:
        async with asyncio.timeout(ANSWER_SECONDS):
            return JSONResponse(await answer.whole(verified(pieces, checked) if checked else pieces))
    # What is refused shows before the stream begins.
    begun = await begin(pieces)
    events = verified(begun, checked) if checked else begun
    return EventStream(answer.stream(events, usage=bool(asked.stream_options and asked.stream_options.include_usage)))


async def read(asked: ChatRequest, settings: Settings) -> tuple[str, list[Clip], tuple[int, ...]]:
    """The words of a question, its clips in order, and, of several, the characters before each.

    Raises InputError, AudioError.
    """
    words: list[str] = []
    clips: list[Clip] = []
    at: list[int] = []
    for number, part in enumerate(asked.messages[0].content):
        field = f"messages[0].content[{number}]"
        if isinstance(part, TextPart):
            words.append(part.text)
            continue
        if len(clips) == MAX_CLIPS:
            raise InputError(field, f"is clip {MAX_CLIPS + 1}", f"at most {MAX_CLIPS} clips")
        clips.append(await _clip(part, field, settings))
        at.append(sum(map(len, words)))
    if len(clips) > 1:  # as in a manifest's `messages`, what stands between clips is said as it is
        return "".join(words), clips, tuple(at)
    return "\n".join(words), clips, ()


async def _clip(part: AudioPart | AddressPart, field: str, settings: Settings) -> Clip:
    if isinstance(part, AudioPart):
        field, audio = f"{field}.input_audio.data", part.input_audio.data
        return await asyncio.to_thread(lambda: clip_of(from_base64(audio, field), field))
    field = f"{field}.audio_url.url"
    return await asyncio.to_thread(clip_of, await from_address(part.audio_url.url, field, settings.audio_hosts), field)


async def begin(pieces: AsyncGenerator[Said, None]) -> AsyncGenerator[Said, None]:
    """The same pieces, of which the first is there. Raises what making it raises."""
    first = await anext(pieces, None)

    async def again() -> AsyncGenerator[Said, None]:
        async with aclosing(pieces):
            if first is not None:
                yield first
            async for piece in pieces:
                yield piece

    return again()
