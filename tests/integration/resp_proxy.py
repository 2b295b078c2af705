"""A Redis proxy that breaks connections at chosen moments.

It reads one command at a time, so a fault hits exactly the command it was armed for:
`lose_reply`: the server has done it, the client never hears ("commit gap"); `lose_command`: the server never sees it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

Fault = Literal["lose_reply", "lose_command"]
Command = list[bytes]


class RespProxy:
    """Context manager; `url` reaches the server at `target` through the proxy."""

    def __init__(self, target: str) -> None:
        self._target = urlsplit(target)
        self._fault: Callable[[Command], Fault | None] = lambda command: None
        self.broken = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="resp-proxy", daemon=True)
        self._server: asyncio.Server | None = None

    def always(self, fault: Callable[[Command], Fault | None]) -> None:
        """Asks `fault` about every command from now on."""
        self._fault = fault

    def once(self, matches: Callable[[Command], bool], fault: Fault) -> None:
        """Breaks the next command that matches, and only that one."""
        before = self.broken
        self._fault = lambda command: fault if self.broken == before and matches(command) else None

    @property
    def url(self) -> str:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return urlunsplit(self._target._replace(netloc=f":{self._target.password}@127.0.0.1:{port}"))

    def __enter__(self) -> RespProxy:
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop)
        self._server = started.result()
        return self

    def __exit__(self, *error: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, client_reader: asyncio.StreamReader, client_writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection(self._target.hostname, self._target.port)
        except OSError:  # the server is down: so are we
            client_writer.close()
            return
        try:
            while True:
                raw, command = await _read_command(client_reader)
                fault = self._fault(command)
                if fault:
                    self.broken += 1
                if fault == "lose_command":
                    return
                server_writer.write(raw)
                await server_writer.drain()
                reply = await _read_reply(server_reader)
                if fault == "lose_reply":
                    return
                client_writer.write(reply)
                await client_writer.drain()
        except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):  # one side hung up, or the test is over
            return
        finally:
            client_writer.close()
            server_writer.close()


async def _read_command(reader: asyncio.StreamReader) -> tuple[bytes, Command]:
    raw = await reader.readuntil(b"\r\n")
    arguments = []
    for _ in range(int(raw[1:])):
        head = await reader.readuntil(b"\r\n")
        body = await reader.readexactly(int(head[1:]) + 2)
        raw += head + body
        arguments.append(body[:-2])
    return raw, arguments


async def _read_reply(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n")
    kind, size = head[:1], head[1:-2]
    if kind == b"$" and size != b"-1":
        return head + await reader.readexactly(int(size) + 2)
    if kind == b"*" and size != b"-1":
        return head + b"".join([await _read_reply(reader) for _ in range(int(size))])
    return head
