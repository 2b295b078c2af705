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
import sys
from unittest.mock import MagicMock
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.registry import Collector

import earwitness.metrics, earwitness.rpc.interceptors
import earwitness.jobs.runner, reward.scoring, reward.recognise.hearing, rollout.figures
left_out = "torch torch.distributed trainer trainer.board trainer.phase trainer.ranks services.trainer.servicer"
sys.modules |= {name: MagicMock() for name in left_out.split()}
import services.trainer.__main__
from earwitness.wire.jobs.v1 import jobs_pb2 as wire
from earwitness.jobs.mesh_metrics import MeshMetrics

mesh = MeshMetrics(None)
mesh._seen = wire.GetMeshResponse(
    workers=[wire.Worker(name="rollout-0", role="rollout")],
    streams=[wire.StreamLag(stream="tasks"), wire.StreamLag(stream="dead")],
    active=wire.Job(job_id="j", state=wire.JOB_STATE_RUNNING, trouble=TROUBLE),
)
REGISTRY.register(mesh)
rollout.figures.measure(MagicMock(), MagicMock())
earwitness.rpc.interceptors.CALLS.labels("m", "OK").inc()
earwitness.rpc.interceptors.SECONDS.labels("m").observe(1.0)
for metric in earwitness.metrics.METRICS:
    services.trainer.__main__.FIGURE.labels(metric.name).set(0.0)
