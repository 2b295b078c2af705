"""What `/metrics` shows of a server."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

RUNNING = Gauge("ew_serve_running", "Requests that are being answered")
ANSWERS = Counter("ew_serve_answers", "Requests by path and status", ["path", "status"])
FIRST_SECONDS = Histogram(
    "ew_serve_first_seconds",
    "From a question that was read to the first piece of its response",
    buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
CLAIMS = Counter("ew_serve_claims", "Claims that were checked, by verdict", ["verdict"])
TOKENS = Counter("ew_serve_tokens", "Tokens of prompts, reasoning and answers", ["of"])
