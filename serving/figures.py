"""What `/metrics` shows of a server."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from prometheus_client import Counter, Gauge, Histogram

from serving.talk import Tokens
from serving.thinking import Said

RUNNING = Gauge("ew_serve_running", "Requests that are being answered")
SESSIONS = Gauge("ew_serve_sessions", "Realtime sessions that are open")
ANSWERS = Counter("ew_serve_answers", "Requests by path and status", ["path", "status"])
FIRST_SECONDS = Histogram(
    "ew_serve_first_seconds",
    "From a question that was read to the first piece of its response",
    buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
CLAIMS = Counter("ew_serve_claims", "Claims that were checked, by verdict", ["verdict"])
UNDERRUNS = Counter("ew_serve_underruns", "Gaps in answers that were spoken: sound came after all before was played")
TOKENS = Counter("ew_serve_tokens", "Tokens of prompts, reasoning and answers", ["of"])


async def counted(pieces: AsyncGenerator[Said, None], tokens: Tokens) -> AsyncGenerator[Said, None]:
    """The same pieces, and what they took in the figures of the server."""
    asked = time.perf_counter()
    first = True
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                if first:
                    FIRST_SECONDS.observe(time.perf_counter() - asked)
                    first = False
                yield piece
    finally:
        TOKENS.labels("prompt").inc(tokens.prompt)
        TOKENS.labels("reasoning").inc(tokens.reasoning)
        TOKENS.labels("answer").inc(tokens.answer)
