"""A recipe: what a job trains, on what, how it is rewarded, stage by stage."""

from earwitness.recipe.load import Problem, RecipeError, load_recipe, read_recipe
from earwitness.recipe.schema import (
    ColdStartStage,
    Curriculum,
    DpoStage,
    EvalStage,
    MgrdStage,
    ModelConfig,
    Optimizer,
    PreferenceTune,
    ProbeData,
    Recipe,
    Rewards,
    RlStage,
    SamplingConfig,
    Selection,
    ToyModel,
    Tune,
)

__all__ = [
    "ColdStartStage",
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
    "ToyModel",
    "Tune",
    "load_recipe",
    "read_recipe",
]
