"""The process of `earwitness serve`."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import socket
import sys
from contextlib import nullcontext, suppress

import uvicorn
from rich.console import Console

from earwitness.errors import InputError
from earwitness.log import get_logger
from rollout.parent import WORKER_PID
from serving.app import Server
from serving.settings import MAX_BODY_BYTES, Settings

GRACE_SECONDS = 5
"""What answers in progress get when the server is told to stop."""
BACKLOG = 512
"""Connections that wait to be taken."""
HEALTH_SECONDS = 1.0
"""Between two looks whether the engine lives."""


def main(settings: Settings, console: Console) -> None:
    """Serves until SIGTERM or Ctrl-C. Raises InputError, OSError before the model is loaded, EarwitnessError behind."""
    settings.check()
    os.environ[WORKER_PID] = str(os.getpid())  # not that of a worker in whose shell this was started
    asyncio.run(serve(settings, console))
    # All is left in order. Taking down an interpreter with vLLM in it costs seconds.
    sys.stdout.flush()
    os._exit(0)


async def serve(settings: Settings, console: Console) -> None:
    """Binds first, so that a taken port shows at once; then loads the model."""
    log = get_logger("serve").bind(model=settings.name)
    server = Server(settings, log)
    listening = bound(settings)
    web = uvicorn.Server(
        uvicorn.Config(
            server.app(),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            ssl_certfile=settings.tls_cert or None,
            ssl_keyfile=settings.tls_key or None,
            timeout_graceful_shutdown=GRACE_SECONDS,
            ws_max_size=MAX_BODY_BYTES,
        )
    )
    # uvicorn would end the process by the signal once more when it has stopped, before the engine has.
    web.capture_signals = nullcontext  # type: ignore[method-assign, assignment]
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, web.handle_exit, number, None)
    address = f"{'https' if settings.tls_cert else 'http'}://{_shown(listening)}"
    serving = asyncio.create_task(web.serve([listening]))
    loading = asyncio.create_task(load(server))
    console.print(f"loading {settings.name} from {settings.model_dir}")
    try:
        await asyncio.wait({serving, loading}, return_when=asyncio.FIRST_COMPLETED)
        if loading.done():
            loading.result()
            console.print(f"ready: {address}  (earwitness ask CLIP QUESTION, or any OpenAI client at {address}/v1)")
        while not serving.done():
            await asyncio.wait({serving}, timeout=HEALTH_SECONDS)
            server.ready()  # a server without an engine is started again by whoever keeps it
        serving.result()
    finally:
        web.should_exit = True
        with suppress(asyncio.CancelledError):
            await serving
        server.verifier.stop()
        if server.talker is not None:
            server.talker.stop()


async def load(server: Server) -> None:
    """Imports vLLM beside the event loop, and starts it."""
    await server.verifier.warm()
    module = await asyncio.to_thread(importlib.import_module, "serving.engine")
    server.talker = await module.EngineTalker.start(server.settings)


def bound(settings: Settings) -> socket.socket:
    """A socket that listens. Raises InputError for an address that is none, or not to be had."""
    try:
        family, _, _, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise InputError("--host, --port", f"{where} cannot be listened on ({error.strerror})", "another") from error


def _shown(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
