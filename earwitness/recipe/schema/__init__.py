"""The recipe's fields, as pydantic models. Each field says its unit and its reason.

Only types and rules live here; reading YAML and wording the errors is `load.py`.
"""

from earwitness.recipe.schema.algorithms import (
    ClipLoss,
    CriticAlgorithm,
    Grpo,
    Ppo,
    ReinforcePlusPlus,
    Rloo,
)
from earwitness.recipe.schema.model import Lora, ModelConfig, ToyModel
from earwitness.recipe.schema.reinforcement import Reinforcement
from earwitness.recipe.schema.sampling import ProbeData, Rewards, SamplingConfig
from earwitness.recipe.schema.updates import (
    Curriculum,
    Listening,
    MicroBatching,
    Optimizer,
    PreferenceTune,
    Training,
    Tune,
    Updates,
)

__all__ = [
    "ClipLoss",
    "CriticAlgorithm",
    "Curriculum",
    "Grpo",
    "Listening",
    "Lora",
    "MicroBatching",
    "ModelConfig",
    "Optimizer",
    "Ppo",
    "PreferenceTune",
    "ProbeData",
    "ReinforcePlusPlus",
    "Reinforcement",
    "Rewards",
    "Rloo",
    "SamplingConfig",
    "ToyModel",
    "Training",
    "Tune",
    "Updates",
]
