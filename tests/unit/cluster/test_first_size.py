"""The first number of rollout workers: asked of an API server as `kubectl scale` asks, once for each Deployment."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from earwitness.cluster import first_size
from earwitness.cluster.first_size import set_first_size
from earwitness.cluster.own_api import OwnApi
from earwitness.errors import InfrastructureError, InputError
from earwitness.log import get_logger

PATH = "/apis/apps/v1/namespaces/ns/deployments/ew-rollout/scale"


class Deployment:
    """One Deployment's scale as an API server keeps it."""

    def __init__(self) -> None:
        self.uid = "uid-1"
        self.replicas = 1
        self.version = 1
        self.refusals: list[int] = []
        """Statuses that the next requests are answered with."""
        self.seen: list[tuple[str, str, str]] = []
        """(method, path, content type)"""

    def scale(self) -> dict[str, Any]:
        return {
            "metadata": {"uid": self.uid, "resourceVersion": str(self.version)},
            "spec": {"replicas": self.replicas},
        }


class ApiServer(BaseHTTPRequestHandler):
    deployment: Deployment

    def do_GET(self) -> None:
        self._answer("GET")

    def do_PATCH(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer("PATCH", body)

    def _answer(self, method: str, body: Any = None) -> None:
        found = self.deployment
        found.seen.append((method, self.path, self.headers.get("Content-Type", "")))
        status = found.refusals.pop(0) if found.refusals else 200
        if self.headers["Authorization"] != "Bearer a-token":
            status = 401
        elif body is not None and body["metadata"]["resourceVersion"] != str(found.version):
            status = 409
        elif body is not None and status == 200:
            found.replicas, found.version = body["spec"]["replicas"], found.version + 1
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(found.scale() if status == 200 else {"message": "not yours"}).encode())

    def log_message(self, *arguments: object) -> None:
        """Quiet."""


class Kept:
    """The queue Redis, as far as it is asked."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    async def get(self, key: str) -> bytes | None:
        return self.values.get(key)

    async def set(self, key: str, value: str) -> None:
        self.values[key] = value.encode()


@pytest.fixture
def deployment() -> Deployment:
    return Deployment()


@pytest.fixture
def api(deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnApi]:
    monkeypatch.setattr(first_size, "RETRY_SECONDS", 0.01)
    (tmp_path / "token").write_text("a-token\n")
    (tmp_path / "namespace").write_text("ns")
    handler = type("Handler", (ApiServer,), {"deployment": deployment})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield OwnApi(f"http://127.0.0.1:{server.server_port}", tmp_path)
        server.shutdown()


def size(api: OwnApi, redis: Kept, replicas: int = 8) -> None:
    asyncio.run(set_first_size(api, redis, "ew-rollout", replicas, get_logger("test")))


def test_a_new_deployment_gets_its_size_as_kubectl_gives_it(api: OwnApi, deployment: Deployment) -> None:
    size(api, Kept())
    assert deployment.replicas == 8
    assert [(m, p.partition("?")[0], t) for m, p, t in deployment.seen] == [
        ("GET", PATH, "application/json"),
        ("PATCH", PATH, "application/merge-patch+json"),
    ]


def test_it_is_done_once(api: OwnApi, deployment: Deployment) -> None:
    kept = Kept()
    size(api, kept)
    deployment.replicas = 1  # a person scaled down; the jobs service is started again
    size(api, kept)
    assert deployment.replicas == 1


def test_what_somebody_has_scaled_already_stays(api: OwnApi, deployment: Deployment) -> None:
    deployment.replicas, kept = 3, Kept()
    size(api, kept)
    deployment.replicas = 1
    size(api, kept)
    assert (deployment.replicas, {m for m, *_ in deployment.seen}) == (1, {"GET"})


def test_a_mesh_that_is_installed_anew_gets_its_size_anew(api: OwnApi, deployment: Deployment) -> None:
    kept = Kept()
    size(api, kept)
    deployment.uid, deployment.replicas = "uid-2", 1
    size(api, kept, 4)
    assert deployment.replicas == 4


@pytest.mark.parametrize("status", [403, 404, 409, 500])
def test_a_refusal_is_asked_again(api: OwnApi, deployment: Deployment, status: int) -> None:
    deployment.refusals = [status, status, 200, status]  # at the look, and at the change
    size(api, Kept())
    assert deployment.replicas == 8
    assert not deployment.refusals


def test_a_refusal_says_what_the_server_said(api: OwnApi, deployment: Deployment) -> None:
    deployment.refusals = [403]
    with pytest.raises(InfrastructureError, match=r"GET deployments/ew-rollout/scale: 403.*not yours"):
        api.ask("GET", "apis/apps/v1//deployments/ew-rollout/scale")


@pytest.mark.parametrize("harm", ["no token", "no JSON", "nobody"])
def test_whatever_is_wrong_with_the_api_is_no_end_of_the_service(
    api: OwnApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    if harm == "no token":
        (tmp_path / "token").unlink()
    elif harm == "no JSON":
        monkeypatch.setattr(json, "load", lambda _: (_ for _ in ()).throw(ValueError("no JSON")))
    else:
        api._server = "http://127.0.0.1:1"
    with pytest.raises(InfrastructureError, match="the API server http://"):
        api.ask("GET", "apis/apps/v1//deployments/ew-rollout/scale")


def test_outside_of_a_pod_there_is_no_api() -> None:
    with pytest.raises(InputError, match="a pod whose service account's token is mounted"):
        OwnApi.from_env({})
