"""A language model behind any OpenAI-compatible endpoint, asked one thing at a time within limits of time and size.

What it promises: what the caller makes of the reply, or an error; never a guess.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ValidationError

from earwitness.errors import InfrastructureError, InputError

SECONDS = 8.0
"""Limit of one request; with all attempts and waits, a reply comes within the limit of a group."""
WAIT_SECONDS = 0.5
"""Before the second attempt; doubled before the third."""
SILENCE_SECONDS = 30.0
"""After a failure an endpoint that can be done without is left alone so long: a mesh goes on at its own speed."""
MAX_ASKED_CHARS = 16_000
"""Of a trace that is sent: 4,000 tokens, with which the reply fits an ordinary context."""
MAX_REPLY_BYTES = 64 * 1024
"""Longest reply that is read: a verdict with its envelope is below 2 kB, the claims of a long trace below 40 kB."""
_T = TypeVar("_T")
_Model = TypeVar("_Model", bound=BaseModel)
_RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""Statuses of a server that is busy or being restarted."""


class EndpointFailure(InfrastructureError):
    """No reply, or none that says what was asked for."""


@dataclass(frozen=True)
class EndpointSettings:
    """Which model is asked, and where."""

    url: str
    """Base URL up to and including the version: `http://judge:8000/v1`."""
    model: str
    """Name of the model as the endpoint knows it."""
    key: str = ""
    """Bearer token; empty for none."""
    seconds: float = SECONDS
    """Limit of one request."""
    wait_seconds: float = WAIT_SECONDS
    """Pause before the second attempt."""


def endpoint_settings(prefix: str, environ: Mapping[str, str] = os.environ) -> EndpointSettings | None:
    """The settings of the variables `prefix`_URL, _MODEL and _KEY; None if there is no such endpoint.

    Raises InputError naming the variable.
    """
    url, model = environ.get(f"{prefix}_URL", ""), environ.get(f"{prefix}_MODEL", "")
    if not url:
        return None
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise InputError(f"{prefix}_URL", f"{url!r} is not an address", "http://host:port/v1 or https://host/v1")
    if not model:
        raise InputError(f"{prefix}_MODEL", f"is empty while {prefix}_URL is set", "the name of the model")
    return EndpointSettings(url, model, environ.get(f"{prefix}_KEY", ""))


class Endpoint:
    """Asks one endpoint. Safe to use from several threads; use as a context manager.

    After a failure it is left alone for `silence_seconds`: who asks meanwhile is told so at once.
    """

    def __init__(self, settings: EndpointSettings, silence_seconds: float = 0.0) -> None:
        headers = {"Authorization": f"Bearer {settings.key}"} if settings.key else {}
        self._settings = settings
        self._silence_seconds, self._silent_until = silence_seconds, 0.0
        # Proxies of the environment are not for a service that is named by its address.
        self._client = httpx.Client(
            base_url=settings.url.rstrip("/") + "/", headers=headers, timeout=settings.seconds, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()

    def ask(
        self,
        instruction: str,
        record: Mapping[str, str],
        max_tokens: int,
        parse: Callable[[str], _T | None],
        *,
        attempts: int = 1,
        **more: Any,
    ) -> _T:
        """What `parse` makes of the text of the reply to `record`; asked again while it makes nothing of it.

        `more` is added to the request. Raises EndpointFailure after `attempts` requests, and without one while the
        endpoint is left alone.
        """
        started, problem = time.monotonic(), ""
        if started < self._silent_until:
            raise EndpointFailure(f"the endpoint at {self._settings.url}", 0.0, "it failed a moment ago")
        request = {
            "model": self._settings.model,
            "messages": [
                {"role": "system", "content": instruction},
                {"role": "user", "content": json.dumps(record, ensure_ascii=False)},
            ],
            "temperature": 0,
            "seed": 0,
            "max_tokens": max_tokens,
            **more,
        }
        for attempt in range(attempts):
            if attempt:
                time.sleep(self._settings.wait_seconds * 2 ** (attempt - 1))
            try:
                status, body = self._post(request)
            except httpx.HTTPError as error:
                problem = f"{type(error).__name__}: {error}"
                continue
            if status != httpx.codes.OK:
                problem = f"status {status}"
                if status not in _RETRIED:
                    break
                continue
            parsed = parse(content_of(body))
            if parsed is not None:
                return parsed
            problem = f"not what was asked for: {body[:200].decode(errors='replace')!r}"
        self._silent_until = time.monotonic() + self._silence_seconds
        raise EndpointFailure(f"the endpoint at {self._settings.url}", time.monotonic() - started, problem)

    def _post(self, request: dict[str, Any]) -> tuple[int, bytes]:
        """Status and body of one request, the body cut at MAX_REPLY_BYTES."""
        deadline = time.monotonic() + self._settings.seconds
        with self._client.stream("POST", "chat/completions", json=request) as response:
            body = b""
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MAX_REPLY_BYTES:
                    break
                if time.monotonic() > deadline:  # the client's limit is one of each chunk
                    raise httpx.ReadTimeout("the reply came too slowly", request=response.request)
            return response.status_code, body[:MAX_REPLY_BYTES]


def json_format(name: str, model: type[BaseModel]) -> dict[str, Any]:
    """The `response_format` that asks for JSON of the model's schema."""
    return {"type": "json_schema", "json_schema": {"name": name, "schema": model.model_json_schema(), "strict": True}}


def read_as(model: type[_Model], text: str) -> _Model | None:
    """A reply in JSON, or None if it is not of the model's schema."""
    try:
        return model.model_validate_json(text)
    except ValidationError:
        return None


def content_of(body: bytes) -> str:
    """The text of a chat completion; "" if it is none."""
    try:
        content = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    return content if isinstance(content, str) else ""
