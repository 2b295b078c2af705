"""Preference tuning: DPO (https://arxiv.org/abs/2305.18290) on pairs of a better and a worse answer to one prompt."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor

from earwitness.errors import InputError
from earwitness.hearing import clip_uris
from earwitness.manifest import Example
from earwitness.recipe.schema import PreferenceTune
from trainer.batches import AroundBatch, Batch, Mels, Row, collate
from trainer.learner import Learner, Loss
from trainer.means import masked_sum
from trainer.model.logprobs import States, logprobs
from trainer.model.optimizer import forward
from trainer.ranks.agreement import agree
from trainer.ranks.figures import BAD_ROW, bad_row
from trainer.ranks.parallel import data_parallel, device, parallel_state
from trainer.shares import micro_batches, share
from trainer.steps import Steps
from trainer.tuning.loop import TuningUpdate, follow


@dataclass(frozen=True)
class Pair:
    """Two answers to one prompt."""

    chosen: Row
    rejected: Row
    chosen_reference: float = math.nan
    """Log-prob of the whole chosen answer under the frozen reference."""
    rejected_reference: float = math.nan
    counts: bool = True
    """False for the work of a rank that has none: all must take part in an update."""

    def lengths(self) -> list[int]:
        """Tokens of its rows."""
        return [len(self.chosen.tokens), len(self.rejected.tokens)]


@dataclass(frozen=True)
class PairBatch(AroundBatch):
    """One micro-batch: its rows are chosen, rejected, chosen, rejected, ..."""

    batch: Batch
    reference: Tensor
    """Log-prob of each whole answer under the reference. float32 [rows]"""
    counts: Tensor
    """bool [pairs]"""


def pairs_in(examples: Sequence[Example], row: Callable[[Example], Row]) -> list[Pair]:
    """The pairs of a manifest whose lines are chosen, rejected, chosen, rejected, ...; `row` makes rows of them.

    Raises InputError if two lines are not answers to one prompt.
    """
    if len(examples) % 2:
        raise InputError("pairs", f"{len(examples)} lines", "an even number: chosen, rejected, chosen, rejected, ...")
    pairs = []
    for place in range(0, len(examples), 2):
        chosen, rejected = examples[place], examples[place + 1]
        heard = [(clip_uris(e.prompt), [clip.at for clip in e.prompt.clips]) for e in (chosen, rejected)]
        if chosen.prompt.question != rejected.prompt.question or heard[0] != heard[1]:
            raise InputError(f"pairs, {chosen.prompt.id}", f"is followed by {rejected.prompt.id}", "the same prompt")
        pairs.append(Pair(row(chosen), row(rejected)))
    return pairs


def with_reference(learner: Learner, pairs: Sequence[Pair], mels: Mels, config: PreferenceTune) -> list[Pair]:
    """The pairs with the log-probs of their answers under the learner as it is now. All ranks call it together."""
    sums = torch.zeros(2 * len(pairs), dtype=torch.float64, device=device())
    speaks = parallel_state.get_tensor_model_parallel_rank() == 0  # the others of the last stage compute the same

    def measure(states: States, e: PairBatch) -> dict[str, Tensor]:
        found = masked_sum(logprobs(states, e.batch), e.batch.mask).double()
        sums.index_add_(0, e.batch.numbers, found * (e.counts.repeat_interleave(2) & speaks))
        return {}

    for start in range(0, len(pairs), config.batch_size):
        part = list(enumerate(pairs[start : start + config.batch_size], start))
        forward(learner.model, agree(_own_batches, part, mels, config), measure)
    dist.all_reduce(sums)
    return [
        replace(pair, chosen_reference=float(chosen), rejected_reference=float(rejected))
        for pair, (chosen, rejected) in zip(pairs, sums.view(-1, 2), strict=True)
    ]


def prefer(
    learner: Learner, pairs: Sequence[Pair], mels: Mels, config: PreferenceTune, done: int, *, seed: int
) -> Steps:
    """The updates after `done`, until `config.steps` are."""

    def work(step: int) -> TuningUpdate:
        return work_of(pairs_of(pairs, config, seed=seed, step=step), mels, config)

    return follow(learner, work, config, done)


def pairs_of(pairs: Sequence[Pair], config: PreferenceTune, *, seed: int, step: int) -> list[Pair]:
    """The pairs of update `step` (from 1), over all ranks: shuffled epochs that depend on the seed only."""
    size = min(config.batch_size, len(pairs))
    epoch, position = divmod(step - 1, len(pairs) // size)
    order = np.random.default_rng([seed, epoch]).permutation(len(pairs))
    return [pairs[index] for index in order[position * size : (position + 1) * size]]


def work_of(pairs: Sequence[Pair], mels: Mels, config: PreferenceTune) -> TuningUpdate:
    """The update on these pairs, which are those of all ranks."""
    return TuningUpdate(
        _own_batches(list(enumerate(pairs)), mels, config),
        preference_loss(len(pairs), beta=config.beta, length_normalised=config.length_normalised),
        ["loss", "margin", "accuracy"],
        [row.name for pair in pairs for row in (pair.chosen, pair.rejected)],
        sum(row.response_tokens for pair in pairs for row in (pair.chosen, pair.rejected)),
    )


def preference_rows(chosen: Tensor, rejected: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    """DPO's sigmoid loss -log sigmoid(beta (chosen - rejected)) (https://arxiv.org/abs/2305.18290), and the margins.

    `chosen`, `rejected`: log p_policy - log p_reference of the whole answers, or their means per token. All [pairs].
    """
    margins = beta * (chosen - rejected)
    return -F.logsigmoid(margins), margins.detach()


def preference_loss(pairs: int, *, beta: float, length_normalised: bool) -> Loss:
    """The loss of an update with `pairs` pairs over all ranks: the mean over pairs.

    `length_normalised`: log-ratios are means over an answer's tokens, so that long answers do not win by length.
    """

    def loss(states: States, e: PairBatch) -> tuple[Tensor, dict[str, Tensor]]:
        mask = e.batch.mask
        gained = masked_sum(logprobs(states, e.batch), mask) - e.reference
        if length_normalised:
            gained = gained / mask.sum(1).clamp(min=1)
        losses, margins = preference_rows(gained[0::2], gained[1::2], beta)
        nothing = torch.zeros_like(losses)
        total = torch.where(e.counts, losses, nothing).sum() / pairs
        return total, {
            "loss": total.detach(),
            "margin": torch.where(e.counts, margins, nothing).sum() / pairs,
            "accuracy": ((margins > 0) & e.counts).sum() / pairs,
            BAD_ROW: bad_row(gained[:, None], e.counts.repeat_interleave(2)[:, None], e.batch.numbers),
        }

    return loss


def _own_batches(numbered: Sequence[tuple[int, Pair]], mels: Mels, config: PreferenceTune) -> list[PairBatch]:
    """This rank's micro-batches of pairs that are those of all ranks."""
    lengths = [sum(pair.lengths()) for _, pair in numbered]
    own = share(numbered, lengths, *data_parallel()) or [(numbered[0][0], _muted(numbered[0][1]))]
    cut = micro_batches(own, lambda item: item[1].lengths(), config)
    return [_pair_batch(part, mels, config.packed) for part in cut]


def _pair_batch(numbered: Sequence[tuple[int, Pair]], mels: Mels, packed: bool) -> PairBatch:
    rows = [
        (2 * number + which, row) for number, pair in numbered for which, row in enumerate((pair.chosen, pair.rejected))
    ]
    references = [x for _, pair in numbered for x in (pair.chosen_reference, pair.rejected_reference)]
    return PairBatch(
        collate(rows, mels, device(), packed=packed),
        torch.tensor(references, dtype=torch.float32, device=device()),
        torch.tensor([pair.counts for _, pair in numbered], device=device()),
    )


def _muted(pair: Pair) -> Pair:
    return replace(pair, chosen=pair.chosen.muted(), rejected=pair.rejected.muted(), counts=False)
