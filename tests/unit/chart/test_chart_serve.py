"""The server of `earwitness serve` in the chart: none by default; with it, who reaches it and whom it reaches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.chart.test_chart_network import connections, labels, policies_of

Object = dict[str, Any]
Render = Callable[[Object], list[Object]]


def one(objects: list[Object], kind: str) -> Object:
    (found,) = [o for o in objects if o["kind"] == kind and o["metadata"]["name"] == "ew-serve"]
    return found


def container(objects: list[Object]) -> Object:
    (found,) = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    return found


def test_there_is_none_by_default(render: Render) -> None:
    assert not [o for o in render({}) if o["metadata"]["name"] == "ew-serve"]


def test_it_follows_the_active_job_and_is_ready_when_it_has_weights(render: Render) -> None:
    objects = render({"serve": {"replicas": 2}})
    assert one(objects, "Deployment")["spec"]["replicas"] == 2
    server = container(objects)
    assert server["command"] == ["python", "-m", "earwitness", "serve", "--job", "active", "--host", "0.0.0.0",
                                 "--port", "8000", "--running", "64"]  # fmt: skip
    assert {"EW_TOKEN", "EW_QUEUE_URL", "EW_WEIGHTS_URLS"} <= {variable["name"] for variable in server["env"]}
    ready = server["readinessProbe"]["httpGet"]
    assert ready == {"path": "/health", "port": 8000, "scheme": "HTTP"}
    # What waits for a job is not ended for it.
    assert server["livenessProbe"]["tcpSocket"] == server["startupProbe"]["tcpSocket"] == {"port": 8000}
    (port,) = one(objects, "Service")["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (8000, "http")
    assert one(objects, "ServiceAccount") and one(objects, "PodDisruptionBudget")


def test_it_serves_a_checkpoint_over_tls(render: Render) -> None:
    values = {"serve": {"replicas": 1, "checkpoint": "runs/mine/hf", "running": 8}, "listenHost": "[::]"}
    server = container(render(values | {"tls": {"enabled": True, "existingSecret": "certificates"}}))
    assert server["command"][3:] == ["serve", "runs/mine/hf", "--host", "::", "--port", "8000", "--running", "8",
                                     "--tls-cert", "/etc/earwitness/tls/tls.crt",
                                     "--tls-key", "/etc/earwitness/tls/tls.key"]  # fmt: skip
    assert server["readinessProbe"]["httpGet"]["scheme"] == "HTTPS"


def test_clients_reach_it_and_it_reaches_both_stores(render: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.unit.chart.test_chart_network.PORTS", {"http": 8000, "grpc": 7070, "redis": 6379})
    policies = policies_of(render({"serve": {"replicas": 1}, "networkPolicy": {"enabled": True}}))
    pods = {name: labels(name) for name in ("client", "jobs", "trainer", "rollout", "queue", "weights", "serve")}
    found = {arrow for arrow in connections(policies, pods) if "serve" in arrow[:2]}
    assert found == {("client", "serve", "http"), ("serve", "queue", "redis"), ("serve", "weights", "redis")}
