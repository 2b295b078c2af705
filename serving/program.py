"""The process of `earwitness serve`."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import socket
import sys
import time
from contextlib import nullcontext

import uvicorn
from rich.console import Console

from earwitness.errors import InputError
from earwitness.log import Logger, get_logger
from rollout.contract import BrokenEngineError
from rollout.parent import WORKER_PID
from serving.app import Server
from serving.following import FollowingTalker
from serving.settings import Settings

GRACE_SECONDS = 5
"""What answers in progress get when the server is told to stop."""
MAX_FRAME_BYTES = 4 * 1024 * 1024
"""Largest frame of a WebSocket: the longest clip at 24 kHz is 1.9 MB in base64."""
FRAMES_AHEAD = 4
"""Frames of a WebSocket that are read before the one before has been handled."""
BACKLOG = 512
"""Connections that wait to be taken."""
HEALTH_SECONDS = 0.25
"""Between two looks whether the engine lives; sessions are told within two seconds."""
SHORT_LIVES, LONG_LIFE_SECONDS = 5, 60.0
"""An engine that dies so often in a row, so soon after it was ready, will die again."""


def main(settings: Settings, console: Console) -> None:
    """Serves until SIGTERM or Ctrl-C. Raises InputError, OSError before the model is loaded, EarwitnessError behind."""
    settings.check()
    os.environ[WORKER_PID] = str(os.getpid())  # not that of a worker in whose shell this was started
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")  # thirty lines of how it was set here, which nobody can change
    with asyncio.Runner(loop_factory=uvicorn.Config("").get_loop_factory()) as runner:  # uvloop, as vLLM's own server
        runner.run(serve(settings, console))
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
            ws_max_size=MAX_FRAME_BYTES,
            ws_max_queue=FRAMES_AHEAD,
            ws_per_message_deflate=False,  # sound is hardly shorter for it
        )
    )
    # uvicorn would end the process by the signal once more when it has stopped, before the engine has.
    web.capture_signals = nullcontext  # type: ignore[method-assign, assignment]
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, web.handle_exit, number, None)
    address = f"{'https' if settings.tls_cert else 'http'}://{_shown(listening)}"
    serving = asyncio.create_task(web.serve([listening]))
    keeping = asyncio.create_task(keep(server, log, address, console))
    where = "what it publishes" if settings.job else settings.model_dir
    console.print(f"loading {settings.name} from {where}")
    try:
        done, _ = await asyncio.wait({serving, keeping}, return_when=asyncio.FIRST_COMPLETED)
        for ended in done:
            ended.result()
    finally:
        web.should_exit = True
        keeping.cancel()
        await asyncio.gather(serving, keeping, return_exceptions=True)
        server.verifier.stop()
        if server.talker is not None:
            server.talker.stop()


async def keep(server: Server, log: Logger, address: str, console: Console) -> None:
    """Loads the model, and again whenever its engine dies; sessions wait for it with what they hold.

    Raises what a start raises, and BrokenEngineError if engines keep dying.
    """
    short_lives = 0
    while True:
        await load(server, log)
        console.print(f"ready: {address}  (earwitness ask CLIP QUESTION, or any OpenAI client at {address}/v1)")
        began = time.monotonic()
        try:
            while True:
                server.ready()
                await asyncio.sleep(HEALTH_SECONDS)
        except BrokenEngineError as error:
            await server.lose(error)
            short_lives = 0 if time.monotonic() - began > LONG_LIFE_SECONDS else short_lives + 1
            if short_lives == SHORT_LIVES:
                raise
            console.print("the engine has died; loading the model again")


async def load(server: Server, log: Logger) -> None:
    """Imports vLLM beside the event loop, and starts it."""
    await server.verifier.warm()
    await server.speech.load()
    module = await asyncio.to_thread(importlib.import_module, "serving.engine")
    if server.settings.job:
        server.talker = await FollowingTalker.start(server.settings.job, log)
        return
    server.talker = await module.EngineTalker.start(server.settings)


def bound(settings: Settings) -> socket.socket:
    """A socket that listens. Raises InputError for an address that is none, or not to be had."""
    try:
        family, _, _, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server(address[:2], family=family, backlog=BACKLOG)
        # Connections take it over. asyncio sets it on sockets that name their protocol, which these do not, and the
        # second of two small events would wait 40 ms for the reader's acknowledgement of the first.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise InputError("--host, --port", f"{where} cannot be listened on ({error.strerror})", "another") from error


def _shown(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
