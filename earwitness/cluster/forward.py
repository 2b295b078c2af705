"""A port of this machine that leads to the jobs service of a release.

Each connection goes to the pod that is ready when it is made. When that pod is replaced the connection breaks, the
client of it connects again, and is led to the new pod.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from earwitness.cluster.api import Api
from earwitness.cluster.pods import pods_of
from earwitness.cluster.release import Release
from earwitness.errors import EarwitnessError, InfrastructureError

CHUNK = 64 * 1024
"""Bytes passed on at a time."""


class Forward:
    """Listens until it is closed; `failure` says why the last connection was not passed on, None if it was."""

    def __init__(self, api: Api, release: Release) -> None:
        self.failure: EarwitnessError | None = None
        self._tried = threading.Event()
        self._api = api
        self._release = release
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"localhost:{self._listener.getsockname()[1]}"
        """host:port; `localhost` is among the names of the mesh's certificate."""
        threading.Thread(target=self._accept, name="port forward", daemon=True).start()

    def tried(self, seconds: float) -> None:
        """Waits until the first connection was passed on, or `failure` says why not; at most so long."""
        self._tried.wait(seconds)

    def close(self) -> None:
        """Listen no more; connections end with their clients."""
        # Closing alone would not wake the thread that waits in accept.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._pass_on, args=(client,), name="port forward", daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        try:
            pod = jobs_pod(self._api, self._release)
            remote = self._api.forward(self._release.namespace, pod, self._release.port)
        except EarwitnessError as error:
            self.failure = error
            self._tried.set()
            client.close()
            return
        self.failure = None
        self._tried.set()
        back = threading.Thread(target=_copy, args=(remote, client), name="port forward", daemon=True)
        back.start()
        _copy(client, remote)
        back.join()
        client.close()
        remote.close()


def jobs_pod(api: Api, release: Release) -> str:
    """The pod that answers for the jobs service. Raises InfrastructureError with the state of those that do not."""
    pods = pods_of(api, release, "jobs")
    ready = [pod.name for pod in pods if pod.ready]
    if not ready:
        states = ", ".join(f"{pod.name} is {pod.said}" for pod in pods) or "there is none"
        raise InfrastructureError(f"a ready pod of the jobs service of {release.name}", 0.0, states)
    return ready[0]


def _copy(source: socket.socket, sink: socket.socket) -> None:
    """Until either side ends; then both do."""
    with suppress(OSError):
        while data := source.recv(CHUNK):
            sink.sendall(data)
    for side in (source, sink):
        with suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)
