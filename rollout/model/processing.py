"""From a clip to what the model takes: log-mels, and each placeholder of the prompt repeated for each audio token."""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import BatchFeature
from vllm.config.multimodal import MultiModalDummyOptions
from vllm.exceptions import VLLMValidationError
from vllm.multimodal.inputs import MultiModalFieldConfig, MultiModalKwargsItems
from vllm.multimodal.parse import AudioProcessorItems, MultiModalDataItems
from vllm.multimodal.processing import (
    BaseDummyInputsBuilder,
    BaseMultiModalProcessor,
    BaseProcessingInfo,
    PromptReplacement,
    PromptUpdate,
)
from vllm.multimodal.processing.inputs import ProcessorInputs

from earwitness.families.architecture import Architecture, read_architecture
from earwitness.hearing import MAX_SEGMENTS
from earwitness.hearing import mel as mel_of
from earwitness.logmel import HOP, PAD_RIGHT

MELS = "audio_mels"
"""Name under which the model receives the mels, one tensor `[n_mels, frames]` a clip."""


class ProcessingInfo(BaseProcessingInfo):
    """What vLLM asks about the model's input before it has any."""

    def get_supported_mm_limits(self) -> Mapping[str, int | None]:
        """Segments of a prompt's clips."""
        return {"audio": MAX_SEGMENTS}

    def get_mm_max_tokens_per_item(self, seq_len: int, mm_counts: Mapping[str, int]) -> Mapping[str, int]:
        """Tokens of the longest segment, which spares vLLM from making one to find out."""
        return {"audio": min(self.architecture.family.audio_tokens(self.max_frames), seq_len)}

    @cached_property
    def architecture(self) -> Architecture:
        """What the checkpoint says of itself."""
        return read_architecture(self.model_id)

    @property
    def max_frames(self) -> int:
        """Mel frames of the longest segment."""
        return self.architecture.audio.max_frames

    def frames_within(self, seq_len: int) -> int:
        """Mel frames of the longest segment whose tokens fit in `seq_len`."""
        tokens = self.architecture.family.audio_tokens
        return bisect.bisect_right(range(self.max_frames + 1), seq_len, key=tokens) - 1

    @cached_property
    def patch_id(self) -> int:
        """Id of the audio placeholder in this checkpoint's tokenizer."""
        tokenizer = Tokenizer.from_file(f"{self.model_id}/tokenizer.json")
        placeholder = self.architecture.family.layout.audio_patch
        patch_id = tokenizer.token_to_id(placeholder)
        if patch_id is None:
            raise ValueError(f"{self.model_id}/tokenizer.json has no token {placeholder}")
        return int(patch_id)


class DummyInputs(BaseDummyInputsBuilder[ProcessingInfo]):
    """The longest segment that a prompt can hold, for vLLM's memory profile on GPUs."""

    def get_dummy_text(self, mm_counts: Mapping[str, int]) -> str:
        """No text: the processor gives vLLM token ids."""
        return ""

    def get_dummy_mm_data(
        self, seq_len: int, mm_counts: Mapping[str, int], mm_options: MultiModalDummyOptions
    ) -> dict[str, Any]:
        """Silence."""
        samples = self.info.frames_within(seq_len) * HOP - PAD_RIGHT
        return {"audio": [np.zeros(samples, dtype=np.float32)] * mm_counts.get("audio", 0)}


class Processor(BaseMultiModalProcessor[ProcessingInfo]):
    """Takes waveforms `[samples]` (16 kHz mono) or mels `[n_mels, frames]`; needs no HF processor or tokenizer."""

    requires_tokenizer = False

    def get_dummy_inputs(
        self, seq_len: int, mm_counts: Mapping[str, int], mm_options: MultiModalDummyOptions
    ) -> ProcessorInputs:
        """One placeholder for each dummy clip."""
        clips = self.dummy_inputs.get_dummy_mm_data(seq_len, mm_counts, mm_options)
        return ProcessorInputs(
            prompt=[self.info.patch_id] * mm_counts.get("audio", 0),
            mm_data_items=self.info.parse_mm_data(clips, validate=False),
        )

    def _apply_hf_processor_main(self, mm_items: MultiModalDataItems, hf_kwargs: Mapping[str, object]) -> BatchFeature:
        if not mm_items.get_all_counts().get("audio"):
            return BatchFeature({})
        clips = mm_items.get_items("audio", AudioProcessorItems)
        return BatchFeature({MELS: [self._mel(np.asarray(clip)) for clip in clips.get_all()]})

    def _mel(self, clip: np.ndarray) -> torch.Tensor:
        architecture = self.info.architecture
        mel = mel_of(clip, architecture.audio.n_mels, architecture.family) if clip.ndim == 1 else clip
        if mel.shape[-1] > self.info.max_frames:
            most = self.info.max_frames
            raise VLLMValidationError(f"a clip of {mel.shape[-1]} mel frames; the encoder takes at most {most}")
        if not architecture.family.audio_tokens(mel.shape[-1]):
            raise VLLMValidationError(f"a clip of {mel.shape[-1]} mel frames is too short for an audio token")
        return torch.from_numpy(np.ascontiguousarray(mel, dtype=np.float32))

    def _get_mm_fields_config(
        self, hf_inputs: BatchFeature, hf_processor_mm_kwargs: Mapping[str, object]
    ) -> Mapping[str, MultiModalFieldConfig]:
        return {MELS: MultiModalFieldConfig.batched("audio")}

    def _get_prompt_updates(
        self,
        mm_items: MultiModalDataItems,
        hf_processor_mm_kwargs: Mapping[str, Any],
        out_mm_kwargs: MultiModalKwargsItems,
    ) -> Sequence[PromptUpdate]:
        patch_id, family = self.info.patch_id, self.info.architecture.family
        mels = out_mm_kwargs.get_data().get(MELS, [])
        return [
            PromptReplacement(
                modality="audio",
                target=[patch_id],
                replacement=lambda index: [patch_id] * family.audio_tokens(mels[index].shape[-1]),
            )
        ]
