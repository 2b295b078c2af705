"""The Hugging Face config of Step-Audio-R1 (`model_type` step_audio_2), without its remote code."""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedConfig, Qwen2Config


class StepAudio2Config(PreTrainedConfig):
    """A Qwen2 decoder (`text_config`) behind an audio tower (`audio_encoder_config`).

    The published class has defaults of a smaller model; here every dimension must be in `config.json`.
    """

    model_type = "step_audio_2"

    def __init__(
        self,
        text_config: dict[str, Any] | Qwen2Config | None = None,
        audio_encoder_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        # transformers builds a bare instance to compare against when it prints a config
        if not isinstance(text_config, Qwen2Config):
            text_config = Qwen2Config(**(text_config or {}))
        self.text_config = text_config
        self.audio_encoder_config = dict(audio_encoder_config or {})
        super().__init__(**kwargs)
