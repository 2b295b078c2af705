"""The WebSocket of a session: frames in, frames out. Nothing that a client sends ends more than its own session."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from pydantic import ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from earwitness.errors import EarwitnessError
from serving.errors import RefusedError, refusal
from serving.realtime.events import CLIENT_EVENT, ClientEvent
from serving.realtime.session import Session, new_id

PROTOCOL = "realtime"
"""The subprotocol that browsers name beside their token."""
IDLE_SECONDS = 600.0
"""A session in which nothing is said for so long is closed."""
SEND_SECONDS = 30.0
"""A client that does not read for so long is given up: nothing is heaped up for it."""
LARGE_CHARS = 65_536
"""Frames from this length on are read beside the event loop."""


class Wire:
    """One client's, seen from a session: events go out one after another, whoever sends them."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._lock = asyncio.Lock()

    async def emit(self, kind: str, **fields: Any) -> None:
        """Sends an event. Raises WebSocketDisconnect if the client has gone, or does not read."""
        try:
            async with asyncio.timeout(SEND_SECONDS), self._lock:
                await self._socket.send_json({"type": kind, "event_id": new_id("event"), **fields})
        except (TimeoutError, RuntimeError) as error:  # Starlette's word for a socket that is closed
            raise WebSocketDisconnect from error

    async def refuse(self, error: Exception, event_id: str | None) -> None:
        """Says what is wrong with what the client said."""
        said = refusal(error).body["error"]
        await self.emit("error", error=said | {"event_id": event_id})


async def converse(socket: WebSocket, session: Session, wire: Wire) -> None:
    """Until the client goes."""
    protocols = socket.scope.get("subprotocols", [])
    await socket.accept(PROTOCOL if PROTOCOL in protocols else None)
    try:
        await session.open()
        while True:
            async with asyncio.timeout(IDLE_SECONDS):
                message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            await _take(message.get("text"), session, wire)
    except TimeoutError:
        with suppress(WebSocketDisconnect, RuntimeError):
            await wire.refuse(RefusedError(408, f"nothing was said for {IDLE_SECONDS:.0f} s", "session_expired"), None)
            await socket.close()
    except WebSocketDisconnect:
        return
    finally:
        await session.close()


async def _take(text: str | None, session: Session, wire: Wire) -> None:
    """One frame; what is wrong with it is said, and the session goes on."""
    event: ClientEvent | None = None
    try:
        if text is None:
            raise RefusedError(400, "a frame of bytes; expected JSON, sound in it in base64", "invalid_frame")
        if len(text) < LARGE_CHARS:
            event = CLIENT_EVENT.validate_json(text)
        else:
            event = await asyncio.to_thread(CLIENT_EVENT.validate_json, text)
        await session.handle(event)
    except (EarwitnessError, ValidationError) as error:
        await wire.refuse(error, event.event_id if event else None)
