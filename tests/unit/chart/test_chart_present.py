"""What the chart does about what is there already: Helm's own engine looks at a (fake) API server while it renders."""

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
Upgrade = Callable[..., list[Object]]


@pytest.fixture
def cluster() -> Iterator[FakeKubernetes]:
    fake = FakeKubernetes()
    fake.anonymous = True
    yield fake
    fake.close()


@pytest.fixture
def upgrade(
    cluster: FakeKubernetes, chart_path: Path, tmp_path: Path, objects_of: Callable[..., list[Object]]
) -> Upgrade:
    """Objects of the chart as they are rendered in sight of the cluster; `release` as named."""
    kubeconfig = cluster.kubeconfig(tmp_path / "kubeconfig", namespace="mesh")

    def render(values: Object, release: str = "ew", *, first: bool = False) -> list[Object]:
        with helm.Config(kubeconfig_path=kubeconfig, namespace="mesh") as config, helm.Chart.load(chart_path) as chart:
            files = config.render(chart, values, name=release, namespace="mesh", is_install=first, is_upgrade=not first)
        return objects_of(files)

    return render


@pytest.fixture
def installed(cluster: FakeKubernetes, upgrade: Upgrade) -> Callable[[Object], None]:
    """Puts into the cluster what an install with some values makes there."""
    places = {
        "Secret": "secrets",
        "PersistentVolumeClaim": "persistentvolumeclaims",
        "Deployment": "deployments.apps",
        "StatefulSet": "statefulsets.apps",
    }

    def install(values: Object) -> None:
        for o in upgrade(values, first=True):
            if o["kind"] in places:
                cluster.objects[places[o["kind"]]].append(o)

    return install


def secret(objects: list[Object]) -> Object:
    return next(o for o in objects if o["kind"] == "Secret")


def test_an_install_makes_words_that_nobody_can_guess(upgrade: Upgrade) -> None:
    words = [secret(upgrade({}, first=True))["data"] for _ in range(2)]
    assert set(words[0]) == {"token", "redis-password"}
    assert len({w for found in words for w in found.values()}) == 4


@pytest.mark.parametrize("first", [False, True], ids=["upgrade", "reinstall"])
def test_the_words_stay_as_long_as_the_claims(installed: Callable, upgrade: Upgrade, cluster: Any, first: bool) -> None:
    installed({})
    before = secret(cluster.objects["secrets"])
    if first:  # uninstalled: only what is kept stays
        kept = {k: [o for o in found if stays(o)] for k, found in cluster.objects.items()}
        cluster.objects.update(kept)
        assert {o["kind"] for found in kept.values() for o in found} == {"Secret", "PersistentVolumeClaim"}
    assert secret(upgrade({}, first=first))["data"] == before["data"]


def stays(o: Object) -> bool:
    return o["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == "keep"


def test_words_cannot_be_replaced_where_the_chart_does_not_see_them(upgrade: Upgrade) -> None:
    """A second rendering of `helm template` has other words; of an immutable Secret the API server refuses them."""
    assert secret(upgrade({}, first=True))["immutable"] is True


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({}, {"queue": {"persistence": {"size": "2Gi"}}}, r"queue\.persistence\.size cannot change from 1Gi to 2Gi"),
        ({}, {"queue": {"persistence": {"size": "500Mi"}}}, r"queue\.persistence\.size cannot change"),
        (
            {},
            {"queue": {"persistence": {"storageClassName": "fast"}}},
            r'queue\.persistence\.storageClassName cannot change from "" to "fast"',
        ),
        ({}, {"storage": {"size": "9Gi"}}, r"storage\.size cannot shrink from 10Gi to 9Gi"),
        (
            {"storage": {"storageClassName": "slow"}},
            {"storage": {"storageClassName": "fast"}},
            r'storage\.storageClassName cannot change from "slow" to "fast"',
        ),
        (
            {},
            {"storage": {"accessModes": ["ReadWriteMany"]}},
            r"storage\.accessModes cannot change from ReadWriteOnce to ReadWriteMany",
        ),
        ({}, {"fullnameOverride": "other"}, r'fullnameOverride: the names of release ew begin with "ew"'),
        ({"fullnameOverride": "other"}, {}, r'Set fullnameOverride to "other"'),
    ],
)
def test_a_change_that_kubernetes_forbids_is_refused_before(
    before: Object, after: Object, said: str, installed: Callable, upgrade: Upgrade
) -> None:
    installed(before)
    with pytest.raises(helm.HelmError, match=said):
        upgrade(after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {}),
        ({}, {"queue": {"persistence": {"size": "1024Mi"}}}),
        ({}, {"storage": {"size": "20Gi"}}),
        ({"storage": {"storageClassName": "slow"}}, {"storage": {"storageClassName": ""}}),
        ({"fullnameOverride": "other"}, {"fullnameOverride": "other"}),
        ({}, {"storage": {"existingClaim": "mine", "size": "1Gi"}}),
        ({}, {"weights": {"shards": 3}, "trainer": {"nodes": 2}}),
    ],
)
def test_other_changes_are_let_through(before: Object, after: Object, installed: Callable, upgrade: Upgrade) -> None:
    installed(before)
    assert upgrade(after)


def test_another_release_s_names_are_its_own(installed: Callable, upgrade: Upgrade) -> None:
    installed({})
    assert upgrade({}, "second", first=True)
