"""Pods on a simulated machine of eight GPUs: what processes are told fits what the device plugin gives a container."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import helm_python as helm
import pytest

from earwitness.settings import Settings
from rollout.settings import RolloutSettings

Object = dict[str, Any]
Pods = Callable[[list[Object]], dict[str, Object]]

GPUS = 8
"""Of a node."""

SECRET = "a/b:c@d"
"""Stands for what a pod reads from Secrets."""


class Container:
    """The container as it starts on a node: its environment, and the GPUs that it finds, which CUDA counts from 0."""

    def __init__(self, pod: Object, resource: str = "nvidia.com/gpu") -> None:
        (container,) = pod["spec"]["containers"]
        self.command = container["command"]
        self.environment = {e["name"]: e.get("value", SECRET) for e in container.get("env", [])}
        self.devices = list(range(int(container["resources"]["limits"].get(resource, 0))))


@pytest.fixture
def containers(profile_of: Callable, render: Callable, pods: Pods) -> Callable[..., dict[str, Container]]:
    """By name of what makes the pod; of the profile for GPUs, without TLS, whose files are not here."""

    def make(resource: str = "nvidia.com/gpu", **changes: Object) -> dict[str, Container]:
        values = {**profile_of("gpu"), "tls": {"enabled": False}, **changes}
        return {name: Container(pod, resource) for name, pod in pods(render(values)).items()}

    return make


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def test_every_rank_of_the_trainer_has_a_gpu_and_every_gpu_a_rank(containers: Callable) -> None:
    trainer = containers()["StatefulSet/ew-trainer"]
    ranks = range(int(option(trainer.command, "--nproc-per-node")))  # LOCAL_RANK is the number of its GPU
    assert list(ranks) == trainer.devices == list(range(GPUS))


def test_a_rollout_worker_shares_its_layers_over_all_its_gpus(containers: Callable) -> None:
    rollout = containers()["Deployment/ew-rollout"]
    own = RolloutSettings.from_env(rollout.environment)
    assert own.tensor_parallel == len(rollout.devices) == 2
    assert own.gpu_percent == RolloutSettings.from_env({}).gpu_percent, "no other process is on its GPUs"


def test_the_profile_fits_its_eight_nodes(containers: Callable, profile_of: Callable) -> None:
    values, found = profile_of("gpu"), containers()
    trainer, rollout = found["StatefulSet/ew-trainer"], found["Deployment/ew-rollout"]
    assert GPUS % len(trainer.devices) == GPUS % len(rollout.devices) == 0
    used = values["trainer"]["nodes"] * len(trainer.devices)
    used += values["rollout"]["initialReplicas"] * len(rollout.devices)
    assert used == 8 * GPUS


def test_no_pod_chooses_among_gpus_and_only_those_that_compute_have_any(containers: Callable) -> None:
    for name, container in containers().items():
        assert not [v for v in container.environment if "VISIBLE" in v], name
        assert bool(container.devices) == (name in ("StatefulSet/ew-trainer", "Deployment/ew-rollout")), name


def test_a_slice_of_a_gpu_is_one_device(containers: Callable) -> None:
    slice_ = {"gpu": {"resource": "nvidia.com/mig-3g.40gb", "count": 1}, "tensorParallel": 1}
    rollout = containers("nvidia.com/mig-3g.40gb", rollout=slice_)["Deployment/ew-rollout"]
    assert rollout.devices == [0]
    assert RolloutSettings.from_env(rollout.environment).tensor_parallel == 1


@pytest.mark.parametrize(("component", "more"), [("rollout", {"tensorParallel": 2}), ("trainer", {"ranksPerNode": 2})])
def test_slices_cannot_work_together(render: Callable, component: str, more: Object) -> None:
    with pytest.raises(helm.HelmError, match=rf"{component}\.gpu: slices of GPUs cannot work together"):
        render({component: {"gpu": {"resource": "nvidia.com/mig-3g.40gb", "count": 2}, **more}})


@pytest.mark.parametrize("component", ["jobs", "trainer", "rollout", "reward", "reference"])
def test_every_service_takes_the_environment_it_is_given(containers: Callable, component: str) -> None:
    kind = "StatefulSet" if component == "trainer" else "Deployment"
    environment = containers()[f"{kind}/ew-{component}"].environment
    settings = Settings.from_env(environment)
    assert settings.queue_url.startswith("redis://earwitness:a%2Fb%3Ac%40d@ew-queue.mesh.svc:6379/")
    assert (settings.health_port, settings.metrics_port, settings.token) == (7071, 9090, SECRET)
    assert len(settings.weights_urls) == (8 if component in ("trainer", "rollout") else 0)
