"""One session: what a client says, one event after another, and what it is answered.

Models are taught one question about one clip, so a response is made of the clip that was committed last and of the
words that came since the last response, or else of the instructions.
"""

from __future__ import annotations

import asyncio
import binascii
import uuid
from base64 import b64decode
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.websockets import WebSocketDisconnect

from earwitness.errors import InputError
from serving.chat.request import Part
from serving.claims.live import Event, verified
from serving.claims.verifier import Heard, Verifier
from serving.clips import Clip
from serving.errors import RefusedError
from serving.figures import counted
from serving.realtime.events import (
    Append,
    Cancel,
    Clear,
    ClientEvent,
    Commit,
    Create,
    CreateItem,
    Retrieve,
    SessionUpdate,
    Truncate,
)
from serving.realtime.events import SessionConfig as Config
from serving.realtime.formats import clip_of_stream, most_bytes
from serving.realtime.history import History
from serving.realtime.response import Emit, Response
from serving.realtime.speaker import Speaker
from serving.settings import ANSWER_SECONDS
from serving.speech.voice import Speech
from serving.talk import Question, Talker, Tokens

MAX_WORDS = 16
"""Items of words that wait for a response."""


@dataclass(frozen=True)
class Staff:
    """Who does what for the sessions of a server."""

    model: str
    """What the model is called."""
    talker: Callable[[], Talker]
    """Who answers; raises why nobody does."""
    verifier: Verifier
    speech: Speech


