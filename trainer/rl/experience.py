"""What a step learns from: its trajectories as micro-batches, with old log-probs, values and advantages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from earwitness.recipe.schema import Reinforcement
from trainer.batches import AroundBatch, Batch, Mels, collate, spread
from trainer.ranks.parallel import data_parallel, device
from trainer.rl.advantages import Member
from trainer.rl.groups import Sample
from trainer.shares import micro_batches, share


@dataclass
class Experience(AroundBatch):
    """One micro-batch. Token tensors are fp32 in the shape of the mask; those with a default exist on the last pipeline
    stage."""

    batch: Batch
    rollout_logprobs: Tensor
    """Log-prob of each token when it was sampled."""
    reference_logprobs: Tensor | None
    """Under the frozen reference; None if the recipe has no KL term."""
    members: Sequence[Member]
    """Each row's reward among those of its group."""
    old_logprobs: Tensor | None = None
    """Under the policy as the step begins; None: an update that begins with it finds them itself."""
    old_values: Tensor = field(default_factory=lambda: torch.empty(0))
    """Of the critic as the step begins."""
    advantages: Tensor = field(default_factory=lambda: torch.empty(0))
    returns: Tensor = field(default_factory=lambda: torch.empty(0))

    @property
    def mask(self) -> Tensor:
        """The response tokens. bool [rows, longest response]"""
        return self.batch.mask

    @property
    def rewards(self) -> Tensor:
        """[rows]"""
        return torch.tensor([m.reward for m in self.members], dtype=torch.float32, device=self.mask.device)


@dataclass(frozen=True)
class Update:
    """One of the step's mini-batches."""

    micro_batches: list[Experience]
    """This rank's."""
    tokens: int
    """Response tokens over all ranks."""
    sequences: int
    """Trajectories over all ranks."""


def updates_of(
    groups: Sequence[Sequence[Sample]], stage: Reinforcement, mels: Mels, *, seed: int, step: int
) -> list[Update]:
    """Shuffles the groups and cuts them into mini-batches, this rank's rows of each into micro-batches.

    Rows of a group stay together, so that they share the encoding of their clip. Which rows meet in an update does not
    depend on the number of ranks. The old log-probs are computed on the very same micro-batches as the updates, so that
    padding and summation order cannot make the first ratio differ from 1.
    """
    order = np.random.default_rng([seed, step]).permutation(len(groups))
    scored = [
        (sample, member)
        for index in order
        for sample, member in zip(groups[index], _members(groups[index]), strict=True)
    ]
    numbered = [(number, sample, member) for number, (sample, member) in enumerate(scored)]
    updates = []
    for index in range(stage.updates_per_step):
        part = share(numbered, [1] * len(numbered), index, stage.updates_per_step)
        if not part:  # so many trajectories were dropped that fewer are left than updates
            continue
        lengths = [len(sample.row.tokens) for _, sample, _ in part]
        own = share(part, lengths, *data_parallel()) or [(part[0][0], _muted(part[0][1]), part[0][2])]
        cut = micro_batches(own, lambda scored: [len(scored[1].row.tokens)], stage)
        experiences = [_experience(rows, mels, stage.packed) for rows in cut]
        updates.append(Update(experiences, sum(sample.row.response_tokens for _, sample, _ in part), len(part)))
    return updates


def names_of(groups: Sequence[Sequence[Sample]], *, seed: int, step: int) -> list[str]:
    """What errors call the rows, by the numbers that `updates_of` gave them."""
    order = np.random.default_rng([seed, step]).permutation(len(groups))
    return [sample.row.name for index in order for sample in groups[index]]


def _members(group: Sequence[Sample]) -> list[Member]:
    rewards = [sample.reward for sample in group]
    return [Member(rewards, index) for index in range(len(rewards))]


def _experience(rows: Sequence[tuple[int, Sample, Member]], mels: Mels, packed: bool) -> Experience:
    batch = collate([(number, sample.row) for number, sample, _ in rows], mels, device(), packed=packed)
    samples = [sample for _, sample, _ in rows]
    references = [s.reference_logprobs for s in samples if s.reference_logprobs is not None]
    return Experience(
        batch=batch,
        rollout_logprobs=spread([s.rollout_logprobs for s in samples], batch.mask),
        reference_logprobs=spread(references, batch.mask) if references else None,
        members=[member for _, _, member in rows],
    )


def _muted(sample: Sample) -> Sample:
    """The sample with no token that counts."""
    none = sample.rollout_logprobs[:0]
    reference = None if sample.reference_logprobs is None else none
    return replace(sample, row=sample.row.muted(), rollout_logprobs=none, reference_logprobs=reference)
