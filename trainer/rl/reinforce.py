"""Reinforcement learning with verified rewards: PPO with a critic, or a baseline from the group or the batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from earwitness.recipe.schema import Reinforcement
from trainer.batches import Mels
from trainer.learner import Learner
from trainer.ranks.agreement import agree
from trainer.rl.experience import names_of, updates_of
from trainer.rl.groups import Sample
from trainer.rl.learn import learn
from trainer.rl.parity import check_parity, gap_bound
from trainer.rl.recall import recall, recalled
from trainer.steps import Clock, Step, Steps


class Source(Protocol):
    """Where groups come from."""

    def take(self, version: int) -> tuple[list[list[Sample]], dict[str, float]] | None:
        """The next step's groups, the same on all ranks and theirs alone, and figures.

        None if they take long or a wish came in.
        """


def reinforce(
    policy: Learner,
    critic: Learner | None,
    source: Source,
    mels: Mels,
    stage: Reinforcement,
    done: int,
    version: int,
    *,
    seed: int,
    token_text: Callable[[int], str],
) -> Steps:
    """The steps after `done`, until `stage.steps` are; each makes the policy, which is `version`, the next one.

    `token_text`: a token id as people read it.
    """
    shown = False
    for step in range(done + 1, stage.steps + 1):
        clock = Clock()
        while (taken := source.take(version)) is None:
            yield None
        groups, metrics = taken
        clock.lap("seconds.wait")
        updates = agree(updates_of, groups, stage, mels, seed=seed, step=step)
        names = names_of(groups, seed=seed, step=step)
        # Once it is shown that the first update meets the policy of the old log-probs, they need not be computed twice.
        found = recall(policy, critic, updates, stage, names, first=not shown)
        if step == done + 1:
            bound = stage.logprob_gap_bound or gap_bound(policy.model.config.params_dtype)
            probe = [experience for update in updates for experience in update.micro_batches]
            gap = recalled(found, sum(update.tokens for update in updates))["logprob_gap.mean"]
            check_parity(probe, gap, bound, names, token_text)
        clock.lap("seconds.logprob")
        metrics |= learn(policy, critic, updates, stage, step, names, found)
        shown = shown or "first.ratio_gap" in metrics
        clock.lap("seconds.train")
        version += 1
        yield Step(step, metrics | clock.seconds, {sample.ordinal for group in groups for sample in group})
