"""The pods of a release."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from earwitness.cluster.api import Api
from earwitness.cluster.release import COMPONENT, Release


@dataclass(frozen=True)
class Pod:
    """One pod as a person wants to see it."""

    name: str
    component: str
    """jobs, trainer, rollout, reward, reference, recogniser, queue, weights or client."""
    ready: bool
    state: str
    """Running, or why it does not run: Pending, CrashLoopBackOff, ImagePullBackOff, Unschedulable, Terminating ..."""
    restarts: int
    node: str
    age_seconds: float
    version: str
    """Of the image: its tag or digest."""
    message: str = ""
    """What Kubernetes says of a pod that does not run: which node lacks what, which Secret is missing."""

    @property
    def said(self) -> str:
        """State and message."""
        return f"{self.state}: {self.message}" if self.message else self.state


def pods_of(api: Api, release: Release, component: str = "") -> list[Pod]:
    """The pods of a release, or of one component of it, by name. Raises Forbidden, NoCluster."""
    selector = release.labels + (f",{COMPONENT}={component}" if component else "")
    found = api.ask("list", "pods", release.namespace, api.core.list_namespaced_pod, label_selector=selector)
    now = datetime.now(UTC)
    return sorted((_read(pod, now) for pod in found.items), key=lambda pod: pod.name)


def _read(pod: Any, now: datetime) -> Pod:
    containers = pod.status.container_statuses or []
    state, message = _state(pod, containers)
    image = pod.spec.containers[0].image
    return Pod(
        name=pod.metadata.name,
        component=pod.metadata.labels.get(COMPONENT, ""),
        ready=bool(containers) and all(c.ready for c in containers) and pod.metadata.deletion_timestamp is None,
        state=state,
        message=" ".join((message or "").split()),
        restarts=sum(c.restart_count for c in containers),
        node=pod.spec.node_name or "",
        age_seconds=(now - pod.metadata.creation_timestamp).total_seconds(),
        version=image.rpartition("@sha256:")[2][:12] if "@" in image else image.rpartition(":")[2],
    )


def _state(pod: Any, containers: Iterable[Any]) -> tuple[str, str | None]:
    """The state, and what is said about it."""
    if pod.metadata.deletion_timestamp is not None:
        return "Terminating", None
    for container in [*(pod.status.init_container_statuses or []), *containers]:
        for state in (container.state.waiting, container.state.terminated):
            if state is not None and state.reason and state.reason != "Completed":
                return str(state.reason), state.message
    for condition in pod.status.conditions or []:
        if condition.type == "PodScheduled" and condition.status == "False":
            return str(condition.reason), condition.message
    return str(pod.status.phase), pod.status.message
