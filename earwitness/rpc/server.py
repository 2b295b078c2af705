"""What every gRPC server of the mesh shares: listening, health, token, TLS, metrics, logs, a clean stop.

`serve` runs an asyncio service until SIGTERM; `serve_in_thread` gives the trainer, whose main thread
belongs to the training loop, the same server on other threads.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from prometheus_client import start_http_server

from earwitness import tracing
from earwitness.bearer import bearer
from earwitness.errors import InputError
from earwitness.log import Logger, get_logger
from earwitness.loopback import direct
from earwitness.rpc.interceptors import AsyncGuard, ThreadGuard
from earwitness.rpc.limits import CALLS, CALLS_OF_A_HOST, MESSAGE_LIMIT
from earwitness.settings import Settings

GRACE_SECONDS = 5.0
"""Seconds that calls in progress get when the service stops."""

READY_SECONDS = 1.0
"""Between two looks at whether the service is ready."""

SHARES_PORT = "grpc.so_reuseport"

OPTIONS = [
    ("grpc.max_receive_message_length", MESSAGE_LIMIT),
    ("grpc.max_send_message_length", MESSAGE_LIMIT),
    ("grpc.max_concurrent_streams", CALLS_OF_A_HOST),  # of one connection; further calls wait at the caller
    (SHARES_PORT, 0),  # two processes on one port is a mistake, not a feature
    # A service that restarts is found again in seconds, not after the minutes of the default back-off.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
]


async def serve(
    name: str,
    settings: Settings,
    register: Callable[[grpc.aio.Server], None],
    background: Sequence[Coroutine[Any, Any, None]] = (),
    ready: Callable[[], bool] = lambda: True,
    shares_port: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT, with `background` running beside.

    With `shares_port` several of one machine may listen at one address: the system gives each a share of the callers.
    Health answers for two names: "" while the process serves, and `name` while `ready` says so besides.

    A background coroutine that raises stops the service and raises here, so that the process
    exits with an error and is restarted; one that returns is done. On the signal they are cancelled
    and awaited before the server closes.
    """
    log = get_logger(name).bind(name=settings.name)
    tracing.start(name, settings.name)
    options = [(key, int(shares_port)) if key == SHARES_PORT else (key, value) for key, value in OPTIONS]
    server = grpc.aio.server(
        interceptors=[AsyncGuard(settings.token, log)], options=options, maximum_concurrent_rpcs=CALLS
    )
    state = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(state, server)
    register(server)
    address = _listen(server, settings)
    _start_metrics(settings, log)
    await server.start()
    probed = await _probed(settings, state)
    await state.set("", health_pb2.HealthCheckResponse.SERVING)
    log.info("listening", address=address)

    stopping = _stop_asked()
    stop = asyncio.create_task(stopping.wait(), name="stop")
    tasks = {asyncio.create_task(work, name=f"{name}-{i}") for i, work in enumerate(background)}
    running: set[asyncio.Task[Any]] = set(tasks)
    readiness = asyncio.create_task(_follow_readiness(name, state, ready), name="readiness")
    running.add(readiness)
    try:
        while not stopping.is_set():
            done, _ = await asyncio.wait({stop, *running}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stop}:
                running.discard(task)
                task.result()
    except Exception as error:
        log.exception("service failed", error)
        raise
    finally:
        stop.cancel()
        readiness.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(readiness, *tasks, return_exceptions=True)
        await state.enter_graceful_shutdown()
        await server.stop(GRACE_SECONDS)
        await probed.stop(None)
        tracing.stop()
        log.info("stopped")


async def _probed(settings: Settings, state: health.aio.HealthServicer) -> grpc.aio.Server:
    """The server that answers only health, started if it has a port."""
    server = grpc.aio.server(options=OPTIONS)
    health_pb2_grpc.add_HealthServicer_to_server(state, server)
    if settings.health_port:
        server.add_insecure_port(_health_address(settings))
        await server.start()
    return server


def _stop_asked() -> asyncio.Event:
    """Set by the signals that end a service."""
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping


@dataclass
class RunningServer:
    """A server on threads of its own."""

    address: str
    """host:port it listens on."""
    _server: grpc.Server
    _probed: grpc.Server
    _state: health.HealthServicer
    _log: Logger

    def stop(self) -> None:
        """Stop; calls in progress get GRACE_SECONDS."""
        self._state.enter_graceful_shutdown()
        self._server.stop(GRACE_SECONDS).wait()
        self._probed.stop(None).wait()
        tracing.stop()
        self._log.info("stopped")


