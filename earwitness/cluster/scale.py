"""More or fewer workers of a release, through the Deployment's scale subresource, as `kubectl scale` does it."""

from __future__ import annotations

from dataclasses import dataclass

from earwitness.cluster.api import Api, Forbidden
from earwitness.cluster.release import Release
from earwitness.errors import EarwitnessError, InputError

SCALABLE = ("rollout",)
"""Components whose size the chart leaves open. The size of all others is a value: changed here, the next upgrade would
stop at two owners of one field."""

VALUES = {
    "trainer": "trainer.nodes",
    "reward": "reward.replicas",
    "reference": "reference.replicas",
    "recogniser": "recogniser.replicas",
    "weights": "weights.shards",
}
"""Where the size of the others stands."""


class OwnedByAutoscaler(EarwitnessError):
    """An autoscaler sets the size; what a person sets would not last."""

    def __init__(self, component: str, autoscaler: str, least: int, most: int) -> None:
        super().__init__(component, autoscaler, least, most)
        self.component = component
        self.autoscaler = autoscaler
        self.least = least
        self.most = most

    def __str__(self) -> str:
        value = f"{self.component}.autoscaling"
        return (
            f"the autoscaler {self.autoscaler} holds {self.component} between {self.least} and {self.most} workers; "
            f"change {value}.minReplicas and maxReplicas, or switch it off with {value}.provider=none"
        )


@dataclass(frozen=True)
class Scaled:
    """What became of a request."""

    before: int
    now: int
    unseen: str
    """Why it is not known whether an autoscaler sets the size; empty if there is none."""


def scale(api: Api, release: Release, component: str, count: int) -> Scaled:
    """Ask for `count` workers. Raises InputError, OwnedByAutoscaler, Forbidden, ClusterError, NoCluster."""
    if count < 0:
        raise InputError("count", f"{count} is negative", "0 or more")
    if component not in SCALABLE:
        way = f"`helm upgrade` with the value {VALUES[component]}" if component in VALUES else ", ".join(SCALABLE)
        raise InputError("role", f"{component!r} cannot be scaled while it runs", way)
    deployment = f"{release.prefix}-{component}"
    unseen = _require_no_autoscaler(api, release, component, deployment)
    namespace, size, wanted = release.namespace, "deployments.apps/scale", {"spec": {"replicas": count}}
    current = api.ask("get", size, namespace, api.apps.read_namespaced_deployment_scale, deployment)
    api.ask("patch", size, namespace, api.apps.patch_namespaced_deployment_scale, deployment, body=wanted)
    return Scaled(current.spec.replicas or 0, count, unseen)


def _require_no_autoscaler(api: Api, release: Release, component: str, deployment: str) -> str:
    """Raises OwnedByAutoscaler. Whoever may scale but not see autoscalers may go on, and is told so."""
    try:
        listed = api.autoscaling.list_namespaced_horizontal_pod_autoscaler
        found = api.ask("list", "horizontalpodautoscalers.autoscaling", release.namespace, listed).items
    except Forbidden as error:
        return str(error)
    for autoscaler in found:
        target = autoscaler.spec.scale_target_ref
        if (target.kind, target.name) == ("Deployment", deployment):
            limits = autoscaler.spec
            raise OwnedByAutoscaler(component, autoscaler.metadata.name, limits.min_replicas or 0, limits.max_replicas)
    return ""
