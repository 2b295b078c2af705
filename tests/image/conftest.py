"""An image's start-up, rehearsed without a cluster and without a GPU: EW_IMAGE_ROOT=FOLDER pytest tests/image -s

FOLDER is the unpacked root of an image (`podman export`, `buildah mount`), or a Debian with the packages of one of our
locks and this project in /opt/earwitness. The tests need Linux and root, and are skipped where one of these is missing.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from earwitness.redis_server import RedisServer
from tests.chart_objects import CHART, chart_objects
from tests.image.pod_kit import NAMESPACE, Node

ONE_MACHINE: dict[str, Any] = {
    "trainer": {"nodes": 1, "ranksPerNode": 1, "gpu": {"count": 1}},
    "rollout": {"initialReplicas": 1, "tensorParallel": 1, "gpu": {"count": 1}},
    "reward": {"replicas": 1},
    "weights": {"shards": 1},
    "gang": {"provider": "none"},
    "tls": {"enabled": False},
    "metrics": {name: {"enabled": False} for name in ("serviceMonitor", "dashboard", "alerts")},
}
"""What the profile for many GPUs becomes on one node."""


def merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Changes win, key by key."""
    nested = {k: merged(values[k], v) for k, v in changes.items() if isinstance(v, dict) and k in values}
    return values | changes | nested


@pytest.fixture(scope="session")
def image() -> Path:
    """The root of the image."""
    if not (named := os.environ.get("EW_IMAGE_ROOT")):
        pytest.skip("no image: EW_IMAGE_ROOT names no folder")
    if os.geteuid() != 0:
        pytest.skip("mounts and users of pods need root")
    return Path(named).resolve(strict=True)


@pytest.fixture(scope="session")
def with_cuda(image: Path) -> bool:
    """Whether it is the image for GPUs."""
    program = "import torch; print(torch.version.cuda or '')"
    asked = ["chroot", str(image), "/opt/earwitness/bin/python", "-c", program]
    return bool(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip())


def rendered(profile: str, changes: dict[str, Any]) -> list[dict[str, Any]]:
    """What Helm renders of it."""
    values = yaml.safe_load((CHART / "ci" / f"{profile}-values.yaml").read_text())
    return chart_objects(merged(values, changes), NAMESPACE)


def node_of(objects: list[dict[str, Any]], image: Path, folder: Path, sizes: dict[str, int]) -> Node:
    """A node for these pods. The server of Redis, which has an image of its own, is the one that the tests have."""
    with RedisServer("weights", folder / "probe") as server:
        program = Path(f"/proc/{server.pid}/exe").readlink()
    return Node(objects, image, folder, program, sizes)


@pytest.fixture(scope="module")
def machine(image: Path, with_cuda: bool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node for the profile that is for this image."""
    objects = rendered("gpu", ONE_MACHINE) if with_cuda else rendered("cpu", {})
    with node_of(objects, image, tmp_path_factory.mktemp("node"), {}) as made:
        yield made
