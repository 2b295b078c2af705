"""The stages, one file a type: fields, phases, what is sampled and learned, what is kept of it.

The registry of stages: nothing else in the project knows them by name.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from earwitness.recipe.stages.base import Stage
from earwitness.recipe.stages.dpo import DpoStage
from earwitness.recipe.stages.eval import CONTROLS, EvalStage
from earwitness.recipe.stages.mgrd import MgrdStage
from earwitness.recipe.stages.rl import RlStage, Selection
from earwitness.recipe.stages.sft import SftStage

__all__ = [
    "BEGINNING",
    "CONTROLS",
    "STAGES",
    "AnyStage",
    "DpoStage",
    "EvalStage",
    "MgrdStage",
    "RlStage",
    "Selection",
    "SftStage",
    "Stage",
]

AnyStage = Annotated[SftStage | MgrdStage | RlStage | DpoStage | EvalStage, Field(discriminator="type")]
"""A stage of a recipe; `type` says which."""

STAGES: dict[str, type[Stage]] = {
    stage.model_fields["type"].default: stage for stage in (SftStage, MgrdStage, RlStage, DpoStage, EvalStage)
}
"""The stages by their `type`, in the order in which pages and reports name them."""

BEGINNING = " or ".join(name for name, stage in STAGES.items() if stage.begins)
"""The types with which a model with random weights can begin, for people."""
