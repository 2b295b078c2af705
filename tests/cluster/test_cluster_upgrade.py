"""From the version of the chart before to this one, with a job running."""

from __future__ import annotations

import pytest
from cluster_kit import BEFORE, JOB_SECONDS, Installed

from earwitness.cluster import Api

pytestmark = pytest.mark.timeout(JOB_SECONDS + 600)


@pytest.fixture(scope="module")
def mesh(api: Api, namespace: str) -> Installed:
    return Installed(api, namespace, BEFORE)


def test_a_job_goes_on_through_an_upgrade_of_the_chart(mesh: Installed, job: str) -> None:
    before = mesh.in_training(job, 1).step
    word = mesh.api.core.read_namespaced_secret("ew-auth", mesh.namespace).data
    mesh.upgrade()
    mesh.all_ready()
    assert mesh.api.core.read_namespaced_secret("ew-auth", mesh.namespace).data == word
    mesh.in_training(job, before + 1)


def test_the_upgraded_mesh_is_uninstalled_like_any(mesh: Installed) -> None:
    mesh.uninstall()
