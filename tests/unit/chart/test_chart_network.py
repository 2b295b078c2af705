"""Network policies allow exactly the connections that the architecture draws: evaluated as a network plug-in would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

Object = dict[str, Any]

SERVICES = ["jobs", "trainer", "rollout", "reward", "reference"]
PORTS = {"grpc": 7070, "health": 7071, "metrics": 9090, "redis": 6379, "rendezvous": 29400, "other": 40_000}

ARROWS = {
    ("client", "jobs", "grpc"),
    ("jobs", "trainer", "grpc"),
    *(("trainer", "trainer", port) for port in PORTS),
    *((service, "queue", "redis") for service in SERVICES),
    *((service, "weights", "redis") for service in ("trainer", "rollout")),
}
"""(from, to, port) of the architecture's diagram; a gang's ranks talk to each other on ports of NCCL's choice."""


def labels(component: str) -> dict[str, str]:
    prefix = "app.kubernetes.io"
    return {f"{prefix}/name": "earwitness", f"{prefix}/instance": "ew", f"{prefix}/component": component}


def selects(selector: Object, pod: dict[str, str]) -> bool:
    assert set(selector) <= {"matchLabels"}
    return selector.get("matchLabels", {}).items() <= pod.items()


def allows(rules: list[Object], side: str, other: dict[str, str], port: int) -> bool:
    """True if a rule lets a pod of the same namespace with the labels `other` through on `port`."""
    for rule in rules:
        ports = [p["port"] for p in rule.get("ports", []) if p.get("protocol", "TCP") == "TCP"]
        if "ports" in rule and port not in ports:
            continue
        if side not in rule or any(_is_peer(peer, other) for peer in rule[side]):
            return True
    return False


def _is_peer(peer: Object, other: dict[str, str]) -> bool:
    if "ipBlock" in peer or peer.get("namespaceSelector", {}).get("matchLabels"):
        return False  # outside of the namespace
    return selects(peer["podSelector"], other)


def connections(policies: list[Object], pods: dict[str, dict[str, str]]) -> Iterator[tuple[str, str, str]]:
    """Every (from, to, port) that gets through."""

    def may(direction: str, side: str, pod: dict[str, str], other: dict[str, str], port: int) -> bool:
        own = [p["spec"] for p in policies if selects(p["spec"]["podSelector"], pod)]
        limiting = [p for p in own if direction in p["policyTypes"]]
        return not limiting or any(allows(p[direction.lower()] or [], side, other, port) for p in limiting)

    for a, from_labels in pods.items():
        for b, to_labels in pods.items():
            for name, port in PORTS.items():
                leaves = may("Egress", "to", from_labels, to_labels, port)
                if leaves and may("Ingress", "from", to_labels, from_labels, port):
                    yield a, b, name


def policies_of(objects: list[Object]) -> list[Object]:
    return [o for o in objects if o["kind"] == "NetworkPolicy"]


def test_exactly_the_arrows(values: Object, objects: list[Object]) -> None:
    external = {name for name in ("queue", "weights") if not values.get(name, {}).get("enabled", True)}
    pods = {c: labels(c) for c in [*SERVICES, "queue", "weights", "client"] if c not in external}
    drawn = {arrow for arrow in ARROWS if not external & set(arrow)}
    assert set(connections(policies_of(objects), pods)) == drawn


def test_strangers_reach_nothing_and_clients_only_jobs(objects: list[Object]) -> None:
    pods = {c: labels(c) for c in SERVICES}
    stranger = {"stranger": {"app": "other"}, "guest": {"app": "mine", "earwitness.io/client": "true"}}
    found = set(connections(policies_of(objects), {**pods, **stranger}))
    assert {arrow for arrow in found if arrow[0] == "stranger" and arrow[1] in pods} == set()
    assert {arrow for arrow in found if arrow[0] == "guest" and arrow[1] in pods} == {("guest", "jobs", "grpc")}


def test_every_pod_is_under_a_policy_for_both_directions(objects: list[Object], pods: Callable) -> None:
    for name, pod in pods(objects).items():
        own = [p for p in policies_of(objects) if selects(p["spec"]["podSelector"], pod["metadata"]["labels"])]
        assert len(own) == 1, name
        assert own[0]["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_external_redis_is_reached_where_it_is(profile_of: Callable, render: Callable) -> None:
    policies = {p["metadata"]["name"]: p["spec"] for p in policies_of(render(profile_of("external-redis")))}
    peers = [{"ipBlock": {"cidr": "10.20.0.0/16"}}]
    for service in SERVICES:
        rules = [r for r in policies[f"ew-{service}"]["egress"] if r.get("to") == peers]
        wanted = [6379, 6380] if service in ("trainer", "rollout") else [6379]
        assert [p["port"] for rule in rules for p in rule["ports"]] == wanted


@pytest.mark.parametrize(
    ("profile", "namespace"), [("gpu", "monitoring"), ("autoscaling", "keda")], indirect=["profile"]
)
def test_only_what_is_switched_on_reaches_in(objects: list[Object], render: Callable, namespace: str) -> None:
    mark = {"kubernetes.io/metadata.name": namespace}
    assert str(mark) in str(policies_of(objects))
    assert str(mark) not in str(policies_of(render({})))


def test_ways_in_lead_to_the_service_s_port(render: Callable) -> None:
    ways = {
        "ingress": {"enabled": True, "host": "mesh.example.com"},
        "gateway": {"enabled": True, "parentRefs": [{"name": "gw"}]},
    }
    objects = {
        o["kind"]: o
        for o in render({"jobs": {"service": {"port": 7171}, **ways}})
        if o["metadata"]["name"] == "ew-jobs"
    }
    service = (objects["Service"]["metadata"]["name"], objects["Service"]["spec"]["ports"][0]["port"])
    (path,) = objects["Ingress"]["spec"]["rules"][0]["http"]["paths"]
    (backend,) = objects["GRPCRoute"]["spec"]["rules"][0]["backendRefs"]
    assert (path["backend"]["service"]["name"], path["backend"]["service"]["port"]["number"]) == service
    assert (backend["name"], backend["port"]) == service == ("ew-jobs", 7171)


def test_port_and_metrics_numbers_are_those_of_the_pods(objects: list[Object], pods: Callable) -> None:
    containers = [c for pod in pods(objects).values() for c in pod["spec"]["containers"]]
    ports = {p["name"]: p["containerPort"] for c in containers for p in c.get("ports", [])}
    assert ports.items() <= PORTS.items()
