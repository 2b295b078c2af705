"""Stage `eval`: how good the policy is as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from earwitness.metrics import ACCURACY
from earwitness.recipe.rules import Rule, require
from earwitness.recipe.schema.fields import Name, ThinkTokens
from earwitness.recipe.schema.mixing import Data
from earwitness.recipe.schema.sampling import SamplingConfig
from earwitness.recipe.stages.base import Asked, Learned, Stage, StageJob
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

SILENT = "score-silent"
"""The phase in which there is nothing to hear."""
THINK = "score-think-"
"""Begins the names of the phases in which thinking is bounded; the bound follows."""


class EvalStage(Stage):
    """Samples the manifests `data` with the policy as it is and reports accuracy and grounding."""

    type: Literal["eval"] = "eval"
    name: Name
    """What the report calls it."""
    data: Data = "eval"
    """Manifest of the prompts, or several: each prompt is asked once, so they have no weights."""
    sampling: SamplingConfig = SamplingConfig(samples=1)
    """As RL samples, so that the figures speak of the same policy."""
    without_audio: bool = False
    """Also evaluate with one second of silence in place of every clip: the no-audio control."""
    think_budgets: Annotated[list[ThinkTokens], Field(max_length=16)] = Field(default_factory=list)
    """Also evaluate with the think block closed after so many tokens, each in turn: what thinking is worth. The report
    draws accuracy over these."""

    @model_validator(mode="after")
    def _budgets_mean_something(self) -> EvalStage:
        most = self.sampling.max_tokens
        require(
            [
                (budget < most, Rule(f"think_budgets.{place}", f"{budget}", f"below sampling.max_tokens, {most}"))
                for place, budget in enumerate(self.think_budgets)
            ]
        )
        rule = Rule("think_budgets", "the same budget twice", "each once")
        require([(len(set(self.think_budgets)) == len(self.think_budgets), rule)])
        return self

    @model_validator(mode="after")
    def _asks_each_prompt_once(self) -> EvalStage:
        what = "an evaluation asks each prompt once, whatever the weight"
        require(
            (part.weight == 1, Rule(f"data[{place}].weight", what, "none")) for place, part in enumerate(self.parts)
        )
        return self

    def phases(self) -> list[str]:
        silent = [SILENT] if self.without_audio else []
        # Runs of a job are ordered by the names of their phases.
        return ["score", *silent, *(f"{THINK}{budget:07}" for budget in sorted(self.think_budgets))]

    async def run(self, phase: str, job: StageJob) -> Learned | None:
        groups = [group for group in await job.sample() if group.trajectories]
        if phase == "score" and groups:
            right = [sum(t.reward.correct for t in group.trajectories) / len(group.trajectories) for group in groups]
            accuracy = sum(right) / len(right)
            await job.tell("stage", f"{self.name}: {accuracy:.1%} right", {ACCURACY: accuracy})
        return None

    def sampled(self) -> SamplingConfig:
        return self.sampling

    def asks(self, phase: str, prompts: Sequence[wire.Prompt]) -> Asked:
        return Asked(
            prompts,
            self.sampling,
            len(prompts),
            shuffled=False,
            without_audio=phase == SILENT,
            think_tokens=self.think_tokens(phase),
        )

    def evaluation(self, phase: str) -> str:
        return self.name

    def think_tokens(self, phase: str) -> int | None:
        return int(phase.removeprefix(THINK)) if phase.startswith(THINK) else None

    def controls(self, phase: str) -> bool:
        return phase == SILENT