print(generate_latest().decode())
"""
"""Every service's figures as its /metrics shows them; in a process of its own, since the registry is one for all. The
trainer's are its service's, so what computes, which takes seconds to import, is left out."""

SAMPLE = re.compile(r"^(ew_[a-z_]+)(?:\{(.*)\})? ", re.MULTILINE)
USED = re.compile(r"(ew_[a-z_]+)(?:\{([^}]*)\})?")
ADDED = {"namespace", "service"}
"""Labels that Prometheus adds to what a ServiceMonitor finds."""


def labels_of(text: str | None) -> set[str]:
    return set(re.findall(r"([a-z_]+)=", text or ""))


@pytest.fixture(scope="module")
def shown() -> str:
    """What /metrics of all services says, of a job with one trouble."""
    program = EXPORT.replace("TROUBLE", '["length_collapse"]')
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.fixture(scope="module")
def exported(shown: str) -> dict[str, set[str]]:
    """Labels by name of every sample that a service exports."""
    return {name: labels_of(labels) for name, labels in SAMPLE.findall(shown)}


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


def test_grafanas_own_model_reads_the_dashboard_whole(dashboard: Object) -> None:
    """What it would not know, it would leave out."""
    model = pytest.importorskip("grafana_foundation_sdk.models.dashboard", reason="no grafana-foundation-sdk")
    encoder = pytest.importorskip("grafana_foundation_sdk.cog.encoder")
    pytest.importorskip("grafana_foundation_sdk.cog.plugins").register_default_plugins()
    read = json.loads(json.dumps(model.Dashboard.from_json(dashboard).to_json(), cls=encoder.JSONEncoder))

    def lost(given: Any, kept: Any, path: str) -> list[str]:
        if isinstance(given, dict):
            return [f for k, v in given.items() for f in (lost(v, kept[k], f"{path}.{k}") if k in kept else [path + k])]
        if isinstance(given, list):
            return [f for i, (a, b) in enumerate(zip(given, kept, strict=True)) for f in lost(a, b, f"{path}[{i}]")]
        return [] if given == kept else [f"{path}: {given!r} {kept!r}"]

    assert lost(dashboard, read, "") == []


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
    ("EarwitnessJobStuck", 40, {f"ew_job_still_seconds{{{HERE}}}": "0+60x60"}),
    ("EarwitnessNotLearning", 12, {f'ew_job_trouble{{rule="entropy_collapse", {HERE}}}': "1x20"}),
    ("EarwitnessQueueLags", 40, {f'ew_queue_oldest_seconds{{stream="tasks", {HERE}}}': "0+60x60"}),
    ("EarwitnessQueueGrows", 60, {f'ew_queue_waiting{{stream="ready", {HERE}}}': "0+100x80"}),
    ("EarwitnessDeadLetters", 5, {f"ew_queue_dead_letters{{{HERE}}}": "0 0 1 1 1 1"}),
    (
        "EarwitnessWeightVersionSkew",
        30,
        {
            f"ew_weights_published_version{{{HERE}}}": "0+1x40",
            f'ew_worker_version{{role="rollout", worker="w", {HERE}}}': "0x40",
        },
    ),
    ("EarwitnessQueueDown", 6, {f"ew_queue_up{{{HERE}}}": "0x10"}),
    ("EarwitnessCallsFail", 15, {f'ew_rpc_calls_total{{method="m", code="INTERNAL", {HERE}}}': "0+1x20"}),
    ("EarwitnessWorkDropped", 15, {f"ew_reward_dropped_total{{{HERE}}}": "0+1x20"}),
    ("EarwitnessRecogniserAway", 15, {f"ew_reward_recogniser_away_total{{{HERE}}}": "0+1x20"}),
]
"""Rule, the minute at which it must fire, and the series that make it, with their values of each minute."""


def test_rules_load_into_prometheus_and_fire(render: Callable[[Object], list[Object]], tmp_path: Path) -> None:
    metrics = {"alerts": {"enabled": True}, "redisExporter": {"enabled": True}}
    (found,) = [o for o in render({"metrics": metrics}) if o["kind"] == "PrometheusRule"]
    assert sorted(r["alert"] for r in found["spec"]["groups"][0]["rules"]) == sorted(alert for alert, *_ in FIRED)
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
    promtool_says_well(tmp_path, ["check", "rules", "rules.yaml"], ["test", "rules", "test.yaml"])


def promtool_says_well(folder: Path, *commands: list[str]) -> None:
    """Runs promtool there; skips where it is not installed."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool (it comes with Prometheus)")
    for command in commands:
        done = subprocess.run([promtool, *command], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_panel_is_answered_by_what_services_show_and_a_mesh_that_is_well_rings_no_bell(
    render: Callable[[Object], list[Object]], dashboard: Object, shown: str, tmp_path: Path
) -> None:
    """Prometheus itself evaluates each query of the dashboard, over what /metrics says for half an hour."""
    (found,) = [o for o in render({"metrics": {"alerts": {"enabled": True}}}) if o["kind"] == "PrometheusRule"]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(found["spec"]))
    series = [{"series": f'up{{app_kubernetes_io_component="trainer", {HERE}}}', "values": "1x30"}]
    for name, labels, value in re.findall(r"^(ew_\w+)(?:\{(.*)\})? (\S+)$", shown, re.MULTILINE):
        if name not in (
            "ew_job_trouble",
            "ew_queue_up",
        ):  # a bell rings at a trouble; `shown` has no Redis
            series.append({"series": f"{name}{{{labels + ', ' if labels else ''}{HERE}}}", "values": f"{value}x30"})
    series.append({"series": f"ew_queue_up{{{HERE}}}", "values": "1x30"})
    queries = [t["expr"].replace("$namespace", "mesh") for panel in dashboard["panels"] for t in panel["targets"]]
    assert len(queries) >= 15
    answered = [
        {"expr": f"count({query}) > bool 0", "eval_time": "30m", "exp_samples": [{"labels": "{}", "value": 1}]}
        for query in queries
    ]
    # And what the page on Kubernetes tells an autoscaler to ask.
    (asked,) = re.findall(r"metricsQuery: (.*)", (Path(__file__).parents[3] / "docs" / "kubernetes.md").read_text())
    answered.append({"expr": asked.replace("<<.LabelMatchers>>", HERE), "eval_time": "30m",
                     "exp_samples": [{"labels": "{}", "value": 0}]})  # fmt: skip
    quiet = {"expr": 'ALERTS{alertstate="firing"}', "eval_time": "30m", "exp_samples": []}
    tests = [{"interval": "1m", "input_series": series, "promql_expr_test": [*answered, quiet]}]
    (tmp_path / "test.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": tests}))
    promtool_says_well(tmp_path, ["test", "rules", "test.yaml"])


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


def test_the_autoscaler_of_the_page_is_one(
    render: Callable[[Object], list[Object]], of_kind: Callable[..., dict[str, Object]]
) -> None:
    """The values that docs/kubernetes.md gives for prometheus-adapter, as they stand there."""
    page = (Path(__file__).parents[3] / "docs" / "kubernetes.md").read_text()
    rule, values = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL))
    (metric,) = of_kind(render(values), "HorizontalPodAutoscaler")["ew-rollout"]["spec"]["metrics"]
    assert metric["external"]["metric"]["name"] == rule["rules"]["external"][0]["name"]["as"]
    assert int(metric["external"]["target"]["averageValue"]) == 16


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
