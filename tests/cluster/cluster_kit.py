"""The chart on a cluster: installed, changed and looked at as a person does it, through Helm and the Kubernetes API."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import helm_python as helm
import yaml
from kubernetes.stream import stream

from earwitness.client import TERMINAL, Mesh, state_name
from earwitness.cluster import Api, Release, find_release, pods_of
from earwitness.cluster.pods import Pod
from earwitness.cluster.release import COMPONENT
from earwitness.wire.jobs.v1 import jobs_pb2

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "earwitness"
BEFORE = ROOT / "tests" / "charts" / "earwitness-0.1.0.tgz"
"""The chart of the version before, as `helm package` made it."""

NAME = "ew"
RECIPE = Path(os.environ.get("EW_CLUSTER_RECIPE", ROOT / "tests/cluster/recipe.yaml"))
JOB_SECONDS = 3600.0
COMPONENTS = ("queue", "weights", "jobs", "trainer", "rollout", "reward")
POLL_SECONDS = 0.5
PODS_SECONDS = 300.0
"""Longest wait for pods to be as they should: vLLM starts in 20 s on two idle cores, in minutes beside other work."""

T = TypeVar("T")


def until(what: str, condition: Callable[[], T | None], seconds: float = PODS_SECONDS) -> T:
    """What `condition` gives, as soon as it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(POLL_SECONDS)
    raise AssertionError(f"waited {seconds:.0f} s for {what}")


def values() -> dict[str, Any]:
    """The cpu profile, with the images that the environment names."""
    chosen = yaml.safe_load((CHART / "ci" / "cpu-values.yaml").read_text())
    for variable, components in (
        ("EW_CLUSTER_IMAGE", ("defaults",)),
        ("EW_CLUSTER_REDIS_IMAGE", ("queue", "weights")),
    ):
        if image := os.environ.get(variable):
            repository, _, tag = image.rpartition(":")
            for component in components:
                chosen.setdefault(component, {})["image"] = {"registry": "", "repository": repository, "tag": tag}
    return chosen


def stage(job: jobs_pb2.Job) -> str:
    """What a job is at."""
    return f"{job.stage_type} {job.phase}"


class Installed:
    """A release in a namespace of its own."""

    def __init__(self, api: Api, namespace: str, chart: Path = CHART) -> None:
        self.api = api
        self.namespace = namespace
        self.helm = helm.Config(kubeconfig_path=os.environ["KUBECONFIG"], namespace=namespace)
        self.installed_at = time.monotonic()
        self.install(chart)

    def install(self, chart: Path = CHART, **changes: Any) -> None:
        """`helm install`, also after an `uninstall`, with some values changed."""
        self.helm.install(chart, NAME, {**values(), **changes}, namespace=self.namespace)

    def uninstall(self) -> None:
        """`helm uninstall`; returns when no pod is left."""
        self.helm.uninstall(NAME, timeout=300, wait="watcher")
        until("all pods to be gone", lambda: not self.api.core.list_namespaced_pod(self.namespace).items)

    @property
    def release(self) -> Release:
        """As the commands find it."""
        return find_release(self.api, self.namespace)

    def upgrade(self, **changes: Any) -> None:
        """`helm upgrade` with some values changed."""
        self.helm.upgrade(CHART, NAME, {**values(), **changes}, namespace=self.namespace)

    def pods(self, component: str) -> list[Pod]:
        """Of one component, those on their way out too."""
        return pods_of(self.api, self.release, component)

    def identities(self) -> dict[str, str]:
        """Component of each pod that is to stay -> what Kubernetes knows it by; of several of one, any."""
        found = self.api.core.list_namespaced_pod(self.namespace, label_selector=self.release.labels).items
        return {p.metadata.labels[COMPONENT]: p.metadata.uid for p in found if p.metadata.deletion_timestamp is None}

    def wait_ready(self, component: str, count: int) -> list[Pod]:
        """The pods, once there are `count` and all are ready."""

        def ready() -> list[Pod] | None:
            pods = self.pods(component)
            return pods if len(pods) == count and all(p.ready for p in pods) else None

        return until(f"{count} ready pods of {component}", ready)

    def all_ready(self) -> None:
        """Returns when there is one ready pod of every component."""
        for component in COMPONENTS:
            self.wait_ready(component, 1)

    def in_training(self, job: str, steps: int) -> jobs_pb2.Job:
        """The job, once it has done `steps` steps of RL."""

        def there() -> jobs_pb2.Job | None:
            with Mesh.in_cluster(self.namespace) as client:
                found = client.get(job)
            assert found.state not in TERMINAL, f"ended too early: {state_name(found.state)} {found.reason}"
            return found if stage(found) == "rl train" and found.step >= steps else None

        return until(f"step {steps} of the RL stage", there, JOB_SECONDS)

    def delete_pod(self, component: str) -> str:
        """Delete one; returns its name."""
        pod = self.pods(component)[0].name
        self.api.core.delete_namespaced_pod(pod, self.namespace)
        return pod

    def size(self, component: str) -> int:
        """Pods that the Deployment is to have."""
        return self.api.apps.read_namespaced_deployment_scale(f"{NAME}-{component}", self.namespace).spec.replicas

    def queue(self, *command: str) -> list[str]:
        """Lines that the queue Redis answers."""
        cli = ["valkey-cli", "--user", "earwitness", "--no-auth-warning", *command]
        answer = stream(
            self.api.core.connect_get_namespaced_pod_exec, f"{NAME}-queue-0", self.namespace, command=cli,
            stdout=True, stderr=True, stdin=False, tty=False,
        )  # fmt: skip
        return answer.splitlines()
