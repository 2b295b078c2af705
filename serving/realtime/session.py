"""One session: what a client says, one event after another, and what it is answered.

Models are taught one question about its clips, so a response is made of the clips that were committed since the last
one, or else of the same, and of the words that came since, or else of the instructions.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.websockets import WebSocketDisconnect

from earwitness.errors import InputError
from earwitness.hearing import MAX_CLIPS
from serving.chat.request import Part
from serving.claims.live import Event, verified
from serving.claims.verifier import Heard, Verifier
from serving.clips import Clip
from serving.errors import RefusedError
from serving.figures import counted
from serving.realtime.early import Early
from serving.realtime.events import (
    Append,
    Cancel,
    Clear,
    ClientEvent,
    Commit,
    Create,
    CreateItem,
    ResponseConfig,
    Retrieve,
    SessionUpdate,
    Truncate,
)
from serving.realtime.events import SessionConfig as Config
from serving.realtime.hearing import Hearing
from serving.realtime.history import History
from serving.realtime.response import Emit, Response
from serving.realtime.speaker import Speaker
from serving.realtime.turns import Edge
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
        self._hearing = Hearing()
        self._turn: str | None = None
        """Id of the item that the speech that has begun will be."""
        self._early = Early(staff.talker)
        self._clips: list[Clip] = []
        """What is spoken of."""
        self._answered = True
        """Whether there has been a response about them: the next clip begins anew then."""
        self._words: list[str] = []
        self._response: Response | None = None
        self._newest: Response | None = None
        """The response that was begun last, until it has been interrupted."""
        self._saying: asyncio.Task[None] | None = None
        self._responding: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """The first words of a server."""
        await self._emit("session.created", session=self._described())

    async def handle(self, event: ClientEvent) -> None:
        """One event. Raises RefusedError, InputError for what cannot be done."""
        match event:
            case SessionUpdate(session=changes):
                await self._update(changes)
                await self._emit("session.updated", session=self._described())
            case Append(audio=audio):
                await self._append(audio)
            case Commit():
                await self._commit()
            case Clear():
                self._hearing.clear()
                await self._early.forget()
                await self._emit("input_audio_buffer.cleared")
            case CreateItem(item=item, previous_item_id=behind):
                self._history.check_new(item.id, behind)
                if len(self._words) >= MAX_WORDS:
                    raise RefusedError(400, f"item: {MAX_WORDS} wait for a response already", "too_many_items", "item")
                self._words.append("\n".join(part.text for part in item.content))
                await self._add_item(item.model_dump(exclude_none=True), item.id)
            case Create():
                await self._create(event.response)
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
        await self._early.forget()

    async def lose_engine(self) -> None:
        """What it had heard of the clip that is being spoken is gone: that one is heard whole."""
        await self._early.lose()

    async def _update(self, changes: Config) -> None:
        if changes.model not in (None, self._staff.model):
            raise InputError("session.model", f"there is no {changes.model!r}", repr(self._staff.model))
        merged = _merged(self._config, changes)
        if "audio" in merged.output_modalities:
            self._voice(merged)
        await self._hearing.configure(merged.audio.input)
        self._config = merged

    def _voice(self, config: Config) -> None:
        """Raises InputError if nobody here speaks so."""
        name, wanted = self._staff.speech.voice.name, config.audio.output.voice
        if wanted not in (None, name):
            raise InputError("session.audio.output.voice", f"there is no {wanted!r}", repr(name))

    async def _append(self, audio: str) -> None:
        vad = self._hearing.config.turn_detection
        answering = vad is not None and vad.interrupt_response and self._answering()
        async with aclosing(self._hearing.append(audio, answering=answering)) as edges:
            async for edge, milliseconds in edges:
                await self._hear_early()
                await self._turn_taken(edge, milliseconds, answering=answering)
        await self._hear_early()

    async def _hear_early(self) -> None:
        listening = self._config.listening
        if listening is not None and self._answered:  # else it is one of several
            question = self._question(self._question_text(None), ResponseConfig(), spoken=False)
            pause = None if listening.pause_ms is None else listening.pause_ms / 1_000
            await self._early.hear(self._hearing, question, pause)

    def _question_text(self, instructions: str | None) -> str:
        return "\n".join(self._words) or instructions or self._config.instructions

    async def _turn_taken(self, edge: Edge, milliseconds: int, *, answering: bool) -> None:
        if edge is Edge.STARTED:
            self._turn = new_id("item")
            await self._emit("input_audio_buffer.speech_started", audio_start_ms=milliseconds, item_id=self._turn)
            if answering:
                await self._interrupt()
            return
        await self._emit("input_audio_buffer.speech_stopped", audio_end_ms=milliseconds, item_id=self._turn)
        await self._commit()
        vad = self._hearing.config.turn_detection
        if vad is not None and vad.create_response and self._response is None:
            await self._create(ResponseConfig())

    def _answering(self) -> bool:
        """An answer is on its way, or still to be heard."""
        return self._response is not None or self._unheard() > 0

    def _unheard(self) -> float:
        """Seconds of the newest answer that have gone out and are still to be heard."""
        return self._newest.spoken.ahead(time.monotonic()) if self._newest and self._newest.spoken else 0.0

    async def _interrupt(self) -> None:
        """Somebody speaks: no more of an answer goes out, and its item holds what has been heard of it."""
        newest = self._newest
        heard = newest.spoken.played(time.monotonic()) if newest and newest.spoken else 0.0
        if self._response is not None:
            self._response.cancelled_by = "turn_detected"
            await self._cancel(self._response.id)
        if newest and newest.spoken and newest.spoken.sent:
            self._history.cut(newest.item_id, round(1_000 * heard))
            place = {"item_id": newest.item_id, "content_index": 0}
            await self._emit("conversation.item.truncated", audio_end_ms=round(1_000 * heard), **place)
        self._newest = None

    async def _commit(self) -> None:
        await self._early.end(self._hearing)
        clip = await self._hearing.commit()
        self._clips = [*([] if self._answered else self._clips), clip][-MAX_CLIPS:]
        self._answered = False
        item_id, self._turn = self._turn or new_id("item"), None
        await self._emit("input_audio_buffer.committed", item_id=item_id, previous_item_id=self._history.last)
        content = [{"type": "input_audio", "transcript": None}]
        await self._add_item({"type": "message", "role": "user", "content": content}, item_id)

    async def _add_item(self, item: dict[str, Any], item_id: str | None) -> None:
        item |= {"id": item_id or new_id("item"), "object": "realtime.item", "status": "completed"}
        before = self._history.add(item)
        for word in ("added", "done"):
            await self._emit(f"conversation.item.{word}", item=item, previous_item_id=before)

    async def _create(self, asked: ResponseConfig) -> None:
        if self._response is not None:
            raise RefusedError(409, f"{self._response.id} is still being said; expected a cancel before, or patience",
                               "conversation_already_has_active_response")  # fmt: skip
        text = self._question_text(asked.instructions)
        if not text and not self._clips:
            raise InputError("response", "there is nothing to answer", "words, or sound that is committed, before")
        speaker = None
        if "audio" in (asked.output_modalities or self._config.output_modalities):
            self._voice(self._config)
            speaker = partial(Speaker, self._staff.speech, self._config.audio.output.format)
        question = self._question(text, asked, spoken=speaker is not None)
        tokens, talker = Tokens(), self._staff.talker()
        pieces = counted(self._early.answer(talker, question, tokens), tokens)
        self._words.clear()
        self._answered = True
        events: AsyncGenerator[Event, None] = pieces
        if self._config.verify and self._clips:
            events = verified(pieces, Heard(self._staff.verifier, [clip.data for clip in self._clips], text))
        self._response = self._newest = Response(self._emit, new_id, tokens, self._history, speaker)
        self._saying = asyncio.create_task(self._response.say(events))
        self._responding = asyncio.create_task(self._respond(self._response, self._saying))

    def _question(self, text: str, asked: ResponseConfig, *, spoken: bool) -> Question:
        config = self._config
        most = config.max_output_tokens if asked.max_output_tokens is None else asked.max_output_tokens
        return Question(
            text,
            tuple(clip.samples for clip in self._clips),
            config.temperature,
            longest=0 if most == "inf" else most,
            segment_seconds=config.listening.segment_ms / 1_000 if config.listening else None,
            between=config.listening.think_tokens if config.listening else 0,
            think_tokens=config.thinking.tokens,
            while_speaking=config.thinking.mode == "while_speaking",
            left=(lambda: self._newest.left() if self._newest else 0.0) if spoken else None,
        )

    async def _respond(self, response: Response, saying: asyncio.Task[None]) -> None:
        """Ends a response once, whatever becomes of it: only what is said can be cancelled, not how it ends."""
        done, _ = await asyncio.wait({saying}, timeout=ANSWER_SECONDS)
        with suppress(WebSocketDisconnect):
            if not done:
                saying.cancel()
                await response.failed(TimeoutError())
            elif saying.cancelled():
                await response.cancelled()
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
