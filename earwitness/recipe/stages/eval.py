"""Stage `eval`: how good the policy is as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import model_validator

from earwitness.recipe.rules import Rule, require
from earwitness.recipe.schema.fields import Name
from earwitness.recipe.schema.mixing import Data
from earwitness.recipe.schema.sampling import SamplingConfig
from earwitness.recipe.stages.base import Asked, Learned, Stage, StageJob
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

SILENT = "score-silent"
"""The phase in which there is nothing to hear."""


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

    @model_validator(mode="after")
    def _asks_each_prompt_once(self) -> EvalStage:
        what = "an evaluation asks each prompt once, whatever the weight"
        require(
            (part.weight == 1, Rule(f"data[{place}].weight", what, "none")) for place, part in enumerate(self.parts)
        )
        return self

    def phases(self) -> list[str]:
        return ["score", SILENT] if self.without_audio else ["score"]

    async def run(self, phase: str, job: StageJob) -> Learned | None:
        await job.sample()
        return None

    def sampled(self) -> SamplingConfig:
        return self.sampling

    def asks(self, phase: str, prompts: Sequence[wire.Prompt]) -> Asked:
        return Asked(prompts, self.sampling, len(prompts), shuffled=False, without_audio=phase == SILENT)

    def evaluation(self, phase: str) -> str:
        return self.name

    def controls(self, phase: str) -> bool:
        return phase == SILENT
