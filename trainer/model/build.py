"""The policy, or the critic, of a Hugging Face directory."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer

from earwitness.errors import InputError
from earwitness.families.architecture import read_architecture
from earwitness.recipe.schema import Lora
from trainer.model.huggingface import load_weights
from trainer.model.lora import add_lora
from trainer.model.policy import PolicyModel


def build_policy(
    model_dir: str | Path,
    *,
    value_head: bool = False,
    dtype: torch.dtype = torch.float32,
    freeze_encoder: bool = False,
    sequence_parallel: bool = True,
    recompute: bool = False,
    lora: Lora | None = None,
    seed: int = 0,
) -> PolicyModel:
    """Builds this rank's part of the model in `model_dir` and loads its weights.

    With `value_head` it is a critic of the same shape that starts from the policy's weights and the value 0.
    With `freeze_encoder` the encoder (not the adaptor) gets no gradients and no optimizer state. With
    `sequence_parallel` ranks that share layers also share what stands between them, each a part of the sequence. With
    `recompute` the decoder's layers keep only their input and are run again in the backward pass. With `lora` nothing
    learns but what stands beside the decoder's matrices, random by `seed`.
    """
    architecture = read_architecture(model_dir)
    placeholder = architecture.family.layout.audio_patch
    patch = Tokenizer.from_file(str(Path(model_dir) / "tokenizer.json")).token_to_id(placeholder)
    if patch is None:
        raise InputError(f"{model_dir}/tokenizer.json", f"has no token {placeholder}", "an audio model's tokenizer")
    module = PolicyModel(
        architecture,
        patch,
        value_head=value_head,
        dtype=dtype,
        sequence_parallel=sequence_parallel,
        recompute=recompute,
    )
    load_weights(module, model_dir)
    if freeze_encoder and module.audio is not None:
        module.audio.encoder.requires_grad_(False)
    if lora is not None:
        add_lora(module, lora, seed)
    return module
