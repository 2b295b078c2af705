"""The policy, or the critic: listener and decoder as one module that Megatron's schedules and DDP can drive."""

from __future__ import annotations

from typing import Any

import torch
from megatron.core import parallel_state
from megatron.core.packed_seq_params import PackedSeqParams
from megatron.core.tensor_parallel import (
    gather_from_sequence_parallel_region,
    scatter_to_sequence_parallel_region,
)
from megatron.core.transformer.module import MegatronModule
from torch import Tensor

from earwitness.families.architecture import Architecture
from trainer.model.attention import is_fused
from trainer.model.audio import AudioBatch, AudioTower
from trainer.model.decoder import build_decoder
from trainer.model.logprobs import States
from trainer.model.packing import Segments, packed_rows, packing
from trainer.ranks.parallel import device

NO_AUDIO = -1
"""Fills `audio_index` of a row that hears less than another."""


class PolicyModel(MegatronModule):
    """This rank's part: the listener stands on the first pipeline stage, the output layer on the last."""

    def __init__(
        self,
        architecture: Architecture,
        audio_patch_id: int,
        *,
        value_head: bool,
        dtype: torch.dtype,
        sequence_parallel: bool = True,
        recompute: bool = False,
    ) -> None:
        decoder = build_decoder(
            architecture.decoder,
            value_head=value_head,
            dtype=dtype,
            sequence_parallel=sequence_parallel,
            recompute=recompute,
        )
        super().__init__(decoder.config)
        self.architecture = architecture
        self.audio_patch_id = audio_patch_id
        self.value_head = value_head
        self.pre_process, self.post_process = decoder.pre_process, decoder.post_process
        self.share_embeddings_and_output_weights = decoder.share_embeddings_and_output_weights
        self.model_type = decoder.model_type
        self.audio: AudioTower | None = None
        if self.pre_process:
            self.audio = AudioTower(architecture)
            self.audio.to(device=device(), dtype=dtype)
        self.language_model = decoder

    def set_input_tensor(self, input_tensor: Tensor | list[Tensor]) -> None:
        """Megatron's schedules hand the previous stage's hidden states in here."""
        self.language_model.set_input_tensor(input_tensor)

    def shared_embedding_or_output_weight(self) -> Any:
        """This rank's rows of tied embeddings: Megatron sums the gradients of the first and the last stage's copies."""
        return self.language_model.shared_embedding_or_output_weight()

    def forward(
        self,
        tokens: Tensor,
        audio: AudioBatch | None = None,
        audio_index: Tensor | None = None,
        segments: Segments | None = None,
    ) -> Tensor | States:
        """Runs right-padded rows, or rows packed one after another; neither sees another's tokens, or padding.

        tokens: [batch, seq] int64; packed: [1, seq]. segments: of the packed rows, whose lengths add up to seq; None if
        they are padded. audio: distinct clips. audio_index: [rows or segments, clips] what each hears in order, then
        NO_AUDIO; [rows or segments] if none hears more than one.
        Returns on the last pipeline stage the states that log-probs are made of or, with a value head, the values
        [batch, seq] fp32; on other stages the hidden states [seq, batch, hidden].

        A row's first audio patches take its clips' embeddings, one clip after another; later ones are the policy's own
        words (a sampled response may hold the token), embedded like any token. ValueError if a row has too few.
        """
        hidden = self.language_model(
            input_ids=tokens,
            position_ids=None,
            attention_mask=None,
            decoder_input=self._embed(tokens, audio, audio_index, segments) if self.pre_process else None,
            packed_seq_params=_packed(segments),
        )
        if not self.post_process:
            return hidden
        if self.config.sequence_parallel:
            # All ranks go on with the same states, so each keeps its part of the gradient as it is.
            hidden = gather_from_sequence_parallel_region(hidden, tensor_parallel_output_grad=False)
        head = self.language_model.output_layer
        if self.value_head:
            return head(hidden)
        tied = self.share_embeddings_and_output_weights
        weight = self.shared_embedding_or_output_weight() if tied else head.weight
        first = parallel_state.get_tensor_model_parallel_rank() * len(weight)
        real = self.architecture.decoder.vocab_size - first  # rows; what is more pads the vocabulary
        return States(hidden, weight if real >= len(weight) else weight[:real], first)

    def _embed(
        self, tokens: Tensor, audio: AudioBatch | None, audio_index: Tensor | None, segments: Segments | None
    ) -> Tensor:
        """Tokens' embeddings, the clips' in the place of audio patches, [seq (/ tensor_parallel), batch, hidden]."""
        embedded = self.language_model.embedding(input_ids=tokens, position_ids=None)
        if audio is not None and audio_index is not None:
            embedded = self._listen(embedded, tokens, audio, audio_index, segments)
        embedded = scatter_to_sequence_parallel_region(embedded) if self.config.sequence_parallel else embedded
        if self.config.recompute_granularity and torch.is_grad_enabled() and not embedded.requires_grad:
            embedded.requires_grad_()  # layers that are run again learn only if their input has a gradient
        return embedded

    def _listen(
        self,
        embedded: Tensor,
        tokens: Tensor,
        audio: AudioBatch,
        audio_index: Tensor,
        segments: Segments | None,
    ) -> Tensor:
        """`embedded` [seq, batch, hidden] with the clips' embeddings in place."""
        assert self.audio is not None, "the first pipeline stage has the listener"
        heard, counts = self.audio(audio)  # [clips, longest, hidden], [clips]
        audio_index = audio_index.view(len(audio_index), -1)
        each = torch.where(audio_index == NO_AUDIO, 0, counts[audio_index.clamp(min=0)])  # [rows, clips]
        ends = each.cumsum(1)
        expected = ends[:, -1]  # [rows]
        sizes = segments.lengths if segments else [tokens.shape[1]] * len(tokens)
        lengths = torch.tensor(sizes, device=tokens.device)[: len(expected)]
        of_row = torch.arange(len(expected), device=tokens.device).repeat_interleave(lengths)  # [tokens in rows]
        flat = tokens.flatten()[: len(of_row)]  # what is left of a packed batch is filling
        patches = flat == self.audio_patch_id
        seen = patches.cumsum(0)
        starts = (lengths.cumsum(0) - lengths).clamp(max=max(len(of_row) - 1, 0))  # the last may be empty
        nth = seen - 1 - (seen - patches.long())[starts][of_row]  # which of its clips' embeddings a patch takes
        patches &= nth < expected[of_row]
        found = torch.zeros_like(expected).index_add(0, of_row, patches.to(expected.dtype))
        if not torch.equal(found, expected):
            row = int((found != expected).nonzero()[0])
            raise ValueError(
                f"row {row} has {int(found[row])} audio-patch tokens, its clips have {int(expected[row])} embeddings"
            )
        of_row, nth = of_row[patches], nth[patches]
        clip = (nth[:, None] >= ends[of_row]).sum(1)  # of its row
        within = nth - (ends - each)[of_row, clip]
        source = audio_index[of_row, clip] * heard.shape[1] + within
        seq, batch, hidden = embedded.shape
        at = patches.nonzero().squeeze(1)
        return (
            embedded.view(seq * batch, hidden)
            .index_copy(0, at % seq * batch + at // seq, heard.flatten(0, 1).index_select(0, source).to(embedded.dtype))
            .view(seq, batch, hidden)
        )


def _packed(segments: Segments | None) -> PackedSeqParams | None:
    if segments is None:
        return None
    return packed_rows(segments.lengths, device()) if is_fused() else packing(segments, device())


def unwrap(module: torch.nn.Module) -> PolicyModel:
    """The PolicyModel inside Megatron's DDP wrapper, or the module itself."""
    while not isinstance(module, PolicyModel):
        module = module.module
    return module
