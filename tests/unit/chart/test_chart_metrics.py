"""Rules and dashboard ask for figures that the services export, under names and labels that they have."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from earwitness.metrics import BY_NAME, SERIES

Object = dict[str, Any]

EXPORT = """
from unittest.mock import MagicMock
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.registry import Collector

import earwitness.rpc.interceptors, earwitness.jobs.runner, reward.scoring, services.trainer.__main__, rollout.figures
from earwitness.wire.jobs.v1 import jobs_pb2 as wire
from earwitness.jobs.mesh_metrics import MeshMetrics

mesh = MeshMetrics(None)
mesh._seen = wire.GetMeshResponse(
    workers=[wire.Worker(name="rollout-0", role="rollout")],
    streams=[wire.StreamLag(stream="tasks"), wire.StreamLag(stream="dead")],
    active=wire.Job(job_id="j", state=wire.JOB_STATE_RUNNING, trouble=["length_collapse"]),
)
REGISTRY.register(mesh)
rollout.figures.measure(MagicMock(), MagicMock())
earwitness.rpc.interceptors.CALLS.labels("m", "OK").inc()
earwitness.rpc.interceptors.SECONDS.labels("m").observe(1.0)
services.trainer.__main__.FIGURE.labels("loss").set(1.0)
print(generate_latest().decode())
"""
"""Every service's figures as its /metrics shows them; in a process of its own, since the registry is one for all."""

SAMPLE = re.compile(r"^(ew_[a-z_]+)(?:\{(.*)\})? ", re.MULTILINE)
USED = re.compile(r"(ew_[a-z_]+)(?:\{([^}]*)\})?")
ADDED = {"namespace", "service"}
"""Labels that Prometheus adds to what a ServiceMonitor finds."""


def labels_of(text: str | None) -> set[str]:
    return set(re.findall(r"([a-z_]+)=", text or ""))


@pytest.fixture(scope="module")
def exported() -> dict[str, set[str]]:
    """Labels by name of every sample that a service exports."""
    run = subprocess.run([sys.executable, "-c", EXPORT], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return {name: labels_of(labels) for name, labels in SAMPLE.findall(run.stdout)}


def test_what_is_exported_is_what_the_table_of_metrics_says(exported: dict[str, set[str]]) -> None:
    kinds = re.compile(r"_(total|created|bucket|count|sum)$")
    found = {kinds.sub("", name): labels - {"le"} for name, labels in exported.items()}
    assert found == {series.name: set(series.labels) for series in SERIES}


@pytest.fixture
def rules(profile_of: Callable[[str], Object], render: Callable[[Object], list[Object]]) -> list[Object]:
    objects = render(profile_of("gpu"))
    return [
        rule
        for o in objects
        if o["kind"] == "PrometheusRule"
        for group in o["spec"]["groups"]
        for rule in group["rules"]
    ]


@pytest.fixture
def dashboard(profile_of: Callable[[str], Object], render: Callable[[Object], list[Object]]) -> Object:
    return next(
        json.loads(o["data"]["earwitness.json"])
        for o in render(profile_of("gpu"))
        if o["kind"] == "ConfigMap" and o["metadata"]["name"] == "ew-dashboard"
    )


def used(expressions: list[str]) -> Iterator[tuple[str, set[str]]]:
    """Name and labels of every figure that PromQL expressions read."""
    for expression in expressions:
        for name, matchers in USED.findall(expression):
            yield name, labels_of(matchers)


def test_rules_read_what_is_exported(rules: list[Object], exported: dict[str, set[str]]) -> None:
    found = list(used([rule["expr"] for rule in rules]))
    assert len(found) >= 8
    for name, labels in found:
        assert name in exported
        assert labels <= exported[name] | ADDED, name
        assert labels >= ADDED, f"{name} is read of every release"


def test_the_dashboard_reads_what_is_exported(dashboard: Object, exported: dict[str, set[str]]) -> None:
    found = list(used([t["expr"] for panel in dashboard["panels"] for t in panel["targets"]]))
    assert len(found) >= 12
    for name, labels in found:
        assert name in exported
        assert labels <= exported[name] | ADDED, name
    (variable,) = re.findall(r"label_values\((ew_[a-z_]+),", dashboard["templating"]["list"][1]["query"])
    assert variable in exported


def test_the_dashboard_reads_figures_of_a_step_that_there_are(dashboard: Object) -> None:
    expressions = [t["expr"] for panel in dashboard["panels"] for t in panel["targets"]]
    patterns = [found for text in expressions for found in re.findall(r'name=~"([^"]+)"', text)]
    read = [part for pattern in patterns for part in pattern.split("|")]
    assert len(read) >= 8
    for part in read:
        assert any(re.fullmatch(part, name) for name in BY_NAME), part


def test_panels_lie_beside_each_other(dashboard: Object) -> None:
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in dashboard["panels"]):
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_what_can_go_wrong_has_an_alert(rules: list[Object]) -> None:
    assert {"NotLearning", "JobStuck", "QueueLags", "QueueGrows", "DeadLetters", "WeightVersionSkew"} <= {
        rule["alert"].removeprefix("Earwitness") for rule in rules
    }


