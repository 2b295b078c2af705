"""Each service of the chart starts from the image as its pod would: read-only root, the chart's user, no capability."""

from __future__ import annotations

import json
import time

import pytest

from tests.image.pod_kit import Node, Running

SERVICES = {"ew-jobs-0": "jobs", "ew-trainer-0": "trainer", "ew-rollout-0": "rollout", "ew-reward-0": "reward"}
"""What its readiness is called, by pod."""

EXTRAS = ("mlflow", "tensorboard", "wandb")
"""Packages that no image has: who wants one adds it to the image."""

IMPORTS = """
import importlib, json, pkgutil, sys, traceback
failed = {}
def tried(name):
    try:
        return importlib.import_module(name)
    except BaseException as error:
        failed[name] = traceback.format_exc()[-1500:]
for package in ("earwitness", "listener", "trainer", "rollout", "reward", "services", "serving"):
    path = tried(package).__path__
    for found in pkgutil.walk_packages(path, package + ".", onerror=failed.setdefault):
        if not found.name.endswith("__main__"):
            tried(found.name)
print(json.dumps(failed))
"""

RIGHTS = """
import json, os
from pathlib import Path
def writes(folder):
    try:
        Path(folder, "written").write_text("x")
    except OSError as error:
        return error.strerror
    Path(folder, "written").unlink()
    return "yes"
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
folders = ("/", "/etc", "/opt/earwitness", "/usr/local/bin", "/var/tmp", "/tmp", "/data", "/dev/shm")
print(json.dumps({
    "user": os.getuid(), "groups": sorted({os.getgid(), *os.getgroups()}), "capabilities": status["CapEff"].strip(),
    "no_new": status["NoNewPrivs"].strip(), "process": os.getpid(), "writes": {f: writes(f) for f in folders},
}))
"""

pytestmark = pytest.mark.timeout(3600)


def answer(running: Running) -> dict:
    """What a program printed last, as JSON."""
    assert running.ended() == 0, running.said[-5000:]
    return json.loads(running.said.strip().splitlines()[-1])


def test_a_pod_may_write_to_its_volumes_and_nowhere_else(machine: Node) -> None:
    seen = answer(machine.start("ew-trainer-0", ["python", "-c", RIGHTS]))
    assert (seen["user"], seen["groups"], seen["process"]) == (10001, [10001], 1)
    assert (int(seen["capabilities"], 16), seen["no_new"]) == (0, "1")
    may = {folder for folder, said in seen["writes"].items() if said == "yes"}
    assert may == {"/tmp", "/data", "/dev/shm"}


def test_everything_of_ours_can_be_imported(machine: Node) -> None:
    failed = answer(machine.start("ew-jobs-0", ["python", "-c", IMPORTS]))
    failed = {name: why for name, why in failed.items() if not any(f"No module named '{p}'" in why for p in EXTRAS)}
    assert not failed, "\n".join(f"{name}: {why}" for name, why in failed.items())


class Mesh(dict[str, Running]):
    """The pods of the release; each but both servers of Redis is started when it is first asked for."""

    def __init__(self, machine: Node) -> None:
        self._machine = machine
        for server in ("ew-queue-0", "ew-weights-0"):
            self[server]

    def __missing__(self, pod: str) -> Running:
        self[pod] = self._machine.start(pod)
        return self[pod]


@pytest.fixture(scope="module")
def mesh(machine: Node) -> Mesh:
    assert {*SERVICES, "ew-queue-0", "ew-weights-0"} < set(machine.pods)
    return Mesh(machine)


@pytest.mark.parametrize("pod", SERVICES)
def test_a_service_lives_and_is_ready(mesh: Mesh, pod: str) -> None:
    begun = time.monotonic()
    mesh[pod].wait_serving("")
    print(f"{pod} lives after {time.monotonic() - begun:.0f} s", end=", ")
    mesh[pod].wait_serving(SERVICES[pod])
    print(f"is ready after {time.monotonic() - begun:.0f} s")


def test_the_job_of_helm_test_goes_through_every_service(mesh: Mesh, machine: Node, with_cuda) -> None:
    if with_cuda:
        pytest.skip("vLLM for CUDA generates nothing without a GPU")
    for pod in SERVICES:
        mesh[pod].wait_serving("")
    submitted = machine.start("ew-test")
    assert submitted.ended() == 0, submitted.said[-5000:]


@pytest.mark.parametrize("pod", SERVICES)
def test_a_service_that_is_asked_to_ends_well(mesh: Mesh, pod: str) -> None:
    mesh[pod].wait_serving("")
    assert mesh[pod].stop() == 0, mesh[pod].said[-3000:]
