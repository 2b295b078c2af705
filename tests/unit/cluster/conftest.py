"""A fake Kubernetes API with a release of the real chart on it, and a jobs service behind its pods."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import grpc
import pytest

from earwitness.cluster import Api
from earwitness.wire.jobs.v1 import jobs_pb2, jobs_pb2_grpc
from tests.chart_objects import chart_objects

sys.path.insert(0, str(Path(__file__).parent))

from fake_kubernetes import FakeKubernetes

LABELS = {"app.kubernetes.io/name": "earwitness", "app.kubernetes.io/instance": "ew"}


class Jobs(jobs_pb2_grpc.JobServiceServicer):
    """Answers with its name, to who shows the token."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.active: jobs_pb2.Job | None = None

    def GetMesh(self, request: Any, context: grpc.ServicerContext) -> jobs_pb2.GetMeshResponse:
        if ("authorization", "Bearer word") not in context.invocation_metadata():
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "no token")
        return jobs_pb2.GetMeshResponse(workers=[jobs_pb2.Worker(name=self.name, role="jobs")], active=self.active)

    def WatchJob(self, request: Any, context: grpc.ServicerContext) -> Iterator[jobs_pb2.WatchJobResponse]:
        yield jobs_pb2.WatchJobResponse(event=jobs_pb2.Event(sequence=1, message="the end", job=self._job(request)))

    def GetJob(self, request: Any, context: grpc.ServicerContext) -> jobs_pb2.GetJobResponse:
        return jobs_pb2.GetJobResponse(job=self._job(request))

    @staticmethod
    def _job(request: Any) -> jobs_pb2.Job:
        return jobs_pb2.Job(
            job_id=request.job_id, state=jobs_pb2.JOB_STATE_SUCCEEDED, output_uri=f"of {request.job_id}"
        )


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[grpc.Server, int]]]:
    """Starts a jobs service on a free port, at work on a job of some id or on none."""
    servers = []

    def start(name: str, active: str = "") -> tuple[grpc.Server, int]:
        server, jobs = grpc.server(ThreadPoolExecutor(2)), Jobs(name)
        jobs.active = jobs_pb2.Job(job_id=active, state=jobs_pb2.JOB_STATE_RUNNING) if active else None
        jobs_pb2_grpc.add_JobServiceServicer_to_server(jobs, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        return server, port

    yield start
    for server in servers:
        server.stop(None)


@cache
def _rendered(name: str, namespace: str, values: str) -> str:
    """JSON list of the chart's objects. JSON in and out, so that no test sees what another one changed."""
    return json.dumps(chart_objects(json.loads(values), namespace, name))


@pytest.fixture
def install() -> Callable[..., list[dict[str, Any]]]:
    """Objects of the chart, as `helm install` would make them."""

    def render(name: str, namespace: str, values: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        return json.loads(_rendered(name, namespace, json.dumps(values or {})))

    return render


@pytest.fixture
def cluster(install: Callable[..., list[dict[str, Any]]]) -> Iterator[FakeKubernetes]:
    """Release `ew` in namespace `mesh`."""
    fake = FakeKubernetes()
    for o in install("ew", "mesh"):
        if o["kind"] in ("Deployment", "StatefulSet"):
            count = o["spec"].get("replicas", 1)
            fake.objects[f"{o['kind'].lower()}s.apps"].append(
                {**o, "status": {"replicas": count, "readyReplicas": count}}
            )
    token = base64.b64encode(b"word").decode()
    fake.objects["secrets"].append({"metadata": {"name": "ew-auth", "namespace": "mesh"}, "data": {"token": token}})
    fake.sizes["ew-rollout"] = 1
    yield fake
    fake.close()


@pytest.fixture
def kubeconfig(cluster: FakeKubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """$KUBECONFIG of the fake."""
    path = cluster.kubeconfig(tmp_path / "kubeconfig", namespace="mesh")
    monkeypatch.setenv("KUBECONFIG", path)
    for variable in ("EW_ADDRESS", "EW_TOKEN", "EW_TLS_CA", "EW_STATE"):
        monkeypatch.delenv(variable, raising=False)
    return path


@pytest.fixture
def api(kubeconfig: str) -> Api:
    return Api()


@pytest.fixture
def labels() -> Callable[[str], dict[str, str]]:
    """Labels of a component's pods."""
    return lambda component: {**LABELS, "app.kubernetes.io/component": component}
