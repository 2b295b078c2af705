"""What tools that render charts without a cluster, apply them server-side or upgrade them count on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cluster"))

from fake_kubernetes import FakeKubernetes

Object = dict[str, Any]
ObjectsOf = Callable[[dict[str, str]], list[Object]]

BEFORE = Path(__file__).parents[2] / "charts" / "earwitness-0.1.0.tgz"
"""The chart of the version before, as `helm package` made it."""

OWN_SECRETS = {"auth": {"existingSecret": "own"}}

UNIQUE = {"env": "name", "volumes": "name", "containers": "name", "initContainers": "name", "volumeMounts": "mountPath"}
"""Lists in which the API server, applying server-side, takes each key once."""

IMMUTABLE = {
    "Deployment": ["selector"],
    "StatefulSet": ["selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates"],
    "PersistentVolumeClaim": ["accessModes", "storageClassName"],
    "Service": ["clusterIP"],
    "PodDisruptionBudget": ["selector"],
}
"""Parts of a spec that an upgrade cannot change."""


def rendered(chart: Path, values: Object) -> dict[str, str]:
    """Text by file."""
    with helm.Chart.load(chart) as loaded:
        return loaded.render(values, name="ew", namespace="mesh")


def by_name(objects: list[Object]) -> dict[tuple[str, str], Object]:
    return {(o["kind"], o["metadata"]["name"]): o for o in objects}


@pytest.mark.parametrize("profile", ["default", "gpu", "cpu", "autoscaling"], indirect=True)
def test_with_own_secrets_two_renderings_are_the_same(values: Object, chart_path: Path, objects_of: ObjectsOf) -> None:
    first, second = (rendered(chart_path, {**values, **OWN_SECRETS}) for _ in range(2))
    assert first == second
    assert not any(o["kind"] == "Secret" for o in objects_of(first))


def test_only_the_test_is_a_hook(objects: list[Object]) -> None:
    """Argo CD would run hooks of install at every sync; it leaves out those of tests."""
    hooks = {o["metadata"].get("annotations", {}).get("helm.sh/hook") for o in objects}
    assert hooks == {None, "test"}


def test_lists_that_are_merged_by_a_key_hold_each_once(objects: list[Object]) -> None:
    found = list(repeated(objects))
    assert found == []


def repeated(node: Any, where: str = "") -> Iterator[str]:
    if isinstance(node, list):
        for i, part in enumerate(node):
            yield from repeated(part, f"{where}[{i}]")
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in UNIQUE and isinstance(value, list):
                names = [part[UNIQUE[key]] for part in value if isinstance(part, dict)]
                yield from (f"{where}.{key}: {name}" for name in set(names) if names.count(name) > 1)
            if key == "ports" and isinstance(value, list):
                numbers = [(p.get("containerPort") or p.get("port"), p.get("protocol")) for p in value]
                yield from (f"{where}.ports: {number}" for number in set(numbers) if numbers.count(number) > 1)
            yield from repeated(value, f"{where}.{key}")


def test_nothing_that_a_person_or_an_autoscaler_sets_is_rendered(objects: list[Object]) -> None:
    assert "replicas" not in by_name(objects)["Deployment", "ew-rollout"]["spec"]


@pytest.mark.parametrize("profile", ["default", "gpu", "cpu", "autoscaling", "external-redis"], indirect=True)
def test_an_upgrade_from_the_version_before_changes_nothing_immutable(
    values: Object, chart_path: Path, tmp_path: Path, objects_of: ObjectsOf
) -> None:
    old = by_name(objects_of(rendered(BEFORE, values)))
    cluster = FakeKubernetes()
    cluster.anonymous = True
    for (kind, _), o in old.items():
        resources = {"Secret": "secrets", "PersistentVolumeClaim": "persistentvolumeclaims"}
        resources |= {"Deployment": "deployments.apps", "StatefulSet": "statefulsets.apps"}
        if kind in resources:
            cluster.objects[resources[kind]].append(o)
    kubeconfig = cluster.kubeconfig(tmp_path / "kubeconfig", namespace="mesh")
    with helm.Config(kubeconfig_path=kubeconfig, namespace="mesh") as config, helm.Chart.load(chart_path) as chart:
        files = config.render(chart, values, name="ew", namespace="mesh", is_install=False, is_upgrade=True)
    cluster.close()
    new = by_name(objects_of(files))
    compared = 0
    for key in old.keys() & new.keys():
        for part in IMMUTABLE.get(key[0], []):
            assert old[key]["spec"].get(part) == new[key]["spec"].get(part), (key, part)
            compared += 1
    assert compared >= 10
    kept = {key for key in old if key[0] in ("StatefulSet", "Deployment", "PersistentVolumeClaim", "Secret")}
    assert kept <= new.keys()
    if ("Secret", "ew-auth") in old:
        assert new["Secret", "ew-auth"]["data"] == old["Secret", "ew-auth"]["data"]


def test_the_version_before_is_not_this_one(chart_path: Path) -> None:
    versions = []
    for path in (BEFORE, chart_path):
        with helm.Chart.load(path) as chart:
            versions.append(tuple(int(part) for part in chart.version.split(".")))
    assert versions[0] < versions[1]
