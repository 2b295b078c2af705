"""What the API server or a node refuses though the published schema takes it: refused by Helm, with its place.

Beside `test_chart_table.py`, whose good values all still render.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import helm_python as helm
import kubernetes_validate
import pytest

Object = dict[str, Any]
Render = Callable[[Object], list[Object]]

VOLUME = {"name": "models", "emptyDir": {}}
SIDECAR = {"name": "side", "image": "busybox:1"}


def jobs(**values: Any) -> Object:
    return {"jobs": values}


def tolerated(**toleration: Any) -> Object:
    return {"defaults": {"tolerations": [toleration]}}


def variable(**more: Any) -> Object:
    return jobs(env=[{"name": "A", **more}])


def mounted(path: str, **more: Any) -> Object:
    return jobs(volumes=[VOLUME], volumeMounts=[{"name": "models", "mountPath": path, **more}])


def beside(**more: Any) -> Object:
    return jobs(sidecars=[{**SIDECAR, **more}])


def egress(**port: Any) -> Object:
    return {"networkPolicy": {"extraEgress": [{"ports": [port]}]}}


def wanted(**expression: Any) -> Object:
    terms = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "rack", **expression}]}]}
    return jobs(affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}})


def pod(**context: Any) -> Object:
    return {"defaults": {"podSecurityContext": context}}


GOOD: dict[str, Object] = {
    "tolerated for a while": tolerated(key="a", operator="Exists", effect="NoExecute", tolerationSeconds=5),
    "value of digits tolerated": tolerated(key="a", value="1"),
    "devices of one kind in words": jobs(
        resources={"limits": {"example.com/nic": "1"}, "requests": {"example.com/nic": 1}}
    ),
    "a folder of the shared volume as models": jobs(
        volumeMounts=[{"name": "data", "mountPath": "/models", "subPath": "models"}]
    ),
    "a sidecar's variable that is a number": beside(env=[{"name": "A", "value": 7}, {"name": "B", "value": True}]),
    "a sidecar that starts first": jobs(initContainers=[{**SIDECAR, "restartPolicy": "Always"}]),
    "a named port": egress(port="https"),
    "ports from to": egress(port=8000, endPort=8010),
    "IPv6 peers": {"networkPolicy": {"clients": [{"ipBlock": {"cidr": "fd00::/8"}}]}},
    "more of a label than": wanted(operator="Gt", values=["1"]),
    "a name server of IPv6 alone": jobs(dnsPolicy="None", dnsConfig={"nameservers": ["::1"]}),
    "root where it is allowed": pod(runAsUser=0, runAsNonRoot=False),
    "names that YAML reads as other things": {
        "fullnameOverride": "on",
        "commonLabels": {"a": "1e3", "b": "0x10", "c": "2026-01-01", "d": "null", "e": "y"},
        "commonAnnotations": {"a": "b\nc: d", "e": "\"x\" 'y' {{z}} # 🔊: x"},
    },
}

BAD: dict[str, tuple[Object, str]] = {
    "all tolerated, of one value": (tolerated(key="a", operator="Exists", value="b"), "/tolerations/0/value"),
    "a value of no key tolerated": (tolerated(value="b"), "missing property 'key'"),
    "seconds for what evicts nobody": (
        tolerated(key="a", operator="Exists", effect="NoSchedule", tolerationSeconds=5),
        "/tolerations/0/effect",
    ),
    "toleration of no key's name": (tolerated(key="a:b", operator="Exists"), "/tolerations/0/key"),
    "domains of a spread that holds nobody": (
        {"trainer": {"topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 2}
        ]}},
        "/topologySpreadConstraints/0/whenUnsatisfiable",
    ),
    "one of no values": (wanted(operator="In"), "missing property 'values'"),
    "an operator that there is not": (wanted(operator="Is", values=["b"]), "/operator"),
    "pull secret without a name": ({"imagePullSecrets": [{"name": ""}]}, "/imagePullSecrets/0/name"),
    "one account for all, made for each": (
        {"defaults": {"serviceAccount": {"name": "shared"}}},
        r'serviceAccount: "shared" would be made twice; expected .* create: false',
    ),
    "a label that opens the door": ({"commonLabels": {"earwitness.io/client": "true"}}, "earwitness.io/client"),
    "every object a hook": ({"commonAnnotations": {"helm.sh/hook": "pre-install"}}, "helm.sh/hook"),
    "a label of 20 digits": ({"commonLabels": {"v": 12345678901234567890}}, "expected it in quotes"),
    "a value from two places": (variable(value="x", valueFrom={"fieldRef": {"fieldPath": "a"}}), "/env/0/value"),
    "a value from nowhere": (variable(valueFrom={}), "/env/0/valueFrom"),
    "a Secret without a name": (variable(valueFrom={"secretKeyRef": {"key": "k"}}), "missing property 'name'"),
    "variables from nowhere": (jobs(envFrom=[{}]), "/envFrom/0"),
    "variables from a name in capitals": (jobs(envFrom=[{"secretRef": {"name": "My_Secret"}}]), "/secretRef/name"),
    "a mount that is no place": (mounted("models"), "/mountPath"),
    "a mount over all": (mounted("/"), "/mountPath"),
    "a mount at a place spelt another way": (mounted("/data/"), "/mountPath"),
    "a mount over the programs": (mounted("/opt/earwitness/bin"), "would hide what the image"),
    "a folder outside its volume": (mounted("/m", subPath="a/../../b"), "/subPath"),
    "a mount of another component's": (jobs(volumeMounts=[{"name": "config", "mountPath": "/x"}]), "no volume"),
    "a mount of TLS without": (jobs(volumeMounts=[{"name": "tls", "mountPath": "/x"}]), 'no volume "tls"'),
    "a volume of two kinds": (jobs(volumes=[{**VOLUME, "configMap": {"name": "c"}}]), "/volumes/0"),
    "a volume's name with a dot": (jobs(volumes=[{"name": "a.b", "emptyDir": {}}]), "/volumes/0/name"),
    "a volume of GB": (jobs(volumes=[{"name": "m", "emptyDir": {"sizeLimit": "10GB"}}]), "/sizeLimit"),
    "a sidecar on our port": (beside(ports=[{"containerPort": 7070}]), r'container "side" listens on port 7070'),
    "a sidecar on no port": (beside(ports=[{"containerPort": 70000}]), "/containerPort"),
    "a sidecar's mount of no volume": (
        beside(volumeMounts=[{"name": "nope", "mountPath": "/x"}]),
        r'container "side" mounts "nope"',
    ),
    "a sidecar that asks for more than it may": (
        beside(resources={"limits": {"cpu": "1"}, "requests": {"cpu": 2}}),
        r'"side": resources\.requests\.cpu \(2\) is above',
    ),
    "a second exporter": (
        {"metrics": {"redisExporter": {"enabled": True}}, "queue": {"sidecars": [{"name": "exporter", "image": "x"}]}},
        'two containers are called "exporter"',
    ),
    "a resource of no domain": (jobs(resources={"limits": {"disk": "1Gi"}}), "disk"),
    "a device asked for and not given": (
        jobs(resources={"requests": {"nvidia.com/gpu": 1}}),
        r"requests\.nvidia\.com/gpu \(1\) must be its limit",
    ),
    "a claim of nothing": ({"trainer": {"gpu": {"claims": [{"name": "g"}]}}}, "/gpu/claims/0"),
    "root that may not be": (pod(runAsUser=0), "runAsNonRoot forbids it"),
    "a profile in small letters": (pod(seccompProfile={"type": "runtimeDefault"}), "/seccompProfile/type"),
    "a profile of no file": (pod(seccompProfile={"type": "Localhost"}), "localhostProfile"),
    "privileged and not": ({"defaults": {"securityContext": {"privileged": True}}}, "privileged goes only with"),
    "seconds of more than 32 bits": (jobs(terminationGracePeriodSeconds=10**12), "/terminationGracePeriodSeconds"),
    "a port of digits in quotes": (egress(port="443"), "/ports/0/port"),
    "ports that end before they begin": (egress(port=443, endPort=80), r"endPort \(80\) is below port \(443\)"),
    "peers of 33 bits": ({"networkPolicy": {"clients": [{"ipBlock": {"cidr": "10.0.0.0/33"}}]}}, "/ipBlock/cidr"),
    "everybody, in a list": ({"networkPolicy": {"clients": [{}]}}, "/networkPolicy/clients/0"),
    "a target of no value": (
        {"rollout": {"autoscaling": {"provider": "hpa", "metrics": [
            {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}
        ]}}},
        "averageUtilization",
    ),
    "no name servers at all": (jobs(dnsPolicy="None"), r"needs dnsConfig\.nameservers"),
    "a name server by name": (jobs(dnsConfig={"nameservers": ["dns.google"]}), "/nameservers/0"),
    "a host that is an address": (jobs(ingress={"enabled": True, "host": "10.0.0.1"}), "/ingress/host"),
    "a host's part of 64": (jobs(ingress={"enabled": True, "host": "a" * 64 + ".b"}), "/ingress/host"),
    "a misspelt Gateway": (
        jobs(gateway={"enabled": True, "parentRefs": [{"name": "gw", "sectionname": "a"}]}),
        "sectionname",
    ),
    "a certificate of a URL": ({"tls": {"certManager": {"dnsNames": ["https://x"]}}}, "/dnsNames/0"),
    "a certificate of half an hour": ({"tls": {"certManager": {"duration": "30m"}}}, "/duration"),
    "a volume above its place": ({"storage": {"mountPath": "/data/../etc"}}, "/storage/mountPath"),
    "a volume at a variable": ({"storage": {"mountPath": "/$(HOME)"}}, "/storage/mountPath"),
    "no number of workers": ({"reward": {"replicas": None}}, "missing property 'replicas'"),
    "no provider": ({"gang": {"provider": None}}, "missing property 'provider'"),
    "an object that is none": ({"extraObjects": ["hello"]}, "/extraObjects/0"),
    "weights in a process's memory": ({"weights": {"anchorsUri": "memory://x"}}, "/weights/anchorsUri"),
}  # fmt: skip


@pytest.mark.parametrize("case", GOOD)
def test_what_the_server_takes_is_taken(case: str, render: Render) -> None:
    common = render({})
    for o in render(GOOD[case]):
        if o not in common:
            kubernetes_validate.validate(o, "1.36", strict=True)


@pytest.mark.parametrize("case", BAD)
def test_what_the_server_refuses_is_refused_before(case: str, render: Render) -> None:
    values, said = BAD[case]
    with pytest.raises(helm.HelmError, match=said):
        render(values)


def test_every_number_has_a_highest_value() -> None:
    import json
    from pathlib import Path

    schema = json.loads((Path(__file__).parents[3] / "charts/earwitness/values.schema.json").read_text())
    unbounded = []

    def walk(part: Any, path: str) -> None:
        if isinstance(part, dict):
            if part.get("type") == "integer" and "maximum" not in part:
                unbounded.append(path)
            for key, value in part.items():
                walk(value, f"{path}/{key}")

    walk({name: part for name, part in schema["properties"].items() if name != "global"}, "")
    assert unbounded == []
