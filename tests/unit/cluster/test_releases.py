"""Which mesh is meant: found by label, named where there are several, and errors that say what would be right."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_kubernetes import FakeKubernetes

from earwitness.cluster import Api, Forbidden, find_release
from earwitness.cluster.api import NoCluster
from earwitness.cluster.release import NoRelease, SeveralReleases, read_authority, read_token
from earwitness.errors import InputError


def test_the_only_release_of_the_context_s_namespace_is_found(api: Api) -> None:
    release = find_release(api)
    assert (release.name, release.namespace, release.prefix) == ("ew", "mesh", "ew")
    assert (release.port, release.folder) == (7070, "/data")
    assert read_token(api, release) == "word"
    assert read_authority(api, release) is None


def test_names_that_values_change_are_followed(api: Api, cluster: FakeKubernetes, install: Callable[..., list]) -> None:
    values = {
        "fullnameOverride": "other",
        "storage": {"mountPath": "/shared"},
        "auth": {"existingSecret": "mine"},
        "tls": {"enabled": True, "existingSecret": "certificates"},
    }
    objects = install("ew", "mesh", values)
    cluster.objects["deployments.apps"] = [o for o in objects if o["kind"] == "Deployment"]
    release = find_release(api, "mesh")
    assert (release.name, release.prefix, release.folder) == ("ew", "other", "/shared")
    assert (release.token_secret, release.tls_secret) == ("mine", "certificates")


def test_of_several_releases_one_must_be_named(api: Api, cluster: FakeKubernetes, install: Callable[..., list]) -> None:
    cluster.objects["deployments.apps"] += [o for o in install("second", "mesh") if o["kind"] == "Deployment"]
    with pytest.raises(SeveralReleases, match="--release: ew, second"):
        find_release(api, "mesh")
    assert find_release(api, "mesh", "second").prefix == "second"
    with pytest.raises(NoRelease, match=r"no release 'third' .* there are: ew, second"):
        find_release(api, "mesh", "third")


def test_an_empty_namespace_says_how_to_fill_it(api: Api) -> None:
    with pytest.raises(NoRelease, match="helm install ew charts/earwitness -n elsewhere"):
        find_release(api, "elsewhere")


def test_what_a_role_must_grant_is_named(api: Api, cluster: FakeKubernetes) -> None:
    cluster.forbidden.add(("list", "deployments.apps"))
    with pytest.raises(Forbidden, match=r"namespace mesh must grant list on deployments\.apps"):
        find_release(api)


def test_a_secret_that_may_not_be_read_names_the_other_way(api: Api, cluster: FakeKubernetes) -> None:
    cluster.forbidden.add(("get", "secrets/ew-auth"))
    with pytest.raises(Forbidden, match=r"get on secrets/ew-auth; or give the token with --token"):
        read_token(api, find_release(api))


def test_no_kubeconfig_is_said_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(NoCluster, match="no cluster: a kubeconfig"):
        Api()


def test_an_unknown_context_is_named(kubeconfig: str) -> None:
    with pytest.raises(NoCluster, match="context 'there'"):
        Api("there")


def test_a_cluster_that_does_not_answer_is_named(api: Api, cluster: FakeKubernetes) -> None:
    cluster.close()
    with pytest.raises(NoCluster, match=r"no answer from http://127\.0\.0\.1"):
        find_release(api)


def test_credentials_that_are_refused_are_no_missing_role(cluster: FakeKubernetes, kubeconfig: str) -> None:
    path = Path(kubeconfig)
    path.write_text(path.read_text().replace('"secret"', '"stolen"'))
    with pytest.raises(NoCluster, match="does not accept the credentials"):
        find_release(Api())


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes.client", None)
    with pytest.raises(InputError, match=r"earwitness\[cluster\]"):
        Api()
