"""Supervised fine-tuning: -log p of the response tokens, mean over the tokens of the global batch."""

from __future__ import annotations

from torch import Tensor

from earwitness.recipe.schema import Tune
from trainer.batches import Batch, Mels, Row, collate
from trainer.learner import Learner, Loss
from trainer.means import token_mean
from trainer.model.logprobs import States, logprobs
from trainer.ranks.figures import BAD_ROW, bad_row
from trainer.ranks.parallel import data_parallel, device
from trainer.shares import micro_batches, share
from trainer.steps import Steps
from trainer.tuning.examples import Examples
from trainer.tuning.loop import TuningUpdate, follow


def tune(learner: Learner, examples: Examples, mels: Mels, config: Tune, done: int) -> Steps:
    """The updates after `done`, until `config.steps` are."""
    return follow(learner, lambda step: work_of(examples.batch(step), mels, config), config, done)


def work_of(rows: list[Row], mels: Mels, config: Tune) -> TuningUpdate:
    """The update on these rows, which are those of all ranks."""
    numbered = list(enumerate(rows))
    own = share(numbered, [len(row.tokens) for row in rows], *data_parallel()) or [(0, rows[0].muted())]
    cut = micro_batches(own, lambda item: [len(item[1].tokens)], config)
    batches = [collate(part, mels, device(), packed=config.packed) for part in cut]
    tokens = sum(row.response_tokens for row in rows)
    return TuningUpdate(batches, supervised_loss(tokens), ["loss"], [row.name for row in rows], tokens)


def supervised_loss(tokens: int) -> Loss:
    """The loss of an update with `tokens` response tokens over all ranks."""

    def loss(states: States, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        losses = supervised_tokens(logprobs(states, batch))
        total = token_mean(losses, batch.mask, tokens)
        return total, {"loss": total.detach(), BAD_ROW: bad_row(losses, batch.mask, batch.numbers)}

    return loss


def supervised_tokens(logprobs: Tensor) -> Tensor:
    """-log p of the target tokens, nats."""
    return -logprobs
