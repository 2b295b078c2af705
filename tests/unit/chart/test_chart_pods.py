"""Pods of every profile: probes, resources, security contexts, references, and commands that programs know."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Object = dict[str, Any]
Pods = Callable[[list[Object]], dict[str, Object]]
OfKind = Callable[..., dict[str, Object]]

WORKLOADS = ("Deployment", "StatefulSet")
UNITS = {"": 1, "m": 1e-3, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def amount(quantity: str | int) -> float:
    number, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(quantity)).groups()  # type: ignore[union-attr]
    return float(number) * UNITS[unit]


def runs_on(name: str) -> bool:
    """True for what runs until it is stopped; hooks end by themselves and have nothing to probe."""
    return name.startswith(WORKLOADS)


def test_every_container_is_probed(objects: list[Object], pods: Pods) -> None:
    for name, pod in pods(objects).items():
        for container in pod["spec"]["containers"]:
            probes = [container.get(f"{kind}Probe") for kind in ("startup", "readiness", "liveness")]
            assert all(probes) == runs_on(name), name
            for probe in filter(None, probes):
                assert ("grpc" in probe) != ("exec" in probe), name
                if "grpc" in probe:
                    assert probe["grpc"]["port"] in {p["containerPort"] for p in container["ports"]}


def test_readiness_asks_the_service_and_liveness_the_process(objects: list[Object], pods: Pods) -> None:
    container = pods(objects)["Deployment/ew-rollout"]["spec"]["containers"][0]
    assert container["readinessProbe"]["grpc"]["service"] == "rollout"
    assert container["livenessProbe"]["grpc"]["service"] == ""


def test_every_container_has_resources(objects: list[Object], pods: Pods) -> None:
    for name, pod in pods(objects).items():
        for container in pod["spec"]["containers"]:
            for kind in ("requests", "limits"):
                assert {"cpu", "memory"} <= set(container["resources"][kind]), name
            for key, least in container["resources"]["requests"].items():
                assert amount(least) <= amount(container["resources"]["limits"][key]), (name, key)


def test_gpus_leave_the_other_resources_alone(profile_of: Callable, render: Callable, pods: Pods) -> None:
    values = profile_of("gpu")
    resources = pods(render(values))["StatefulSet/ew-trainer"]["spec"]["containers"][0]["resources"]
    for kind in ("requests", "limits"):
        assert resources[kind] == {**values["trainer"]["resources"][kind], "nvidia.com/gpu": 8}


def test_pods_meet_pod_security_restricted(objects: list[Object], pods: Pods) -> None:
    for name, pod in pods(objects).items():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), name
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
        kinds = {kind for volume in spec.get("volumes", []) for kind in volume if kind != "name"}
        assert kinds <= {"emptyDir", "persistentVolumeClaim", "configMap", "secret"}, name


def test_only_a_jobs_service_with_something_to_do_there_gets_a_token(
    objects: list[Object], pods: Pods, of_kind: OfKind
) -> None:
    with_token = [name for name, pod in pods(objects).items() if pod["spec"]["automountServiceAccountToken"]]
    roles = of_kind(objects, "Role")
    assert (with_token, set(roles)) in (([], set()), (["Deployment/ew-jobs"], {"ew-jobs"}))
    assert set(of_kind(objects, "RoleBinding")) == set(roles)
    for role in roles.values():
        rule = {"resources": ["deployments/scale"], "resourceNames": ["ew-rollout"], "verbs": ["get", "patch"]}
        assert role["rules"] == [{"apiGroups": ["apps"], **rule}]
    assert not of_kind(objects, "ClusterRole", "ClusterRoleBinding")
    assert not any(o["automountServiceAccountToken"] for o in of_kind(objects, "ServiceAccount").values())


def test_nothing_waits_for_an_image_during_an_install(objects: list[Object]) -> None:
    hooks = [o["metadata"].get("annotations", {}).get("helm.sh/hook") for o in objects]
    assert set(hooks) == {None, "test"}
    assert not any(o["kind"] == "Job" for o in objects)


def test_the_first_size_is_asked_for_where_nothing_else_sets_it(render: Callable, pods: Pods, of_kind: OfKind) -> None:
    def asked(rollout: Object) -> tuple[Object, bool]:
        objects = render({"rollout": rollout})
        given = environment(pods(objects)["Deployment/ew-jobs"])
        return {k: v for k, v in given.items() if "FIRST" in k}, bool(of_kind(objects, "Role"))

    assert asked({"initialReplicas": 8}) == ({"EW_FIRST_SIZE_OF": "ew-rollout", "EW_FIRST_SIZE": "8"}, True)
    assert asked({"initialReplicas": 1}) == ({}, False)
    assert asked({"initialReplicas": 8, "autoscaling": {"provider": "keda"}}) == ({}, False)


def test_the_jobs_service_waits_for_the_trainer_as_long_as_its_pods_for_each_other(
    render: Callable, pods: Pods
) -> None:
    found = pods(render({"trainer": {"nodes": 2, "rendezvousSeconds": 900}}))
    assert environment(found["Deployment/ew-jobs"])["EW_TRAINER_GONE_SECONDS"] == "900"
    assert "join_timeout=900" in found["StatefulSet/ew-trainer"]["spec"]["containers"][0]["command"]


def test_telling_events_takes_its_own_rights_and_no_more(render: Callable, pods: Pods, of_kind: OfKind) -> None:
    objects = render({"jobs": {"events": True}})
    assert environment(pods(objects)["Deployment/ew-jobs"])["EW_EVENTS_OF"] == "ew-jobs"
    assert of_kind(objects, "Role")["ew-jobs"]["rules"] == [
        {"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["ew-jobs"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
    ]
    assert pods(objects)["Deployment/ew-jobs"]["spec"]["automountServiceAccountToken"] is True


def environment(pod: Object) -> Object:
    """Variables of the pod's own container that have a value."""
    return {e["name"]: e["value"] for e in pod["spec"]["containers"][0]["env"] if "value" in e}


