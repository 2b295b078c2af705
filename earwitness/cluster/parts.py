"""What a release is to have against what is there: the parts of it, and why one is not complete.

A pod that was never made cannot say why: a quota, a limit range or an admission rule refuses it, and only the warning
events of whatever was to make it tell.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from earwitness.cluster.api import Api
from earwitness.cluster.release import COMPONENT, Release


@dataclass(frozen=True)
class WarningEvent:
    """A warning event of Kubernetes."""

    reason: str
    message: str
    age_seconds: float


@dataclass(frozen=True)
class Part:
    """One component of a release."""

    name: str
    """jobs, trainer, rollout, reward, reference, recogniser, queue or weights."""
    wanted: int
    there: int
    ready: int
    warning: WarningEvent | None = None
    """The newest about it or its pods, while it is not complete."""

    @property
    def said(self) -> str:
        """What it lacks, and why."""
        lacks = f"{self.name} lacks {self.wanted - self.ready} of {self.wanted}"
        why = self.warning
        return f"{lacks}: {why.reason} {why.age_seconds:.0f} s ago, {why.message}" if why else lacks


def parts_of(api: Api, release: Release) -> list[Part]:
    """The components, by name, without warnings. Raises Forbidden, NoCluster."""
    owners = []
    kinds = {"deployments": api.apps.list_namespaced_deployment, "statefulsets": api.apps.list_namespaced_stateful_set}
    for kind, listed in kinds.items():
        owners += api.ask("list", f"{kind}.apps", release.namespace, listed, label_selector=release.labels).items
    return sorted(map(_read, owners), key=lambda part: part.name)


def explained(api: Api, release: Release, parts: list[Part]) -> list[Part]:
    """Those that are not complete, each with its newest warning. Raises Forbidden, NoCluster."""
    lacking = [part for part in parts if part.ready < part.wanted]
    if not lacking:
        return []
    listed = api.core.list_namespaced_event
    events = api.ask("list", "events", release.namespace, listed, field_selector="type=Warning").items
    newest = sorted(events, key=_time, reverse=True)
    now = datetime.now(UTC)
    return [_with_warning(part, f"{release.prefix}-{part.name}", newest, now) for part in lacking]


def _read(owner: Any) -> Part:
    status = owner.status
    return Part(
        name=owner.metadata.labels[COMPONENT],
        wanted=1 if owner.spec.replicas is None else owner.spec.replicas,
        there=(status and status.replicas) or 0,
        ready=(status and status.ready_replicas) or 0,
    )


def _with_warning(part: Part, owner: str, newest: list[Any], now: datetime) -> Part:
    for event in newest:
        name = event.involved_object.name or ""
        # The names of replica sets, pods and claims contain that of the Deployment or StatefulSet.
        if name == owner or f"{owner}-" in name:
            age = max(0.0, (now - _time(event)).total_seconds())
            warning = WarningEvent(event.reason or "", " ".join((event.message or "").split()), age)
            return replace(part, warning=warning)
    return part


def _time(event: Any) -> datetime:
    """When it was last seen; a cluster fills one or the other field."""
    series = event.series.last_observed_time if event.series else None
    seen: datetime = series or event.last_timestamp or event.event_time or event.metadata.creation_timestamp
    return seen
