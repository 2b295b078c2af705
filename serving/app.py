"""The server: its paths, and what stands before them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from earwitness.errors import EarwitnessError, InfrastructureError
from earwitness.log import Logger
from rollout.contract import BrokenEngineError
from serving.chat.endpoint import complete
from serving.chat.request import ListenRequest
from serving.claims.verifier import Verifier
from serving.clips import from_base64
from serving.errors import RefusedError, refusal
from serving.figures import ANSWERS
from serving.guard import Guard
from serving.realtime.endpoint import Wire, converse, lose_engine, turn_away
from serving.realtime.session import Session, Staff
from serving.room.pages import routes
from serving.settings import Settings
from serving.speech.voice import Speech
from serving.talk import Talker

TELL_SECONDS = 1.0
"""Longest wait until all have been told that the engine has died: some may not read."""


class Server:
    """One model behind HTTP. `talker` is None until the model has been loaded."""

    def __init__(self, settings: Settings, log: Logger) -> None:
        self.settings = settings
        self.talker: Talker | None = None
        self.verifier = Verifier()
        self.speech = Speech()
        self._log = log
        self._began = time.time()
        self._sessions: dict[Session, Wire] = {}

    def app(self) -> ASGIApp:
        """As ASGI."""
        paths = [
            *routes(),
            Route("/health", self._health, methods=["GET"]),
            Route("/metrics", self._metrics, methods=["GET"]),
            Route("/v1/models", self._models, methods=["GET"]),
            Route("/v1/models/{name}", self._model, methods=["GET"]),
            Route("/v1/chat/completions", self._answered(self._complete), methods=["POST"]),
            WebSocketRoute("/v1/realtime", self._converse),
            Route("/v1/listen", self._answered(self._listen), methods=["POST"]),
        ]
        handlers = {HTTPException: self._no_such, Exception: self._failed}
        return Guard(Starlette(routes=paths, exception_handlers=handlers), self.settings)  # type: ignore[arg-type]

    def ready(self) -> Talker:
        """The talker. Raises InfrastructureError while it is loading, BrokenEngineError once it has died."""
        if self.talker is None:
            raise InfrastructureError("the model to load", time.time() - self._began, "come back in a few seconds")
        self.talker.check()
        return self.talker

    async def _complete(self, request: Request) -> Response:
        return await complete(request, self.settings, self.ready(), self.verifier)

    async def _converse(self, socket: WebSocket) -> None:
        """A session. The model may be named in the address."""
        if socket.query_params.get("model", self.settings.name) != self.settings.name:
            refused = RefusedError(404, f"there is no model but {self.settings.name!r}", "model_not_found", "model")
            await socket.send_denial_response(refused.response())
            return
        wire = Wire(socket)
        if self.talker is not None and len(self._sessions) >= self.talker.room:
            count = len(self._sessions)
            told = f"{count} sessions are open; there is room for the keys and values of {self.talker.room}"
            await turn_away(socket, wire, RefusedError(429, told, "no_room"))
            return
        session = Session(Staff(self.settings.name, self.ready, self.verifier, self.speech), wire.emit)
        self._sessions[session] = wire
        try:
            await converse(socket, session, wire)
        finally:
            del self._sessions[session]

    async def lose(self, why: BrokenEngineError) -> None:
        """The engine has died: it is given up, and every session is told, whatever it is doing, and goes on."""
        if self.talker is not None:
            self.talker.stop()
            self.talker = None
        telling = [lose_engine(session, wire, why) for session, wire in self._sessions.items()]
        with suppress(TimeoutError):
            async with asyncio.timeout(TELL_SECONDS):
                await asyncio.gather(*telling, return_exceptions=True)

    async def _listen(self, request: Request) -> Response:
        """What is measured of a clip, for a page to draw."""
        asked = await asyncio.to_thread(ListenRequest.model_validate_json, await request.body())
        data = await asyncio.to_thread(from_base64, asked.data, "data")
        return JSONResponse(await self.verifier.run("draw", data))

    def _answered(self, handle: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """Errors become answers, and all are counted."""

        async def answered(request: Request) -> Response:
            try:
                response = await handle(request)
            except (EarwitnessError, TimeoutError, ValueError) as error:  # pydantic's are ValueErrors
                refused = refusal(error)
                if refused.status == 500:
                    raise
                response = refused.response()
            ANSWERS.labels(request.url.path, str(response.status_code)).inc()
            return response

        return answered

    async def _health(self, request: Request) -> Response:
        try:
            self.ready()
        except EarwitnessError as error:
            return refusal(error).response()
        return JSONResponse({"status": "ok", "model": self.settings.name})

    async def _metrics(self, request: Request) -> Response:
        return Response(await asyncio.to_thread(generate_latest), media_type=CONTENT_TYPE_LATEST)

    async def _models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [self._described()]})

    async def _model(self, request: Request) -> Response:
        if request.path_params["name"] != self.settings.name:
            return RefusedError(404, f"there is no model but {self.settings.name!r}", "model_not_found").response()
        return JSONResponse(self._described())

    def _described(self) -> dict[str, object]:
        created = int(self._began)
        model = {"id": self.settings.name, "object": "model", "created": created, "owned_by": "earwitness"}
        return model if self.settings.job else model | {"max_model_len": self.settings.max_length()}

    async def _no_such(self, request: Request, error: HTTPException) -> Response:
        what = f"{request.method} {request.url.path}: {error.detail}"
        return RefusedError(error.status_code, what, "not_found" if error.status_code == 404 else "refused").response()

    async def _failed(self, request: Request, error: Exception) -> Response:
        self._log.exception("request failed", error, path=request.url.path)
        return refusal(error).response()
