"""What a worker needs of an engine, without vLLM: the service is up, and its logic tested, before vLLM is imported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from earwitness.errors import EarwitnessError
from earwitness.wire.trajectory.v1 import trajectory_pb2

BLOCK_TOKENS = 32
"""KV-cache block: whole blocks of a prompt are shared by its samples. The smallest that vLLM's CPU kernels like."""


@dataclass(frozen=True)
class EngineConfig:
    """One engine."""

    model_dir: str
    """Hugging Face directory."""
    dtype: str = "float32"
    """Type of weights and activations."""
    max_model_len: int = 512
    """Longest sequence, prompt and response, tokens."""
    weight_urls: tuple[str, ...] = ()
    """Redis URLs of the weight plane. With them, weights come from there only; without, from `model_dir`."""
    threads: int = 1
    """CPU threads of the engine; not used on GPUs."""
    tensor_parallel: int = 1
    """GPUs, or processes on the CPU, that share each layer."""
    gpu_share: float = 0.92
    """Share of its GPUs' memory that the engine may fill; less where others use them too. Not used on the CPU."""


@dataclass(frozen=True)
class Served:
    """The weights in use."""

    lineage: str
    version: int


@dataclass(frozen=True)
class Sync:
    """The newest change of weights, by part."""

    fetch_seconds: float = 0.0
    """Fetching, applying and verifying, beside the generation."""
    pause_seconds: float = 0.0
    """Loading, while generation stands still."""
    nbytes: int = 0
    """Bytes fetched, by all processes of the engine."""


class Engine(Protocol):
    """Generates with one model, whose weights can be replaced."""

    tokens: int
    """Tokens generated since start."""
    kv_tokens: int
    """Tokens whose keys and values fit in the cache."""
    sync: Sync
    """How the weights in use came here."""

    @property
    def served(self) -> Served | None:
        """The weights in use; None before the first version has been loaded."""

    async def generate(
        self,
        prompt: trajectory_pb2.Prompt,
        sampling: trajectory_pb2.Sampling,
        *,
        ordinal: int,
        without_audio: bool = False,
        begun: Sequence[trajectory_pb2.Trajectory] = (),
    ) -> tuple[list[int], list[trajectory_pb2.Trajectory]]:
        """Samples a group: the prompt's token ids, placeholders expanded, and the trajectories by their index.

        `begun`: what another worker had generated; it goes on from there. After `interrupt` what there is comes back:
        trajectories that have no finish reason are unfinished.
        Raises InputError (its kind AudioError for the clip) if this prompt cannot be generated from, BrokenEngineError
        if the engine has died. Cancelling the caller's task aborts the generation.
        """

    async def serve(self, lineage: str, version: int) -> None:
        """Fetches and verifies a version beside the running generation, then pauses it, loads, and goes on.

        Requests in flight keep their KV cache and go on under the new weights. Raises FetchError with the old weights
        still in use, BrokenEngineError if loading failed half-way.
        """

    async def interrupt(self) -> None:
        """Ends all generation, for a worker that leaves: every `generate` returns what it has, to the last token."""

    def check(self) -> None:
        """Raises BrokenEngineError if the engine has died."""

    def stop(self) -> None:
        """Ends the engine; what it generates is lost."""


class FetchError(EarwitnessError):
    """A version could not be fetched; what was served is served still. `kind` names the weight plane's error."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


class BrokenEngineError(EarwitnessError):
    """The engine is dead or its weights are in between two versions: only a new process helps."""
