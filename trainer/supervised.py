"""Supervised fine-tuning: -log p of the response tokens, mean over the tokens of the global batch."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from torch import Tensor

from earwitness.recipe.schema import Tune
from trainer.agreement import agree
from trainer.batches import Batch, Mels, Row, chunks, pad, share
from trainer.checkpoint import Progress
from trainer.control import Control, Wish
from trainer.examples import Examples
from trainer.figures import BAD_ROW, bad_row, sums
from trainer.learner import Learner, Loss
from trainer.losses import supervised_tokens, token_mean
from trainer.model.logprobs import response_logprobs
from trainer.parallel import data_parallel, device

T = TypeVar("T")

AHEAD = 2
"""Updates whose batches are made while another runs: enough to hide a slow clip, few enough to hold in memory."""


def tune(
    learner: Learner,
    examples: Examples,
    mels: Mels,
    config: Tune,
    progress: Progress,
    control: Control,
    save: Callable[[], None],
) -> bool:
    """Updates until `config.steps` are done; False if it was stopped before. `progress` is kept current."""
    with prepared(lambda step: update_of(examples.batch(step), mels, config), progress.step + 1) as updates:
        while progress.step < config.steps:
            wish = control.poll()
            if wish is not Wish.NONE:
                save()
            if wish is Wish.STOP:
                return False
            started = time.perf_counter()
            step, (micro_batches, tokens, rows) = agree(next, updates)
            figures, norm = learner.update(step, micro_batches, supervised_loss(tokens), [row.name for row in rows])
            loss = sums(figures, ["loss"])["loss"]
            seconds = time.perf_counter() - started
            progress.step, progress.final = step, step == config.steps
            control.report(step, {"loss": loss, "grad_norm": norm, "tokens": tokens, "seconds.step": seconds})
            if step % config.checkpoint_every == 0 or progress.final:
                save()
    return True


def supervised_loss(tokens: int) -> Loss:
    """The loss of an update with `tokens` response tokens over all ranks."""

    def loss(logits: Tensor, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        losses = supervised_tokens(response_logprobs(logits, batch.tokens))
        total = token_mean(losses, batch.response_mask, tokens)
        return total, {"loss": total.detach(), BAD_ROW: bad_row(losses, batch.response_mask, batch.numbers)}

    return loss


def update_of(rows: list[Row], mels: Mels, config: Tune) -> tuple[list[Batch], int, list[Row]]:
    """This rank's micro-batches of an update, the response tokens over all ranks, and the rows over all ranks."""
    numbered = list(enumerate(rows))
    own = share(numbered, *data_parallel()) or [(0, rows[0].muted())]
    micro_batches = [pad(part, mels, device()) for part in chunks(own, config.micro_batch_size)]
    return micro_batches, sum(row.response_tokens for row in rows), rows


@contextmanager
def prepared(make: Callable[[int], T], first: int) -> Iterator[Iterator[tuple[int, T]]]:
    """(step, make(step)) for step = first, first + 1, ..., made on a thread of its own, AHEAD steps ahead."""

    def results() -> Iterator[tuple[int, T]]:
        waiting = deque((step, pool.submit(make, step)) for step in range(first, first + AHEAD))
        while True:
            step, made = waiting.popleft()
            waiting.append((step + AHEAD, pool.submit(make, step + AHEAD)))
            yield step, made.result()

    pool = ThreadPoolExecutor(1, thread_name_prefix="batches")
    try:
        yield results()
    finally:
        pool.shutdown(cancel_futures=True)
