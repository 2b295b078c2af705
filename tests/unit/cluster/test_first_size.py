"""What the hook of a fresh install sends to the API server of Kubernetes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from earwitness.cluster.first_size import set_replicas
from earwitness.errors import InfrastructureError


class ApiServer(BaseHTTPRequestHandler):
    seen: list[tuple[str, str, str, object]] = []  # noqa: RUF012 - one server a test module

    def do_PATCH(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append((self.path, self.headers["Authorization"], self.headers["Content-Type"], body))
        self.send_response(403 if "forbidden" in self.path else 200)
        self.end_headers()
        self.wfile.write(b'{"message": "not yours"}')

    def log_message(self, *arguments: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), ApiServer) as api:
        threading.Thread(target=api.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{api.server_port}"
        api.shutdown()


@pytest.fixture
def account(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("a-token\n")
    return tmp_path


def test_it_patches_the_scale_as_kubectl_does(server: str, account: Path) -> None:
    set_replicas(server, "ns", "ew-rollout", 8, account)
    path, authorization, content_type, body = ApiServer.seen[-1]
    assert path.startswith("/apis/apps/v1/namespaces/ns/deployments/ew-rollout/scale?")
    assert authorization == "Bearer a-token"
    assert content_type == "application/merge-patch+json"
    assert body == {"spec": {"replicas": 8}}


def test_a_refusal_says_what_the_server_said(server: str, account: Path) -> None:
    with pytest.raises(InfrastructureError, match=r"403.*not yours"):
        set_replicas(server, "ns", "forbidden", 8, account)
