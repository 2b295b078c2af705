"""A recipe as the list of phases the runner goes through, in order.

The list is a pure function of the recipe, so a job's place in it is one number.
"""

from __future__ import annotations

from dataclasses import dataclass

from earwitness.recipe.recipe import Recipe


@dataclass(frozen=True)
class Phase:
    """One phase of one stage."""

    stage_index: int
    """Index of the stage in the recipe; 0 for `prepare`, the last one for `report`."""
    stage_type: str
    """Empty for `prepare` and `report`."""
    name: str
    """What is done: `prepare`, `report`, or a phase of the stage."""

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
        phases += [Phase(index, stage.type, name) for name in stage.phases()]
    return [*phases, Phase(len(recipe.stages) - 1, "", "report")]
