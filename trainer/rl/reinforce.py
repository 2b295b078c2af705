"""Reinforcement learning with verified rewards: PPO with a critic, or a baseline from the group or the batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from earwitness.recipe.schema import CriticAlgorithm, Reinforcement
from trainer.batches import Mels
from trainer.checkpoint import Progress
from trainer.control import Control, Wish
from trainer.errors import IdentityError
from trainer.learner import Learner, Loss
from trainer.means import sequence_mean, token_mean
from trainer.model.logprobs import States, logprobs_and_entropy, response_values
from trainer.ranks.agreement import agree
from trainer.ranks.figures import BAD_ROW, bad_row, maxima, sums
from trainer.rl.experience import Experience, Update, names_of, updates_of
from trainer.rl.groups import Sample
from trainer.rl.kl import kl_loss_tokens, kl_tokens
from trainer.rl.losses import POLICY_LOSSES, Moved, importance_weights, value_tokens
from trainer.rl.parity import GAP_BOUNDS, check_parity
from trainer.rl.recall import old_figures, recall, recalled

RATIO_BOUNDS = {torch.float32: 1e-6, torch.bfloat16: 1e-2}
"""Largest |ratio - 1| of a step's first update: the same weights have seen the same micro-batches twice. In bfloat16
kernels may differ with and without gradients; one unit in the last place of a logit of 2 is 2^-7."""


class Source(Protocol):
    """Where groups come from."""

    def open(self) -> None:
        """Lets groups be generated for this phase."""

    def take(self, version: int) -> tuple[list[list[Sample]], dict[str, float]] | None:
        """The next step's groups, the same on all ranks and theirs alone, and figures.

        None if they take long or a wish came in.
        """

    def settle(self, step: int) -> None:
        """Records in the progress that `step` has learned from the groups taken last."""


def reinforce(
    policy: Learner,
    critic: Learner | None,
    source: Source,
    mels: Mels,
    stage: Reinforcement,
    progress: Progress,
    control: Control,
    publish: Callable[[int], None],
    published: Callable[[], None],
    save: Callable[[], None],
    *,
    seed: int,
    token_text: Callable[[int], str],
) -> bool:
    """Steps until `stage.steps` are done; False if it was stopped before. `progress` is kept current.

    `published` waits until what `publish` hands over is there; `token_text`: a token id as people read it.
    """
    begun_at, shown = progress.step, False
    publish(progress.version)
    published()
    # Not before: workers would use the weights of an earlier start, whose version numbers this one gives out again.
    source.open()
    waiting_since = time.perf_counter()
    while progress.step < stage.steps:
        wish = control.poll()
        if wish is not Wish.NONE:
            save()
        if wish is Wish.STOP:
            return False
        taken = source.take(progress.version)
        if taken is None:
            publish(progress.version)  # does nothing unless the weight plane has lost it
            source.open()  # nor this unless the queue has: a crash may have cost it the second in which the run began
            continue
        groups, metrics = taken
        clock = Clock(waiting_since)
        clock.lap("seconds.wait")
        step = progress.step + 1
        updates = agree(updates_of, groups, stage, mels, seed=seed, step=step)
        names = names_of(groups, seed=seed, step=step)
        # Once it is shown that the first update meets the policy of the old log-probs, they need not be computed twice.
        found = recall(policy, critic, updates, stage, names, first=not shown)
        if progress.step == begun_at:
            bound = stage.logprob_gap_bound or GAP_BOUNDS[policy.model.config.params_dtype]
            probe = [experience for update in updates for experience in update.micro_batches]
            gap = recalled(found, sum(update.tokens for update in updates))["logprob_gap.mean"]
            check_parity(probe, gap, bound, names, token_text)
        clock.lap("seconds.logprob")
        metrics |= learn(policy, critic, updates, stage, step, names, found)
        shown = shown or "first.ratio_gap" in metrics
        clock.lap("seconds.train")
        source.settle(step)
        progress.step, progress.version = step, progress.version + 1
        publish(progress.version)
        clock.lap("seconds.publish")
        progress.final = step == stage.steps
        if step % stage.checkpoint_every == 0 or progress.final:
            save()
        clock.lap("seconds.checkpoint")
        control.report(step, metrics | clock.seconds)
        waiting_since = time.perf_counter()
    return True


def learn(
    policy: Learner,
    critic: Learner | None,
    updates: Sequence[Update],
    stage: Reinforcement,
    step: int,
    names: Sequence[str],
    found: Sequence[dict[str, Tensor]],
) -> dict[str, float]:
    """The step's optimizer updates and their figures, means over tokens. In the critic's warm-up the policy stays.

    `found`: what `recall` returned.
    """
    tokens = sum(update.tokens for update in updates)
    how = stage.algorithm
    warming_up = isinstance(how, CriticAlgorithm) and step <= how.critic_warmup_steps
    metrics: dict[str, float] = {"tokens": tokens}
    of_old = list(found)
    if not warming_up:
        figures: list[dict[str, Tensor]] = []
        norms = []
        for update in updates:
            made, norm = policy.update(update.micro_batches, policy_loss(stage, update), names)
            of_old += [old for old in made if "entropy" in old]
            if update is updates[0]:
                metrics |= first_identities(made, update.tokens, policy.model.config.params_dtype)
            figures += made
            norms.append(norm)
        added = sums(figures, ["loss", "kl", "ratio", "clipped"])
        metrics |= {
            "loss.policy": added["loss"] / len(updates),
            "kl": added["kl"] / tokens,
            "ratio.mean": added["ratio"] / tokens,
            "ratio.max": maxima(figures, ["ratio.max"])["ratio.max"],
            "clip_share": added["clipped"] / tokens,
            "grad_norm": max(norms),
        }
    metrics |= recalled(of_old, tokens)
    if critic is not None and isinstance(how, CriticAlgorithm):
        figures, norms = [], []
        for update in updates:
            made, norm = critic.update(update.micro_batches, value_loss(how, update), names)
            figures += made
            norms.append(norm)
        metrics |= {"loss.value": sums(figures, ["loss"])["loss"] / len(updates), "grad_norm.critic": max(norms)}
    return metrics


def policy_loss(stage: Reinforcement, update: Update) -> Loss:
    """The policy's loss in an update. Its figures are sums over tokens, but for the loss."""

    def loss(states: States, e: Experience) -> tuple[Tensor, dict[str, Tensor]]:
        wants_entropy = stage.entropy_coef > 0
        is_old = e.old_logprobs is None
        logprobs, entropies = logprobs_and_entropy(
            states, e.batch, stage.sampling.temperature, entropy=wants_entropy or is_old
        )
        old_logprobs = logprobs.detach() if e.old_logprobs is None else e.old_logprobs
        moved = POLICY_LOSSES[stage.loss.type](Moved(logprobs, old_logprobs, e.advantages, e.mask), stage.loss)
        ratio = moved.ratio
        losses = moved.losses * importance_weights(old_logprobs, e.rollout_logprobs, cap=stage.importance_cap)
        if e.reference_logprobs is None:
            kl = kl_tokens(logprobs, old_logprobs, "k3")
        elif stage.algorithm.kl_in_reward:
            kl = kl_tokens(logprobs, e.reference_logprobs, stage.kl_estimator)
        else:
            kl = kl_loss_tokens(logprobs, e.reference_logprobs, stage.kl_estimator)
            losses = losses + stage.kl_coef * kl
        if wants_entropy:
            losses = losses - stage.entropy_coef * entropies
        if stage.loss.mean == "token":
            total = token_mean(losses, e.mask, update.tokens)
        else:
            total = sequence_mean(losses, e.mask, update.sequences)
        with torch.no_grad():
            nothing = torch.zeros_like(losses)
            figures = {
                "loss": total.detach(),
                "kl": torch.where(e.mask, kl, nothing).sum(),
                "kl.old": torch.where(e.mask, kl_tokens(logprobs, old_logprobs, "k3"), nothing).sum(),
                "ratio": torch.where(e.mask, ratio, nothing).sum(),
                "ratio.max": torch.where(e.mask, ratio, nothing).max(),
                "ratio.gap": torch.where(e.mask, (ratio - 1.0).abs(), nothing).max(),
                "clipped": (moved.clipped & e.mask).sum(),
                BAD_ROW: bad_row(losses, e.mask, e.batch.numbers),
            }
            if is_old:
                figures |= old_figures(e, old_logprobs, entropies)
        return total, figures

    return loss


