"""Which processes a local mesh has, with their commands and environment. Pure: nothing is started here."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from earwitness.local.gpus import VISIBLE
from earwitness.local.placement import Placement
from earwitness.local.sockets import sockets_folder

SCALABLE = ("rollout", "reward", "recogniser")
"""Roles of which a mesh has any number."""


@dataclass(frozen=True)
class Options:
    """What a person asks of `earwitness up`."""

    folder: Path
    """State folder."""
    rollout: int = 1
    """Rollout workers."""
    reward: int = 1
    """Reward workers."""
    trainer_ranks: int = 1
    """Trainer processes, under torchrun."""
    rollout_gpus: int = 1
    """GPUs, or processes on the CPU, of a rollout worker."""
    redis: str | None = None
    """URL of an own queue Redis; none: an embedded one."""
    weights_redis: tuple[str, ...] = ()
    """URLs of own weight shards; none: one embedded shard."""
    port: int = 0
    """Port of the jobs service; 0: a free one."""
    fresh: bool = False
    """Forget the jobs of earlier meshes in this folder."""
    recogniser: int = 0
    """Recognisers; 0: the mesh has none, and reward workers load what is named themselves."""


@dataclass(frozen=True)
class ProcessPlan:
    """One process of the mesh."""

    name: str
    """Unique in the mesh."""
    role: str
    """jobs, trainer, rollout, reward, recogniser or reference."""
    address: str
    """host:port at which it says how it is, and of all but the recogniser where it listens."""
    command: tuple[str, ...]
    """Program and arguments."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """On top of what all processes of the mesh get."""


@dataclass(frozen=True)
class Shared:
    """What every process of a mesh is told."""

    mesh: str
    """Random id of the mesh."""
    token: str
    """Bearer token."""
    queue_url: str
    """Redis of the queue."""
    weights_urls: tuple[str, ...]
    """Redis shards of the weights."""
    trainer: str
    """host:port of the trainer."""
    recogniser: str = ""
    """host:port of all recognisers; empty: the mesh has none."""


def environment(place: ProcessPlan, shared: Shared, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The whole environment of one process."""
    mesh_wide = {
        "EW_MESH": shared.mesh,
        "EW_NAME": place.name,
        "EW_TOKEN": shared.token,
        "EW_QUEUE_URL": shared.queue_url,
        "EW_WEIGHTS_URLS": ",".join(shared.weights_urls),
        "EW_TRAINER": shared.trainer,
        "EW_RECOGNISER": shared.recogniser,
        "EW_LISTEN": place.address,
        "PYTHONUNBUFFERED": "1",
        # All share the machine's cores: a thread that waits for others of its process sleeps instead of spinning.
        "OMP_WAIT_POLICY": "PASSIVE",
        # A folder `services` where a person stands must not be taken for ours.
        "PYTHONSAFEPATH": "1",
        # vLLM names its processes with setproctitle, which would overwrite the environment that `sweep` reads.
        "SPT_NOENV": "1",
        "VLLM_RPC_BASE_PATH": str(sockets_folder(shared.mesh)),
    }
    # On the loopback of one machine there is neither TLS nor one metrics or health port for all.
    cluster_only = {"EW_TLS_CERT", "EW_TLS_KEY", "EW_TLS_CA", "EW_METRICS_PORT", "EW_HEALTH_PORT"}
    kept = {k: v for k, v in inherited.items() if k not in cluster_only}
    return {**kept, **mesh_wide, **place.environment}


def jobs(address: str) -> ProcessPlan:
    """The jobs service."""
    return ProcessPlan("jobs", "jobs", address, (*_LAUNCH, "services.jobs"), _WITHOUT_GPU)


def trainer(address: str, placement: Placement) -> ProcessPlan:
    """The trainer, a process a rank under torchrun; rank 0 listens."""
    ranks = placement.ranks
    launcher = (*_LAUNCH, "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks))
    # Without this torchrun gives a rank a single thread; ranks share the cores of the machine instead.
    threads = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(max(1, _cores() // ranks)))}
    settings = {**threads, **_visible(placement.trainer)}
    return ProcessPlan("trainer", "trainer", address, (*launcher, *_LAUNCH[1:], "services.trainer"), settings)


def rollout(index: int, address: str, placement: Placement) -> ProcessPlan:
    """One rollout worker, with its GPUs and the share of their memory that is its own."""
    settings = {"EW_ROLLOUT_TENSOR_PARALLEL": str(placement.width), **_visible(placement.rollout(index))}
    if placement.gpus:
        settings["EW_ROLLOUT_GPU_PERCENT"] = str(placement.rollout_percent(index))
    return ProcessPlan(f"rollout-{index}", "rollout", address, (*_LAUNCH, "services.rollout"), settings)


def reward(index: int, address: str) -> ProcessPlan:
    """One reward worker; one thread, because there may be many."""
    settings = {**_WITHOUT_GPU, "OMP_NUM_THREADS": "1"}
    return ProcessPlan(f"reward-{index}", "reward", address, (*_LAUNCH, "services.reward"), settings)


def recogniser(index: int, address: str, shared: str) -> ProcessPlan:
    """One recogniser; all listen at the address `shared`, and each answers for its own health at `address`."""
    settings = {**_WITHOUT_GPU, "OMP_NUM_THREADS": "1", "EW_LISTEN": shared}
    settings["EW_HEALTH_PORT"] = address.rpartition(":")[2]
    return ProcessPlan(f"recogniser-{index}", "recogniser", address, (*_LAUNCH, "services.recogniser"), settings)


def reference(address: str, placement: Placement) -> ProcessPlan:
    """The frozen reference."""
    settings = _visible(placement.reference)
    return ProcessPlan("reference-0", "reference", address, (*_LAUNCH, "services.reference"), settings)


_LAUNCH = (sys.executable, "-m", "earwitness.local.launch")
"""A service that cannot start says so in a line."""

_WITHOUT_GPU = {VISIBLE: ""}


def _visible(gpus: Sequence[str]) -> dict[str, str]:
    """By their number in the machine, as `nvidia-smi` counts, and not by their speed."""
    return {VISIBLE: ",".join(gpus), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"} if gpus else {}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
