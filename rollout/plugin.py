"""The vLLM plug-in: names the model, its configs and the weight engine in every vLLM process.

vLLM finds `register` through the entry point `vllm.general_plugins` and calls it in the front end, in the engine and in
its workers, sometimes twice: it must be idempotent.
"""

from __future__ import annotations

import gc

from vllm.distributed.weight_transfer.factory import WeightTransferEngineFactory
from vllm.model_executor.models import ModelRegistry

from earwitness.families.registry import FAMILIES
from rollout.config import ARCHITECTURE, register_configs
from rollout.model.audio_model import AudioModel
from rollout.parent import end_with_worker

WEIGHT_BACKEND = "redis"
"""Name of our weight engine in `WeightTransferConfig.backend`."""


def register() -> None:
    """Registers the model, the configs and the weight engine."""
    # While it starts vLLM looks for garbage five times, through all that was imported: 1.2 of the 2.3 s of CPU that
    # a start takes when all is imported.
    gc.freeze()
    end_with_worker()
    register_configs()
    # A family that vLLM does not know goes by its checkpoints' name too.
    for architecture in (ARCHITECTURE, *(family.architecture for family in FAMILIES)):
        if architecture not in ModelRegistry.models:
            # The class and not its name: for a name vLLM starts a process that imports everything once more, just to
            # look at the class, and each of our processes needs it anyway.
            ModelRegistry.register_model(architecture, AudioModel)
    # The factory has no public question "is it there?", and refuses a second registration.
    if WEIGHT_BACKEND not in WeightTransferEngineFactory._registry:
        WeightTransferEngineFactory.register_engine(
            WEIGHT_BACKEND, "rollout.weight_engine", "RedisWeightTransferEngine"
        )
