"""The client reaches the jobs service through a port forward of its own, whichever pod that service is."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from fake_kubernetes import FakeKubernetes

from earwitness.client import Mesh, NotAllowed, ServerUnreachable
from earwitness.cluster import Forbidden
from earwitness.errors import InfrastructureError

Serve = Callable[[str], tuple]


@pytest.fixture
def pod(cluster: FakeKubernetes, serve: Serve, labels: Callable, kubeconfig: str) -> Callable[[str], object]:
    """Adds a ready pod of the jobs service; returns its server."""

    def add(name: str) -> object:
        server, port = serve(name)
        cluster.add_pod(name, "mesh", labels("jobs"))
        cluster.listeners[name] = ("127.0.0.1", port)
        return server

    return add


def names(mesh: Mesh) -> list[str]:
    return [w.name for w in mesh.mesh().workers]


def test_a_call_goes_to_the_pod_with_the_token_of_the_release(pod: Callable) -> None:
    pod("jobs-a")
    with Mesh.in_cluster("mesh") as mesh:
        assert names(mesh) == ["jobs-a"]
    with Mesh.in_cluster("mesh", token="stolen") as mesh, pytest.raises(NotAllowed):
        mesh.mesh()


def test_a_pod_that_is_replaced_is_followed(pod: Callable, cluster: FakeKubernetes) -> None:
    first = pod("jobs-a")
    with Mesh.in_cluster("mesh") as mesh:
        assert names(mesh) == ["jobs-a"]
        cluster.remove_pod("jobs-a")
        first.stop(None).wait()
        pod("jobs-b")
        until = time.monotonic() + 20
        while True:
            try:
                assert names(mesh) == ["jobs-b"]
                break
            except ServerUnreachable:
                assert time.monotonic() < until
                time.sleep(0.1)


def test_no_ready_pod_says_how_they_are(cluster: FakeKubernetes, labels: Callable, kubeconfig: str) -> None:
    cluster.add_pod("jobs-a", "mesh", labels("jobs"), ready=False, reason="ImagePullBackOff")
    with pytest.raises(InfrastructureError, match="jobs-a is ImagePullBackOff"):
        Mesh.in_cluster("mesh", seconds=1.0)


def test_a_forward_that_is_not_allowed_names_the_right(pod: Callable, cluster: FakeKubernetes) -> None:
    pod("jobs-a")
    cluster.forbidden.add(("create", "pods/portforward"))
    with pytest.raises(Forbidden, match="create on pods/portforward"):
        Mesh.in_cluster("mesh", seconds=1.0)


def test_a_pod_that_does_not_listen_is_unreachable(cluster: FakeKubernetes, labels: Callable, kubeconfig: str) -> None:
    cluster.add_pod("jobs-a", "mesh", labels("jobs"))
    cluster.listeners["jobs-a"] = ("127.0.0.1", 1)
    with pytest.raises(ServerUnreachable):
        Mesh.in_cluster("mesh", seconds=1.0)
