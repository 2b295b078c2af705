"""The chart rendered by the real Helm engine, without a cluster. What Helm needs stands here and nowhere else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import helm_python as helm
import kubernetes_validate
import pytest
import yaml

CHART = Path(__file__).parents[3] / "charts" / "earwitness"
PROFILES = ["default", *sorted(path.name.removesuffix("-values.yaml") for path in CHART.glob("ci/*-values.yaml"))]
RELEASE, NAMESPACE = "ew", "mesh"

Object = dict[str, Any]
Render = Callable[[Object], list[Object]]


@cache
def _render(values: str, scratch: Path, release: str = RELEASE, namespace: str = NAMESPACE) -> str:
    """JSON list of all objects. JSON in and out, so that no test sees what another one changed."""
    with helm.Chart.load(_without_schema(scratch) if values in _met_the_schema else CHART) as chart:
        files = chart.render(json.loads(values), name=release, namespace=namespace)
    _met_the_schema.add(values)
    return json.dumps(_objects(files))


_met_the_schema: set[str] = set()
"""Values as JSON. They alone decide it, not a release's name, and half of a rendering is looking at the schema."""


@cache
def _without_schema(scratch: Path) -> Path:
    """A copy in `scratch` of the chart but for its values' schema."""
    return Path(shutil.copytree(CHART, scratch / CHART.name, ignore=shutil.ignore_patterns("values.schema.json")))


def _objects(files: dict[str, str]) -> list[Object]:
    found = (json.loads(_parsed(text)) for name, text in sorted(files.items()) if name.endswith(".yaml"))
    return [content for contents in found for content in contents]


@cache
def _parsed(text: str) -> str:
    """JSON list of a file's objects: most files are the same under most values, and YAML is slow to read."""
    return json.dumps([content for content in yaml.load_all(text, Loader=yaml.CSafeLoader) if content])


@pytest.fixture(scope="session")
def objects_of() -> Callable[[dict[str, str]], list[Object]]:
    """Objects of what Helm's engine rendered, text by file."""
    return _objects


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chart")


@pytest.fixture(scope="session")
def render(scratch: Path) -> Render:
    """Objects of the chart under some values. Raises helm_python.errors.HelmError."""
    return lambda values: json.loads(_render(json.dumps(values), scratch))


@pytest.fixture(scope="session")
def render_as(scratch: Path) -> Callable[[Object, str, str], list[Object]]:
    """As `render`, as a release of some name in some namespace."""
    return lambda values, release, namespace: json.loads(_render(json.dumps(values), scratch, release, namespace))


@pytest.fixture(scope="session", autouse=True)
def read_each_schema_and_look_at_each_object_once() -> Iterator[None]:
    """For every object the library lists a folder and parses megabytes of JSON; most are the same under most values."""
    validate, found_valid = kubernetes_validate.validate, set()

    def validate_once(o: Object, version: str, strict: bool = False) -> None:
        key = (json.dumps(o), version, strict)
        if key not in found_valid:
            validate(o, version, strict=strict)
            found_valid.add(key)

    with pytest.MonkeyPatch.context() as patch:
        for name in ("schema_contents", "all_versions", "major_minor"):
            patch.setattr(kubernetes_validate.utils, name, cache(getattr(kubernetes_validate.utils, name)))
        patch.setattr(kubernetes_validate, "validate", validate_once)
        yield


def profile_values(profile: str) -> Object:
    if profile == "default":
        return {}
    (values,) = json.loads(_parsed((CHART / "ci" / f"{profile}-values.yaml").read_text()))
    return values


@pytest.fixture(scope="session")
def profiles() -> list[str]:
    return PROFILES


@pytest.fixture(params=PROFILES)
def profile(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def values(profile: str) -> Object:
    """Values of the profile."""
    return profile_values(profile)


@pytest.fixture
def objects(values: Object, render: Render) -> list[Object]:
    """Objects of the profile."""
    return render(values)


@pytest.fixture(scope="session")
def of_kind() -> Callable[..., dict[str, Object]]:
    """Objects of some kinds, by name."""

    def choose(objects: list[Object], *kinds: str) -> dict[str, Object]:
        return {o["metadata"]["name"]: o for o in objects if o["kind"] in kinds}

    return choose


@pytest.fixture(scope="session")
def pods() -> Callable[[list[Object]], dict[str, Object]]:
    """Pod templates (metadata and spec) by "Kind/name" of what makes them."""

    def templates(objects: list[Object]) -> Iterator[tuple[str, Object]]:
        for o in objects:
            where = f"{o['kind']}/{o['metadata']['name']}"
            if o["kind"] in ("Deployment", "StatefulSet", "Job"):
                yield where, o["spec"]["template"]
            elif o["kind"] == "Pod":
                yield where, {"metadata": o["metadata"], "spec": o["spec"]}

    return lambda objects: dict(templates(objects))


@pytest.fixture(scope="session")
def profile_of() -> Callable[[str], Object]:
    return profile_values


@pytest.fixture(scope="session")
def chart_path() -> Path:
    return CHART
