"""`earwitness doctor -n` against a cluster with and without faults."""

from collections.abc import Callable

from fake_kubernetes import FakeKubernetes
from typer.testing import CliRunner

from earwitness.cli.commands import app

Labels = Callable[[str], dict[str, str]]


def claim(name: str, labels: dict[str, str], phase: str) -> dict[str, object]:
    return {"metadata": {"name": name, "namespace": "mesh", "labels": labels}, "spec": {}, "status": {"phase": phase}}


def test_a_release_that_is_well(cluster: FakeKubernetes, kubeconfig: str, labels: Labels) -> None:
    cluster.add_pod("ew-jobs-1", "mesh", labels("jobs"))
    cluster.objects["persistentvolumeclaims"] = [claim("ew-data", labels("jobs"), "Bound")]
    done = CliRunner().invoke(app, ["doctor", "-n", "mesh"])
    assert done.exit_code == 0, done.output
    assert "1 ready" in done.output and "1 bound" in done.output


def test_what_is_wrong_is_named(cluster: FakeKubernetes, kubeconfig: str, labels: Labels) -> None:
    cluster.add_pod("ew-jobs-1", "mesh", labels("jobs"), ready=False, reason="ImagePullBackOff")
    cluster.objects["pods"][0]["spec"]["volumes"] = [{"name": "tls", "secret": {"secretName": "ew-tls"}}]
    cluster.objects["persistentvolumeclaims"] = [claim("ew-data", labels("jobs"), "Pending")]
    done = CliRunner().invoke(app, ["doctor", "-n", "mesh"])
    assert done.exit_code == 1
    for words in ("ImagePullBackOff", "cannot be pulled: ew-jobs-1", "ew-data is Pending", "missing: ew-tls"):
        assert words in done.output


def test_pods_that_were_never_made_are_named_with_what_refused_them(
    cluster: FakeKubernetes, kubeconfig: str, labels: Labels
) -> None:
    cluster.add_pod("ew-jobs-1", "mesh", labels("jobs"))
    (trainer,) = [o for o in cluster.objects["statefulsets.apps"] if o["metadata"]["name"] == "ew-trainer"]
    trainer["status"] = {"replicas": 0}
    cluster.add_event("ew-trainer", "FailedCreate", "exceeded quota: memory", 5)
    done = CliRunner().invoke(app, ["doctor", "-n", "mesh"])
    assert done.exit_code == 1
    assert "trainer lacks 1 of 1: FailedCreate" in done.output and "exceeded quota: memory" in done.output


def test_missing_rights_are_named(cluster: FakeKubernetes, kubeconfig: str, labels: Labels) -> None:
    cluster.forbidden.add(("list", "persistentvolumeclaims"))
    done = CliRunner().invoke(app, ["doctor", "-n", "mesh"])
    assert done.exit_code == 1
    assert "must grant list on persistentvolumeclaims" in done.output
