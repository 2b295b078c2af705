"""The vLLM model: audio tower, Qwen2 or Qwen3 decoder, weights by their Hugging Face names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from vllm.config import VllmConfig
from vllm.model_executor.layers.logits_processor import LogitsProcessor
from vllm.model_executor.layers.vocab_parallel_embedding import ParallelLMHead
from vllm.model_executor.models.interfaces import SupportsMultiModal
from vllm.model_executor.models.qwen2 import Qwen2Model
from vllm.model_executor.models.qwen3 import Qwen3Model
from vllm.model_executor.models.utils import AutoWeightsLoader, maybe_prefix
from vllm.multimodal import MULTIMODAL_REGISTRY
from vllm.sequence import IntermediateTensors

from earwitness.families.architecture import read_architecture
from listener.build import build_listener
from rollout.model.clips import embed_clips
from rollout.model.processing import MELS, DummyInputs, ProcessingInfo, Processor


@MULTIMODAL_REGISTRY.register_processor(Processor, info=ProcessingInfo, dummy_inputs=DummyInputs)
class AudioModel(nn.Module, SupportsMultiModal):
    """A model of any family. The tower is replicated on every tensor-parallel rank: it is 2 % of Step-Audio-R1."""

    def __init__(self, *, vllm_config: VllmConfig, prefix: str = "") -> None:
        super().__init__()
        self.config = vllm_config.model_config.hf_config
        text = self.config.get_text_config()
        architecture = read_architecture(vllm_config.model_config.model)
        self._family = architecture.family
        self._tied = architecture.decoder.tied
        with self._mark_tower_model(vllm_config, "audio"):
            self.encoder, self.adapter = build_listener(architecture)
        with self._mark_language_model(vllm_config):
            decoder = Qwen3Model if architecture.decoder.qk_norm else Qwen2Model
            self.model = decoder(vllm_config=vllm_config, prefix=maybe_prefix(prefix, "model"))
            self.lm_head = ParallelLMHead(text.vocab_size, text.hidden_size, prefix=maybe_prefix(prefix, "lm_head"))
        self.logits_processor = LogitsProcessor(text.vocab_size)
        self.make_empty_intermediate_tensors = self.model.make_empty_intermediate_tensors

    def get_language_model(self) -> nn.Module:
        """The part that embeds token ids."""
        return self.model

    def embed_multimodal(self, **kwargs: Any) -> list[Tensor]:
        """Embeddings `[audio tokens, hidden]` of each clip in `audio_mels`."""
        mels = kwargs.get(MELS)
        return [] if mels is None else embed_clips(self.encoder, self.adapter, list(mels))

    def forward(
        self,
        input_ids: Tensor | None,
        positions: Tensor,
        intermediate_tensors: IntermediateTensors | None = None,
        inputs_embeds: Tensor | None = None,
        **kwargs: object,
    ) -> Tensor | IntermediateTensors:
        """Hidden states `[tokens, hidden]`."""
        return self.model(input_ids, positions, intermediate_tensors, inputs_embeds)

    def compute_logits(self, hidden_states: Tensor) -> Tensor | None:
        """Logits `[tokens, vocab]`."""
        return self.logits_processor(self.lm_head, hidden_states)

    def load_weights(self, weights: Iterable[tuple[str, torch.Tensor]]) -> set[str]:
        """Loads by Hugging Face names; gives the names of the parameters that were filled."""
        passes = self._family.names.passes
        ours = ((self.our_name(name), tensor) for name, tensor in weights if not passes(name))
        return AutoWeightsLoader(self).load_weights(self._with_head(ours))

    def _with_head(self, ours: Iterable[tuple[str, Tensor]]) -> Iterator[tuple[str, Tensor]]:
        """Of tied embeddings the output layer gets a copy: vLLM's reload takes layers that share a tensor apart."""
        for name, tensor in ours:
            yield name, tensor
            if self._tied and name == "model.embed_tokens.weight":
                yield "lm_head.weight", tensor

    def our_name(self, stored: str) -> str:
        """What the weight that a checkpoint calls `stored` is called in here, before vLLM fuses it with others."""
        return self._family.names.ours(stored)
