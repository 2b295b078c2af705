"""The life of a release, in order: installed, worked with, hurt, upgraded, rolled back, tested, uninstalled."""

from __future__ import annotations

import time

import helm_python as helm
import pytest
import yaml
from cluster_kit import COMPONENTS, JOB_SECONDS, NAME, RECIPE, Installed, stage, until, values

from earwitness.client import TERMINAL, Mesh, state_name
from earwitness.cluster import explained, parts_of, scale

FIRST_STEP_SECONDS = 180.0
"""From `helm install` to the first training step, once images are there."""

pytestmark = pytest.mark.timeout(JOB_SECONDS + 600)


def test_the_first_step_comes_within_three_minutes(mesh: Installed, job: str, record_property) -> None:
    with Mesh.in_cluster(mesh.namespace) as client:
        event = next(e for e in client.watch(job) if e.kind == "step" or e.job.state in TERMINAL)
    seconds = time.monotonic() - mesh.installed_at
    assert event.kind == "step", event.message
    record_property("seconds_to_first_step", seconds)
    print(f"from helm install to the first training step: {seconds:.0f} s")
    assert seconds <= FIRST_STEP_SECONDS


def test_workers_join_and_leave_while_it_trains(mesh: Installed, job: str) -> None:
    before = mesh.in_training(job, 1).step
    assert scale(mesh.api, mesh.release, "rollout", 3).before == 1
    # A small cluster may have no room for all three; those that find room must join.
    until("a second rollout pod that is ready", lambda: sum(p.ready for p in mesh.pods("rollout")) >= 2)
    with Mesh.in_cluster(mesh.namespace) as client:
        until("two rollout workers in the mesh", lambda: sum(w.role == "rollout" for w in client.mesh().workers) >= 2)
    mesh.in_training(job, before + 2)
    assert scale(mesh.api, mesh.release, "rollout", 1).before == 3
    mesh.wait_ready("rollout", 1)


def test_pods_that_are_deleted_are_replaced_and_the_job_goes_on(mesh: Installed, job: str) -> None:
    before = mesh.in_training(job, 1).step
    gone = {mesh.delete_pod("rollout"), mesh.delete_pod("jobs")}
    there = {p.name for c in ("rollout", "jobs") for p in mesh.wait_ready(c, 1)}
    assert not gone & there
    mesh.in_training(job, before + 1)


def test_an_upgrade_keeps_the_size_that_was_scaled(mesh: Installed, job: str) -> None:
    scale(mesh.api, mesh.release, "rollout", 2)
    mesh.upgrade(logLevel="debug")
    assert mesh.size("rollout") == 2
    mesh.helm.rollback(NAME, version=1)
    assert mesh.size("rollout") == 2
    scale(mesh.api, mesh.release, "rollout", 1)
    mesh.all_ready()


def test_a_log_level_replaces_exactly_the_pods_that_read_it(mesh: Installed, job: str) -> None:
    before = mesh.identities()
    mesh.upgrade(reward={**values()["reward"], "logLevel": "debug"})
    until("another reward pod", lambda: mesh.identities().get("reward", before["reward"]) != before["reward"])
    mesh.all_ready()
    after = mesh.identities()
    assert {name for name in before if before[name] != after[name]} == {"reward"}


def test_a_change_that_kubernetes_forbids_is_refused_and_touches_nothing(mesh: Installed, job: str) -> None:
    before = mesh.identities()
    with pytest.raises(helm.HelmError, match=r"queue\.persistence\.size cannot change"):
        mesh.upgrade(queue={**values()["queue"], "persistence": {"size": "3Gi"}})
    assert mesh.identities() == before


def test_a_password_of_any_characters_opens_both_servers_in_the_middle_of_a_job(mesh: Installed, job: str) -> None:
    words = {"token": "another-token", "redis-password": "a/b c@d:e#f%41'\"\\$(HOME)"}
    mesh.api.core.create_namespaced_secret(mesh.namespace, {"metadata": {"name": "own"}, "stringData": words})
    before = mesh.in_training(job, 1).step
    mesh.upgrade(auth={"existingSecret": "own"})
    mesh.all_ready()
    mesh.in_training(job, before + 1)
    for component in COMPONENTS:
        for pod in mesh.pods(component):
            log = mesh.api.core.read_namespaced_pod_log(pod.name, mesh.namespace)
            assert words["redis-password"] not in log
    mesh.upgrade()
    mesh.all_ready()
    mesh.api.core.delete_namespaced_secret("own", mesh.namespace)


