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

from earwitness.cluster import Api, Pod, Release, find_release, pods_of
from earwitness.cluster.release import COMPONENT

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "earwitness"
NAME = "ew"
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


class Installed:
    """A release in a namespace of its own."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.api = api
        self.namespace = namespace
        self.helm = helm.Config(kubeconfig_path=os.environ["KUBECONFIG"], namespace=namespace)
        self.installed_at = time.monotonic()
        self.install()

    def install(self) -> None:
        """`helm install`, also after an `uninstall`."""
        self.helm.install(CHART, NAME, values(), namespace=self.namespace)

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
