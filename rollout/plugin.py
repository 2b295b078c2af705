"""The vLLM plug-in: names the model, its config and the weight engine in every vLLM process.

vLLM finds `register` through the entry point `vllm.general_plugins` and calls it in the front end, in the engine and in
its workers, sometimes twice: it must be idempotent.
"""

from __future__ import annotations

from transformers import AutoConfig
from vllm.distributed.weight_transfer.factory import WeightTransferEngineFactory
from vllm.model_executor.models import ModelRegistry

from earwitness.model.family import QWEN2_AUDIO, STEP_AUDIO
from rollout.config import StepAudio2Config
from rollout.model.audio_model import AudioModel
from rollout.parent import end_with_worker

ARCHITECTURES = {STEP_AUDIO.model_type: STEP_AUDIO.architecture, QWEN2_AUDIO.model_type: "EarwitnessQwen2Audio"}
"""What vLLM calls our model, by the checkpoint's `model_type`. It has a Qwen2-Audio of its own, which takes nothing but
3,000 mel frames from transformers' processor: ours goes by another name."""
WEIGHT_BACKEND = "redis"
"""Name of our weight engine in `WeightTransferConfig.backend`."""


def register() -> None:
    """Registers the architectures, Step-Audio's config and the weight engine."""
    end_with_worker()
    AutoConfig.register(StepAudio2Config.model_type, StepAudio2Config, exist_ok=True)
    for architecture in ARCHITECTURES.values():
        if architecture not in ModelRegistry.models:
            # The class and not its name: for a name vLLM starts a process that imports everything once more, just to
            # look at the class, and each of our processes needs it anyway.
            ModelRegistry.register_model(architecture, AudioModel)
    # The factory has no public question "is it there?", and refuses a second registration.
    if WEIGHT_BACKEND not in WeightTransferEngineFactory._registry:
        WeightTransferEngineFactory.register_engine(
            WEIGHT_BACKEND, "rollout.weight_engine", "RedisWeightTransferEngine"
        )
