"""The WebSocket of a session: frames in, frames out. Nothing that a client sends ends more than its own session."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from pydantic import ValidationError
from starlette import status
from starlette.websockets import WebSocket, WebSocketDisconnect

from earwitness.errors import EarwitnessError
from earwitness.log import get_logger
from serving.errors import RefusedError, refusal
from serving.realtime.events import CLIENT_EVENT, ClientEvent, Named
from serving.realtime.session import Session, new_id

LOG = get_logger("serve")
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


async def turn_away(socket: WebSocket, wire: Wire, why: RefusedError) -> None:
    """Says why there is no session, where clients read it: not all show the status of a refused handshake."""
    await _accept(socket)
    with suppress(WebSocketDisconnect, RuntimeError):
        await wire.refuse(why, None)
        await socket.close(status.WS_1013_TRY_AGAIN_LATER)


async def _accept(socket: WebSocket) -> None:
    protocols = socket.scope.get("subprotocols", [])
    await socket.accept(PROTOCOL if PROTOCOL in protocols else None)


async def converse(socket: WebSocket, session: Session, wire: Wire) -> None:
    """Until the client goes."""
    await _accept(socket)
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


async def lose_engine(session: Session, wire: Wire, why: EarwitnessError) -> None:
    """The engine has died: the client is told, whatever the session is doing."""
    await session.lose_engine()
    told = f"{why}; the model is loaded again, and the session goes on with what it holds"
    await wire.refuse(RefusedError(503, told, "engine_unavailable"), None)


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
    except ValidationError as error:
        await wire.refuse(error, _name_of(text or ""))
    except WebSocketDisconnect:
        raise
    except Exception as error:
        if not isinstance(error, EarwitnessError):  # ours, and no reason to end a conversation
            LOG.exception("event failed", error, kind=event.type if event else None)
        await wire.refuse(error, event.event_id if event else None)


def _name_of(text: str) -> str | None:
    """The name of an event that is none of ours, if it has one."""
    try:
        return Named.model_validate_json(text).event_id
    except ValidationError:
        return None
