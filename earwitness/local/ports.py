"""Free ports of this machine."""

from __future__ import annotations

import socket

from earwitness.errors import InputError

HOST = "127.0.0.1"
"""A local mesh is not reachable from outside."""


def free_ports(count: int) -> list[int]:
    """`count` different ports that nobody listens on right now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def require_free(port: int) -> int:
    """`port` itself. Raises InputError if somebody listens on it."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((HOST, port))
        except OSError as error:
            raise InputError("--port", f"{port} cannot be used ({error.strerror})", "a free port, or 0") from error
    return port
