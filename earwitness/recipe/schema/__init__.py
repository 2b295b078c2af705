"""The recipe's fields, as pydantic models. Each field says its unit and its reason.

Only types and rules live here; reading YAML and wording the errors is `load.py`.
"""

from earwitness.recipe.schema.model import ModelConfig, ToyModel
from earwitness.recipe.schema.recipe import Recipe
from earwitness.recipe.schema.reinforcement import RlStage, Selection
from earwitness.recipe.schema.sampling import ProbeData, Rewards, SamplingConfig
from earwitness.recipe.schema.stages import STAGE_TYPES, ColdStartStage, DpoStage, EvalStage, MgrdStage
from earwitness.recipe.schema.updates import Curriculum, MicroBatching, Optimizer, PreferenceTune, Tune, Updates

__all__ = [
    "STAGE_TYPES",
    "ColdStartStage",
    "Curriculum",
    "DpoStage",
    "EvalStage",
    "MgrdStage",
    "MicroBatching",
    "ModelConfig",
    "Optimizer",
    "PreferenceTune",
    "ProbeData",
    "Recipe",
    "Rewards",
    "RlStage",
    "SamplingConfig",
    "Selection",
    "ToyModel",
    "Tune",
    "Updates",
]
