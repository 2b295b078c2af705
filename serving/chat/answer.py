"""Answers in OpenAI's shapes: whole, or as a stream of chunks."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from earwitness.errors import EarwitnessError
from serving.claims.live import WITHDRAWN, Checked, Event, Verdict
from serving.errors import refusal
from serving.talk import Tokens
from serving.thinking import Said

DONE = b"data: [DONE]\n\n"


@dataclass
class Answer:
    """One answer on its way."""

    model: str
    tokens: Tokens
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def usage(self) -> dict[str, Any]:
        """Tokens in OpenAI's words."""
        said = self.tokens.reasoning + self.tokens.answer
        return {
            "prompt_tokens": self.tokens.prompt,
            "completion_tokens": said,
            "total_tokens": self.tokens.prompt + said,
            "completion_tokens_details": {"reasoning_tokens": self.tokens.reasoning},
        }

    async def whole(self, events: AsyncGenerator[Event, None]) -> dict[str, Any]:
        """The completion, once it is all there."""
        reasoning = answer = ""
        claims: dict[int, dict[str, Any]] = {}
        checked: dict[str, Any] = {}
        async with aclosing(events):
            async for event in events:
                match event:
                    case Said():
                        reasoning, answer = reasoning + event.reasoning, answer + event.answer
                    case Checked():
                        claims |= {claim["index"]: claim for claim in event.claims}
                    case Verdict():
                        kept = [claim for claim in claims.values() if claim["verdict"] != WITHDRAWN]
                        checked = {"claims": kept, "grounding": event.figures}
        message = {"role": "assistant", "content": answer, "reasoning_content": reasoning, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": self.tokens.finish, "logprobs": None}
        return self._object("chat.completion", [choice]) | {"usage": self.usage} | checked

    async def stream(self, events: AsyncGenerator[Event, None], *, usage: bool) -> AsyncGenerator[bytes, None]:
        """Server-sent events. An error in mid-answer is an event too, and the last."""
        grounding: dict[str, Any] = {}
        async with aclosing(events):
            try:
                yield self._event({"role": "assistant", "content": ""})
                async for event in events:
                    match event:
                        case Said(reasoning, answer):
                            if reasoning:
                                yield self._event({"reasoning_content": reasoning})
                            if answer:
                                yield self._event({"content": answer})
                        case Checked(claims):
                            yield self._event({}, claims=claims)
                        case Verdict(figures):
                            grounding = {"grounding": figures}
                yield self._event({}, self.tokens.finish, **grounding)
                if usage:
                    yield _line(self._object("chat.completion.chunk", []) | {"usage": self.usage})
            except (EarwitnessError, TimeoutError) as error:
                yield _line(refusal(error).body)
        yield DONE

    def _event(self, delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return _line(self._object("chat.completion.chunk", [choice]) | more)

    def _object(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices,
                "system_fingerprint": self.tokens.weights or None}  # fmt: skip


def _line(value: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()
