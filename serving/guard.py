"""What stands before every request: who may ask, from where, how much, and how many at a time.

A page of another site that is open in somebody's browser must not reach a server on that machine. A request that a
browser sends says where it comes from (`Origin`), one that carries JSON cannot be sent across sites without leave, and
a server without a token answers to names of this machine only, which no foreign name that points here is.
"""

from __future__ import annotations

import asyncio
import hmac
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import SplitResult, urlsplit

from prometheus_client import Gauge
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from earwitness.loopback import is_loopback
from serving.errors import RefusedError
from serving.figures import RUNNING, SESSIONS
from serving.settings import BODY_SECONDS, MAX_BODY_BYTES, Settings

OPEN = ("/health", "/", "/room/")
"""Paths that need no token: what a probe asks, and the page with what it loads, which asks its user for one."""
PROTOCOL_KEY = "openai-insecure-api-key."
"""Begins the subprotocol in which browsers, who cannot set headers of a WebSocket, show a token."""


class Guard:
    """ASGI middleware. Once a caller has gone, what was done for it is cancelled."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._taken: Counter[Gauge] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or answers that it is refused."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            self._admit(scope)
            if scope["type"] == "http" and scope["method"] == "POST":
                with self._place(RUNNING):
                    body = await _read_body(receive, Headers(scope=scope))
                    await self._answer(scope, body, receive, send)
                return
            if scope["type"] == "websocket":
                with self._place(SESSIONS):
                    await self._app(scope, receive, send)
                return
        except RefusedError as error:
            if scope["type"] == "websocket":
                await WebSocket(scope, receive, send).send_denial_response(error.response())
            else:
                await error.response()(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _admit(self, scope: Scope) -> None:
        """Raises RefusedError for who may not ask."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        origin = headers.get("origin")
        if origin is not None and _split(origin).netloc != host:
            raise RefusedError(403, f"a page of {origin} may not ask", "foreign_origin")
        if self._settings.token:
            if not _is_open(scope["path"]) and not _shows(headers, self._settings.token):
                raise RefusedError(401, "a bearer token is needed: Authorization: Bearer ...", "invalid_api_key")
        elif not is_loopback(_split(f"//{host}").hostname or ""):
            raise RefusedError(403, f"{host!r} is no name of this machine, and there is no token", "foreign_host")

    @contextmanager
    def _place(self, of: Gauge) -> Iterator[None]:
        """For the time of a request, or a session. Raises RefusedError if there is no room."""
        if self._taken[of] >= self._settings.running:
            raise RefusedError(429, f"{self._taken[of]} are being answered, the most at a time", "busy")
        self._taken[of] += 1
        of.set(self._taken[of])
        try:
            yield
        finally:
            self._taken[of] -= 1
            of.set(self._taken[of])

    async def _answer(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        """Passes on a request whose body has been read, as long as there is somebody who waits."""
        unread = [body]

        async def replay() -> Message:
            if unread:
                return {"type": "http.request", "body": unread.pop(), "more_body": False}
            return await asyncio.get_running_loop().create_future()

        answering = asyncio.ensure_future(self._app(scope, replay, send))
        gone = asyncio.ensure_future(receive())  # nothing comes behind the body but the end
        try:
            await asyncio.wait({answering, gone}, return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                answering.result()
        finally:
            for task in (answering, gone):
                task.cancel()
            await asyncio.gather(answering, gone, return_exceptions=True)


async def _read_body(receive: Receive, headers: Headers) -> bytes:
    """Raises RefusedError for a body that is too long, of another kind, or does not come."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RefusedError(415, "content-type: expected application/json", "unsupported_media_type")
    said = headers.get("content-length", "")
    if said.isdecimal() and (size := int(said[:20])) > MAX_BODY_BYTES:  # 4,300 digits are none to Python
        raise _too_long(f"{size:,}")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            more = True
            while more:
                message = await receive()
                if message["type"] != "http.request":
                    raise RefusedError(400, "the request ended in its body", "incomplete")
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > MAX_BODY_BYTES:
                    raise _too_long("more")
    except TimeoutError as error:
        raise RefusedError(408, f"the body did not come in {BODY_SECONDS:.0f} s", "timeout") from error
    return bytes(body)


def _too_long(size: str) -> RefusedError:
    return RefusedError(413, f"the request has {size} bytes; expected at most {MAX_BODY_BYTES:,}", "too_large")


def _split(address: str) -> SplitResult:
    """Of what is no address, nothing."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def _is_open(path: str) -> bool:
    return any(path == known or (known != "/" and known.endswith("/") and path.startswith(known)) for known in OPEN)


def _shows(headers: Headers, token: str) -> bool:
    kind, _, given = headers.get("authorization", "").partition(" ")
    shown = [given.strip()] if kind.lower() == "bearer" else []
    protocols = headers.get("sec-websocket-protocol", "").split(",")
    shown += [p.strip().removeprefix(PROTOCOL_KEY) for p in protocols if p.strip().startswith(PROTOCOL_KEY)]
    return any(hmac.compare_digest(one.encode(), token.encode()) for one in shown)