def value_loss(how: CriticAlgorithm, update: Update) -> Loss:
    """The critic's loss in an update: the mean over its tokens."""

    def loss(output: Tensor, e: Experience) -> tuple[Tensor, dict[str, Tensor]]:
        values = response_values(output, e.batch)
        losses = value_tokens(values, e.old_values, e.returns, value_clip=how.value_clip)
        total = token_mean(losses, e.mask, update.tokens)
        return total, {"loss": total.detach(), BAD_ROW: bad_row(losses, e.mask, e.batch.numbers)}

    return loss


def first_identities(figures: Sequence[dict[str, Tensor]], tokens: int, dtype: torch.dtype) -> dict[str, float]:
    """In a step's first update the policy is that of the old log-probs: ratio 1, KL 0. Raises IdentityError if not."""
    gap = maxima(figures, ["ratio.gap"])["ratio.gap"]
    if gap > RATIO_BOUNDS[dtype]:
        raise IdentityError(f"the first update's ratio is off 1 by {gap:.3g}; expected at most {RATIO_BOUNDS[dtype]}")
    return {"first.ratio_gap": gap, "first.kl": sums(figures, ["kl.old"])["kl.old"] / tokens}


class Clock:
    """Seconds of the parts of a step."""

    def __init__(self, since: float) -> None:
        self._since = since
        self.seconds: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """Books the time since the last lap."""
        now = time.perf_counter()
        self.seconds[name] = now - self._since
        self._since = now
