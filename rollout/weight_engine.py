"""vLLM's weight-transfer back end "redis": a worker pulls a version from the weight plane and loads whole tensors.

A version is fetched and verified beside the running generation (`fetch_weights`, on a thread); only then does the
caller pause, and `update_weights` loads what is in memory already. Deltas are applied to a copy in host memory, since
vLLM has repacked or split what it holds; tensor-parallel ranks of one machine share that of the first. For the same
reason tensors are not written in place: they go through vLLM's layer-wise reload, which is right on every back end.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import Any

import torch
from vllm.config import VllmConfig
from vllm.config.weight_transfer import WeightTransferConfig
from vllm.distributed import get_tensor_model_parallel_rank, get_tensor_model_parallel_world_size, get_world_group
from vllm.distributed.weight_transfer.base import (
    WeightTransferEngine,
    WeightTransferInitInfo,
    WeightTransferUpdateInfo,
)
from vllm.model_executor.model_loader.reload import finalize_layerwise_reload, initialize_layerwise_reload

from earwitness.errors import EarwitnessError
from earwitness.weights import Held, HostCopy, Signature, WeightReader
from rollout.loaded import check_loaded
from rollout.shared_memory import SharedMemory, mapped

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}

RELOAD_LOG = "vllm.model_executor.model_loader.reload.layerwise"
"""It warns at each sync of layers without weights, such as rotary embeddings. What is missing is told below."""

FETCHING = "fetching"
FETCHED = "fetched"


@dataclass
class RedisInitInfo(WeightTransferInitInfo):
    """Where the weight plane is."""

    urls: list[str]
    """Redis URLs of the shards, in shard order."""


@dataclass
class RedisUpdateInfo(WeightTransferUpdateInfo):
    """Which version to load; it must have been fetched."""

    lineage: str
    version: int
    held_by: list[str]
    """Where the ranks that fetched hold it, for those that did not: see `SharedMemory.address`."""


class RedisWeightTransferEngine(WeightTransferEngine[RedisInitInfo, RedisUpdateInfo]):
    """Loads versions of the weight plane into the worker's model."""

    init_info_cls = RedisInitInfo
    update_info_cls = RedisUpdateInfo
    supports_draft_weight_update = False

    def __init__(
        self, config: WeightTransferConfig, vllm_config: VllmConfig, device: torch.device, model: torch.nn.Module
    ) -> None:
        super().__init__(config, vllm_config, device, model)
        logging.getLogger(RELOAD_LOG).setLevel(logging.ERROR)
        world = get_world_group()
        self._fetches = world.local_rank == 0
        """The first rank on a machine does, for all."""
        self._shared: SharedMemory | None = None
        self._urls: list[str] = []
        self._reader: WeightReader | None = None
        """Made by the first fetch that reaches the shards: one that does not is asked for again, like any other."""
        self._thread: threading.Thread | None = None
        self._copy = HostCopy(self._room if world.world_size > 1 else None)
        self._mapped: tuple[list[str], dict[str, Held]] = ([], {})
        self._failure: tuple[str, str] | None = None

    def init_transfer_engine(self, init_info: RedisInitInfo) -> None:
        """Keeps where the shards are. A silent one must not end the engine: the first fetch connects, and may fail."""
        self._urls = init_info.urls

    def fetch(self, lineage: str, version: int) -> None:
        """Starts to fetch and verify; `fetch_state` says how it went."""
        if not self._fetches:
            return
        if self._thread is not None and self._thread.is_alive():
            raise RuntimeError("a fetch is under way")
        self._failure = None
        self._thread = threading.Thread(target=self._fetch, args=(lineage, version), name="fetch-weights", daemon=True)
        self._thread.start()

    def fetch_state(self) -> tuple[str, str, int]:
        """(FETCHING, "", 0), (FETCHED, where it is held, bytes) or (name of the error's class, its words, 0).

        Where: for the ranks that did not fetch, empty if there are none. Those say (FETCHED, "", 0).
        """
        if not self._fetches:
            return FETCHED, "", 0
        if self._thread is not None and self._thread.is_alive():
            return FETCHING, "", 0
        if self._failure is not None:
            return *self._failure, 0
        if self._copy.held is None:
            return "RuntimeError", "nothing was fetched", 0
        return FETCHED, self._shared.address if self._shared else "", self._copy.fetched_bytes

    def start_weight_update(self) -> None:
        """Opens the model for whole tensors."""
        initialize_layerwise_reload(self.model)

    def update_weights(self, update_info: dict[str, Any]) -> None:
        """Loads the fetched version. The base class ends in an accelerator's synchronize, which a CPU does not have."""
        self.receive_weights(self.parse_update_info(update_info))
        if self.device.type != "cpu":
            torch.accelerator.synchronize()

    def receive_weights(self, update_info: RedisUpdateInfo) -> None:
        """Loads the fetched tensors; every parameter of the model must be among them."""
        if self._fetches and self._copy.held != (update_info.lineage, update_info.version):
            raise RuntimeError(f"version {update_info.version} of {update_info.lineage} has not been fetched")
        if not self._fetches and self._mapped[0] != update_info.held_by:
            self._mapped = (update_info.held_by, mapped(update_info.held_by))
        expected = {name for name, _ in self.model.named_parameters()}
        loaded = self.model.load_weights((name, tensor_of(held)) for name, held in self._tensors.items())
        if missing := expected - loaded:
            raise RuntimeError(f"version {update_info.version} lacks weights: {', '.join(sorted(missing)[:5])}")

    def finish_weight_update(self) -> None:
        """Closes the model again; on the CPU this repacks what is packed. What can be read of it is compared."""
        finalize_layerwise_reload(self.model, self.model_config)
        tensors = {self.model.our_name(name): tensor_of(held) for name, held in self._tensors.items()}
        check_loaded(self.model, tensors, get_tensor_model_parallel_rank(), get_tensor_model_parallel_world_size())

    def shutdown(self) -> None:
        """Nothing is held but connections, which end with the process."""

    @property
    def _tensors(self) -> dict[str, Held]:
        return self._copy.tensors if self._fetches else self._mapped[1]

    def _room(self, layout: Signature) -> dict[str, Held]:
        if self._shared is None or self._shared.layout != layout:
            self._shared = SharedMemory(layout)
        return self._shared.tensors

    def _fetch(self, lineage: str, version: int) -> None:
        try:
            if self._reader is None:
                self._reader = WeightReader(self._urls)
            self._copy.catch_up(self._reader, lineage, version)
        except (EarwitnessError, RuntimeError, OSError) as error:
            self._failure = type(error).__name__, str(error)


class WeightFetching:
    """Methods that vLLM's worker gains (`worker_extension_cls`): its own API has no step before the pause."""

    weight_transfer_engine: RedisWeightTransferEngine

    def fetch_weights(self, lineage: str, version: int) -> None:
        """As `RedisWeightTransferEngine.fetch`."""
        self.weight_transfer_engine.fetch(lineage, version)

    def weight_fetch_state(self) -> tuple[str, str, int]:
        """As `RedisWeightTransferEngine.fetch_state`."""
        return self.weight_transfer_engine.fetch_state()


def tensor_of(held: Held) -> torch.Tensor:
    """The bytes as a tensor of their type and shape, without a copy: later versions are written into it."""
    return torch.from_numpy(held.data).view(DTYPES[held.dtype]).reshape(held.shape)
