"""The frozen reference policy: the trainer's model in one process, without gradients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from earwitness import storage
from earwitness.errors import InputError
from earwitness.families.architecture import read_architecture
from earwitness.wire.trajectory.v1 import trajectory_pb2
from trainer.batches import Row, collate
from trainer.mels import MelCache, clips_of
from trainer.model.build import build_policy
from trainer.model.logprobs import logprobs
from trainer.ranks import parallel

MICRO_BATCH = 16
"""Trajectories of one forward pass: a group in one or two."""


class FrozenPolicy:
    """Scores tokens under the weights of one Hugging Face directory. One thread at a time."""

    def __init__(self, model_dir: str, dtype: str, threads: int = 1) -> None:
        """Loads the weights; `threads` are torch's on a CPU. Raises InputError."""
        torch.set_num_threads(threads)
        parallel.initialize(1, 1)
        path = storage.local_path(model_dir)
        self.model_dir = model_dir
        self._architecture = read_architecture(path)
        self._policy = build_policy(path, dtype=getattr(torch, dtype), freeze_encoder=True).to(parallel.device()).eval()
        self._mels = MelCache(self._architecture.audio.n_mels, self._architecture.family)

    def score(self, group: trajectory_pb2.Group) -> None:
        """Fills in `reference_logprobs` of every trajectory, at the temperature it was sampled at.

        Raises InputError if the group does not fit the model or its clip cannot be read.
        """
        rows = [_row(group, trajectory) for trajectory in group.trajectories]
        for row in rows:
            self._check(row)
        temperature = group.task.sampling.temperature
        scored: list[list[float]] = []
        for start in range(0, len(rows), MICRO_BATCH):
            scored += self._score(rows[start : start + MICRO_BATCH], temperature)
        for trajectory, found in zip(group.trajectories, scored, strict=True):
            trajectory.reference_logprobs[:] = found

    @torch.no_grad()
    def _score(self, rows: Sequence[Row], temperature: float) -> list[list[float]]:
        batch = collate(list(enumerate(rows)), self._mels, parallel.device())
        states = self._policy(batch.tokens, batch.audio, batch.audio_index, batch.segments)
        found = logprobs(states, batch, temperature).cpu()
        return [found[i, : row.response_tokens].tolist() for i, row in enumerate(rows)]

    def _check(self, row: Row) -> None:
        dims = self._architecture.decoder
        if row.response_tokens == 0:
            raise InputError(f"{row.name}, token_ids", "is empty", "at least one token")
        if len(row.tokens) > dims.max_positions or row.tokens.max() >= dims.vocab_size:
            problem = f"{len(row.tokens)} tokens with ids up to {row.tokens.max()}"
            raise InputError(row.name, problem, f"at most {dims.max_positions} tokens, ids below {dims.vocab_size}")


def _row(group: trajectory_pb2.Group, trajectory: trajectory_pb2.Trajectory) -> Row:
    tokens = np.array([*group.prompt_token_ids, *trajectory.token_ids], dtype=np.int64)
    name = f"ordinal {group.task.ordinal}, trajectory {trajectory.index}"
    return Row(tokens, len(group.prompt_token_ids), clips_of(group.task), name)
