"""Free ports of this machine."""

from __future__ import annotations

import errno
import socket
from collections import deque
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from random import SystemRandom

from earwitness.errors import InputError

HOST = "127.0.0.1"
"""A local mesh is not reachable from outside."""


_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
"""The ports that the kernel gives to connections."""

_LOWEST = 10_000
_TRIES = 200

_PROMISED: deque[socket.socket] = deque()
_MOST_PROMISED = 256


def free_ports(count: int) -> list[int]:
    """`count` different ports that nobody listens on right now.

    None is one that the kernel gives to connections: on a busy machine it would be somebody's before it is used. Nor
    one that this function has given to anybody on this machine: a service takes seconds until it listens, in which
    the others of its mesh and other meshes look for theirs. A port is free again 256 later, or when the process ends
    that asked for it. Raises OSError if so many are not found.
    """
    below = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 32_768
    ports: list[int] = []
    names: list[socket.socket] = []
    with ExitStack() as held, ExitStack() as promised:
        # Not of the seed that others have too, who would be given the same.
        for port in SystemRandom().sample(range(_LOWEST, max(below, _LOWEST + _TRIES)), _TRIES):
            one = held.enter_context(socket.socket())
            with suppress(OSError):
                one.bind((HOST, port))
                names.append(promised.enter_context(_promise(port)))
                ports.append(port)
            if len(ports) == count:
                promised.pop_all()  # from here on they are kept
                _keep(names)
                return ports
    raise OSError(errno.EADDRINUSE, f"of {_TRIES} ports {len(ports)} are free")


def _promise(port: int) -> socket.socket:
    """Gives a port to whoever asks, as long as it has what is returned. Raises OSError if it is somebody's."""
    name = socket.socket(socket.AF_UNIX)
    if _RANGE.exists():
        try:
            name.bind(f"\0earwitness-{HOST}:{port}")  # on Linux a name without a file: it ends with who has it
        except OSError:
            name.close()
            raise
    return name


def _keep(names: Iterable[socket.socket]) -> None:
    _PROMISED.extend(names)
    while len(_PROMISED) > _MOST_PROMISED:
        _PROMISED.popleft().close()


def require_free(port: int) -> int:
    """`port` itself. Raises InputError if somebody listens on it."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((HOST, port))
        except OSError as error:
            raise InputError("--port", f"{port} cannot be used ({error.strerror})", "a free port, or 0") from error
    return port
