"""`earwitness status -n`: what a release is to have against what is there, and why something is missing."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from fake_kubernetes import FakeKubernetes
from typer.testing import CliRunner, Result

from earwitness.cli.commands import app
from earwitness.cluster import Api, find_release, parts_of

Labels = Callable[[str], dict[str, str]]

QUOTA = 'pods "ew-rollout-5d9f" is forbidden: exceeded quota: memory, requested: 2816Mi, used: 6Gi, limited: 8Gi'


@pytest.fixture(autouse=True)
def wide(kubeconfig: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables are not cut."""
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def there(cluster: FakeKubernetes) -> Callable[..., None]:
    """Says how many pods of a component there are and are ready; of all others there are as many as are wanted."""

    def tell(component: str, wanted: int, there: int, ready: int) -> None:
        for o in cluster.objects["deployments.apps"] + cluster.objects["statefulsets.apps"]:
            if o["metadata"]["name"] == f"ew-{component}":
                o["spec"]["replicas"] = wanted
                o["status"] = {"replicas": there, "readyReplicas": ready}

    return tell


@pytest.fixture
def status(cluster: FakeKubernetes, labels: Labels, serve: Callable[[str], tuple[Any, int]]) -> Callable[[], Result]:
    _, port = serve("worker-of-the-mesh")
    cluster.add_pod("ew-jobs-a", "mesh", labels("jobs"))
    cluster.listeners["ew-jobs-a"] = ("127.0.0.1", port)
    return lambda: CliRunner().invoke(app, ["status", "-n", "mesh"])


def test_a_pod_that_a_quota_refuses_is_told_by_the_newest_warning(
    cluster: FakeKubernetes, there: Callable[..., None], status: Callable[[], Result]
) -> None:
    there("rollout", 3, 1, 1)
    cluster.add_event("ew-rollout-5d9f", "FailedCreate", "an older reason", 300)
    cluster.add_event("ew-rollout-5d9f", "FailedCreate", QUOTA, 12)
    cluster.add_event("ew-rollout", "ScalingReplicaSet", "Scaled up", 1, kind="Normal")
    cluster.add_event("ew-reward-7c", "FailedCreate", "of another", 1)
    result = status()
    assert result.exit_code == 0, result.output
    (line,) = [text for text in result.output.splitlines() if "lacks" in text]
    assert re.fullmatch(r"rollout lacks 2 of 3: FailedCreate \d+ s ago, " + re.escape(QUOTA), line), line
    (row,) = [text.split() for text in result.output.splitlines() if "│ rollout " in text]
    assert [cell for cell in row if cell != "│"] == ["rollout", "3", "1", "1"]


def test_a_pod_that_no_node_takes_says_why(
    cluster: FakeKubernetes, there: Callable[..., None], status: Callable[[], Result], labels: Labels
) -> None:
    there("trainer", 1, 1, 0)
    said = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
    cluster.add_pod("ew-trainer-0", "mesh", labels("trainer"))
    cluster.objects["pods"][-1]["status"] = {
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said}],
    }
    result = status()
    assert f"ew-trainer-0 is Unschedulable: {said}" in result.output
    assert "trainer lacks 1 of 1\n" in result.output


def test_a_missing_secret_is_named(
    cluster: FakeKubernetes, there: Callable[..., None], status: Callable[[], Result], labels: Labels
) -> None:
    there("queue", 1, 1, 0)
    cluster.add_pod("ew-queue-0", "mesh", labels("queue"), ready=False, reason="CreateContainerConfigError")
    waiting = cluster.objects["pods"][-1]["status"]["containerStatuses"][0]["state"]["waiting"]
    waiting["message"] = 'secret "mine" not found'
    assert 'ew-queue-0 is CreateContainerConfigError: secret "mine" not found' in status().output


def test_a_release_that_is_complete_is_not_explained(
    cluster: FakeKubernetes, there: Callable[..., None], status: Callable[[], Result]
) -> None:
    there("rollout", 1, 1, 1)
    cluster.add_event("ew-rollout-5d9f", "FailedCreate", QUOTA, 12)
    output = status().output
    assert "lacks" not in output
    assert "FailedCreate" not in output


@pytest.mark.parametrize("resource", ["statefulsets.apps", "events"])
def test_who_may_not_see_it_is_told_what_to_ask_for(
    cluster: FakeKubernetes, there: Callable[..., None], status: Callable[[], Result], resource: str
) -> None:
    there("rollout", 2, 1, 1)
    cluster.forbidden.add(("list", resource))
    result = status()
    assert result.exit_code == 0, result.output
    assert f"must grant list on {resource}" in result.output
    assert "worker-of-the-mesh" in result.output


def test_no_jobs_service_is_one_line_without_a_wait_that_was_none(
    cluster: FakeKubernetes, labels: Labels, there: Callable[..., None]
) -> None:
    there("jobs", 1, 1, 0)
    cluster.add_pod("ew-jobs-a", "mesh", labels("jobs"), ready=False, reason="ImagePullBackOff")
    output = CliRunner().invoke(app, ["status", "-n", "mesh"]).output
    assert "ew-jobs-a is ImagePullBackOff" in output
    assert "waited" not in output


def test_components_are_known_by_their_labels_whatever_their_names(
    cluster: FakeKubernetes, there: Callable[..., None], api: Api
) -> None:
    there("rollout", 5, 4, 3)
    parts = {p.name: (p.wanted, p.there, p.ready) for p in parts_of(api, find_release(api))}
    assert parts.pop("rollout") == (5, 4, 3)
    assert parts == {
        **dict.fromkeys(("jobs", "trainer", "reward", "queue", "weights"), (1, 1, 1)),
        "reference": (0, 0, 0),
    }
