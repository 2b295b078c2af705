"""The trainer's pods are one gang for every scheduler that knows gangs, each in that scheduler's own words."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

Object = dict[str, Any]

NODES = 4


@pytest.fixture
def trainer(render: Callable, pods: Callable, of_kind: Callable) -> Callable[[str], tuple[Object, Object, Object]]:
    """StatefulSet, pod template and PodGroup (empty where the scheduler makes its own) under a provider."""

    def make(provider: str) -> tuple[Object, Object, Object]:
        objects = render({"gang": {"provider": provider, "queue": "training"}, "trainer": {"nodes": NODES}})
        owner = of_kind(objects, "StatefulSet")["ew-trainer"]
        group = of_kind(objects, "PodGroup").get("ew-trainer", {})
        return owner, pods(objects)["StatefulSet/ew-trainer"], group

    return make


def test_pods_start_together_whatever_schedules_them(trainer: Callable) -> None:
    for provider in ("none", "native", "volcano", "scheduler-plugins", "kueue", "kai"):
        owner, _, _ = trainer(provider)
        assert (owner["spec"]["podManagementPolicy"], owner["spec"]["replicas"]) == ("Parallel", NODES)


def test_native(trainer: Callable) -> None:
    _, pod, group = trainer("native")
    assert group["apiVersion"] == "scheduling.k8s.io/v1alpha2"
    assert group["spec"] == {"schedulingPolicy": {"gang": {"minCount": NODES}}}
    assert pod["spec"]["schedulingGroup"] == {"podGroupName": group["metadata"]["name"]}
    assert "schedulerName" not in pod["spec"]


def test_volcano(trainer: Callable) -> None:
    _, pod, group = trainer("volcano")
    assert group["apiVersion"] == "scheduling.volcano.sh/v1beta1"
    assert group["spec"] == {"minMember": NODES, "queue": "training"}
    assert pod["metadata"]["annotations"]["scheduling.k8s.io/group-name"] == group["metadata"]["name"]
    assert pod["spec"]["schedulerName"] == "volcano"


def test_scheduler_plugins(trainer: Callable) -> None:
    _, pod, group = trainer("scheduler-plugins")
    assert group["apiVersion"] == "scheduling.x-k8s.io/v1alpha1"
    assert group["spec"] == {"minMember": NODES, "scheduleTimeoutSeconds": 600}
    assert pod["metadata"]["labels"]["scheduling.x-k8s.io/pod-group"] == group["metadata"]["name"]
    assert pod["spec"]["schedulerName"] == "scheduler-plugins-scheduler"


def test_kueue_makes_the_group_from_the_statefulset(trainer: Callable) -> None:
    owner, pod, group = trainer("kueue")
    assert not group
    assert owner["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "training"
    assert "schedulerName" not in pod["spec"]


def test_under_kueue_all_that_takes_gpus_stands_in_the_queue_and_nothing_else(
    render: Callable, of_kind: Callable, profile_of: Callable
) -> None:
    """Two releases share a cluster's quota: what a rollout worker takes counts as well as what the trainer takes."""
    key = "kueue.x-k8s.io/queue-name"

    def queued(provider: str) -> dict[str, set[str]]:
        objects = render(profile_of("gpu") | {"gang": {"provider": provider, "queue": "training"}})
        kinds = {kind: of_kind(objects, kind) for kind in ("StatefulSet", "Deployment")}
        assert not [o for o in objects if key in json.dumps(o) and o["kind"] not in kinds]
        return {kind: {n for n, o in found.items() if key in o["metadata"]["labels"]} for kind, found in kinds.items()}

    assert queued("kueue") == {"StatefulSet": {"ew-trainer"}, "Deployment": {"ew-rollout"}}
    assert queued("none") == {"StatefulSet": set(), "Deployment": set()}
    with_gpus = {"gang": {"provider": "kueue", "queue": "q"}, "reference": {"replicas": 1, "gpu": {"count": 1}}}
    assert of_kind(render(with_gpus), "Deployment")["ew-reference"]["metadata"]["labels"][key] == "q"


def test_kai_makes_the_group_from_the_statefulset(trainer: Callable) -> None:
    owner, pod, group = trainer("kai")
    assert not group
    assert owner["metadata"]["annotations"] == {"kai.scheduler/min-member": str(NODES)}
    assert pod["metadata"]["labels"]["kai.scheduler/queue"] == "training"
    assert pod["spec"]["schedulerName"] == "kai-scheduler"


def test_without_a_provider_nothing_is_said(trainer: Callable) -> None:
    owner, pod, group = trainer("none")
    assert not group
    assert "annotations" not in owner["metadata"]
    assert not {"schedulingGroup", "schedulerName"} & set(pod["spec"])
