"""Which prompt an ordinal stands for, and the task that samples it: pure functions of recipe, phase and ordinal.

So nothing about a task needs to be remembered: after a restart the same ordinal is the same task again.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from earwitness.jobs.phases import Phase
from earwitness.recipe.schema import DpoStage, EvalStage, MgrdStage, Recipe, Rewards, RlStage, SamplingConfig
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

REASONING_TERMS = {
    "presence": wire.REASONING_TERM_PRESENCE,
    "grounded": wire.REASONING_TERM_GROUNDED,
}


@dataclass(frozen=True)
class Pass:
    """One pass over prompts: everything its tasks have in common."""

    run_id: str
    prompts: Sequence[wire.Prompt]
    """Candidates, in manifest order."""
    seed: int
    """Seed of sampling; fits 63 bits."""
    shuffle: str
    """Seed of the order; empty keeps the manifest's."""
    sampling: SamplingConfig
    rewards: Rewards
    purpose: wire.Purpose
    without_audio: bool = False
    needs_reference: bool = False
    needs_spread: bool = False

    def prompt_of(self, ordinal: int) -> wire.Prompt:
        """The prompt of an ordinal. Every epoch has an order of its own."""
        epoch, place = divmod(ordinal, len(self.prompts))
        if not self.shuffle:
            return self.prompts[place]
        return self.prompts[_order(f"{self.shuffle}/{epoch}", len(self.prompts))[place]]

    def task(self, ordinal: int, min_version: int, now: float, lineage: str = "") -> wire.GroupTask:
        """The task of an ordinal; `now` in seconds since the Unix epoch, `lineage` of the weights it asks for."""
        return wire.GroupTask(
            run_id=self.run_id,
            ordinal=ordinal,
            prompt=self.prompt_of(ordinal),
            sampling=wire.Sampling(
                samples=self.sampling.samples,
                temperature=self.sampling.temperature,
                top_p=self.sampling.top_p,
                max_tokens=self.sampling.max_tokens,
                seed=self.seed,
                stop=self.sampling.stop,
            ),
            reward=wire.RewardRule(
                correct_weight=self.rewards.correct,
                reasoning_weight=self.rewards.reasoning,
                reasoning_term=REASONING_TERMS[self.rewards.reasoning_term],
                min_think_chars=self.rewards.min_think_chars,
            ),
            purpose=self.purpose,
            min_version=min_version,
            lineage=lineage,
            needs_reference=self.needs_reference,
            needs_spread=self.needs_spread,
            without_audio=self.without_audio,
            issued_at=now,
        )


@lru_cache(maxsize=4)
def _order(seed: str, count: int) -> list[int]:
    return random.Random(seed).sample(range(count), count)


def sampling_pass(recipe: Recipe, phase: Phase, job_id: str, prompts: Sequence[wire.Prompt]) -> tuple[Pass, int]:
    """The pass of a sampling phase (score, sample, select) and the number of its ordinals.

    MGRD, DPO and selection take prompts from the start of the seeded shuffle. Evaluations of one recipe share
    their seed, so that two of them differ by the policy alone.
    """
    stage = recipe.stages[phase.stage_index]
    run_id, rewards = phase.run_id(job_id), recipe.rewards
    shuffle = f"{recipe.seed}/{phase.slug}"
    match stage:
        case EvalStage():
            silent = phase.name == "score-silent"
            seed = seed_of(f"{recipe.seed}/eval")
            pass_ = Pass(run_id, prompts, seed, "", stage.sampling, rewards, wire.PURPOSE_EVAL, without_audio=silent)
            return pass_, len(prompts)
        case MgrdStage() | DpoStage():
            if isinstance(stage, MgrdStage) and stage.instruction:
                prompts = [_instructed(prompt, stage.instruction) for prompt in prompts]
            pass_ = Pass(run_id, prompts, seed_of(shuffle), shuffle, stage.sampling, rewards, wire.PURPOSE_DISTIL)
            return pass_, min(stage.prompts, len(prompts))
        case RlStage(select=selection) if selection is not None:
            sampling = stage.sampling.model_copy(update={"samples": selection.samples})
            pass_ = Pass(run_id, prompts, seed_of(shuffle), shuffle, sampling, rewards, wire.PURPOSE_SELECT)
            return pass_, min(selection.prompts, len(prompts))
    raise ValueError(f"{phase} does not sample")


def _instructed(prompt: wire.Prompt, instruction: str) -> wire.Prompt:
    """The prompt with an instruction behind its question, if there is something to hear."""
    asked = wire.Prompt()
    asked.CopyFrom(prompt)
    if prompt.audio_uri:
        asked.question = f"{prompt.question}\n{instruction}"
    return asked


def training_pass(recipe: Recipe, phase: Phase, run_id: str, prompts: Sequence[wire.Prompt]) -> Pass:
    """The pass of an RL train phase under `run_id`, over the selected prompts."""
    stage = recipe.stages[phase.stage_index]
    if not isinstance(stage, RlStage):
        raise ValueError(f"{phase} does not train")
    shuffle = f"{recipe.seed}/{phase.slug}"
    return Pass(
        run_id=run_id,
        prompts=prompts,
        seed=seed_of(shuffle),
        shuffle=shuffle,
        sampling=stage.sampling,
        rewards=recipe.rewards,
        purpose=wire.PURPOSE_TRAIN,
        needs_reference=stage.kl_coef > 0,
        needs_spread=stage.dynamic_filter,
    )


def seed_of(text: str) -> int:
    """A 63-bit seed from text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 1
