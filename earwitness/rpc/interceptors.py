"""Around every gRPC method: the bearer token, typed errors as statuses, counts and seconds.

The asyncio and the threaded server have different interceptor types; both variants stand here,
so that what they check is the same code.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from prometheus_client import Counter, Histogram

from earwitness import tracing
from earwitness.bearer import bearer
from earwitness.log import Logger
from earwitness.metrics import series
from earwitness.rpc.limits import Callers, reader
from earwitness.rpc.status import code_of, message_of, trailing_details

HEALTH = "/grpc.health.v1.Health/"
"""Answers without a token: probes of an orchestrator cannot carry one, and it tells nothing."""

CALLS = Counter(*series("rpc_calls"))
SECONDS = Histogram(*series("rpc_seconds"))


def may_call(details: grpc.HandlerCallDetails, token: str) -> bool:
    """True if no token is asked for, or the call shows the right one (compared in constant time)."""
    if not token or details.method.startswith(HEALTH):
        return True
    shown = dict(details.invocation_metadata or ()).get("authorization", "")
    return hmac.compare_digest(str(shown).encode(), bearer(token).encode())


STRANGER = "refused"
"""Name under which calls without the token are counted: the method is theirs to invent.

They get a handler that takes a stream and reads none of it: no byte of a stranger's message is kept or parsed.
"""
REFUSAL = "missing or wrong bearer token; send metadata `authorization: Bearer <token>` (the token of EW_TOKEN)"


def _replace(handler: grpc.RpcMethodHandler, method: str, wrap: Callable[..., Any]) -> grpc.RpcMethodHandler:
    """The handler with its behaviour wrapped; `wrap` gets it, what reads a request, and whether it streams."""
    if handler.request_streaming:
        return handler
    make = grpc.unary_stream_rpc_method_handler if handler.response_streaming else grpc.unary_unary_rpc_method_handler
    behaviour = handler.unary_stream if handler.response_streaming else handler.unary_unary
    read = reader(method, handler.request_deserializer)
    return make(wrap(behaviour, read, handler.response_streaming), None, handler.response_serializer)


def _count(method: str, code: grpc.StatusCode, started: float, parent: str = "") -> None:
    """`parent`: context of the trace that the call belongs to."""
    seconds = time.perf_counter() - started
    CALLS.labels(method, code.name).inc()
    SECONDS.labels(method).observe(seconds)
    if parent:
        now = time.time()
        tracing.child(parent, method.rpartition("/")[2], now - seconds, now, code=code.name)


def _parent(details: grpc.HandlerCallDetails) -> str:
    """Of a call that does something: those that look are many, and tell nothing."""
    return "" if details.method.rpartition("/")[2].startswith("Get") else tracing.parent_of(details.invocation_metadata)


class _Guard:
    def __init__(self, token: str, log: Logger) -> None:
        self._token = token
        self._log = log
        self._callers = Callers()


class AsyncGuard(_Guard, grpc.aio.ServerInterceptor):
    """Interceptor of the asyncio servers."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        """Wrap the method that `details` names."""
        method = details.method
        if not may_call(details, self._token):

            async def turn_away(requests: Any, context: grpc.aio.ServicerContext) -> None:
                _count(STRANGER, grpc.StatusCode.UNAUTHENTICATED, time.perf_counter())
                await context.abort(grpc.StatusCode.UNAUTHENTICATED, REFUSAL)

            return grpc.stream_stream_rpc_method_handler(turn_away)
        handler = await continuation(details)
        if handler is None or method.startswith(HEALTH):
            return handler
        parent = _parent(details)

        def wrap(behaviour: Any, read: Callable[[bytes], Any], streams: bool) -> Any:
            async def refuse(context: grpc.aio.ServicerContext, started: float, error: Exception) -> None:
                code = code_of(error)
                if code is grpc.StatusCode.INTERNAL:
                    self._log.exception("call failed", error, method=method)
                _count(method, code, started, parent)
                await context.abort(code, message_of(error), trailing_metadata=trailing_details(error))

            async def single(data: bytes, context: grpc.aio.ServicerContext) -> Any:
                started = time.perf_counter()
                try:
                    with self._callers.call(context.peer(), streams):
                        response = await behaviour(read(data), context)
                except grpc.aio.AbortError:
                    raise
                except Exception as error:  # noqa: BLE001 - the edge: every error becomes a status, unexpected ones are logged
                    await refuse(context, started, error)
                _count(method, grpc.StatusCode.OK, started, parent)
                return response

            async def stream(data: bytes, context: grpc.aio.ServicerContext) -> Any:
                started = time.perf_counter()
                try:
                    with self._callers.call(context.peer(), streams):
                        async for response in behaviour(read(data), context):
                            yield response
                except grpc.aio.AbortError:
                    raise
                except Exception as error:  # noqa: BLE001 - the edge, as above
                    await refuse(context, started, error)
                _count(method, grpc.StatusCode.OK, started)

            return stream if streams else single

        return _replace(handler, method, wrap)


class ThreadGuard(_Guard, grpc.ServerInterceptor):
    """Interceptor of the threaded server; unary methods only, as the trainer has no streams."""

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler | None],
        details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler | None:
        """Wrap the method that `details` names."""
        method = details.method
        if not may_call(details, self._token):

            def turn_away(requests: Any, context: grpc.ServicerContext) -> Any:
                _count(STRANGER, grpc.StatusCode.UNAUTHENTICATED, time.perf_counter())
                context.abort(grpc.StatusCode.UNAUTHENTICATED, REFUSAL)

            return grpc.stream_stream_rpc_method_handler(turn_away)
        handler = continuation(details)
        if handler is None or method.startswith(HEALTH):
            return handler
        parent = _parent(details)

        def wrap(behaviour: Any, read: Callable[[bytes], Any], streams: bool) -> Any:
            def single(data: bytes, context: grpc.ServicerContext) -> Any:
                started = time.perf_counter()
                try:
                    with self._callers.call(context.peer(), streams):
                        response = behaviour(read(data), context)
                except Exception as error:  # noqa: BLE001 - the edge: every error becomes a status, unexpected ones are logged
                    code = code_of(error)
                    if code is grpc.StatusCode.INTERNAL:
                        self._log.exception("call failed", error, method=method)
                    _count(method, code, started, parent)
                    context.set_trailing_metadata(trailing_details(error))
                    context.abort(code, message_of(error))
                _count(method, grpc.StatusCode.OK, started, parent)
                return response

            if streams:
                raise NotImplementedError(f"{method}: the threaded server has no streams")
            return single

        return _replace(handler, method, wrap)
