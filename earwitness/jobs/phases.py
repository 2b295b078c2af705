"""A recipe as the list of phases the runner goes through, in order.

The list is a pure function of the recipe, so a job's place in it is one number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from earwitness.recipe.schema import ColdStartStage, DpoStage, EvalStage, MgrdStage, Recipe, RlStage

Name = Literal["prepare", "tune", "sample", "select", "train", "score", "score-silent", "report"]


@dataclass(frozen=True)
class Phase:
    """One phase of one stage."""

    stage_index: int
    """Index of the stage in the recipe; 0 for `prepare`, the last one for `report`."""
    stage_type: str
    """sft, mgrd, rl, dpo, eval; empty for `prepare` and `report`."""
    name: Name
    """What is done."""

    @property
    def part(self) -> str:
        """Under which part of the job its seconds count."""
        return self.stage_type or self.name

    @property
    def slug(self) -> str:
        """Names files and runs of this phase."""
        return f"{self.stage_index}-{self.name}"

    def run_id(self, job_id: str) -> str:
        """The run of a sampling phase. Its results survive a restart, so it never needs a second lineage."""
        return f"{job_id}/{self.slug}/0"


def phases_of(recipe: Recipe) -> list[Phase]:
    """Every phase of a job, `prepare` first and `report` last."""
    phases = [Phase(0, "", "prepare")]
    for index, stage in enumerate(recipe.stages):
        names: Sequence[Name]
        match stage:
            case ColdStartStage():
                names = ["tune"]
            case MgrdStage() | DpoStage():
                names = ["sample", "tune"]
            case RlStage():
                names = ["select", "train"] if stage.select else ["train"]
            case EvalStage():
                names = ["score", "score-silent"] if stage.without_audio else ["score"]
        phases += [Phase(index, stage.type, name) for name in names]
    return [*phases, Phase(len(recipe.stages) - 1, "", "report")]
