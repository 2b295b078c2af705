"""Tests on a real cluster: the one of $KUBECONFIG, if that is set and answers; otherwise they are skipped and say so.

EW_CLUSTER_IMAGE and EW_CLUSTER_REDIS_IMAGE (repository:tag) name images that the nodes have or can pull; by default
they are those of the chart. EW_CLUSTER_RECIPE names a recipe other than tests/cluster/recipe.yaml. Everything happens
in a namespace that is made for it and deleted at the end.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from earwitness.client import Mesh
from earwitness.cluster import Api
from earwitness.errors import EarwitnessError

sys.path.insert(0, str(Path(__file__).parent))

from cluster_kit import RECIPE, Installed, until


@pytest.fixture(scope="session")
def api() -> Api:
    """The cluster."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("no cluster: KUBECONFIG is not set (`make kind-test` makes one)")
    try:
        found = Api()
        with found.asking("create", "namespaces", "any"):
            found.core.list_namespace(_request_timeout=(3, 10))
    except EarwitnessError as error:
        pytest.skip(str(error))
    return found


@pytest.fixture(scope="module")
def namespace(api: Api) -> Iterator[str]:
    """A namespace of Pod Security level restricted."""
    name = f"ew-test-{secrets.token_hex(3)}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    api.core.create_namespace({"metadata": {"name": name, "labels": labels}})
    yield name
    api.core.delete_namespace(name)
    until("the namespace to be gone", lambda: name not in {n.metadata.name for n in api.core.list_namespace().items})


@pytest.fixture(scope="module")
def mesh(api: Api, namespace: str) -> Installed:
    """The release; tests change it in the order in which they stand."""
    return Installed(api, namespace)


@pytest.fixture(scope="module")
def job(mesh: Installed) -> str:
    """Id of the job, submitted as soon as the mesh lets one."""
    mesh.wait_ready("jobs", 1)
    with Mesh.in_cluster(mesh.namespace) as client:
        return client.submit(RECIPE).job_id
