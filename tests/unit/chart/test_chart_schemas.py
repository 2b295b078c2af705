"""The chart against Helm's own rules, its values' schema and the schemas of Kubernetes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import helm_python as helm
import kubernetes_validate
import pytest

Object = dict[str, Any]

MINORS = ["1.30", "1.31", "1.32", "1.33", "1.34", "1.35", "1.36"]
"""Minor versions of Kubernetes whose schemas every object must meet."""

FOREIGN = {"keda.sh", "cert-manager.io", "monitoring.coreos.com", "scheduling.volcano.sh"}
"""Groups of custom resources, of which Kubernetes has no schema."""


def test_the_chart_lints(values: Object, chart_path: Path) -> None:
    assert helm.lint(chart_path, values, strict=True)["errors"] == []


@pytest.mark.parametrize("minor", MINORS)
def test_objects_meet_the_schemas_of_kubernetes(
    minor: str, profiles: list[str], profile_of: Callable, render: Callable[[Object], list[Object]]
) -> None:
    distinct = {json.dumps(o): o for profile in profiles for o in render(profile_of(profile))}
    for o in distinct.values():
        if o["apiVersion"].partition("/")[0] not in FOREIGN:
            kubernetes_validate.validate(o, minor, strict=True)


def test_a_misspelt_field_would_be_found(render: Callable[[Object], list[Object]]) -> None:
    deployment = next(o for o in render({}) if o["kind"] == "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(deployment, "1.36", strict=True)


def test_names_are_unique_and_in_the_release(objects: list[Object]) -> None:
    names = [(o["kind"], o["metadata"]["name"]) for o in objects]
    assert len(names) == len(set(names))
    assert {o["metadata"]["namespace"] for o in objects} == {"mesh"}
    assert all(name == "ew" or name.startswith("ew-") for _, name in names)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"rolout": {}}, "rolout"),
        ({"rollout": {"replicas": 3}}, "replicas"),
        ({"jobs": {"imag": {}}}, "imag"),
        ({"defaults": {"probes": {"startup": {"period": 2}}}}, "period"),
        ({"trainer": {"nodes": "two"}}, "/trainer/nodes"),
        ({"metrics": {"serviceMonitor": {"enabled": "yes"}}}, "/metrics/serviceMonitor/enabled"),
        ({"trainer": {"nodes": -1}}, "/trainer/nodes"),
        ({"rollout": {"initialReplicas": -2}}, "/rollout/initialReplicas"),
        ({"queue": {"persistence": {"size": "-1Gi"}}}, "/queue/persistence/size"),
        ({"reward": {"resources": {"limits": {"memory": "-1Gi"}}}}, "/limits/memory"),
        ({"rollout": {"gpu": {"count": -1}}}, "/gpu/count"),
        ({"gang": {"provider": "slurm"}}, "/gang/provider"),
        ({"jobs": {"image": {"digest": "sha256:short"}}}, "/image/digest"),
    ],
)
def test_the_schema_refuses(wrong: Object, named: str, render: Callable[[Object], list[Object]]) -> None:
    with pytest.raises(helm.HelmError, match=named):
        render(wrong)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"queue": {"enabled": False}}, "externalRedis.queue.existingSecret"),
        ({"weights": {"enabled": False}}, "externalRedis.weights.existingSecret"),
        ({"tls": {"enabled": True}}, "tls.certManager.issuerName"),
        ({"gang": {"provider": "kueue"}}, "gang.queue"),
        ({"rollout": {"graceSeconds": 60}}, "terminationGracePeriodSeconds"),
        ({"rollout": {"autoscaling": {"provider": "hpa"}}}, "rollout.autoscaling.metrics"),
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: Object, said: str, render: Callable[[Object], list[Object]]) -> None:
    with pytest.raises(helm.HelmError, match=said):
        render(wrong)


def test_readme_and_schema_come_from_the_values(chart_path: Path) -> None:
    check = subprocess.run(
        [sys.executable, str(chart_path.parent / "generate.py"), "--check"], capture_output=True, text=True
    )
    assert check.returncode == 0, check.stderr


def test_versions_agree(chart_path: Path) -> None:
    project = (chart_path.parents[1] / "pyproject.toml").read_text()
    with helm.Chart.load(chart_path) as chart:
        assert f'version = "{chart.metadata["appVersion"]}"' in project
