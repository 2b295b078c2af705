"""The commands ask the Kubernetes API for what the page for operators lists, and for nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import yaml
from fake_kubernetes import FakeKubernetes
from typer.testing import CliRunner

from earwitness.cli.commands import app

PAGE = Path(__file__).parents[3] / "docs" / "kubernetes.md"

COMMANDS = [["status"], ["logs", "jobs"], ["watch"], ["scale", "rollout", "2"], ["doctor"]]


def granted() -> set[tuple[str, str]]:
    """(verb, resource) of the page's rules, as the fake names them."""
    block = next(part for part in PAGE.read_text().split("```") if part.lstrip().startswith("rules:"))
    found = set()
    for rule in yaml.safe_load(block)["rules"]:
        (group,) = rule["apiGroups"]
        for resource in rule["resources"]:
            kind, _, part = resource.partition("/")
            full = (f"{kind}.{group}" if group else kind) + (f"/{part}" if part else "")
            for name in rule.get("resourceNames", [""]):
                found |= {(verb, f"{full}/{name}" if name else full) for verb in rule["verbs"]}
    return found


def test_commands_need_what_the_page_lists(
    cluster: FakeKubernetes, kubeconfig: str, labels: Callable, serve: Callable
) -> None:
    _, port = serve("jobs", "a-job")
    cluster.add_pod("ew-jobs-a", "mesh", labels("jobs"))
    cluster.listeners["ew-jobs-a"] = ("127.0.0.1", port)
    cluster.logs["ew-jobs-a"] = "a line\n"
    rollout = next(o for o in cluster.objects["deployments.apps"] if o["metadata"]["name"] == "ew-rollout")
    rollout["status"] = {"replicas": 0}  # so that status looks for the reason
    for command in COMMANDS:
        CliRunner().invoke(app, [*command, "-n", "mesh"])
    page = granted()
    assert cluster.asked - page == set()
    # A command that opens a stream by GET is asked for the verb create; whoever opens it by POST too.
    unused = page - cluster.asked - {("get", "pods/portforward"), ("get", "secrets/ew-tls")}
    assert unused == set()
