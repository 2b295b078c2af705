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

    async def whole(self, pieces: AsyncGenerator[Said, None]) -> dict[str, Any]:
        """The completion, once it is all there."""
        reasoning = answer = ""
        async with aclosing(pieces):
            async for said in pieces:
                reasoning, answer = reasoning + said.reasoning, answer + said.answer
        message = {"role": "assistant", "content": answer, "reasoning_content": reasoning, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": self.tokens.finish, "logprobs": None}
        return self._object("chat.completion", [choice]) | {"usage": self.usage}

    async def stream(self, pieces: AsyncGenerator[Said, None], *, usage: bool) -> AsyncGenerator[bytes, None]:
        """Server-sent events. An error in mid-answer is an event too, and the last."""
        async with aclosing(pieces):
            try:
                yield self._event({"role": "assistant", "content": ""})
                async for said in pieces:
                    if said.reasoning:
                        yield self._event({"reasoning_content": said.reasoning})
                    if said.answer:
                        yield self._event({"content": said.answer})
                yield self._event({}, self.tokens.finish)
                if usage:
                    yield _line(self._object("chat.completion.chunk", []) | {"usage": self.usage})
            except (EarwitnessError, TimeoutError) as error:
                yield _line(refusal(error).body)
        yield DONE

    def _event(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return _line(self._object("chat.completion.chunk", [choice]))

    def _object(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices}


def _line(value: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()
