"""Which release of the chart is meant, and what its jobs service says about how to reach it.

Everything is read off the jobs service's Deployment: no name is guessed, so the chart's values may name things freely.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from earwitness.cluster.api import Api, ClusterError, Forbidden
from earwitness.errors import EarwitnessError

CHART = "app.kubernetes.io/name=earwitness"
INSTANCE = "app.kubernetes.io/instance"
COMPONENT = "app.kubernetes.io/component"
GRPC = "grpc"
"""Name of the port of the jobs service's container."""


class NoRelease(EarwitnessError):
    """The chart is not installed there, or not under that name; `others` are the releases there are."""

    def __init__(self, namespace: str, name: str | None, others: Sequence[str]) -> None:
        super().__init__(namespace, name, tuple(others))
        self.namespace = namespace
        self.name = name
        self.others = tuple(others)

    def __str__(self) -> str:
        if self.others:
            return f"no release {self.name!r} in namespace {self.namespace}; there are: {', '.join(self.others)}"
        install = f"helm install ew charts/earwitness -n {self.namespace} --create-namespace"
        return f"no release of the chart in namespace {self.namespace}; name another with -n, or make one: `{install}`"


class SeveralReleases(EarwitnessError):
    """The namespace has more than one release, and none was named."""

    def __init__(self, namespace: str, names: Sequence[str]) -> None:
        super().__init__(namespace, tuple(names))
        self.names = tuple(names)
        self.namespace = namespace

    def __str__(self) -> str:
        return f"namespace {self.namespace} has several releases; name one with --release: {', '.join(self.names)}"


@dataclass(frozen=True)
class Release:
    """One installed mesh."""

    name: str
    """As `helm list` shows it."""
    namespace: str
    prefix: str
    """Of the names of its objects."""
    port: int
    """Of the jobs service."""
    folder: str
    """Where its volume is mounted; relative paths of recipes start there."""
    token_secret: str
    token_key: str
    tls_secret: str
    """Secret with `ca.crt`; empty: the mesh speaks in the clear."""

    @property
    def labels(self) -> str:
        """Selects everything of this release."""
        return f"{CHART},{INSTANCE}={self.name}"


def find_release(api: Api, namespace: str | None = None, name: str | None = None) -> Release:
    """The release `name`, or the only one, in `namespace` (default: the context's).

    Raises NoRelease, SeveralReleases, Forbidden, NoCluster.
    """
    namespace = namespace or api.namespace
    jobs, listed = f"{CHART},{COMPONENT}=jobs", api.apps.list_namespaced_deployment
    found = api.ask("list", "deployments.apps", namespace, listed, label_selector=jobs).items
    by_name = {deployment.metadata.labels[INSTANCE]: deployment for deployment in found}
    if name is None and len(by_name) > 1:
        raise SeveralReleases(namespace, sorted(by_name))
    if not by_name or (name is not None and name not in by_name):
        raise NoRelease(namespace, name, sorted(by_name))
    chosen = name or next(iter(by_name))
    return _read(chosen, by_name[chosen])


def read_token(api: Api, release: Release) -> str:
    """The token that callers show. Raises Forbidden."""
    return _read_secret(api, release, release.token_secret, release.token_key).decode(errors="replace")


def read_authority(api: Api, release: Release) -> bytes | None:
    """The certificates (PEM) to trust; None if the mesh speaks in the clear. Raises Forbidden."""
    return _read_secret(api, release, release.tls_secret, "ca.crt") if release.tls_secret else None


def _read_secret(api: Api, release: Release, secret: str, key: str) -> bytes:
    try:
        found = api.ask("get", f"secrets/{secret}", release.namespace, api.core.read_namespaced_secret, secret)
        return base64.b64decode((found.data or {})[key])
    except Forbidden as error:
        instead = "or give the token with --token (EW_TOKEN) and the authority with EW_TLS_CA"
        raise Forbidden(error.verb, error.resource, error.namespace, instead) from error
    except KeyError as error:
        raise ClusterError(f"secret {secret} in namespace {release.namespace} has no key {key!r}") from error


def _read(name: str, deployment: Any) -> Release:
    pod = deployment.spec.template.spec
    container = next(c for c in pod.containers if c.name == "jobs")
    token = next(e.value_from.secret_key_ref for e in container.env if e.name == "EW_TOKEN")
    tls = next((v.secret.secret_name for v in pod.volumes or [] if v.name == "tls"), "")
    return Release(
        name=name,
        namespace=deployment.metadata.namespace,
        prefix=deployment.metadata.name.removesuffix("-jobs"),
        port=next(p.container_port for p in container.ports if p.name == GRPC),
        folder=container.working_dir or "/",
        token_secret=token.name,
        token_key=token.key,
        tls_secret=tls,
    )
