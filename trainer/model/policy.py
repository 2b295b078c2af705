"""The policy, or the critic: listener and decoder as one module that Megatron's schedules and DDP can drive."""

from __future__ import annotations

from pathlib import Path

import torch
from megatron.core import parallel_state
from megatron.core.transformer.module import MegatronModule
from tokenizers import Tokenizer
from torch import Tensor

from earwitness.chat import AUDIO_PATCH
from earwitness.errors import InputError
from trainer.model.architecture import Architecture
from trainer.model.audio import AudioBatch, AudioTower
from trainer.model.decoder import build_decoder
from trainer.parallel import device

NO_AUDIO = -1
"""`audio_index` of a row without a clip."""


class PolicyModel(MegatronModule):
    """This rank's part: the listener stands on the first pipeline stage, the output layer on the last."""

    def __init__(
        self, architecture: Architecture, audio_patch_id: int, *, value_head: bool, dtype: torch.dtype
    ) -> None:
        decoder = build_decoder(architecture.decoder, value_head=value_head, dtype=dtype)
        super().__init__(decoder.config)
        self.architecture = architecture
        self.audio_patch_id = audio_patch_id
        self.value_head = value_head
        self.pre_process, self.post_process = decoder.pre_process, decoder.post_process
        self.share_embeddings_and_output_weights = False
        self.model_type = decoder.model_type
        self.audio: AudioTower | None = None
        if self.pre_process:
            self.audio = AudioTower(architecture.audio, architecture.decoder.hidden_size)
            self.audio.to(device=device(), dtype=dtype)
        self.language_model = decoder

    def set_input_tensor(self, input_tensor: Tensor | list[Tensor]) -> None:
        """Megatron's schedules hand the previous stage's hidden states in here."""
        self.language_model.set_input_tensor(input_tensor)

    def forward(self, tokens: Tensor, audio: AudioBatch | None = None, audio_index: Tensor | None = None) -> Tensor:
        """Runs right-padded rows; what stands after a row's end does not change what stands before.

        tokens: [batch, seq] int64. audio: distinct clips. audio_index: [batch] which clip each row uses, NO_AUDIO for
        none. Returns on the last pipeline stage the logits [batch, seq, vocab / tensor_parallel] or, with a value
        head, the values [batch, seq] fp32; on other stages the hidden states [seq, batch, hidden].

        A row's first audio patches take its clip's embeddings; later ones are the policy's own words (a sampled
        response may hold the token), embedded like any token. ValueError if a row has too few.
        """
        embedded = self._embed(tokens, audio, audio_index) if self.pre_process else None
        output = self.language_model(input_ids=tokens, position_ids=None, attention_mask=None, decoder_input=embedded)
        return output.squeeze(-1) if self.value_head and self.post_process else output

    def _embed(self, tokens: Tensor, audio: AudioBatch | None, audio_index: Tensor | None) -> Tensor:
        """Token embeddings with the clips' embeddings in place of the audio patches, [seq, batch, hidden]."""
        embedded = self.language_model.embedding(input_ids=tokens, position_ids=None)
        if audio is None or audio_index is None:
            return embedded
        assert self.audio is not None, "the first pipeline stage has the listener"
        heard, counts = self.audio(audio)  # [clips, longest, hidden], [clips]
        expected = torch.where(audio_index == NO_AUDIO, 0, counts[audio_index.clamp(min=0)])
        patches = tokens == self.audio_patch_id  # [batch, seq]
        nth = patches.cumsum(dim=1) - 1  # [batch, seq]: which of its clip's embeddings a patch takes
        patches &= nth < expected[:, None]
        found = patches.sum(dim=1)
        if not torch.equal(found, expected):
            row = int((found != expected).nonzero()[0])
            raise ValueError(
                f"row {row} has {int(found[row])} audio-patch tokens, its clip has {int(expected[row])} embeddings"
            )
        source = (audio_index[:, None] * heard.shape[1] + nth)[patches]
        row, column = patches.nonzero(as_tuple=True)
        seq, batch, hidden = embedded.shape
        return (
            embedded.view(seq * batch, hidden)
            .index_copy(0, column * batch + row, heard.flatten(0, 1).index_select(0, source).to(embedded.dtype))
            .view(seq, batch, hidden)
        )


def build_policy(
    model_dir: str | Path, *, value_head: bool = False, dtype: torch.dtype = torch.float32, freeze_encoder: bool = False
) -> PolicyModel:
    """Builds this rank's part of the model in `model_dir` and loads its weights.

    With `value_head` it is a critic of the same shape that starts from the policy's weights and the value 0.
    With `freeze_encoder` the encoder (not the adaptor) gets no gradients and no optimizer state.
    """
    from trainer.huggingface import load_weights

    architecture = Architecture.read(model_dir)
    patch = Tokenizer.from_file(str(Path(model_dir) / "tokenizer.json")).token_to_id(AUDIO_PATCH)
    if patch is None:
        raise InputError(f"{model_dir}/tokenizer.json", f"has no token {AUDIO_PATCH}", "an audio model's tokenizer")
    module = PolicyModel(architecture, patch, value_head=value_head, dtype=dtype)
    load_weights(module, model_dir)
    if freeze_encoder and module.audio is not None:
        module.audio.encoder.requires_grad_(False)
    return module


def unwrap(module: torch.nn.Module) -> PolicyModel:
    """The PolicyModel inside Megatron's DDP wrapper, or the module itself."""
    while not isinstance(module, PolicyModel):
        module = module.module
    return module


def is_last_stage() -> bool:
    """True where logits and losses are."""
    return parallel_state.is_pipeline_last_stage()
