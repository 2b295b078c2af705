"""A model at toy size: random weights and a byte-level BPE tokenizer trained on given texts."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from earwitness.families.architecture import Architecture
from earwitness.families.dims import AudioDims, DecoderDims
from earwitness.families.registry import MADE
from earwitness.families.toy import TOKENS, toy_files
from earwitness.families.whisper import MLP_RATIO
from earwitness.recipe.schema import ToyModel
from listener.whisper import sinusoids

INIT_STD = 0.02
"""Standard deviation of the decoder's matrices, as in GPT-2 and Qwen2."""
VOCAB_MULTIPLE = 64
"""The vocabulary is padded to this, so that any usual tensor-parallel size divides it."""
AUDIO_POSITIONS = 1500
"""As in the full model: 30 s of sound, so that every clip the front end accepts fits."""
ROPE_THETA = 10_000.0
"""For short contexts; the full model's 1e6 is for 65,536 tokens."""
FILE_MODE = 0o644
"""safetensors writes 0600; a shared volume is read by other users."""
POSITION_SCALE = 0.1
"""Of the encoder's sinusoids at the start: at Whisper's full size they drown what the convolutions hear, and a fresh
encoder learns nothing for hundreds of updates."""


def make_toy(out_dir: str, toy: ToyModel, texts: Iterable[str], seed: int) -> None:
    """Writes a Hugging Face directory; the same arguments give the same bytes.

    `texts` are the plain training texts of the tokenizer. `out_dir` appears whole or not at all.
    """
    target = Path(out_dir)
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    tokenizer = train_tokenizer(texts, toy.vocab_size)
    tokenizer.save(str(partial / "tokenizer.json"))
    architecture = toy_architecture(toy, tokenizer.get_vocab_size())
    for name, content in toy_files(architecture).items():
        (partial / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    weights = partial / "model.safetensors"
    save_file(random_weights(architecture, seed), weights, metadata={"format": "pt"})
    weights.chmod(FILE_MODE)
    shutil.rmtree(target, ignore_errors=True)
    partial.replace(target)


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Byte-level BPE of at most `vocab_size` tokens; the special tokens take the first ids."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def toy_architecture(toy: ToyModel, tokens: int) -> Architecture:
    """Dimensions of the toy with a tokenizer of `tokens` tokens."""
    decoder = DecoderDims(
        hidden_size=toy.hidden_size,
        intermediate_size=toy.intermediate_size,
        layers=toy.layers,
        heads=toy.heads,
        kv_heads=toy.kv_heads,
        vocab_size=math.ceil(tokens / VOCAB_MULTIPLE) * VOCAB_MULTIPLE,
        max_positions=toy.max_positions,
        norm_eps=1e-5,
        rope_theta=ROPE_THETA,
    )
    audio = AudioDims(
        n_mels=toy.n_mels,
        positions=AUDIO_POSITIONS,
        size=toy.encoder_size,
        heads=toy.encoder_heads,
        layers=toy.encoder_layers,
        mlp_size=MLP_RATIO * toy.encoder_size,
        adapter_size=toy.adapter_size,
        trailing_frames=0,
        learned_positions=True,
    )
    return Architecture(MADE, decoder, audio)


def random_weights(architecture: Architecture, seed: int) -> dict[str, torch.Tensor]:
    """fp32 weights fit to learn from scratch, by Hugging Face name."""
    generator = torch.Generator().manual_seed(seed)
    residual_std = INIT_STD / math.sqrt(2 * architecture.decoder.layers)
    shapes = architecture.weight_shapes()
    weights: dict[str, torch.Tensor] = {}
    for name, shape in shapes.items():
        module, kind = name.rsplit(".", 1)
        if name == "encoder.positional_embedding.weight":
            weights[name] = POSITION_SCALE * sinusoids(*shape)
        elif module.endswith(("_ln", "norm")):
            weights[name] = torch.ones(shape) if kind == "weight" else torch.zeros(shape)
        elif name.startswith(("encoder.", "adapter.")) and kind == "weight":
            # a gain of 2 over the fan in keeps the variance through GELU and ReLU (He et al., 1502.01852)
            std = math.sqrt(2.0 / math.prod(shape[1:]))
            weights[name] = torch.empty(shape).normal_(0.0, std, generator=generator)
        elif kind == "bias":
            weights[name] = torch.zeros(shape)
        else:
            # projections into the residual stream shrink with depth, so that its variance does not grow
            std = residual_std if module.endswith(("o_proj", "down_proj")) else INIT_STD
            weights[name] = torch.empty(shape).normal_(0.0, std, generator=generator)
    return weights
