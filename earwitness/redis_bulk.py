"""A Redis connection for values of megabytes.

redis-py copies a received value several times and, with hiredis, a sent one too. Here a value goes out from the
caller's memory and comes in to it, even where it lies there in several pieces: about twice as fast. TLS, passwords and
connecting stay redis-py's.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar, cast

import redis
from redis.connection import AbstractConnection, PythonRespSerializer

from earwitness.redis_client import Client, Patience

T = TypeVar("T")

PACKED_BYTES = 6000
"""Longer arguments are sent as they are instead of being copied into one buffer (redis-py's own limit)."""

HEAD_BYTES = 64
"""Most of the first read of a reply: its head, and no more of the value than is cheap to copy."""


class BulkClient(Client):
    """What `connect_bulk` gives."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        packer = PythonRespSerializer(PACKED_BYTES, self.connection_pool.get_encoder().encode)
        self.connection_pool.connection_kwargs["command_packer"] = packer

    def put(self, key: str, parts: Sequence[memoryview]) -> None:
        """SET to the parts one after another."""
        self.repeat(lambda: self._on_connection("SET", key, lambda connection: _set(connection, key, parts)))

    def get_into(self, key: str, parts: Sequence[memoryview]) -> int | None:
        """GET into the parts, one after another: the value's length in bytes, or None if there is no such key.

        A value of another length than theirs is not read; its length is returned all the same.
        """
        return self.repeat(lambda: self._on_connection("GET", key, lambda connection: _get(connection, key, parts)))

    def _on_connection(self, command: str, key: str, action: Callable[[AbstractConnection], T]) -> T:
        connection = self.connection_pool.get_connection()
        try:
            return action(connection)
        except redis.ResponseError:
            raise  # the reply was read whole: the connection is as good as before
        except TimeoutError as error:
            connection.disconnect()
            raise redis.TimeoutError(f"no answer to {command} {key}") from error
        except OSError as error:
            connection.disconnect()
            raise redis.ConnectionError(str(error)) from error
        except BaseException:
            connection.disconnect()
            raise
        finally:
            self.connection_pool.release(connection)


def connect_bulk(url: str, at_first: Patience | None = None) -> BulkClient:
    """As `connect`, for values of megabytes; with patience `at_first`, until the server is reached."""
    client = BulkClient(url)
    client.require_fit(at_first)
    return client


def _set(connection: AbstractConnection, key: str, parts: Sequence[memoryview]) -> None:
    link, name = _link(connection), key.encode()
    nbytes = sum(part.nbytes for part in parts)
    try:
        link.sendall(b"*3\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n" % (len(name), name, nbytes))
        for part in parts:
            link.sendall(part)
        link.sendall(b"\r\n")
    except ConnectionError:  # a server that refuses, say for want of a password, may tell why before it hangs up
        with suppress(OSError, redis.ConnectionError):
            connection.read_response()
        raise
    connection.read_response()


def _get(connection: AbstractConnection, key: str, parts: Sequence[memoryview]) -> int | None:
    link, name = _link(connection), key.encode()
    link.sendall(b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(name), name))
    head = b""
    while b"\r\n" not in head:
        head += _received(link.recv(HEAD_BYTES))
    line, start = head.split(b"\r\n", 1)
    if line[:1] == b"-":
        kind = redis.exceptions.BusyLoadingError if line.startswith(b"-LOADING") else redis.ResponseError
        raise kind(line[1:].decode(errors="replace"))
    nbytes = int(line[1:])
    if nbytes < 0:
        return None
    if nbytes != sum(part.nbytes for part in parts):
        connection.disconnect()  # with the rest unread it is of no more use
        return nbytes
    for part in parts:
        start = _fill(link, part, start)
    while len(start) < len(b"\r\n"):
        start += _received(link.recv(len(b"\r\n") - len(start)))
    return nbytes


def _fill(link: socket.socket, part: memoryview, start: bytes) -> bytes:
    """Fills the part, first with `start`; returns what is left of that."""
    filled = min(part.nbytes, len(start))
    part[:filled] = start[:filled]
    while filled < part.nbytes:
        count = link.recv_into(part[filled:])
        if count == 0:
            raise ConnectionResetError("closed within a value")
        filled += count
    return start[part.nbytes :]


def _link(connection: AbstractConnection) -> socket.socket:
    return cast(socket.socket, connection._sock)  # redis-py has no public way to memory


def _received(data: bytes) -> bytes:
    if not data:
        raise ConnectionResetError("closed within a reply")
    return data
