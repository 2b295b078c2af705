"""The vLLM plug-in: names the model, its config and the weight engine in every vLLM process.

vLLM finds `register` through the entry point `vllm.general_plugins` and calls it in the front end, in the engine and in
its workers, sometimes twice: it must be idempotent.
"""

from __future__ import annotations

from transformers import AutoConfig
from vllm.distributed.weight_transfer.factory import WeightTransferEngineFactory
from vllm.model_executor.models import ModelRegistry

from rollout.config import StepAudio2Config
from rollout.model.step_audio import StepAudio2ForCausalLM
from rollout.parent import end_with_parent

ARCHITECTURE = "StepAudio2ForCausalLM"
WEIGHT_BACKEND = "redis"
"""Name of our weight engine in `WeightTransferConfig.backend`."""


def register() -> None:
    """Registers the architecture, the config of its `model_type` and the weight engine."""
    end_with_parent()
    AutoConfig.register(StepAudio2Config.model_type, StepAudio2Config, exist_ok=True)
    if ARCHITECTURE not in ModelRegistry.models:
        # The class and not its name: for a name vLLM starts a process that imports everything once more, just to look
        # at the class, and each of our processes needs it anyway.
        ModelRegistry.register_model(ARCHITECTURE, StepAudio2ForCausalLM)
    # The factory has no public question "is it there?", and refuses a second registration.
    if WEIGHT_BACKEND not in WeightTransferEngineFactory._registry:
        WeightTransferEngineFactory.register_engine(
            WEIGHT_BACKEND, "rollout.weight_engine", "RedisWeightTransferEngine"
        )