def test_rollout_replicas_are_never_rendered(objects: list[Object], of_kind: OfKind) -> None:
    deployments = of_kind(objects, *WORKLOADS)
    assert "replicas" not in deployments["ew-rollout"]["spec"]
    assert all("replicas" in o["spec"] for name, o in deployments.items() if name != "ew-rollout")


def test_gpu_pods_are_not_surged(objects: list[Object], of_kind: OfKind) -> None:
    for name in ("ew-rollout", "ew-reward", "ew-reference"):
        assert of_kind(objects, "Deployment")[name]["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == 0
    trainer = of_kind(objects, "StatefulSet")["ew-trainer"]["spec"]
    assert trainer["podManagementPolicy"] == "Parallel"
    assert trainer["updateStrategy"]["rollingUpdate"]["maxUnavailable"] == "100%"


def test_selectors_are_immutable_and_match(objects: list[Object], of_kind: OfKind) -> None:
    for name, o in of_kind(objects, *WORKLOADS).items():
        selector = o["spec"]["selector"]["matchLabels"]
        assert set(selector) == {f"app.kubernetes.io/{key}" for key in ("name", "instance", "component")}
        assert selector.items() <= o["spec"]["template"]["metadata"]["labels"].items(), name
        for claim in o["spec"].get("volumeClaimTemplates", []):
            assert claim["metadata"]["labels"] == selector


def test_no_workload_selects_anothers_pods(objects: list[Object], of_kind: OfKind, pods: Pods) -> None:
    for o in of_kind(objects, *WORKLOADS, "PodDisruptionBudget").values():
        selector = o["spec"]["selector"]["matchLabels"].items()
        assert len([1 for pod in pods(objects).values() if selector <= pod["metadata"]["labels"].items()]) == 1


def test_every_service_selects_a_pod_and_its_ports(objects: list[Object], of_kind: OfKind, pods: Pods) -> None:
    for name, service in of_kind(objects, "Service").items():
        selector = service["spec"]["selector"].items()
        chosen = [p for p in pods(objects).values() if selector <= p["metadata"]["labels"].items()]
        assert len(chosen) == (5 if name == "ew-metrics" else 1), name
        for pod in chosen:
            ports = {p["name"] for c in pod["spec"]["containers"] for p in c["ports"]}
            assert {p["targetPort"] for p in service["spec"]["ports"]} <= ports
    for name, o in of_kind(objects, "StatefulSet").items():
        assert o["spec"]["serviceName"] in of_kind(objects, "Service"), name


def test_disruption_budgets_never_block_a_drain(objects: list[Object], of_kind: OfKind) -> None:
    budgets = of_kind(objects, "PodDisruptionBudget")
    assert set(budgets) == set(of_kind(objects, *WORKLOADS))
    for budget in budgets.values():
        assert "minAvailable" not in budget["spec"]
        assert budget["spec"]["maxUnavailable"] not in (0, "0%")


def test_generations_have_the_time_to_be_handed_back(objects: list[Object], pods: Pods) -> None:
    spec = pods(objects)["Deployment/ew-rollout"]["spec"]
    environment = {e["name"]: e.get("value") for e in spec["containers"][0]["env"]}
    pause = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert spec["terminationGracePeriodSeconds"] > pause + int(environment["EW_ROLLOUT_GRACE_SECONDS"])


def test_what_is_mounted_exists_or_is_named_as_external(
    values: Object, objects: list[Object], pods: Pods, of_kind: OfKind
) -> None:
    external = set(re.findall(r'"(?:existingSecret|existingClaim)": "([^"]+)"', json.dumps(values)))
    external |= {secret["name"] for secret in values.get("imagePullSecrets", [])}
    certificates = {o["spec"]["secretName"] for o in of_kind(objects, "Certificate").values()}
    there = {
        "secret": set(of_kind(objects, "Secret")) | certificates | external,
        "configMap": set(of_kind(objects, "ConfigMap")),
        "claim": set(of_kind(objects, "PersistentVolumeClaim")) | external,
        "account": set(of_kind(objects, "ServiceAccount")) | {"default"},
    }
    for name, pod in pods(objects).items():
        for kind, used in references(pod["spec"]):
            assert used in there[kind], f"{name} uses {kind} {used}"
    for o in of_kind(objects, "TriggerAuthentication").values():
        assert {t["name"] for t in o["spec"]["secretTargetRef"]} <= there["secret"]


def references(spec: Object) -> list[tuple[str, str]]:
    found = [("account", spec.get("serviceAccountName", "default"))]
    found += [("secret", s["name"]) for s in spec.get("imagePullSecrets", [])]
    for volume in spec.get("volumes", []):
        if "secret" in volume:
            found.append(("secret", volume["secret"]["secretName"]))
        if "configMap" in volume:
            found.append(("configMap", volume["configMap"]["name"]))
        if "persistentVolumeClaim" in volume:
            found.append(("claim", volume["persistentVolumeClaim"]["claimName"]))
    for container in spec["containers"]:
        found += [("configMap", e["configMapRef"]["name"]) for e in container.get("envFrom", [])]
        found += [
            ("secret", e["valueFrom"]["secretKeyRef"]["name"])
            for e in container.get("env", [])
            if "secretKeyRef" in e.get("valueFrom", {})
        ]
    return found


def test_every_volume_is_mounted_and_every_mount_is_a_volume(
    objects: list[Object], pods: Pods, of_kind: OfKind
) -> None:
    claimed = {
        o["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"]: {
            t["metadata"]["name"] for t in o["spec"].get("volumeClaimTemplates", [])
        }
        for o in of_kind(objects, "StatefulSet").values()
    }
    for name, pod in pods(objects).items():
        component = pod["metadata"]["labels"]["app.kubernetes.io/component"]
        volumes = {v["name"] for v in pod["spec"].get("volumes", [])} | claimed.get(component, set())
        mounts = [m for c in pod["spec"]["containers"] for m in c.get("volumeMounts", [])]
        assert {m["name"] for m in mounts} == volumes, name
        assert len({m["mountPath"] for m in mounts}) == len(mounts), name


def test_no_password_stands_in_a_manifest(objects: list[Object], pods: Pods) -> None:
    for pod in pods(objects).values():
        for container in pod["spec"]["containers"]:
            for variable in container.get("env", []):
                if re.search("TOKEN|PASSWORD|AUTH$", variable["name"]):
                    assert "secretKeyRef" in variable["valueFrom"]
                elif "@" in variable.get("value", ""):
                    assert all(re.fullmatch("rediss?://earwitness@[^@]+", u) for u in variable["value"].split(","))
            assert_expands(container.get("env", []))


def assert_expands(environment: list[Object]) -> None:
    """Kubernetes replaces $(NAME) only by variables that stand before."""
    before: set[str] = set()
    for variable in environment:
        assert set(re.findall(r"\$\((\w+)\)", variable.get("value", ""))) <= before
        assert variable["name"] not in before
        before.add(variable["name"])


def test_programs_know_every_variable_they_get(objects: list[Object], pods: Pods) -> None:
    root = Path(__file__).parents[3]
    folders = [root / name for name in ("earwitness", "services", "trainer", "rollout", "reward")]
    sources = [path for folder in folders for path in folder.rglob("*.py")]
    known = set(re.findall(r"\bEW_[A-Z_]+\b", " ".join(p.read_text() for p in sources)))
    known |= {f"EW_TLS_{suffix}" for suffix in ("CERT", "KEY", "CA")}
    given = {v["name"] for pod in pods(objects).values() for c in pod["spec"]["containers"] for v in c.get("env", [])}
    assert {name for name in given if name.startswith("EW_")} <= known | {
        "EW_RUN"
    }  # the last names a folder of `helm test`


def test_programs_know_every_flag_they_get(objects: list[Object], pods: Pods) -> None:
    for name, pod in pods(objects).items():
        for container in pod["spec"]["containers"]:
            command = container["command"]
            if command[:3] == ["python", "-m", "services.trainer.node"]:
                understood_by_torchrun(command[3:])
            elif command[:2] == ["python", "-m"]:
                assert len(command) == 3, name
                assert importlib.util.find_spec(command[2]), name
            elif command[0] == "earwitness":
                assert command[:4] == ["earwitness", "submit", "/etc/earwitness/recipe.yaml", "--follow"], name
                assert command[4:] == ["--base", "/data/helm-test/$(EW_RUN)"], name
            else:
                assert command == ["sh", "/etc/redis/start.sh"], name


def understood_by_torchrun(arguments: list[str]) -> None:
    from torch.distributed.run import get_args_parser

    given = get_args_parser().parse_args(arguments)
    assert (given.module, given.training_script, given.training_script_args) == (True, "services.trainer", [])
    if given.nnodes == "1:1":
        assert given.standalone
    else:
        assert given.rdzv_backend == "c10d"
        assert given.rdzv_endpoint.startswith("ew-trainer-0.ew-trainer.mesh.svc:")


def test_false_and_zero_replace_what_defaults_say(render: Callable, pods: Pods, of_kind: OfKind) -> None:
    jobs = {"podDisruptionBudget": {"enabled": False}, "preStopSeconds": 0}
    objects = render({"jobs": {**jobs, "securityContext": {"readOnlyRootFilesystem": False}}})
    assert "ew-jobs" not in of_kind(objects, "PodDisruptionBudget")
    container = pods(objects)["Deployment/ew-jobs"]["spec"]["containers"][0]
    assert "lifecycle" not in container
    assert container["securityContext"]["readOnlyRootFilesystem"] is False


def test_a_digest_beats_the_tag(render: Callable, pods: Pods) -> None:
    digest = "sha256:" + "a" * 64
    image = {"registry": "registry.example.com", "repository": "r", "tag": "t", "digest": digest}
    container = pods(render({"jobs": {"image": image}}))["Deployment/ew-jobs"]["spec"]["containers"][0]
    assert container["image"] == f"registry.example.com/r@{digest}"


def test_the_cpu_profile_fits_two_cores_and_six_gib(profile_of: Callable, render: Callable, of_kind: OfKind) -> None:
    cores = memory = 0.0
    for o in of_kind(render(profile_of("cpu")), *WORKLOADS).values():
        replicas = o["spec"].get("replicas", 1)
        for container in o["spec"]["template"]["spec"]["containers"]:
            cores += replicas * amount(container["resources"]["requests"]["cpu"])
            memory += replicas * amount(container["resources"]["limits"]["memory"])
    # What a node of kind itself asks for is 0.95 cores.
    assert cores <= 2 - 0.95
    assert memory <= 6 * 2**30


def test_claimed_volumes_and_what_opens_them_outlive_the_release(render: Callable, of_kind: OfKind) -> None:
    objects = render({})
    kept = [o for o in objects if o["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == "keep"]
    assert sorted(o["kind"] for o in kept) == ["PersistentVolumeClaim", "Secret"]


@pytest.mark.parametrize("profile", ["gpu"], indirect=True)
def test_the_certificate_names_every_host_that_is_called(objects: list[Object], of_kind: OfKind, pods: Pods) -> None:
    names = of_kind(objects, "Certificate")["ew-tls"]["spec"]["dnsNames"]
    text = json.dumps([pod["spec"]["containers"][0].get("env") for pod in pods(objects).values()])
    hosts = set(re.findall(r"[a-z0-9.-]+\.mesh\.svc(?=:)", text))
    assert len(hosts) >= 4
    for host in hosts:
        assert host in names or "*." + host.partition(".")[2] in names, host
