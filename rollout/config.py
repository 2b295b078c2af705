"""Checkpoints' configs as vLLM shall read them, without remote code of families that transformers does not know."""

from __future__ import annotations

from typing import Any

from transformers import CONFIG_MAPPING, AutoConfig, PreTrainedConfig, Qwen2Config

from earwitness.families.registry import FAMILIES

ARCHITECTURE = "EarwitnessAudioModel"
"""What vLLM calls our model, whatever the checkpoint's family. It has models of its own for some families, which take
nothing but 3,000 mel frames from transformers' processor: ours goes by another name."""


def as_ours(config: PreTrainedConfig) -> PreTrainedConfig:
    """The config of any family as our model's. Positions become plain: their components are equal (`plain_rope`).

    Logits are fp32 whatever the model's type, as the trainer's are (`trainer.model.logprobs`).
    """
    config.update({"architectures": [ARCHITECTURE], "head_dtype": "float32"})
    (getattr(config.get_text_config(), "rope_parameters", None) or {}).pop("mrope_section", None)
    return config


class AudioModelConfig(PreTrainedConfig):
    """A Qwen2 decoder (`text_config`) behind an audio tower, whose section the checkpoint names as it likes.

    Published classes have defaults of other models; here every dimension must be in `config.json`.
    """

    def __init__(self, text_config: dict[str, Any] | Qwen2Config | None = None, **kwargs: Any) -> None:
        # transformers builds a bare instance to compare against when it prints a config
        if not isinstance(text_config, Qwen2Config):
            text_config = Qwen2Config(**(text_config or {}))
        self.text_config = text_config
        super().__init__(**kwargs)


def _of_type(model_type: str) -> type[AudioModelConfig]:
    """The class by which transformers tells the type from others."""
    # transformers makes a dataclass of a class without an __init__ of its own, whose fields would be the base's
    members = {"model_type": model_type, "__init__": AudioModelConfig.__init__, "__module__": __name__}
    return type(f"AudioModelConfig_{model_type}", (AudioModelConfig,), members)


CONFIGS = {f.model_type: _of_type(f.model_type) for f in FAMILIES if f.model_type not in CONFIG_MAPPING}
"""By `model_type`."""
globals().update({made.__name__: made for made in CONFIGS.values()})  # where vLLM's processes, by pickle, look for them


def register_configs() -> None:
    """Makes transformers read the configs of all families. May be called again."""
    for model_type, made in CONFIGS.items():
        AutoConfig.register(model_type, made, exist_ok=True)
