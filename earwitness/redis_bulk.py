"""A Redis connection for values of megabytes.

redis-py copies a received value several times and, with hiredis, a sent one too. Here a value goes out from the
caller's memory and comes in to it: about twice as fast. TLS, passwords and connecting stay redis-py's.
"""

from __future__ import annotations

import socket
from typing import cast

import redis
from redis.connection import AbstractConnection, PythonRespSerializer

from earwitness.redis_client import Client

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

    def get_into(self, key: str, buffer: memoryview) -> int | None:
        """GET into `buffer`: the value's length in bytes, or None if there is no such key.

        A value of another length than the buffer's is not read; its length is returned all the same.
        """
        return self.repeat(lambda: self._get_into(key, buffer))

    def _get_into(self, key: str, buffer: memoryview) -> int | None:
        connection = self.connection_pool.get_connection()
        try:
            connection.send_command("GET", key)
            nbytes = _read_value(connection, buffer)
        except TimeoutError as error:
            connection.disconnect()
            raise redis.TimeoutError(f"no answer to GET {key}") from error
        except OSError as error:
            connection.disconnect()
            raise redis.ConnectionError(str(error)) from error
        except BaseException:
            connection.disconnect()
            raise
        else:
            if nbytes is not None and nbytes != buffer.nbytes:
                connection.disconnect()  # with the rest unread it is of no more use
            return nbytes
        finally:
            self.connection_pool.release(connection)


def connect_bulk(url: str) -> BulkClient:
    """As `connect`, for values of megabytes."""
    client = BulkClient(url)
    client.ping()
    return client


def _read_value(connection: AbstractConnection, buffer: memoryview) -> int | None:
    link = cast(socket.socket, connection._sock)  # redis-py has no public way to read into memory
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
    if nbytes == buffer.nbytes:
        value, end = start[:nbytes], start[nbytes:]
        filled = len(value)
        buffer[:filled] = value
        while filled < nbytes:
            count = link.recv_into(buffer[filled:])
            if count == 0:
                raise ConnectionResetError("closed within a value")
            filled += count
        while len(end) < len(b"\r\n"):
            end += _received(link.recv(len(b"\r\n") - len(end)))
    return nbytes


def _received(data: bytes) -> bytes:
    if not data:
        raise ConnectionResetError("closed within a reply")
    return data
