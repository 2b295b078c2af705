"""/metrics of a mesh of real processes, and what the chart's dashboard and alerts ask of it.

A local mesh serves no metrics: its processes share a machine, and a cluster's have a port each. Here a `sitecustomize`
gives each of them one, as the chart does.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from earwitness.local.ports import free_ports
from tests.chart_objects import chart_objects
from tests.integration.process_kit import PATIENCE, wait_for

PLACES = ("jobs", "trainer", "rollout-0", "reward-0")
ADDED = {"namespace": "mesh", "service": "ew-metrics"}
"""Labels that Prometheus adds to what a ServiceMonitor of the chart finds."""
OF_OTHERS = ("up", "kube_", "redis_")
"""Series of Prometheus itself, kube-state-metrics and the exporter of Redis."""

PER_PROCESS = """
import json, os, pathlib
port = json.loads(pathlib.Path({table!r}).read_text()).get(os.environ.get("EW_NAME", ""))
if port:
    os.environ["EW_METRICS_PORT"] = str(port)
"""
SELECTOR = re.compile(r"\b([a-z_:][\w:]*)\{([^}]*)\}")
"""A series in PromQL; those of the chart all have braces, since each names at least its namespace."""
MATCHER = re.compile(r'(\w+)\s*(=~|=)\s*"([^"]*)"')
TEST = {"=": str.__eq__, "=~": lambda value, pattern: re.fullmatch(pattern, value) is not None}


@dataclass(frozen=True)
class Asked:
    """What the chart asks: expressions by panel or alert."""

    panels: list[tuple[str, str]]
    alerts: list[tuple[str, str]]
    rules: str
    """As a rule file of Prometheus."""


def asked() -> Asked:
    """As Helm renders it for a release in namespace `mesh`."""
    objects = chart_objects({"metrics": {"alerts": {"enabled": True}, "dashboard": {"enabled": True}}}, "mesh")
    (rules,) = [o["spec"] for o in objects if o["kind"] == "PrometheusRule"]
    (text,) = [o["data"]["earwitness.json"] for o in objects if "earwitness.json" in (o.get("data") or {})]
    panels = [
        (panel["title"], target["expr"].replace("$namespace", "mesh"))
        for panel in json.loads(text)["panels"]
        for target in panel["targets"]
    ]
    alerts = [(rule["alert"], rule["expr"]) for group in rules["groups"] for rule in group["rules"]]
    return Asked(panels, alerts, yaml.safe_dump(rules))


class Metrics:
    """Where the processes of a mesh serve theirs."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        """For a mesh that is started while `patch` holds."""
        folder.mkdir()
        self.ports = dict(zip(PLACES, free_ports(len(PLACES)), strict=True))
        (folder / "ports.json").write_text(json.dumps(self.ports))
        (folder / "sitecustomize.py").write_text(PER_PROCESS.format(table=str(folder / "ports.json")))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep))

    def samples(self) -> list[Sample]:
        """All that all say now, with the labels that Prometheus adds; of what is only declared there is none."""
        return [sample for port in self.ports.values() for sample in _scraped(port)]


def _scraped(port: int) -> Iterator[Sample]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as answer:
        for family in text_string_to_metric_families(answer.read().decode()):
            for sample in family.samples:
                yield sample._replace(labels=sample.labels | ADDED)


def unanswered(expressions: Sequence[tuple[str, str]], samples: Sequence[Sample], *, values: bool = True) -> list[str]:
    """The series in the expressions, with who asks, that no sample matches; without `values` by name and labels."""
    missing = []
    for title, expression in expressions:
        found = SELECTOR.findall(expression)
        assert found, f"{title}: no series in {expression}"
        for name, matchers in found:
            wanted = MATCHER.findall(matchers)
            assert wanted or not matchers.strip(), f"{title}: matchers of {expression} cannot be read"
            there = any(
                sample.name == name
                and all(
                    key in sample.labels and (not values or TEST[how](sample.labels[key], value))
                    for key, how, value in wanted
                )
                for sample in samples
            )
            if not there and not name.startswith(OF_OTHERS):
                missing.append(f"{title}: {name}{{{matchers}}}")
    return missing


@contextmanager
def prometheus(metrics: Metrics, rules: str, folder: Path) -> Iterator[str]:
    """A real Prometheus that scrapes the mesh each second and evaluates the rules; its address."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("no prometheus on the PATH")
    folder.mkdir()
    (port,) = free_ports(1)
    (folder / "rules.yaml").write_text(rules)
    targets = [f"127.0.0.1:{port}" for port in metrics.ports.values()]
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [{"job_name": "mesh", "static_configs": [{"targets": targets, "labels": ADDED}]}],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    command = [program, f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data",
               f"--web.listen-address=127.0.0.1:{port}"]  # fmt: skip
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def answer(address: str, path: str, **query: str) -> dict:
    """What Prometheus answers, or nothing while it does not."""
    try:
        with urllib.request.urlopen(
            f"{address}/api/v1/{path}?{urllib.parse.urlencode(query)}", timeout=PATIENCE
        ) as got:
            return dict(json.load(got)["data"])
    except OSError:
        return {}


def until_answered(address: str, expressions: Sequence[tuple[str, str]]) -> None:
    """Waits until Prometheus has a value for each expression."""
    for title, expression in expressions:
        wait_for(f"{title}: {expression}", lambda e=expression: answer(address, "query", query=e).get("result"))
