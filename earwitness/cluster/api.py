"""The Kubernetes API: where it is, with whose rights, and what its refusals mean."""

from __future__ import annotations

import importlib
import json
import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from earwitness.errors import EarwitnessError
from earwitness.extras import module_of
from earwitness.loopback import is_loopback

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
"""A person should know soon that no cluster answers."""

TIMEOUT = (CONNECT_SECONDS, READ_SECONDS)

UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 401, 403, 404
HANDSHAKE = re.compile(r"Handshake status (\d+)")
"""How the client tells that the API refused to open a stream; the status stands nowhere else."""

ALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""Seconds, seconds, tries: a forwarded connection whose other end vanished in silence ends after half a minute."""


class NoCluster(EarwitnessError):
    """No cluster is configured, or it does not answer."""


class ClusterError(EarwitnessError):
    """The API refused a request for a reason that is neither rights nor absence."""


class Absent(ClusterError):
    """What was asked for does not exist."""


class Forbidden(EarwitnessError):
    """The person may not do it: `verb` and `resource` are what a Role has to grant in `namespace`."""

    def __init__(self, verb: str, resource: str, namespace: str, instead: str = "") -> None:
        super().__init__(verb, resource, namespace, instead)
        self.verb = verb
        self.resource = resource
        self.namespace = namespace
        self.instead = instead

    def __str__(self) -> str:
        missing = f"not allowed: a Role in namespace {self.namespace} must grant {self.verb} on {self.resource}"
        return f"{missing}; {self.instead}" if self.instead else missing


class Api:
    """The cluster of one context of the kubeconfig ($KUBECONFIG or ~/.kube/config)."""

    def __init__(self, context: str | None = None) -> None:
        """`context`: its name; None: the current one. Raises NoCluster, InputError if the package is missing."""
        self._client = module_of("cluster", "kubernetes.client", "cluster")
        self._configuration, self.namespace = self._configure(context)
        if is_loopback(urlsplit(self._configuration.host).hostname or ""):
            self._configuration.proxy = None  # of the environment
        self._configuration.retries = False  # a second try would only double the wait
        client = self._client.ApiClient(self._configuration)
        self.core = self._client.CoreV1Api(client)
        self.apps = self._client.AppsV1Api(client)
        self.autoscaling = self._client.AutoscalingV2Api(client)

    @contextmanager
    def asking(self, verb: str, resource: str, namespace: str) -> Iterator[None]:
        """Around a request: what went wrong as an error of this module."""
        transport = importlib.import_module("urllib3.exceptions").HTTPError
        try:
            yield
        except self._client.ApiException as error:
            status = error.status or _handshake_status(str(error.reason))
            if status == FORBIDDEN:
                raise Forbidden(verb, resource, namespace) from error
            if status == UNAUTHORIZED:
                raise NoCluster(f"{self._configuration.host} does not accept the credentials of the context") from error
            kind = Absent if status == NOT_FOUND else ClusterError
            raise kind(f"cannot {verb} {resource} in namespace {namespace}: {_reason(error)}") from error
        except (transport, OSError) as error:
            raise NoCluster(f"no answer from {self._configuration.host}: {_root_cause(error)}") from error

    def ask(self, verb: str, resource: str, namespace: str, call: Callable[..., Any], *name: str, **how: Any) -> Any:
        """What `call` answers, the client's method for it; `name`: of the one object, if it is about one. Raises as
        `asking`."""
        with self.asking(verb, resource, namespace):
            return call(*name, namespace, **how, _request_timeout=TIMEOUT)

    def forward(self, namespace: str, pod: str, port: int) -> socket.socket:
        """A connection to a port of a pod; one of its own each time, closed by shutting it down."""
        stream = module_of("cluster", "kubernetes.stream", "cluster")
        # The client library turns the whole ApiClient into a stream while it connects, so this one is ours alone.
        core = self._client.CoreV1Api(self._client.ApiClient(self._configuration))
        with self.asking("create", "pods/portforward", namespace):
            forwarded = stream.portforward(core.connect_get_namespaced_pod_portforward, pod, namespace, ports=str(port))
            _keep_alive(forwarded.websocket.sock)
            opened: socket.socket = forwarded.socket(port)
            return opened

    def _configure(self, context: str | None) -> tuple[Any, str]:
        """The client's configuration and the context's namespace."""
        config = module_of("cluster", "kubernetes.config", "cluster")
        configuration = self._client.Configuration()
        try:
            # The package itself looks at the variable only once, when it is imported.
            file = os.environ.get("KUBECONFIG") or None
            contexts, current = config.list_kube_config_contexts(config_file=file)
            config.load_kube_config(config_file=file, context=context, client_configuration=configuration)
        except config.ConfigException as error:
            wanted = (
                f"context {context!r} of the kubeconfig" if context else "a kubeconfig ($KUBECONFIG or ~/.kube/config)"
            )
            raise NoCluster(f"no cluster: {wanted} cannot be used: {error}") from error
        chosen = next((c for c in contexts if c["name"] == context), current)
        return configuration, chosen["context"].get("namespace") or "default"


def _handshake_status(reason: str) -> int:
    found = HANDSHAKE.search(reason)
    return int(found.group(1)) if found else 0


def _reason(error: Any) -> str:
    """The API's own words, without the headers that the client puts around them."""
    try:
        message = json.loads(error.body)["message"]
    except (TypeError, ValueError, KeyError):
        message = str(error.reason).split(" -+-+- ")[0]
    return " ".join(str(message).split())


def _root_cause(error: BaseException) -> str:
    while error.__context__ is not None and not isinstance(error, OSError):
        error = error.__context__
    return " ".join(str(error).split()) or type(error).__name__


def _keep_alive(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ALIVE.items():
        if hasattr(socket, option):  # each is missing on some system
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
