"""The recogniser in the chart: none by default; with it, reward workers alone reach it, and it reaches nobody."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import helm_python
import pytest

from earwitness.settings import Settings
from tests.unit.chart.test_chart_network import PORTS, connections, labels, policies_of

Object = dict[str, Any]
Render = Callable[[Object], list[Object]]

TAGGER = {"recogniser": {"replicas": 2, "tagger": "models/tagger.onnx"}}


def one(objects: list[Object], kind: str, name: str = "ew-recogniser") -> Object:
    (found,) = [o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name]
    return found


def pod(objects: list[Object], name: str = "ew-recogniser") -> Object:
    return one(objects, "Deployment", name)["spec"]["template"]["spec"]


def environment(objects: list[Object], name: str = "ew-recogniser") -> dict[str, str]:
    (container,) = pod(objects, name)["containers"]
    return {variable["name"]: variable.get("value", "") for variable in container["env"]}


def test_there_is_none_by_default_and_nobody_is_told_of_one(render: Render) -> None:
    objects = render({})
    assert not [o for o in objects if o["metadata"]["name"] == "ew-recogniser"]
    assert "EW_RECOGNISER" not in json.dumps(objects)


def test_it_loads_what_is_named_and_reward_workers_ask_it(render: Render) -> None:
    objects = render(TAGGER)
    assert one(objects, "Deployment")["spec"]["replicas"] == 2
    assert pod(objects)["containers"][0]["command"] == ["python", "-m", "services.recogniser"]
    own = environment(objects)
    assert own["EW_TAGGER"] == "/models/models/tagger.onnx" and "EW_TRANSCRIBER" not in own
    # It has nothing to do with Redis, and knows no password of it.
    assert "EW_QUEUE_URL" not in own and "EW_REDIS_PASSWORD" not in own
    address = environment(objects, "ew-reward")["EW_RECOGNISER"]
    assert Settings.from_env({"EW_RECOGNISER": address}).recogniser == "ew-recogniser.mesh.svc:7070"
    (port,) = one(objects, "Service")["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (7070, "grpc")
    assert one(objects, "Service")["spec"]["selector"].items() <= labels("recogniser").items()
    assert one(objects, "ServiceAccount") and one(objects, "PodDisruptionBudget")
    for component in ("jobs", "rollout", "reference"):
        assert "EW_RECOGNISER" not in environment(objects, f"ew-{component}")


@pytest.mark.parametrize(("claim", "mounted"), [("", "ew-data"), ("models", "models")])
def test_the_volume_of_models_is_read_only(render: Render, claim: str, mounted: str) -> None:
    spec = pod(render({"recogniser": {"replicas": 1, "transcriber": "whisper", "modelsClaim": claim}}))
    volume = next(v for v in spec["volumes"] if v["name"] == "models")
    assert volume["persistentVolumeClaim"] == {"claimName": mounted, "readOnly": True}
    mount = next(m for m in spec["containers"][0]["volumeMounts"] if m["name"] == "models")
    assert mount == {"name": "models", "mountPath": "/models", "readOnly": True}
    assert not [v for v in spec["volumes"] if v["name"] == "data"]


@pytest.mark.parametrize("external", [False, True])
def test_reward_workers_reach_it_and_it_reaches_nobody(render: Render, external: bool) -> None:
    values = TAGGER | {"networkPolicy": {"enabled": True}}
    if external:
        values |= {"queue": {"enabled": False}, "externalRedis": {"queue": {"existingSecret": "own"}}}
    names = ["client", "jobs", "trainer", "rollout", "reward", "reference", "queue", "weights", "recogniser"]
    pods = {name: labels(name) for name in names if not (external and name == "queue")}
    found = {arrow for arrow in connections(policies_of(render(values)), pods) if "recogniser" in arrow[:2]}
    assert found == {("reward", "recogniser", "grpc")} and PORTS["grpc"] == 7070


def test_its_certificate_has_its_name(render: Render) -> None:
    tls = {"tls": {"enabled": True, "certManager": {"issuerName": "own"}}}
    names = one(render(TAGGER | tls), "Certificate", "ew-tls")["spec"]["dnsNames"]
    assert "ew-recogniser.mesh.svc" in names


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"replicas": 1}, "recogniser.tagger"),
        ({"replicas": 1, "tagger": "/etc/passwd"}, "tagger"),
        ({"replicas": 1, "tagger": "a/../../b.onnx"}, "tagger"),
        (
            {"replicas": 1, "tagger": "a.onnx", "volumes": [{"name": "models", "emptyDir": {}}]},
            "models",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(render: Render, values: Object, says: str) -> None:
    with pytest.raises(helm_python.errors.HelmError, match=says):
        render({"recogniser": values})
