"""A release in a cluster: its pods, their images, its volumes and secrets."""

from __future__ import annotations

from functools import partial
from typing import Any

from earwitness.cluster.api import Absent, Api
from earwitness.cluster.parts import explained, parts_of
from earwitness.cluster.pods import Pod, pods_of
from earwitness.cluster.release import Release
from earwitness.doctor.finding import Check, Finding

NO_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
"""States of a pod whose image cannot be had."""


def release_checks(api: Api, release: Release) -> list[Check]:
    """What `kubectl` would be asked for."""
    return [partial(check, api, release) for check in (pods, images, volumes, secrets)]


def pods(api: Api, release: Release) -> Finding:
    """All are ready."""
    found = pods_of(api, release)
    late = [pod for pod in found if not pod.ready]
    lacking = [part for part in explained(api, release, parts_of(api, release)) if part.there < part.wanted]
    if lacking:
        return Finding("pods", "; ".join(part.said for part in lacking), "what refuses them: a quota first")
    if late:
        states = ", ".join(f"{pod.name} is {pod.said}" for pod in late)
        return Finding("pods", states, f"what `earwitness logs {late[0].component} -n {release.namespace}` says")
    return Finding("pods", f"{len(found)} ready")


def images(api: Api, release: Release) -> Finding:
    """Every node could pull what it was asked to."""
    found = pods_of(api, release)
    without = [pod for pod in found if pod.state in NO_IMAGE]
    if without:
        names = ", ".join(f"{pod.name} ({pod.version})" for pod in without)
        return Finding("images", f"cannot be pulled: {names}", "image.repository, image.tag or imagePullSecrets")
    return Finding("images", _versions(found))


def volumes(api: Api, release: Release) -> Finding:
    """Every claim of the release is bound."""
    listed, chosen = api.core.list_namespaced_persistent_volume_claim, release.labels
    claims = api.ask("list", "persistentvolumeclaims", release.namespace, listed, label_selector=chosen).items
    waiting = [f"{claim.metadata.name} is {claim.status.phase}" for claim in claims if claim.status.phase != "Bound"]
    mend = "a storage class that can serve the claim (`kubectl describe pvc`)" if waiting else ""
    return Finding("volumes", ", ".join(waiting) or f"{len(claims)} bound", mend)


def secrets(api: Api, release: Release) -> Finding:
    """Every secret and key that a pod of the release reads is there."""
    namespace, core = release.namespace, api.core
    found = api.ask("list", "pods", namespace, core.list_namespaced_pod, label_selector=release.labels).items
    wanted = sorted({reference for pod in found for reference in _references(pod)})
    missing = []
    for name in sorted({name for name, _ in wanted}):
        keys = {key for secret, key in wanted if secret == name and key}
        try:
            secret = api.ask("get", f"secrets/{name}", namespace, core.read_namespaced_secret, name)
        except Absent:
            missing.append(name)
            continue
        missing += [f"{name} has no key {key!r}" for key in sorted(keys - (secret.data or {}).keys())]
    mend = "the secrets that the values name (`helm upgrade` makes those that the chart owns)" if missing else ""
    return Finding(
        "secrets", f"missing: {', '.join(missing)}" if missing else f"{len({n for n, _ in wanted})} there", mend
    )


def _references(pod: Any) -> list[tuple[str, str]]:
    """(secret, key) that the pod needs; key empty: all of it."""
    found = [(v.secret.secret_name, "") for v in pod.spec.volumes or [] if v.secret and not v.secret.optional]
    for container in [*pod.spec.containers, *(pod.spec.init_containers or [])]:
        sources = (variable.value_from.secret_key_ref for variable in container.env or [] if variable.value_from)
        found += [(source.name, source.key) for source in sources if source and not source.optional]
    return found


def _versions(pods: list[Pod]) -> str:
    return ", ".join(sorted({pod.version for pod in pods}))
