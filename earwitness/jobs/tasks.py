"""Which prompt an ordinal stands for, and the task that samples it: pure functions of recipe, phase and ordinal.

So nothing about a task needs to be remembered: after a restart the same ordinal is the same task again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from earwitness.data.mixture import Portion, before_a_repeat, portion_of
from earwitness.jobs.permutation import permuted
from earwitness.jobs.phases import Phase
from earwitness.recipe.recipe import Recipe
from earwitness.recipe.schema import Rewards
from earwitness.recipe.stages.base import Asked
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire


@dataclass(frozen=True)
class Pass:
    """One pass over prompts: everything its tasks have in common."""

    run_id: str
    asked: Asked
    portions: Sequence[Portion]
    """Which of them come from which manifest, one behind the other."""
    seed: int
    """Seed of sampling; fits 63 bits."""
    shuffle: str
    """Seed of the order; empty keeps the manifest's."""
    rewards: Rewards

    def place_of(self, ordinal: int) -> int:
        """Where the prompt of an ordinal stands among those that are asked.

        In a shuffled pass manifests take turns by weight, and each epoch of each has an order of its own.
        """
        if not self.shuffle:
            return ordinal % len(self.asked.prompts)
        at, nth = portion_of(self.portions, ordinal)
        count = self.portions[at].prompts
        epoch, place = divmod(nth, count)
        order = f"{self.shuffle}/{epoch}" if len(self.portions) == 1 else f"{self.shuffle}/{at}/{epoch}"
        return sum(portion.prompts for portion in self.portions[:at]) + permuted(order, count, place)

    @property
    def before_a_repeat(self) -> int:
        """How many ordinals there are before one asks a prompt a second time."""
        return before_a_repeat(self.portions) if self.shuffle else len(self.asked.prompts)

    def prompt_of(self, ordinal: int) -> wire.Prompt:
        """The prompt of an ordinal."""
        return self.asked.prompts[self.place_of(ordinal)]

    def task(self, ordinal: int, min_version: int, lineage: str = "") -> wire.GroupTask:
        """The task of an ordinal; `lineage` of the weights it asks for."""
        asked, sampling = self.asked, self.asked.sampling
        return wire.GroupTask(
            run_id=self.run_id,
            ordinal=ordinal,
            prompt=self.prompt_of(ordinal),
            sampling=wire.Sampling(
                samples=sampling.samples,
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                max_tokens=sampling.max_tokens,
                seed=self.seed,
                stop=sampling.stop,
                think_tokens=asked.think_tokens,
                extend=asked.extend,
            ),
            reward=wire.RewardRule(
                weights=self.rewards.weights,
                options=self.rewards.options(),
                min_think_chars=self.rewards.min_think_chars,
            ),
            min_version=min_version,
            lineage=lineage,
            needs_reference=asked.needs_reference,
            needs_spread=asked.needs_spread,
            judge_traces=asked.judge_traces,
            without_audio=asked.without_audio,
        )


def pass_of(asked: Asked, recipe: Recipe, phase: Phase, run_id: str, portions: Sequence[Portion]) -> Pass:
    """The pass of a phase under `run_id`, of manifests in `portions`."""
    shuffle = f"{recipe.seed}/{phase.slug}" if asked.shuffled else ""
    return Pass(
        run_id=run_id,
        asked=asked,
        portions=portions,
        seed=seed_of(shuffle or f"{recipe.seed}/eval"),
        shuffle=shuffle,
        rewards=recipe.rewards,
    )


def seed_of(text: str) -> int:
    """A 63-bit seed from text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 1
