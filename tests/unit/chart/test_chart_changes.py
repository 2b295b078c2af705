"""Which pods a change of values replaces: exactly those that read it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest

Object = dict[str, Any]
Pods = Callable[[list[Object]], dict[str, Object]]

SERVICES = {"Deployment/ew-jobs", "Deployment/ew-rollout", "Deployment/ew-reward", "Deployment/ew-reference"}
SERVICES |= {"StatefulSet/ew-trainer"}
HOOKS = {"Pod/ew-test"}
"""What runs only when it is asked for."""

REDIS = {"StatefulSet/ew-queue", "StatefulSet/ew-weights"}


@pytest.mark.parametrize(
    ("changed", "replaced"),
    [
        ({"logLevel": "debug"}, SERVICES),
        ({"jobs": {"logLevel": "debug"}}, {"Deployment/ew-jobs"}),
        ({"claimIdleMilliseconds": 20_000}, SERVICES),
        ({"queue": {"appendFsync": "always"}}, {"StatefulSet/ew-queue"}),
        ({"weights": {"maxMemory": "128mb"}}, {"StatefulSet/ew-weights"}),
        ({"rollout": {"groups": 8}}, {"Deployment/ew-rollout"}),
        ({"rollout": {"initialReplicas": 2}}, {"Deployment/ew-jobs"}),
        ({"reward": {"replicas": 3}}, set()),
        ({"networkPolicy": {"enabled": False}, "metrics": {"alerts": {"enabled": True}}}, set()),
        ({"commonLabels": {"team": "a"}}, SERVICES | REDIS),
        ({"tls": {"enabled": True, "existingSecret": "mine"}}, SERVICES | REDIS),
    ],
)
def test_a_change_replaces_exactly_the_pods_that_read_it(
    changed: Object, replaced: set[str], render: Callable, pods: Pods
) -> None:
    before, after = pods(render({})), pods(render(changed))
    assert {name for name in before if before[name] != after[name]} - HOOKS == replaced


def test_a_version_of_the_chart_alone_replaces_no_pod(
    chart_path: Path, tmp_path: Path, pods: Pods, objects_of: Callable[..., list[Object]]
) -> None:
    shutil.copytree(chart_path, tmp_path / "chart")
    about = tmp_path / "chart" / "Chart.yaml"
    about.write_text(re.sub(r"(?m)^version: .*", "version: 9.9.9", about.read_text()))

    def rendered(path: Path) -> dict[str, Object]:
        with helm.Chart.load(path) as chart:
            files = chart.render({}, name="ew", namespace="mesh")
        return pods(objects_of(files))

    before, after = rendered(chart_path), rendered(tmp_path / "chart")
    assert {name for name in before if before[name] != after[name]} == HOOKS


def test_of_two_variables_with_one_name_a_person_s_stands(render: Callable, pods: Pods) -> None:
    more = [{"name": "HOME", "value": "/data/home"}, {"name": "MINE", "value": 7}]
    pod = pods(render({"trainer": {"env": more}}))["StatefulSet/ew-trainer"]
    names = [e["name"] for e in pod["spec"]["containers"][0]["env"]]
    assert len(names) == len(set(names))
    given = {e["name"]: e["value"] for e in pod["spec"]["containers"][0]["env"] if "value" in e}
    assert given.items() >= {"HOME": "/data/home", "MINE": "7", "EW_LOG_LEVEL": "info"}.items()
