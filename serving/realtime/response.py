"""One response on its way, in Realtime's events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

from serving.claims.live import Checked, Event, Verdict
from serving.errors import refusal
from serving.talk import Tokens
from serving.thinking import Said

Emit = Callable[..., Awaitable[None]]
"""Sends an event to the client: its type, and its fields."""


class Response:
    """One response; it begins when it is made, and ends once, whatever becomes of it."""

    def __init__(self, emit: Emit, new_id: Callable[[str], str], tokens: Tokens) -> None:
        self.id = new_id("resp")
        self.text = ""
        self._emit = emit
        self._item = new_id("item")
        self._tokens = tokens
        self._grounding: dict[str, Any] = {}
        self._place = {"response_id": self.id, "item_id": self._item, "output_index": 0, "content_index": 0}

    async def say(self, events: AsyncGenerator[Event, None]) -> None:
        """All of it but its end. Raises what `events` raise."""
        await self._emit("response.created", response=self._state("in_progress", []))
        item = self._message("in_progress")
        await self._emit("response.output_item.added", response_id=self.id, output_index=0, item=item)
        await self._emit("conversation.item.added", item=item)
        await self._emit("response.content_part.added", part={"type": "text", "text": ""}, **self._place)
        reasoning = ""
        async with aclosing(events):
            async for event in events:
                match event:
                    case Said(thought, words):
                        reasoning, self.text = reasoning + thought, self.text + words
                        if thought:
                            await self._emit("response.reasoning_text.delta", delta=thought, **self._place)
                        if words:
                            await self._emit("response.output_text.delta", delta=words, **self._place)
                    case Checked(claims):
                        await self._emit("response.claims", claims=claims, **self._place)
                    case Verdict(figures):
                        self._grounding = {"grounding": figures}
        await self._emit("response.reasoning_text.done", text=reasoning, **self._place)

    async def end(self) -> None:
        """All has been said."""
        cut_off = self._tokens.finish == "length"
        await self._end("incomplete" if cut_off else "completed", reason="max_output_tokens" if cut_off else None)

    async def cancelled(self) -> None:
        """It ends because the client said so; what was said stands."""
        await self._end("cancelled", reason="client_cancelled")

    async def failed(self, error: BaseException) -> None:
        """It ends because of what the client is told."""
        await self._end("failed", error=refusal(error).body["error"])

    async def _end(self, status: str, **details: Any) -> None:
        item = self._message("completed" if status == "completed" else "incomplete")
        await self._emit("response.output_text.done", text=self.text, **self._place)
        await self._emit("response.content_part.done", part=item["content"][0], **self._place)
        await self._emit("response.output_item.done", response_id=self.id, output_index=0, item=item)
        await self._emit("conversation.item.done", item=item)
        known = {name: value for name, value in details.items() if value is not None}
        details = {"status_details": {"type": status, **known}}
        await self._emit("response.done", response=self._state(status, [item]) | details | self._grounding)

    def _message(self, status: str) -> dict[str, Any]:
        content = [] if status == "in_progress" else [{"type": "output_text", "text": self.text}]
        return {"id": self._item, "object": "realtime.item", "type": "message", "role": "assistant",
                "status": status, "content": content}  # fmt: skip

    def _state(self, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
        said = self._tokens.reasoning + self._tokens.answer
        usage = {
            "input_tokens": self._tokens.prompt, "output_tokens": said, "total_tokens": self._tokens.prompt + said,
            "output_token_details": {"text_tokens": said, "reasoning_tokens": self._tokens.reasoning},
        }  # fmt: skip
        return {"id": self.id, "object": "realtime.response", "status": status, "output": output,
                "output_modalities": ["text"], "usage": usage}  # fmt: skip