def test_every_alert_says_what_to_see_and_how_bad_it_is(rules: list[Object]) -> None:
    for rule in rules:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"]


def test_every_alert_has_its_page(
    chart_path: Path, profile_of: Callable[[str], Object], render: Callable[[Object], list[Object]]
) -> None:
    page = (chart_path.parents[1] / "docs" / "alerts.md").read_text()
    headings = {line.removeprefix("## ").lower() for line in page.splitlines() if line.startswith("## ")}
    base = "https://example.com/alerts.html"
    metrics = {"alerts": {"enabled": True, "runbookUrl": base}, "redisExporter": {"enabled": True}}
    (found,) = [o for o in render({"metrics": metrics}) if o["kind"] == "PrometheusRule"]
    links = [rule["annotations"]["runbook_url"] for rule in found["spec"]["groups"][0]["rules"]]
    assert {link.removeprefix(f"{base}#") for link in links} == headings


HERE = 'namespace="mesh", service="ew-metrics"'
FIRED: list[tuple[str, int, dict[str, str]]] = [
    ("EarwitnessJobFailed", 5, {f'ew_jobs_ended_total{{state="failed", {HERE}}}': "0 0 1 1 1"}),
    ("EarwitnessTrainerDown", 16, {f'up{{app_kubernetes_io_component="trainer", {HERE}}}': "0x20"}),
    (
        "EarwitnessPodsRestart",
        16,
        {'kube_pod_container_status_restarts_total{namespace="mesh", pod="ew-rollout-a"}': "0 2 4 6 8 8 8"},
    ),
    ("EarwitnessLogprobGap", 16, {f'ew_trainer_figure{{name="logprob_gap.mean", {HERE}}}': "0.2x30"}),
    (
        "EarwitnessRedisFull",
        16,
        {
            f'redis_memory_used_bytes{{{HERE}, pod="ew-queue-0"}}': "95x20",
            f'redis_memory_max_bytes{{{HERE}, pod="ew-queue-0"}}': "100x20",
        },
    ),
]
"""Rule, the minute at which it must fire, and the series that make it, with their values of each minute."""


def test_rules_load_into_prometheus_and_fire(render: Callable[[Object], list[Object]], tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool (it comes with Prometheus)")
    metrics = {"alerts": {"enabled": True}, "redisExporter": {"enabled": True}}
    (found,) = [o for o in render({"metrics": metrics}) if o["kind"] == "PrometheusRule"]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(found["spec"]))
    tests = []
    for alert, minute, series in FIRED:
        fires = {
            "expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})',
            "eval_time": f"{minute}m",
            "exp_samples": [{"labels": "{}", "value": 1}],
        }
        given = [{"series": name, "values": values} for name, values in series.items()]
        tests.append({"interval": "1m", "input_series": given, "promql_expr_test": [fires]})
    (tmp_path / "test.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": tests}))
    for command in (["check", "rules", "rules.yaml"], ["test", "rules", "test.yaml"]):
        done = subprocess.run([promtool, *command], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_exporter_is_scraped_and_reached(
    render: Callable[[Object], list[Object]], pods: Callable[[list[Object]], dict[str, Object]]
) -> None:
    on = {"redisExporter": {"enabled": True}, "serviceMonitor": {"enabled": True}}
    objects = render({"metrics": on})
    (service,) = [o for o in objects if o["kind"] == "Service" and o["metadata"]["name"] == "ew-metrics"]
    for role in ("queue", "weights"):
        pod = pods(objects)[f"StatefulSet/ew-{role}"]
        assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
        (exporter,) = [c for c in pod["spec"]["containers"] if c["name"] == "exporter"]
        (port,) = exporter["ports"]
        assert port["name"] == service["spec"]["ports"][0]["targetPort"]
        assert exporter["env"][2]["valueFrom"]["secretKeyRef"] == {"name": "ew-auth", "key": "redis-password"}
        (policy,) = [o for o in objects if o["kind"] == "NetworkPolicy" and o["metadata"]["name"] == f"ew-{role}"]
        assert port["containerPort"] in [p["port"] for rule in policy["spec"]["ingress"] for p in rule["ports"]]


def test_the_limits_of_alerts_are_values(render: Callable[[Object], list[Object]]) -> None:
    alerts = {"enabled": True, "stuckSeconds": 111, "lagSeconds": 222, "lagEntries": 333, "skewVersions": 4}
    text = json.dumps(render({"metrics": {"alerts": alerts}}))
    assert all(f"> {limit}" in text for limit in (111, 222, 333, 4))


def test_prometheus_finds_every_service_and_nothing_else(
    profile_of: Callable[[str], Object],
    render: Callable[[Object], list[Object]],
    pods: Callable[[list[Object]], dict[str, Object]],
) -> None:
    objects = render(profile_of("gpu"))
    named = {o["kind"]: o for o in objects if o["metadata"]["name"] == "ew-metrics"}
    monitor, service = named["ServiceMonitor"]["spec"], named["Service"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
    chosen = {
        name
        for name, pod in pods(objects).items()
        if service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    }
    scraped = {"Deployment/ew-jobs", "StatefulSet/ew-trainer", "Deployment/ew-rollout", "Deployment/ew-reward"}
    assert chosen == scraped | {"Deployment/ew-reference"}
