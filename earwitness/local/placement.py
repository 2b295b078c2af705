"""Which process gets which GPUs, and what share of their memory."""

from __future__ import annotations

from dataclasses import dataclass

from earwitness.errors import InputError

PERCENT = 92
"""Of a GPU's memory that its processes may fill together: vLLM's default for one that is alone."""
TRAINER_PARTS = 2
"""Parts of a shared GPU for the trainer, where a rollout worker and the reference get one each: it holds gradients and
optimizer states besides the weights."""


@dataclass(frozen=True)
class Placement:
    """The GPUs of a machine among the processes of its mesh. Without GPUs everything is on the CPU."""

    gpus: tuple[str, ...] = ()
    """Names for CUDA_VISIBLE_DEVICES."""
    ranks: int = 1
    """Ranks of the trainer, a GPU each."""
    width: int = 1
    """GPUs of a rollout worker: so many share each layer."""
    workers: int = 1
    """Rollout workers that there must be room for."""

    def __post_init__(self) -> None:
        """Raises InputError for what cannot be placed."""
        if not self.gpus:
            return
        if self.ranks > len(self.gpus):
            raise InputError("--trainer-ranks", f"{self.ranks} ranks", f"at most one a GPU; there are {len(self.gpus)}")
        if self.width > len(self.gpus):
            raise InputError("--rollout-gpus", f"{self.width} GPUs", f"at most the {len(self.gpus)} that there are")
        if any(name.startswith("MIG-") for name in self.gpus) and max(self.ranks, self.width) > 1:
            expected = "--trainer-ranks 1 and --rollout-gpus 1: a process sees one slice"
            raise InputError("CUDA_VISIBLE_DEVICES", "MIG slices cannot share a model", expected)

    @property
    def trainer(self) -> tuple[str, ...]:
        """GPUs of the trainer: the first."""
        return self.gpus[: self.ranks]

    @property
    def reference(self) -> tuple[str, ...]:
        """GPU of the frozen reference: the last."""
        return self.gpus[-1:]

    @property
    def room(self) -> int | None:
        """Most rollout workers at a time; None: any number, on the CPU."""
        return len(self._sets) * self._per_set if self.gpus else None

    def rollout(self, index: int) -> tuple[str, ...]:
        """GPUs of one rollout worker: its own while there are any behind the trainer's, then shared ones."""
        return self._sets[index % len(self._sets)] if self.gpus else ()

    def rollout_percent(self, index: int) -> int:
        """Percent of the memory of its GPUs that the worker may fill."""
        return min((PERCENT // self._parts(gpu) for gpu in self.rollout(index)), default=PERCENT)

    @property
    def _sets(self) -> list[tuple[str, ...]]:
        """The GPUs that one rollout worker, or several in turn, use together."""
        behind = self.gpus[self.ranks :]
        free = behind if len(behind) >= self.width else self.gpus
        return [free[i : i + self.width] for i in range(0, len(free) - self.width + 1, self.width)]

    @property
    def _per_set(self) -> int:
        return max(1, -(-self.workers // len(self._sets)))

    def _parts(self, gpu: str) -> int:
        """Parts into which this GPU's memory is cut; one is kept for the reference, which comes and goes with jobs."""
        workers = self._per_set if any(gpu in gpus for gpus in self._sets) else 0
        return TRAINER_PARTS * (gpu in self.trainer) + workers + (gpu in self.reference)
