"""A recipe: what a job trains, on what, how it is rewarded, stage by stage."""

from earwitness.recipe.load import Problem, RecipeError, load_recipe, read_recipe
from earwitness.recipe.recipe import Recipe
from earwitness.recipe.schema import (
    Curriculum,
    ModelConfig,
    Optimizer,
    PreferenceTune,
    ProbeData,
    Rewards,
    SamplingConfig,
    ToyModel,
    Tune,
)
from earwitness.recipe.stages import DpoStage, EvalStage, MgrdStage, RlStage, Selection, SftStage

__all__ = [
    "Curriculum",
    "DpoStage",
    "EvalStage",
    "MgrdStage",
    "ModelConfig",
    "Optimizer",
    "PreferenceTune",
    "ProbeData",
    "Problem",
    "Recipe",
    "RecipeError",
    "Rewards",
    "RlStage",
    "SamplingConfig",
    "Selection",
    "SftStage",
    "ToyModel",
    "Tune",
    "load_recipe",
    "read_recipe",
]
