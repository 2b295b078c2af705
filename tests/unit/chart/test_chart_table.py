"""A hundred values and names: the good ones render to objects that Kubernetes takes, the bad ones are refused by name.

Each bad one was once let through, or would fail in the middle of an install or long after it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import helm_python as helm
import kubernetes_validate
import pytest

Object = dict[str, Any]

FOREIGN = {"keda.sh", "cert-manager.io", "monitoring.coreos.com", "gateway.networking.k8s.io"}


def memory(component: str, limit: Any, **more: Any) -> Object:
    """Values that give a component a limit (and request) of memory."""
    amounts = {"cpu": "1", "memory": limit}
    return {component: {"resources": {"requests": amounts, "limits": amounts}, **more}}


def gpu(component: str, count: int, **more: Any) -> Object:
    return {component: {"gpu": {"count": count}, **more}}


def scaling(**values: Any) -> Object:
    return {"rollout": {"autoscaling": values}}


CPU_METRIC = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 5}},
}
VOLUME = {"name": "models", "emptyDir": {}}
MOUNT = {"name": "models", "mountPath": "/models"}
SIDECAR = {"name": "side", "image": "busybox:1"}

GOOD: dict[str, Object] = {
    "nothing": {},
    "petabytes": {"storage": {"size": "2Pi"}},
    "exabytes": {"storage": {"size": "1Ei"}},
    "decimal units": {"storage": {"size": "5P"}},
    "fraction": {"storage": {"size": "1.5Ti"}},
    "memory with a unit": memory("jobs", "512Mi"),
    "memory in bytes, enough of them": memory("jobs", 536870912),
    "memory in decimal units": memory("jobs", "600M"),
    "memory as thousandths": memory("jobs", "536870912000m"),
    "Redis below its limit": memory("queue", "2Gi", maxMemory="1gb"),
    "Redis a byte below": memory("queue", 134217729, maxMemory="128mb"),
    "shards below their limit": memory("weights", "46Gi", maxMemory="34gb"),
    "eight GPUs, eight ranks": gpu("trainer", 8, ranksPerNode=8),
    "ranks without GPUs": {"trainer": {"ranksPerNode": 4}},
    "two GPUs share a layer": gpu("rollout", 2, tensorParallel=2),
    "a MIG slice": {"rollout": {"gpu": {"count": 1, "resource": "nvidia.com/mig-3g.40gb"}}},
    "claims of devices": {
        "trainer": {
            "gpu": {"claims": [{"name": "gpus", "resourceClaimTemplateName": "eight"}]},
            "ranksPerNode": 8,
        }
    },
    "one size for an autoscaler": scaling(provider="keda", minReplicas=4, maxReplicas=4),
    "down to none": scaling(provider="keda", minReplicas=0),
    "hpa": scaling(provider="hpa", minReplicas=1, metrics=[CPU_METRIC]),
    "limits of an autoscaler that is off": scaling(minReplicas=9, maxReplicas=3),
    "budget of all": {"defaults": {"podDisruptionBudget": {"maxUnavailable": "100%"}}},
    "budget of none": {"defaults": {"podDisruptionBudget": {"maxUnavailable": 0}}},
    "a tenth at a time": {"rollout": {"maxUnavailable": "10%"}},
    "port of a registry": {"defaults": {"image": {"registry": "registry.example.com:5000"}}},
    "folders of a registry": {"defaults": {"image": {"registry": "ghcr.io/org", "repository": "a/b-c/d.e"}}},
    "pull secrets": {"imagePullSecrets": [{"name": "one"}, {"name": "two.three"}]},
    "common labels": {"commonLabels": {"team": "audio", "example.com/cost": "42", "empty": ""}},
    "common annotations": {"commonAnnotations": {"example.com/link": "https://example.com/a b?c=d#e"}},
    "a dotted node label": {"defaults": {"nodeSelector": {"topology.kubernetes.io/rack": "r-1.a_b"}}},
    "toleration of everything": {"defaults": {"tolerations": [{"operator": "Exists"}]}},
    "a spread over racks": {
        "trainer": {
            "topologySpreadConstraints": [
                {"maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule", "minDomains": 2}
            ]
        }
    },
    "pods near each other": {
        "trainer": {
            "affinity": {
                "podAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": [
                        {"topologyKey": "rack", "labelSelector": {"matchLabels": {"a": "b"}}}
                    ]
                }
            }
        }
    },
    "a variable from a Secret": {
        "jobs": {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}
    },
    "an object store to reach": {
        "networkPolicy": {"extraEgress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": 443}]}]}
    },
    "sidecar": {"jobs": {"sidecars": [SIDECAR]}},
    "init container": {"trainer": {"initContainers": [SIDECAR], "volumes": [VOLUME], "volumeMounts": [MOUNT]}},
    "sidecar of a Redis": {"queue": {"sidecars": [SIDECAR]}},
    "recogniser": {"recogniser": {"replicas": 2, "tagger": "models/tagger.onnx", "modelsClaim": "models"}},
    "name servers": {"defaults": {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.0.0.10"]}}},
    "options of resolving": {"defaults": {"dnsConfig": {"options": [{"name": "ndots", "value": "2"}]}}},
    "host network": {"trainer": {"hostNetwork": True}},
    "host IPC": {"rollout": {"hostIPC": True}},
    "a mount at a folder of the chart's": {"storage": {"mountPath": "/mnt/shared"}},
    "a mount with a dot": {"storage": {"mountPath": "/data/v1.2"}},
    "no preStop": {"jobs": {"preStopSeconds": 0, "terminationGracePeriodSeconds": 1}},
    "interval of minutes": {"metrics": {"serviceMonitor": {"enabled": True, "interval": "2m"}}},
    "life of a certificate": {"tls": {"enabled": True, "certManager": {"issuerName": "i", "duration": "2160h30m"}}},
    "key of a Secret": {
        "queue": {"enabled": False},
        "externalRedis": {"queue": {"existingSecret": "s", "key": "redis.URL_1"}},
    },
    "variable with a dot": {"jobs": {"env": [{"name": "my.Var-1", "value": "x"}]}},
    "level of one service": {"trainer": {"logLevel": "debug"}},
    "an Ingress": {"jobs": {"ingress": {"enabled": True, "host": "mesh.example.com", "className": "nginx"}}},
    "a route": {"jobs": {"gateway": {"enabled": True, "parentRefs": [{"name": "gw"}], "hostnames": ["*.example.com"]}}},
    "forty characters": {"fullnameOverride": "a" * 40},
    "cores as numbers": {"jobs": {"resources": {"requests": {"cpu": 0.5}, "limits": {"cpu": 4}}}},
    "shared memory within the limit": memory("trainer", "8Gi", shmSize="7Gi"),
    "several tries": {"trainer": {"maxRestarts": 0}},
}

BAD: dict[str, tuple[Object, str]] = {
    "Redis above its limit": (memory("queue", "256Mi", maxMemory="1gb"), r"queue\.maxMemory \(1gb\) must be below"),
    "Redis at its limit": (memory("queue", "128Mi", maxMemory="128mb"), r"queue\.maxMemory"),
    "shards above their limit": (memory("weights", "32Gi", maxMemory="34gb"), r"weights\.maxMemory"),
    "more GPUs than ranks": (gpu("trainer", 8), r"trainer\.gpu\.count \(8\) and trainer\.ranksPerNode \(1\)"),
    "fewer GPUs than ranks": (gpu("trainer", 1, ranksPerNode=2), r"one process for each GPU"),
    "more GPUs than share a layer": (gpu("rollout", 2), r"rollout\.gpu\.count \(2\) and rollout\.tensorParallel \(1\)"),
    "fewer GPUs than share a layer": (gpu("rollout", 1, tensorParallel=2), r"rollout\.tensorParallel"),
    "GPUs in two ways": (
        {"trainer": {"gpu": {"count": 1, "claims": [{"name": "g", "resourceClaimName": "one"}]}}},
        r"trainer\.gpu has both count and claims",
    ),
    "minimum above maximum": (scaling(provider="keda", minReplicas=9, maxReplicas=3), r"minReplicas \(9\) is above"),
    "hpa down to none": (scaling(provider="hpa", minReplicas=0, metrics=[CPU_METRIC]), r"only keda can do"),
    "budget of words": ({"defaults": {"podDisruptionBudget": {"maxUnavailable": "abc"}}}, "maxUnavailable"),
    "budget of 150 %": ({"defaults": {"podDisruptionBudget": {"maxUnavailable": "150%"}}}, "maxUnavailable"),
    "an upgrade that may replace none": ({"rollout": {"maxUnavailable": 0}}, "/rollout/maxUnavailable"),
    "an upgrade that may replace 0 %": ({"rollout": {"maxUnavailable": "0%"}}, "/rollout/maxUnavailable"),
    "memory without a unit": (memory("jobs", 512), r"jobs\.resources\.\w+\.memory: 512 without a unit are bytes"),
    "memory without a unit, as text": (memory("reward", "384"), r"reward\.resources\.\w+\.memory: 384 without a unit"),
    "cores in bytes": ({"jobs": {"resources": {"limits": {"cpu": "1000Mi"}}}}, r"cpu: 1000Mi are more cores than any"),
    "request above its limit": (
        {"jobs": {"resources": {"requests": {"cpu": 4}}}},
        r"jobs\.resources\.requests\.cpu \(4\) is above limits\.cpu \(1\)",
    ),
    "a unit that there is not": ({"storage": {"size": "10GB"}}, "/storage/size"),
    "a kilo in capitals": ({"storage": {"size": "10K"}}, "/storage/size"),
    "shared memory above the limit": ({"trainer": {"shmSize": "4Gi"}}, r"trainer\.shmSize \(4Gi\) must be below"),
    "end before it is told": (
        {"jobs": {"preStopSeconds": 30}},
        r"jobs\.terminationGracePeriodSeconds \(30\) must be above preStopSeconds \(30\)",
    ),
    "a start that is given up at once": (
        {"trainer": {"probes": {"startup": {"failureThreshold": 5}}}},
        r"trainer\.probes\.startup gives up after 10 s .* expected 30 or more",
    ),
    "groups cut off": ({"rollout": {"graceSeconds": 60}}, "groups are cut off"),
    "a path of the image": ({"storage": {"mountPath": "/usr/share"}}, r"storage\.mountPath /usr/share would hide"),
    "the scratch volume": ({"storage": {"mountPath": "/tmp"}}, r"storage\.mountPath"),
    "the programs": ({"storage": {"mountPath": "/opt/earwitness"}}, r"storage\.mountPath"),
    "the root": ({"storage": {"mountPath": "/"}}, "/storage/mountPath"),
    "a slash at the end": ({"storage": {"mountPath": "/data/"}}, "/storage/mountPath"),
    "registry with a scheme": ({"defaults": {"image": {"registry": "https://registry.io"}}}, "/image/registry"),
    "repository in capitals": ({"defaults": {"image": {"repository": "Earwitness"}}}, "/image/repository"),
    "repository with a tag": ({"defaults": {"image": {"repository": "earwitness:1"}}}, "/image/repository"),
    "tag with a blank": ({"defaults": {"image": {"tag": "0.1 "}}}, "/image/tag"),
    "pull secret as text": ({"imagePullSecrets": ["registry"]}, "/imagePullSecrets/0"),
    "pull secret in capitals": ({"imagePullSecrets": [{"name": "Registry"}]}, "/imagePullSecrets/0/name"),
    "resource without a domain": ({"trainer": {"gpu": {"resource": "gpu"}}}, "/gpu/resource"),
    "label with a blank": ({"commonLabels": {"team": "audio people"}}, "/commonLabels/team"),
    "label of 64 characters": ({"commonLabels": {"team": "a" * 64}}, "/commonLabels/team"),
    "label's key with two slashes": ({"commonLabels": {"a/b/c": "d"}}, "invalid propertyName 'a/b/c'"),
    "a label that selects": (
        {"commonLabels": {"app.kubernetes.io/name": "mine"}},
        "propertyName 'app.kubernetes.io/name'",
    ),
    "a pod label that selects": (
        {"jobs": {"podLabels": {"app.kubernetes.io/component": "x"}}},
        "propertyName 'app.kubernetes.io/",
    ),
    "annotation that is a list": ({"commonAnnotations": {"a": ["b"]}}, "/commonAnnotations/a"),
    "node label with a colon": ({"defaults": {"nodeSelector": {"rack": "a:b"}}}, "/nodeSelector/rack"),
    "volume that is there": (
        {"jobs": {"volumes": [{"name": "tls", "emptyDir": {}}]}},
        r'jobs\.volumes: "tls" is there',
    ),
    "two volumes of one name": ({"jobs": {"volumes": [VOLUME, VOLUME]}}, r'jobs\.volumes: "models" is there'),
    "mount of no volume": ({"jobs": {"volumeMounts": [MOUNT]}}, r'jobs\.volumeMounts: there is no volume "models"'),
    "two mounts at one place": (
        {"jobs": {"volumes": [VOLUME], "volumeMounts": [{"name": "models", "mountPath": "/tmp"}]}},
        r"jobs\.volumeMounts: something is mounted at /tmp",
    ),
    "sidecar of the component's name": (
        {"jobs": {"sidecars": [{**SIDECAR, "name": "jobs"}]}},
        r'two containers are called "jobs"',
    ),
    "sidecar without an image": ({"jobs": {"sidecars": [{"name": "a"}]}}, "/jobs/sidecars/0"),
    "sidecar's name with a blank": ({"jobs": {"sidecars": [{**SIDECAR, "name": "a b"}]}}, "/jobs/sidecars/0/name"),
    "variable that begins with a digit": ({"jobs": {"env": [{"name": "1A", "value": "x"}]}}, "/jobs/env/0/name"),
    "variable with a blank": ({"jobs": {"env": [{"name": "A B"}]}}, "/jobs/env/0/name"),
    "effect in small letters": ({"jobs": {"tolerations": [{"effect": "noSchedule"}]}}, "/tolerations/0/effect"),
    "misspelt affinity": ({"jobs": {"affinity": {"podAfinity": {}}}}, "podAfinity"),
    "spread without a skew": ({"jobs": {"topologySpreadConstraints": [{"topologyKey": "rack"}]}}, "maxSkew"),
    "volume of no kind": ({"jobs": {"volumes": [{"name": "a", "hostpath": {}}]}}, "hostpath"),
    "mount without a place": ({"jobs": {"volumes": [VOLUME], "volumeMounts": [{"name": "models"}]}}, "mountPath"),
    "misspelt peer": ({"networkPolicy": {"clients": [{"podselector": {}}]}}, "podselector"),
    "misspelt rule": ({"networkPolicy": {"extraEgress": [{"port": 443}]}}, "/networkPolicy/extraEgress/0"),
    "misspelt resolving": ({"jobs": {"dnsConfig": {"nameserver": "10.0.0.1"}}}, "nameserver"),
    "misspelt context": ({"jobs": {"securityContext": {"runAsNonroot": True}}}, "runAsNonroot"),
    "user as text": ({"defaults": {"podSecurityContext": {"runAsUser": "root"}}}, "/runAsUser"),
    "metric of no kind": (scaling(provider="hpa", metrics=[{"type": "CPU"}]), "/metrics/0/type"),
    "port as text": ({"jobs": {"sidecars": [{**SIDECAR, "ports": [{"containerPort": "http"}]}]}}, "containerPort"),
    "no bound on Redis": ({"queue": {"maxMemory": "0mb"}}, "/queue/maxMemory"),
    "no size": ({"storage": {"size": ""}}, "/storage/size"),
    "a size of nothing": ({"queue": {"persistence": {"size": "0Gi"}}}, "/queue/persistence/size"),
    "no memory": ({"jobs": {"resources": {"limits": {"memory": ""}}}}, "/resources/limits/memory"),
    "one mode twice": ({"storage": {"accessModes": ["ReadWriteMany", "ReadWriteMany"]}}, "/storage/accessModes"),
    "level that there is not": ({"jobs": {"logLevel": "trace"}}, "/logLevel"),
    "key with a slash": ({"externalRedis": {"queue": {"key": "a/b"}}}, "/externalRedis/queue/key"),
    "interval without a unit": (
        {"metrics": {"serviceMonitor": {"interval": "30"}}},
        "/metrics/serviceMonitor/interval",
    ),
    "life in days": ({"tls": {"certManager": {"duration": "90d"}}}, "/tls/certManager/duration"),
    "no name among names": ({"tls": {"certManager": {"dnsNames": [""]}}}, "/tls/certManager/dnsNames/0"),
    "way of resolving that there is not": ({"jobs": {"dnsPolicy": "Cluster"}}, "/dnsPolicy"),
    "an Ingress without a host": ({"jobs": {"ingress": {"enabled": True}}}, r"jobs\.ingress\.host is needed"),
    "a host with a scheme": ({"jobs": {"ingress": {"host": "https://mesh.io"}}}, "/jobs/ingress/host"),
    "a route of no Gateway": ({"jobs": {"gateway": {"enabled": True}}}, r"jobs\.gateway\.parentRefs is needed"),
    "41 characters": ({"fullnameOverride": "a" * 41}, "has 41 characters .* at most 40"),
}


def test_there_are_a_hundred() -> None:
    assert len(GOOD) + len(BAD) >= 100


@pytest.mark.parametrize("case", GOOD)
def test_good_values_give_objects_that_kubernetes_takes(case: str, render: Callable[[Object], list[Object]]) -> None:
    common = render({})
    objects = render(GOOD[case])
    assert len(objects) > 20
    for o in objects:
        if o not in common and o["apiVersion"].partition("/")[0] not in FOREIGN:
            kubernetes_validate.validate(o, "1.36", strict=True)


@pytest.mark.parametrize("case", BAD)
def test_bad_values_are_refused_by_name(case: str, render: Callable[[Object], list[Object]]) -> None:
    values, said = BAD[case]
    with pytest.raises(helm.HelmError, match=said):
        render(values)


@pytest.mark.parametrize("release", ["a" * 41, "same-first-forty-characters-of-two-names-1", "my.mesh", "7b"])
def test_a_release_whose_name_cannot_be_kept_whole_is_refused(release: str, render_as: Callable[..., Any]) -> None:
    with pytest.raises(helm.HelmError, match="set fullnameOverride"):
        render_as({}, release, "mesh")
    assert render_as({"fullnameOverride": "ew"}, release, "mesh")