def serve_in_thread(
    name: str, settings: Settings, register: Callable[[grpc.Server], None], threads: int = 8
) -> RunningServer:
    """Start a server on `threads` threads and return; the caller stops it and minds the signals."""
    log = get_logger(name).bind(name=settings.name)
    tracing.start(name, settings.name)
    server = grpc.server(
        ThreadPoolExecutor(threads, thread_name_prefix=f"{name}-rpc"),
        interceptors=[ThreadGuard(settings.token, log)],
        options=OPTIONS,
        maximum_concurrent_rpcs=CALLS,
    )
    state = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(state, server)
    register(server)
    address = _listen(server, settings)
    _start_metrics(settings, log)
    server.start()
    probed = _probed_in_thread(name, settings, state)
    for service in ("", name):
        state.set(service, health_pb2.HealthCheckResponse.SERVING)
    log.info("listening", address=address)
    return RunningServer(address, server, probed, state, log)


def serve_health(name: str, settings: Settings) -> grpc.Server:
    """Health and metrics alone, for a process of a group of which another one answers calls."""
    state = health.HealthServicer()
    for service in ("", name):
        state.set(service, health_pb2.HealthCheckResponse.SERVING)
    _start_metrics(settings, get_logger(name).bind(name=settings.name))
    return _probed_in_thread(name, settings, state)


def open_channel(address: str, settings: Settings) -> grpc.aio.Channel:
    """A channel to another service of the mesh, with this process's token and authorities."""
    interceptors = [_Metadata(settings.token)]
    options = [*OPTIONS, *direct(address)]
    if credentials := authorities(settings):
        return grpc.aio.secure_channel(address, credentials, options=options, interceptors=interceptors)
    return grpc.aio.insecure_channel(address, options=options, interceptors=interceptors)


def authorities(settings: Settings) -> grpc.ChannelCredentials | None:
    """Those by which this process knows the other services; None: they speak without TLS."""
    return grpc.ssl_channel_credentials(Path(settings.tls_ca).read_bytes()) if settings.tls_ca else None


async def _follow_readiness(name: str, state: health.aio.HealthServicer, ready: Callable[[], bool]) -> None:
    """Until cancelled, keep the health of `name` to what `ready` says."""
    status = health_pb2.HealthCheckResponse
    while True:
        await state.set(name, status.SERVING if ready() else status.NOT_SERVING)
        await asyncio.sleep(READY_SECONDS)


def _probed_in_thread(name: str, settings: Settings, state: health.HealthServicer) -> grpc.Server:
    server = grpc.server(ThreadPoolExecutor(1, thread_name_prefix=f"{name}-health"), options=OPTIONS)
    health_pb2_grpc.add_HealthServicer_to_server(state, server)
    if settings.health_port:
        server.add_insecure_port(_health_address(settings))
        server.start()
    return server


def _health_address(settings: Settings) -> str:
    return f"{settings.listen.rpartition(':')[0]}:{settings.health_port}"


class _Metadata(grpc.aio.UnaryUnaryClientInterceptor):
    """Adds the token, and the context of the trace, to every unary call; streams between services do not exist."""

    def __init__(self, token: str) -> None:
        self._own = [("authorization", bearer(token))] if token else []

    async def intercept_unary_unary(self, continuation: Any, details: grpc.aio.ClientCallDetails, request: Any) -> Any:
        context = tracing.carried()
        carried = [(tracing.PARENT, context)] if context else []
        metadata = grpc.aio.Metadata(*(details.metadata or ()), *self._own, *carried)
        return await continuation(details._replace(metadata=metadata), request)


def _listen(server: grpc.Server | grpc.aio.Server, settings: Settings) -> str:
    host = settings.listen.rpartition(":")[0]
    try:
        if settings.tls_cert:
            pair = (Path(settings.tls_key).read_bytes(), Path(settings.tls_cert).read_bytes())
            port = server.add_secure_port(settings.listen, grpc.ssl_server_credentials([pair]))
        else:
            port = server.add_insecure_port(settings.listen)
    except RuntimeError as error:
        raise InputError("EW_LISTEN", f"cannot listen on {settings.listen}: {error}", "a free address") from error
    return f"{host}:{port}"


def _start_metrics(settings: Settings, log: Logger) -> None:
    if settings.metrics_port:
        host = settings.listen.rpartition(":")[0]
        start_http_server(settings.metrics_port, addr=host.strip("[]"))
        log.info("metrics", address=f"{host}:{settings.metrics_port}")
