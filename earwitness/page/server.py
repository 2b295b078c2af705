"""Serves the page on a loopback address, to whoever has its token; everything it shows comes through the client.

So a mesh needs no port for it: one on this machine, elsewhere or in a cluster is reached as every command reaches
it. The token is in the address that is opened first, then in a cookie that no other site sends along. What changes
something is a POST with a header that forms of other sites cannot set.
"""

from __future__ import annotations

import gzip
import json
import secrets
import sys
from collections.abc import Callable
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from earwitness.client import Mesh
from earwitness.errors import EarwitnessError
from earwitness.page.data import Data, Scale

COOKIE = "ew_page"

HEADER = "X-Earwitness"

VERBS = ("pause", "resume", "cancel")

FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/charts.js": ("charts.js", "text/javascript; charset=utf-8"),
    "/groups.js": ("groups.js", "text/javascript; charset=utf-8"),
    "/panels.js": ("panels.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
}

TEXT = "text/plain; charset=utf-8"

POLICY = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; media-src 'self'"
"""Content-Security-Policy: nothing from elsewhere."""

SMALL = 1024
"""Bytes below which compressing does not pay."""

LARGEST_SEQUENCE = 2**63 - 1


class PageServer(ThreadingHTTPServer):
    """Serves until `shutdown`."""

    daemon_threads = True

    def __init__(self, mesh: Mesh, port: int = 0, scale: Scale | None = None) -> None:
        """`port`: 0 for any that is free; `scale`: how workers come and go, None: not from here. Raises OSError if the
        port is taken."""
        super().__init__(("127.0.0.1", port), Handler)
        self.data = Data(mesh, scale)
        self.token = secrets.token_urlsafe(24)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that leaves in the middle of an answer is nothing to tell of."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        """What to open."""
        return f"http://127.0.0.1:{self.server_port}/?token={self.token}"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: PageServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Files and data."""
        asked = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(asked.query).items()}
        if asked.path == "/" and secrets.compare_digest(query.get("token", "").encode(), self.server.token.encode()):
            self.send_response(HTTPStatus.SEE_OTHER)
            self.send_header("Location", "/")
            self.send_header("Set-Cookie", f"{COOKIE}={self.server.token}; HttpOnly; SameSite=Strict; Path=/")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif not self._allowed():
            self._send(HTTPStatus.FORBIDDEN, b"open the address that `earwitness open` prints", TEXT)
        elif asked.path in FILES:
            name, kind = FILES[asked.path]
            self._send(HTTPStatus.OK, files("earwitness.page").joinpath(name).read_bytes(), kind)
        else:
            self._answer(self._asked(asked.path.strip("/").split("/"), query))

    def do_POST(self) -> None:
        """Pause, resume, cancel; scale."""
        parts = self.path.strip("/").split("/")
        if not self._allowed() or self.headers.get(HEADER) is None:
            self._send(HTTPStatus.FORBIDDEN, b"not from the page", TEXT)
        elif len(parts) == 3 and parts[0] == "api" and parts[1] in VERBS:
            self._answer(lambda: self.server.data.act(parts[1], unquote(parts[2])))
        elif len(parts) == 4 and parts[:2] == ["api", "scale"] and parts[3].isdecimal():
            self._answer(lambda: self.server.data.scale(unquote(parts[2]), min(int(parts[3][:9]), LARGEST_SEQUENCE)))
        else:
            self._answer(None)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: a terminal should stay readable."""

    def _asked(self, parts: list[str], query: dict[str, str]) -> Callable[[], Any] | None:
        """What answers a question; None for one that nobody knows."""
        data = self.server.data
        match [unquote(part) for part in parts]:
            case ["api", "jobs"]:
                return data.jobs
            case ["api", "mesh"]:
                return data.mesh
            case ["api", "job", job_id]:
                after = query.get("after", "0")
                number = min(int(after), LARGEST_SEQUENCE) if after.isdecimal() else 0
                return lambda: data.job(job_id, number)
            case ["api", "explain", job_id]:
                return lambda: data.explained(job_id)
            case ["api", "groups", job_id]:
                return lambda: data.groups(job_id)
            case ["api", "clip", run_id, ordinal] if ordinal.isdecimal():
                return lambda: data.clip(run_id, min(int(ordinal), LARGEST_SEQUENCE))
        return None

    def _allowed(self) -> bool:
        """Whether the page's own browser asks: right cookie, and a host name that is ours (no DNS rebinding)."""
        try:
            given = SimpleCookie(self.headers.get("Cookie", "")).get(COOKIE)
        except CookieError:
            return False
        hosts = {f"{name}:{self.server.server_port}" for name in ("127.0.0.1", "localhost")}
        token = given.value.encode() if given else b""
        return self.headers.get("Host") in hosts and secrets.compare_digest(token, self.server.token.encode())

    def _answer(self, ask: Callable[[], Any] | None) -> None:
        if ask is None:
            self._send(HTTPStatus.NOT_FOUND, b"there is no such thing", TEXT)
            return
        try:
            status, told = HTTPStatus.OK, ask()
        except EarwitnessError as error:
            status, told = HTTPStatus.BAD_GATEWAY, {"error": str(error)}
        if isinstance(told, bytes):
            self._send(status, told, "audio/wav")
        else:
            self._send(status, json.dumps(told, separators=(",", ":")).encode(), "application/json; charset=utf-8")

    def _send(self, status: HTTPStatus, content: bytes, kind: str) -> None:
        packed = len(content) > SMALL and "gzip" in self.headers.get("Accept-Encoding", "")
        body = gzip.compress(content, 1) if packed else content
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(body)
