"""Names and values that YAML takes for something else, or that Kubernetes refuses: strings, or a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import helm_python.errors
import kubernetes_validate
import pytest

Object = dict[str, Any]
RenderAs = Callable[[Object, str, str], list[Object]]

YAML_WORDS = ["on", "off", "yes", "no", "true", "false", "null", "y", "n", "inf", "nan"]
YAML_NUMBERS = ["123", "007", "1000", "0", "1e3", "0x10", "0b1", "0o7", "12e03", "1-2", "2026-01-01"]
NO_LABELS = ["my.mesh", "MyMesh", "my_mesh", "-mesh", "mesh/x", "méche", "my mesh", "a:b"]


def strings_only(node: Any, where: str = "") -> Iterator[str]:
    """Places of labels, annotations, names, variables and the like that hold something else than a string."""
    if isinstance(node, list):
        for i, part in enumerate(node):
            yield from strings_only(part, f"{where}[{i}]")
    elif isinstance(node, dict):
        for key, value in node.items():
            here = f"{where}.{key}"
            if key in ("labels", "annotations", "matchLabels", "nodeSelector", "data") and isinstance(value, dict):
                yield from (f"{here}.{k}" for k, v in value.items() if not isinstance(v, str))
            if (
                key in ("name", "namespace", "value", "image", "storage", "sizeLimit") or key.endswith("Name")
            ) and not (isinstance(value, str | dict)):
                yield here
            yield from strings_only(value, here)


def check(objects: list[Object], namespace: str) -> None:
    assert list(strings_only(objects)) == []
    assert {o["metadata"]["namespace"] for o in objects} == {namespace}
    for o in objects:
        if o["kind"] not in ("ScaledObject", "TriggerAuthentication"):
            kubernetes_validate.validate(o, "1.36", strict=True)


@pytest.mark.parametrize("namespace", [*YAML_WORDS, *(n for n in YAML_NUMBERS)])
def test_a_namespace_is_a_string(render_as: RenderAs, namespace: str) -> None:
    check(render_as({}, "ew", namespace), namespace)


@pytest.mark.parametrize("release", YAML_WORDS)
def test_a_release_is_a_string(render_as: RenderAs, release: str) -> None:
    objects = render_as({}, release, "mesh")
    check(objects, "mesh")
    assert {o["metadata"]["labels"]["app.kubernetes.io/instance"] for o in objects} == {release}


@pytest.mark.parametrize("release", [*YAML_NUMBERS, "7b", "my.mesh"])
def test_a_release_that_cannot_begin_names_is_refused_and_may_have_another_prefix(
    render_as: RenderAs, release: str
) -> None:
    with pytest.raises(helm_python.errors.HelmError, match="set fullnameOverride"):
        render_as({}, release, "mesh")
    check(render_as({"fullnameOverride": "ew"}, release, "mesh"), "mesh")


@pytest.mark.parametrize("name", [*NO_LABELS, "7b", "123"])
def test_a_prefix_that_kubernetes_would_refuse_is_refused(render_as: RenderAs, name: str) -> None:
    with pytest.raises(helm_python.errors.HelmError, match="fullnameOverride"):
        render_as({"fullnameOverride": name}, "ew", "mesh")


@pytest.mark.parametrize("namespace", ["my.ns", "MyNs", "my_ns", "-ns"])
def test_a_namespace_that_is_none_is_refused(render_as: RenderAs, namespace: str) -> None:
    with pytest.raises(helm_python.errors.HelmError):
        render_as({}, "ew", namespace)


NAMES = [
    "/defaults/priorityClassName", "/defaults/runtimeClassName", "/defaults/schedulerName",
    "/defaults/serviceAccount/name", "/auth/existingSecret", "/tls/existingSecret", "/storage/existingClaim",
    "/queue/persistence/storageClassName",
]  # fmt: skip
"""Values that are names of objects, all of which one release may say."""

OTHER_NAMES = ["/storage/storageClassName", "/externalRedis/queue/existingSecret"]
"""Those that have no place beside a claim and a Redis of its own."""

KEY = "/externalRedis/queue/key"


def laid(said: Object, values: dict[str, Any]) -> Object:
    """`said`, changed: with `values` by path."""
    for path, value in values.items():
        *above, last = path.strip("/").split("/")
        block = said
        for key in above:
            block = block.setdefault(key, {})
        block[last] = value
    return said


def with_names(render_as: RenderAs, names: dict[str, Any]) -> list[Object]:
    """Objects of two releases that together say all the names."""
    one = {"defaults": {"serviceAccount": {"create": False}}, "tls": {"enabled": True}}
    other = {"queue": {"enabled": False}}
    return [
        *render_as(laid(one, {path: names[path] for path in NAMES}), "ew", "mesh"),
        *render_as(laid(other, {path: names[path] for path in (*OTHER_NAMES, KEY)}), "ew", "mesh"),
    ]


def where(node: Any, value: str, path: str = "") -> Iterator[str]:
    """Places of the objects that hold `value`, as a string."""
    if isinstance(node, dict | list):
        for key, part in node.items() if isinstance(node, dict) else enumerate(node):
            yield from where(part, value, f"{path}/{key}")
    elif isinstance(node, str) and node == value:
        yield path


@pytest.fixture(scope="module")
def holders(render_as: RenderAs) -> dict[str, set[str]]:
    """By path of a name, the places of the objects that it comes to, found with a word of its own at each."""
    words = {path: f"word{i}" for i, path in enumerate((*NAMES, *OTHER_NAMES, KEY))}
    objects = with_names(render_as, words)
    return {path: set(where(objects, word)) for path, word in words.items()}


@pytest.mark.parametrize("value", ["1000", "007", "on", "null", "1e3", "2026-01-01"])
def test_a_value_that_looks_like_something_else_is_a_string(
    render_as: RenderAs, holders: dict[str, set[str]], value: str
) -> None:
    objects = with_names(render_as, dict.fromkeys(holders, value))
    check(objects, "mesh")
    found = set(where(objects, value))
    for path, places in holders.items():
        assert places and places <= found, path


@pytest.mark.parametrize("value", ["My", "a:b", "a b", "-a", 7, True])
def test_a_name_that_kubernetes_would_refuse_is_refused_by_the_schema(render_as: RenderAs, value: Any) -> None:
    paths = [*NAMES, *OTHER_NAMES]
    with pytest.raises(helm_python.errors.HelmError) as refused:
        render_as(laid({}, dict.fromkeys(paths, value)), "ew", "mesh")
    for path in paths:
        assert f"- at '{path}': " in str(refused.value)


def test_numbers_and_booleans_in_maps_of_strings_become_strings(render_as: RenderAs) -> None:
    written = {"n": 1000000, "f": 0.5, "b": True, "s": "007"}
    strings = {"n": "1000000", "f": "0.5", "b": "true", "s": "007"}
    values = {
        "defaults": {
            "podLabels": written,
            "podAnnotations": written,
            "nodeSelector": written,
            "serviceAccount": {"annotations": written},
            "env": [{"name": "A", "value": 12}, {"name": "B", "value": False}, {"name": "C", "value": "1e3"}],
        },
        "jobs": {"service": {"annotations": written}},
    }
    objects = render_as(values, "ew", "mesh")
    check(objects, "mesh")
    pod = next(o for o in objects if o["kind"] == "Deployment")["spec"]["template"]
    for found in (pod["metadata"]["labels"], pod["metadata"]["annotations"], pod["spec"]["nodeSelector"]):
        assert found.items() >= strings.items()
    env = {e["name"]: e.get("value") for e in pod["spec"]["containers"][0]["env"]}
    assert (env["A"], env["B"], env["C"]) == ("12", "false", "1e3")


@pytest.mark.parametrize(("amount", "right"), [(1, True), ("25%", True), ("on", False), ("1000", False), (-1, False)])
def test_an_amount_of_pods_is_a_number_or_a_percentage(render_as: RenderAs, amount: Any, right: bool) -> None:
    values = {"rollout": {"maxUnavailable": amount, "podDisruptionBudget": {"maxUnavailable": amount}}}
    if right:
        check(render_as(values, "ew", "mesh"), "mesh")
    else:
        with pytest.raises(helm_python.errors.HelmError):
            render_as(values, "ew", "mesh")


@pytest.mark.parametrize("path", ["/data:x", "data", "/a b", "/on"])
def test_a_mount_path_is_quoted_or_refused(render_as: RenderAs, path: str) -> None:
    values = {"storage": {"mountPath": path}}
    if ":" in path or not path.startswith("/"):
        with pytest.raises(helm_python.errors.HelmError, match="mountPath"):
            render_as(values, "ew", "mesh")
    else:
        check(render_as(values, "ew", "mesh"), "mesh")
