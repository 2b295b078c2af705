"""The part of a Kubernetes API server that the commands talk to, with the protocol of its port forwarding.

It serves objects that a test gives it and forwards to sockets of this machine. Its answers were held against a real
API server (1.36): shapes, status codes, the websocket frames of `portforward`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Object = dict[str, Any]

WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, section 1.3."""

DISCOVERY = {
    "/api/v1": {"PersistentVolumeClaim": "persistentvolumeclaims", "Secret": "secrets"},
    "/apis/apps/v1": {"Deployment": "deployments", "StatefulSet": "statefulsets"},
}
"""What Helm looks up before it looks at an object: the kinds of a group, with their resources."""

LISTS = {
    "apis/apps/v1/deployments": "deployments.apps",
    "apis/apps/v1/statefulsets": "statefulsets.apps",
    "api/v1/pods": "pods",
    "api/v1/events": "events",
    "api/v1/persistentvolumeclaims": "persistentvolumeclaims",
    "apis/autoscaling/v2/horizontalpodautoscalers": "horizontalpodautoscalers.autoscaling",
}


class FakeKubernetes:
    """Objects by resource, and who may not do what."""

    def __init__(self) -> None:
        self.objects: dict[str, list[Object]] = {resource: [] for resource in [*LISTS.values(), "secrets"]}
        self.forbidden: set[tuple[str, str]] = set()
        """(verb, resource) that are refused."""
        self.asked: set[tuple[str, str]] = set()
        """(verb, resource) of all requests."""
        self.anonymous = False
        """True: nobody need log in. Helm shows no token where there is no TLS."""
        self.logs: dict[str, str] = {}
        """By pod."""
        self.listeners: dict[str, tuple[str, int]] = {}
        """Where connections to a pod go, by pod."""
        self.sizes: dict[str, int] = {}
        """By deployment."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *a: _Handler(self, *a))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def kubeconfig(self, path: Path, namespace: str = "default") -> str:
        """A file that leads here."""
        port = self._server.server_address[1]
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
            "users": [{"name": "u", "user": {"token": "secret"}}],
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": namespace}}],
            "current-context": "here",
        }
        path.write_text(json.dumps(config))
        return str(path)

    def add_pod(self, name: str, namespace: str, labels: dict[str, str], *, ready: bool = True, **status: Any) -> None:
        """A running pod."""
        state = {"running": {"startedAt": _now()}} if ready else {"waiting": {"reason": status.pop("reason")}}
        container = {
            "name": "jobs", "ready": ready, "restartCount": status.pop("restarts", 0), "state": state, "image": "i:1",
            "imageID": "",
        }  # fmt: skip
        metadata = {"name": name, "namespace": namespace, "labels": labels, "creationTimestamp": _now()}
        self.objects["pods"].append(
            {
                "metadata": metadata,
                "spec": {"containers": [{"name": "jobs", "image": "i:0.1.0"}], "nodeName": "node-a"},
                "status": {"phase": "Running", "containerStatuses": [container], **status},
            }
        )

    def add_event(self, about: str, reason: str, message: str, seconds_ago: float, kind: str = "Warning") -> None:
        """About an object of some name."""
        metadata = {"name": f"{about}.{len(self.objects['events'])}", "namespace": "mesh"}
        self.objects["events"].append(
            {
                "metadata": metadata, "type": kind, "reason": reason, "message": message,
                "involvedObject": {"name": about}, "lastTimestamp": _now(-seconds_ago),
            }
        )  # fmt: skip

    def remove_pod(self, name: str) -> None:
        self.objects["pods"] = [p for p in self.objects["pods"] if p["metadata"]["name"] != name]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, cluster: FakeKubernetes, *rest: Any) -> None:
        self.cluster = cluster
        super().__init__(*rest)

    def log_message(self, *_: Any) -> None:
        """Tests show no access log."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {k: v[0] for k, v in parse_qs(url.query).items()}
        if self.headers["authorization"] != "Bearer secret" and not self.cluster.anonymous:
            return self._refuse(401, "Unauthorized")
        if url.path in DISCOVERY:
            return self._discover(url.path)
        match = re.fullmatch(r"/(apis?/.*?v\d)/namespaces/([^/]+)/([^/]+)(?:/([^/]+)(?:/([^/]+))?)?", url.path)
        assert match, url.path
        group, namespace, kind, name, part = match.groups()
        resource = LISTS.get(f"{group}/{kind}", kind)
        if name is None and self._allowed("list", resource, namespace):
            self._list(resource, namespace, query.get("labelSelector", ""), query.get("fieldSelector", ""))
        elif part == "portforward" and self._allowed("create", "pods/portforward", namespace):
            self._forward(name)
        elif part == "log" and self._allowed("get", "pods/log", namespace):
            self._log(name, int(query["tailLines"]), follow=query.get("follow", "").lower() == "true")
        elif part == "scale" and self._allowed("get", f"{resource}/scale", namespace):
            self._answer(self._scale(name, namespace))
        elif name and part is None and self._allowed("get", f"{resource}/{name}", namespace):
            found = [o for o in self.cluster.objects[resource] if _is(o, name, namespace)]
            self._answer(found[0]) if found else self._refuse(404, f'{kind} "{name}" not found')
        return None

    def do_PATCH(self) -> None:
        name = self.path.split("/")[-2]
        namespace = self.path.split("/")[5]
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self._allowed("patch", "deployments.apps/scale", namespace):
            self.cluster.sizes[name] = body["spec"]["replicas"]
            self._answer(self._scale(name, namespace))

    def _allowed(self, verb: str, resource: str, namespace: str) -> bool:
        self.cluster.asked.add((verb, resource))
        if (verb, resource) in self.cluster.forbidden:
            self._refuse(403, f'{resource} is forbidden: User "u" cannot {verb} it in the namespace "{namespace}"')
            return False
        return True

    def _list(self, resource: str, namespace: str, selector: str, fields: str) -> None:
        wanted = dict(pairs(selector))
        items = [
            o
            for o in self.cluster.objects[resource]
            if o["metadata"]["namespace"] == namespace
            and wanted.items() <= o["metadata"].get("labels", {}).items()
            and all(str(o[name]) == value for name, value in pairs(fields))
        ]
        self._answer({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items})

    def _discover(self, path: str) -> None:
        resources = [
            {"name": name, "kind": kind, "namespaced": True, "verbs": ["get", "list"], "singularName": kind.lower()}
            for kind, name in DISCOVERY[path].items()
        ]
        group = path.removeprefix("/apis/").removeprefix("/api/")
        self._answer({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group, "resources": resources})

    def _scale(self, name: str, namespace: str) -> Object:
        size = {"replicas": self.cluster.sizes[name]}
        return {"metadata": {"name": name, "namespace": namespace}, "spec": size, "status": size}

    def _log(self, pod: str, tail: int, *, follow: bool) -> None:
        """Followed, it goes on with what a test adds to the log, until the pod is gone."""
        text = self.cluster.logs[pod]
        shown = "".join(text.splitlines(keepends=True)[-tail:]).encode()
        if not follow:
            self._send(200, shown, "text/plain")
            return
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self._chunk(shown)
        while any(p["metadata"]["name"] == pod for p in self.cluster.objects["pods"]):
            now = self.cluster.logs[pod]
            if len(now) > len(text):
                self._chunk(now[len(text) :].encode())
            text = now
            time.sleep(0.02)
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _answer(self, body: Object) -> None:
        self._send(200, json.dumps(body).encode(), "application/json")

    def _refuse(self, code: int, message: str) -> None:
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}
        self._send(code, json.dumps(status).encode(), "application/json")

    def _send(self, code: int, body: bytes, kind: str) -> None:
        self.send_response(code)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _forward(self, pod: str) -> None:
        """Channel 0 carries data, channel 1 errors; each begins with the number of the port."""
        key = self.headers["sec-websocket-key"] + WEBSOCKET_GUID
        self.send_response(101)
        self.send_header("upgrade", "websocket")
        self.send_header("connection", "Upgrade")
        self.send_header("sec-websocket-accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.send_header("sec-websocket-protocol", "v4.channel.k8s.io")
        self.end_headers()
        (port,) = parse_qs(urlsplit(self.path).query)["ports"]
        for channel in (0, 1):
            self._frame(bytes([channel]) + struct.pack("<H", int(port)))
        try:
            remote = socket.create_connection(self.cluster.listeners[pod])
        except OSError as error:
            self._frame(b"\x01" + str(error).encode())
            return
        threading.Thread(target=self._back, args=(remote,), daemon=True).start()
        with suppress(OSError, struct.error):
            while (frame := _read_frame(self.rfile.read)) is not None:
                remote.sendall(frame[1:])
        remote.close()
        self.close_connection = True

    def _back(self, remote: socket.socket) -> None:
        with suppress(OSError):
            while data := remote.recv(4096):
                self._frame(b"\x00" + data)
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _frame(self, data: bytes) -> None:
        """A binary frame, RFC 6455 section 5.2."""
        size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + struct.pack(">H", len(data))
        self.wfile.write(b"\x82" + size + data)


def _read_frame(read: Callable[[int], bytes]) -> bytes | None:
    """The payload of a client's frame; None once it closes."""
    first, second = read(2)
    length = second & 0x7F
    if length == 126:
        (length,) = struct.unpack(">H", read(2))
    elif length == 127:
        (length,) = struct.unpack(">Q", read(8))
    mask = read(4)
    data = bytes(byte ^ mask[i % 4] for i, byte in enumerate(read(length)))
    return None if first & 0x0F == 0x8 else data


def pairs(selector: str) -> list[tuple[str, str]]:
    return [(key, value) for key, _, value in (term.partition("=") for term in unquote(selector).split(",") if term)]


def _is(found: Object, name: str, namespace: str) -> bool:
    return (found["metadata"]["name"], found["metadata"]["namespace"]) == (name, namespace)


def _now(seconds: float = 0) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