class Session:
    """One client's."""

    def __init__(self, staff: Staff, emit: Emit) -> None:
        self.id = new_id("sess")
        self._staff = staff
        self._emit = emit
        self._history = History()
        self._config = Config()
        self._buffer = bytearray()
        self._clip: Clip | None = None
        self._words: list[str] = []
        self._response: Response | None = None
        self._saying: asyncio.Task[None] | None = None
        self._responding: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """The first words of a server."""
        await self._emit("session.created", session=self._described())

    async def handle(self, event: ClientEvent) -> None:
        """One event. Raises RefusedError, InputError for what cannot be done."""
        match event:
            case SessionUpdate(session=changes):
                self._update(changes)
                await self._emit("session.updated", session=self._described())
            case Append(audio=audio):
                await self._append(audio)
            case Commit():
                await self._commit()
            case Clear():
                self._buffer.clear()
                await self._emit("input_audio_buffer.cleared")
            case CreateItem(item=item):
                if len(self._words) >= MAX_WORDS:
                    raise RefusedError(400, f"item: {MAX_WORDS} wait for a response already", "too_many_items", "item")
                self._words.append("\n".join(part.text for part in item.content))
                await self._add_item(item.model_dump(exclude_none=True), item.id)
            case Create():
                await self._create(event)
            case Truncate(item_id=item_id, audio_end_ms=heard):
                self._history.cut(item_id, heard)
                await self._emit("conversation.item.truncated", item_id=item_id, content_index=0, audio_end_ms=heard)
            case Retrieve(item_id=item_id):
                await self._emit("conversation.item.retrieved", item=self._history.item(item_id))
            case Cancel(response_id=wanted):
                await self._cancel(wanted)

    async def close(self) -> None:
        """The client has gone: nothing is generated for it any more."""
        for task in (self._responding, self._saying):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def _update(self, changes: Config) -> None:
        if changes.model not in (None, self._staff.model):
            raise InputError("session.model", f"there is no {changes.model!r}", repr(self._staff.model))
        merged = _merged(self._config, changes)
        if "audio" in merged.output_modalities:
            self._voice(merged)
        if merged.audio.input.format != self._config.audio.input.format and self._buffer:
            raise InputError(
                "session.audio.input.format", "changes while there is sound in the buffer", "a clear before"
            )
        self._config = merged

    def _voice(self, config: Config) -> None:
        """Raises InputError if nobody here speaks so."""
        name, wanted = self._staff.speech.voice.name, config.audio.output.voice
        if wanted not in (None, name):
            raise InputError("session.audio.output.voice", f"there is no {wanted!r}", repr(name))

    async def _append(self, audio: str) -> None:
        of = self._config.audio.input.format
        try:
            data = await asyncio.to_thread(b64decode, audio, validate=True)
        except (binascii.Error, ValueError) as error:
            raise InputError("audio", "is not base64", f"{of.type} in base64") from error
        if len(self._buffer) + len(data) > most_bytes(of):
            raise InputError("audio", "makes the clip too long", f"at most {most_bytes(of):,} bytes between commits")
        self._buffer += data

    async def _commit(self) -> None:
        of = self._config.audio.input.format
        data = bytes(self._buffer[: len(self._buffer) // of.width * of.width])
        if not data:
            raise RefusedError(
                400, "the buffer is empty; expected sound before a commit", "input_audio_buffer_commit_empty"
            )
        self._clip = await asyncio.to_thread(clip_of_stream, data, of)
        self._buffer.clear()
        item_id = new_id("item")
        await self._emit("input_audio_buffer.committed", item_id=item_id, previous_item_id=self._history.last)
        content = [{"type": "input_audio", "transcript": None}]
        await self._add_item({"type": "message", "role": "user", "content": content}, item_id)

    async def _add_item(self, item: dict[str, Any], item_id: str | None) -> None:
        item |= {"id": item_id or new_id("item"), "object": "realtime.item", "status": "completed"}
        before = self._history.add(item)
        for word in ("added", "done"):
            await self._emit(f"conversation.item.{word}", item=item, previous_item_id=before)

    async def _create(self, event: Create) -> None:
        if self._response is not None:
            raise RefusedError(409, f"{self._response.id} is still being said; expected a cancel before, or patience",
                               "conversation_already_has_active_response")  # fmt: skip
        asked = event.response
        text = "\n".join(self._words) or asked.instructions or self._config.instructions
        if not text and self._clip is None:
            raise InputError("response", "there is nothing to answer", "words, or sound that is committed, before")
        most = self._config.max_output_tokens if asked.max_output_tokens is None else asked.max_output_tokens
        samples = self._clip.samples if self._clip else None
        question = Question(text, samples, self._config.temperature, longest=0 if most == "inf" else most)
        tokens = Tokens()
        speaker = None
        if "audio" in (asked.output_modalities or self._config.output_modalities):
            self._voice(self._config)
            speaker = partial(Speaker, self._staff.speech, self._config.audio.output.format)
        pieces = counted(self._staff.talker().answer(question, tokens), tokens)
        self._words.clear()
        events: AsyncGenerator[Event, None] = pieces
        if self._config.verify and self._clip is not None:
            events = verified(pieces, Heard(self._staff.verifier, self._clip.data, text))
        self._response = Response(self._emit, new_id, tokens, self._history, speaker)
        self._saying = asyncio.create_task(self._response.say(events))
        self._responding = asyncio.create_task(self._respond(self._response, self._saying))

    async def _respond(self, response: Response, saying: asyncio.Task[None]) -> None:
        """Ends a response once, whatever becomes of it: only what is said can be cancelled, not how it ends."""
        done, _ = await asyncio.wait({saying}, timeout=ANSWER_SECONDS)
        with suppress(WebSocketDisconnect):
            if not done:
                saying.cancel()
                await response.failed(TimeoutError())
            elif saying.cancelled():
                await response.cancelled("client_cancelled")
            elif error := saying.exception():
                await response.failed(error)
            else:
                await response.end()
        self._response = None

    async def _cancel(self, wanted: str | None) -> None:
        response = self._response
        if response is None or self._saying is None or self._responding is None or wanted not in (None, response.id):
            raise RefusedError(400, "no such response is being said", "response_cancel_not_active", "response_id")
        self._saying.cancel()
        await asyncio.wait({self._responding})

    def _described(self) -> dict[str, Any]:
        return self._config.model_dump() | {"id": self.id, "object": "realtime.session", "model": self._staff.model}


def new_id(kind: str) -> str:
    """A name that nothing else has."""
    return f"{kind}_{uuid.uuid4().hex[:24]}"


def _merged(before: Config, changes: Config) -> Config:
    """What `changes` name, over what was."""

    def over(old: Part, new: Part) -> Part:
        fields = {}
        for name in new.model_fields_set:
            inner, held = getattr(new, name), getattr(old, name)
            alike = isinstance(inner, Part) and type(inner) is type(held) and name != "format"
            fields[name] = over(held, inner) if alike else inner
        return old.model_copy(update=fields)

    merged = over(before, changes)
    assert isinstance(merged, Config)
    return merged
