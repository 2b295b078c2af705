"""Stage `sft`: the supervised cold start."""

from __future__ import annotations

from typing import ClassVar, Literal

from earwitness.errors import InputError
from earwitness.manifest import Example
from earwitness.recipe.schema.mixing import Data
from earwitness.recipe.schema.updates import Training, Tune
from earwitness.recipe.stages.base import Learned, Stage, StageJob


class SftStage(Stage):
    """Supervised fine-tuning on traces of the manifests `data`."""

    type: Literal["sft"] = "sft"
    data: Data = "cold_start"
    """Manifest whose prompts carry `reasoning`, or several with [weights](#data-of-a-stage)."""
    tune: Tune
    """The updates."""

    begins: ClassVar[bool] = True

    def phases(self) -> list[str]:
        return ["tune"]

    async def run(self, phase: str, job: StageJob) -> Learned | None:
        return await job.tune(await job.examples())

    def training(self, phase: str) -> Training | None:
        return self.tune

    def check(self, example: Example) -> None:
        if example.reasoning is None:
            expected = '`reasoning` on every line; "" for an answer without any, whose think block is empty'
            raise InputError(
                f"data.{' or '.join(self.manifests)}", f"example {example.prompt.id!r} has no reasoning", expected
            )
