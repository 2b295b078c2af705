"""One response on its way, in Realtime's events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

from serving.claims.live import Checked, Event, Verdict
from serving.errors import refusal
from serving.realtime.history import History
from serving.realtime.speaker import Speaker
from serving.talk import Tokens
from serving.thinking import Said

Emit = Callable[..., Awaitable[None]]
"""Sends an event to the client: its type, and its fields."""


class Response:
    """One response; it begins when it is made, and ends once, whatever becomes of it."""

    def __init__(
        self,
        emit: Emit,
        new_id: Callable[[str], str],
        tokens: Tokens,
        history: History,
        speaker: Callable[[Callable[[str], Awaitable[None]]], Speaker] | None,
    ) -> None:
        """`speaker` makes what speaks the answer, out of what sends its sound; None: it is written."""
        self.id = new_id("resp")
        self.item_id = new_id("item")
        self.cancelled_by = "client_cancelled"
        """Why it ends, if it is cancelled."""
        self._text = ""
        self._emit = emit
        self._tokens = tokens
        self._history = history
        self._grounding: dict[str, Any] = {}
        self._place = {"response_id": self.id, "item_id": self.item_id, "output_index": 0, "content_index": 0}
        self._speaker = speaker(self._send_sound) if speaker else None
        self.spoken = self._speaker.spoken if self._speaker else None
        """Of an answer with sound, what has gone out and what has been heard."""
        self._words = "response.output_audio_transcript" if speaker else "response.output_text"

    def left(self) -> float:
        """Seconds of sound that are there and still to be heard."""
        return self._speaker.left() if self._speaker else 0.0

    async def say(self, events: AsyncGenerator[Event, None]) -> None:
        """All of it but its end. Raises what `events` raise, and what speaking does."""
        await self._emit("response.created", response=self._state("in_progress", []))
        item = self._message("in_progress")
        before = self._history.add(item, self.spoken)
        await self._emit("response.output_item.added", response_id=self.id, output_index=0, item=item)
        await self._emit("conversation.item.added", item=item, previous_item_id=before)
        part = {"type": "audio", "transcript": ""} if self._speaker else {"type": "text", "text": ""}
        await self._emit("response.content_part.added", part=part, **self._place)
        if self._speaker is None:
            await self._write(events)
            return
        async with asyncio.TaskGroup() as both:
            both.create_task(self._speaker.run())
            await self._write(events)

    async def _write(self, events: AsyncGenerator[Event, None]) -> None:
        reasoning = ""
        async with aclosing(events):
            async for event in events:
                match event:
                    case Said(thought, words):
                        reasoning, self._text = reasoning + thought, self._text + words
                        if thought:
                            await self._emit("response.reasoning_text.delta", delta=thought, **self._place)
                        if words:
                            if self._speaker:
                                self._speaker.take(words)
                            await self._emit(f"{self._words}.delta", delta=words, **self._place)
                    case Checked(claims):
                        await self._emit("response.claims", claims=claims, **self._place)
                    case Verdict(figures):
                        self._grounding = {"grounding": figures}
        if self._speaker:
            self._speaker.end()
        await self._emit("response.reasoning_text.done", text=reasoning, **self._place)

    async def _send_sound(self, sound: str) -> None:
        await self._emit("response.output_audio.delta", delta=sound, **self._place)

    async def end(self) -> None:
        """All has been said."""
        cut_off = self._tokens.finish == "length"
        await self._end("incomplete" if cut_off else "completed", reason="max_output_tokens" if cut_off else None)

    async def cancelled(self) -> None:
        """It ends because the client said so, or somebody spoke; what was said, or of sound what was heard, stands."""
        if self.spoken:
            self._text = self.spoken.heard(self.spoken.played(time.monotonic()))
        await self._end("cancelled", reason=self.cancelled_by)

    async def failed(self, error: BaseException) -> None:
        """It ends because of what the client is told; of an answer with sound stands what has gone out."""
        if self.spoken:
            self._text = self.spoken.heard(self.spoken.sent)
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        await self._end("failed", error=refusal(error).body["error"])

    async def _end(self, status: str, **details: Any) -> None:
        item = self._message("completed" if status == "completed" else "incomplete")
        self._history.replace(item)
        if self._speaker:
            await self._emit("response.output_audio.done", **self._place)
            await self._emit(f"{self._words}.done", transcript=self._text, **self._place)
        else:
            await self._emit(f"{self._words}.done", text=self._text, **self._place)
        await self._emit("response.content_part.done", part=item["content"][0], **self._place)
        await self._emit("response.output_item.done", response_id=self.id, output_index=0, item=item)
        await self._emit("conversation.item.done", item=item)
        known = {name: value for name, value in details.items() if value is not None}
        details = {"status_details": {"type": status, **known}}
        await self._emit("response.done", response=self._state(status, [item]) | details | self._grounding)

    def _message(self, status: str) -> dict[str, Any]:
        spoken = {"type": "output_audio", "transcript": self._text}
        said = spoken if self._speaker else {"type": "output_text", "text": self._text}
        return {"id": self.item_id, "object": "realtime.item", "type": "message", "role": "assistant",
                "status": status, "content": [] if status == "in_progress" else [said]}  # fmt: skip

    def _state(self, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
        said = self._tokens.reasoning + self._tokens.answer
        usage = {
            "input_tokens": self._tokens.prompt, "output_tokens": said, "total_tokens": self._tokens.prompt + said,
            "input_token_details": {"cached_tokens": self._tokens.cached},
            "output_token_details": {"text_tokens": said, "reasoning_tokens": self._tokens.reasoning},
        }  # fmt: skip
        return {"id": self.id, "object": "realtime.response", "status": status, "output": output,
                "output_modalities": ["audio" if self._speaker else "text"], "usage": usage}  # fmt: skip
