"""The commands with -n: status, scale, logs, and errors of one line."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fake_kubernetes import FakeKubernetes
from typer.testing import CliRunner

from earwitness.cli.commands import app

RUN = CliRunner()


@pytest.fixture(autouse=True)
def wide(kubeconfig: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables are not cut."""
    monkeypatch.setenv("COLUMNS", "200")


def autoscaler(deployment: str) -> dict:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment}
    metadata = {"name": "keda-hpa-ew-rollout", "namespace": "mesh"}
    return {"metadata": metadata, "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 8}}


def test_scale_changes_the_deployment_s_scale(cluster: FakeKubernetes) -> None:
    result = RUN.invoke(app, ["scale", "rollout", "8", "-n", "mesh"])
    assert result.output == "rollout scaled from 1 to 8\n"
    assert cluster.sizes["ew-rollout"] == 8


@pytest.mark.parametrize(
    ("role", "count", "said"),
    [
        ("rollout", "-1", "negative"),
        ("trainer", "2", "trainer.nodes"),
        ("reward", "2", "reward.replicas"),
        ("rolout", "2", "expected rollout"),
    ],
)
def test_scale_refuses_what_would_not_last(cluster: FakeKubernetes, role: str, count: str, said: str) -> None:
    result = RUN.invoke(app, ["scale", "-n", "mesh", role, count])
    assert result.exit_code == 1
    assert said in result.output
    assert len(result.output.splitlines()) == 1
    assert cluster.sizes == {"ew-rollout": 1}


def test_scale_says_that_an_autoscaler_owns_the_size(cluster: FakeKubernetes) -> None:
    cluster.objects["horizontalpodautoscalers.autoscaling"].append(autoscaler("ew-rollout"))
    result = RUN.invoke(app, ["scale", "rollout", "8", "-n", "mesh"])
    assert result.exit_code == 1
    assert "keda-hpa-ew-rollout holds rollout between 1 and 8" in result.output
    assert cluster.sizes["ew-rollout"] == 1


def test_scale_without_a_view_of_autoscalers_goes_on_and_says_so(cluster: FakeKubernetes) -> None:
    cluster.forbidden.add(("list", "horizontalpodautoscalers.autoscaling"))
    result = RUN.invoke(app, ["scale", "rollout", "2", "-n", "mesh"])
    assert result.exit_code == 0
    assert "must grant list on horizontalpodautoscalers.autoscaling" in result.output
    assert cluster.sizes["ew-rollout"] == 2


def test_scale_that_is_not_allowed_names_the_right(cluster: FakeKubernetes) -> None:
    cluster.forbidden.add(("patch", "deployments.apps/scale"))
    result = RUN.invoke(app, ["scale", "rollout", "2", "-n", "mesh"])
    assert result.exit_code == 1
    assert "must grant patch on deployments.apps/scale" in result.output


def test_logs_show_each_line_with_its_pod(cluster: FakeKubernetes, labels: Callable) -> None:
    for name in ("ew-rollout-a", "ew-rollout-b", "ew-jobs-a"):
        cluster.add_pod(name, "mesh", labels(name.split("-")[1]))
        cluster.logs[name] = f"one of {name}\ntwo of {name}\n"
    result = RUN.invoke(app, ["logs", "rollout", "--lines", "1", "-n", "mesh"])
    assert result.output == "[ew-rollout-a] two of ew-rollout-a\n[ew-rollout-b] two of ew-rollout-b\n"
    assert RUN.invoke(app, ["logs", "ew-jobs-a", "-n", "mesh"]).output.count("ew-jobs-a]") == 2
    result = RUN.invoke(app, ["logs", "rewards", "-n", "mesh"])
    assert result.exit_code == 1
    assert "expected jobs, rollout" in result.output


@pytest.fixture
def running(cluster: FakeKubernetes, labels: Callable, serve: Callable) -> Callable[[str], None]:
    """A jobs service at work on a job of some id, or on none."""

    def start(active: str) -> None:
        _, port = serve("jobs", active)
        cluster.add_pod("ew-jobs-a", "mesh", labels("jobs"))
        cluster.listeners["ew-jobs-a"] = ("127.0.0.1", port)

    return start


@pytest.mark.parametrize(("given", "shown"), [([], "of the-running-one"), (["another"], "of another")])
def test_watch_takes_the_running_job_unless_one_is_named(running: Callable, given: list[str], shown: str) -> None:
    running("the-running-one")
    result = RUN.invoke(app, ["watch", *given, "-n", "mesh"])
    assert result.exit_code == 0, result.output
    assert shown in result.output


def test_watch_says_that_nothing_runs(running: Callable) -> None:
    running("")
    result = RUN.invoke(app, ["watch", "-n", "mesh"])
    assert (result.exit_code, result.output) == (
        1,
        "error: no job is running; `earwitness list` shows those that were\n",
    )


def test_status_shows_pods_and_the_mesh(cluster: FakeKubernetes, labels: Callable, serve: Callable) -> None:
    _, port = serve("worker-of-the-mesh")
    cluster.add_pod("ew-jobs-a", "mesh", labels("jobs"))
    cluster.listeners["ew-jobs-a"] = ("127.0.0.1", port)
    cluster.add_pod("ew-rollout-a", "mesh", labels("rollout"), ready=False, reason="CrashLoopBackOff", restarts=7)
    result = RUN.invoke(app, ["status", "-n", "mesh"])
    assert result.exit_code == 0, result.output
    rows = {line.split()[1]: line for line in result.output.splitlines() if "ew-" in line and "│" in line}
    assert "yes" in rows["ew-jobs-a"]
    assert "0.1.0" in rows["ew-jobs-a"]
    assert "CrashLoopBackOff" in rows["ew-rollout-a"]
    assert " 7 " in rows["ew-rollout-a"]
    assert "worker-of-the-mesh" in result.output


@pytest.mark.parametrize("command", [["status"], ["list"], ["watch", "j"], ["scale", "rollout", "2"], ["logs", "jobs"]])
def test_a_release_that_is_not_there_is_one_line(command: list[str]) -> None:
    result = RUN.invoke(app, [*command, "-n", "empty"])
    assert result.exit_code == 1
    assert result.output.startswith("error: no release of the chart in namespace empty")
    assert len(result.output.splitlines()) == 1