def test_a_mesh_that_is_installed_anew_goes_on_with_the_job_and_gets_its_first_size(mesh: Installed, job: str) -> None:
    before = mesh.in_training(job, 1).step
    mesh.uninstall()
    mesh.install(rollout={**values()["rollout"], "initialReplicas": 2})
    until("the first size", lambda: mesh.size("rollout") == 2)
    scale(mesh.api, mesh.release, "rollout", 1)
    mesh.delete_pod("jobs")
    mesh.all_ready()
    mesh.in_training(job, before + 1)
    assert mesh.size("rollout") == 1, "the first size was set a second time"


def test_pods_that_a_quota_refuses_are_told_with_the_reason(mesh: Installed, job: str) -> None:
    core = mesh.api.core
    pods = len(core.list_namespaced_pod(mesh.namespace).items)
    core.create_namespaced_resource_quota(mesh.namespace, {"metadata": {"name": "q"}, "spec": {"hard": {"pods": pods}}})
    until("the quota to count", lambda: core.read_namespaced_resource_quota("q", mesh.namespace).status.used)
    scale(mesh.api, mesh.release, "rollout", 2)

    def told() -> bool:
        lacking = explained(mesh.api, mesh.release, parts_of(mesh.api, mesh.release))
        return any(p.name == "rollout" and p.warning and "exceeded quota" in p.warning.message for p in lacking)

    until("the reason", told)
    core.delete_namespaced_resource_quota("q", mesh.namespace)
    scale(mesh.api, mesh.release, "rollout", 1)


def test_a_trainer_that_waits_for_another_node_is_not_killed_for_it(mesh: Installed, job: str) -> None:
    """Two pods on two nodes: on a cluster of one the second has no place, and the first waits for it."""
    if len(mesh.api.core.list_node().items) > 1:
        pytest.skip("the cluster has a second node")
    before = mesh.in_training(job, 1).step
    own = {"app.kubernetes.io/component": "trainer"}
    apart = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": own}}
    probes = {"startup": {"periodSeconds": 2, "failureThreshold": 15}, "liveness": {"periodSeconds": 5}}
    mesh.upgrade(
        trainer={
            **values()["trainer"],
            "nodes": 2,
            "probes": probes,
            "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [apart]}},
        }
    )
    until("a second trainer pod", lambda: len(mesh.pods("trainer")) == 2)
    time.sleep(120)  # all the probes' patience together
    states = {p.state: p.restarts for p in mesh.pods("trainer")}
    assert states == {"Running": 0, "Unschedulable": 0}
    mesh.upgrade()
    mesh.all_ready()
    mesh.in_training(job, before + 1)


def test_the_job_succeeds_and_the_ledger_is_exact(mesh: Installed, job: str) -> None:
    with Mesh.in_cluster(mesh.namespace) as client:
        events = list(client.watch(job))
        ended = client.get(job)
    assert state_name(ended.state) == "succeeded", ended.reason
    trained = next(s for s in yaml.safe_load(RECIPE.read_text())["stages"] if s["type"] == "rl")
    told = [e for e in events if e.kind == "drop" and stage(e.job) == "rl train"]
    figures = {m.name: m.value for m in told[-1].metrics}
    assert figures["groups.used"] == trained["steps"] * trained["groups_per_step"]
    runs = list(mesh.queue("--scan", "--pattern", f"ew:ledger:{job}/*"))
    for run in runs:
        states = mesh.queue("HVALS", run)
        assert all(s.startswith(("used:", "dropped:")) for s in states), run
    assert mesh.queue("XLEN", "ew:dead") == ["0"]


def test_helm_test_runs_a_job_through_every_service(mesh: Installed) -> None:
    mesh.helm.test(NAME, timeout=900)


def test_uninstalling_leaves_nothing_but_the_claimed_volumes_and_what_opens_them(mesh: Installed) -> None:
    mesh.uninstall()
    core, apps = mesh.api.core, mesh.api.apps
    assert {c.metadata.name for c in core.list_namespaced_persistent_volume_claim(mesh.namespace).items} == {
        f"{NAME}-data",
        f"queue-{NAME}-queue-0",
    }
    left = [
        o.metadata.name
        for kind in (
            core.list_namespaced_service,
            core.list_namespaced_secret,
            apps.list_namespaced_deployment,
            apps.list_namespaced_stateful_set,
        )
        for o in kind(mesh.namespace).items
    ]
    left += [
        c.metadata.name
        for c in core.list_namespaced_config_map(mesh.namespace).items
        if not c.metadata.name.endswith("ca.crt")
    ]
    left += [
        a.metadata.name
        for a in core.list_namespaced_service_account(mesh.namespace).items
        if a.metadata.name != "default"
    ]
    assert left == [f"{NAME}-auth"]
