"""Models of families that transformers has, ours and theirs, and the log-probs that both give a batch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor

from earwitness.families.audioflamingo3 import AUDIOFLAMINGO3, CALLED
from earwitness.families.family import Family
from earwitness.families.qwen2_5_omni import QWEN2_5_OMNI
from earwitness.families.qwen2_audio import QWEN2_AUDIO
from earwitness.families.qwen3_asr import QWEN3_ASR
from earwitness.hearing import mel, segments
from trainer.model.audio import AudioBatch
from trainer.model.build import build_policy
from trainer.model.logprobs import response_logprobs
from trainer.model.policy import NO_AUDIO, PolicyModel

PATCH = 5
TEXT = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 320, "rms_norm_eps": 1e-5, "max_position_embeddings": 512,
}  # fmt: skip
AUDIO = {
    "d_model": 16, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 40, "num_mel_bins": 16,
    "max_source_positions": 1500,
}  # fmt: skip


MASKS = {AUDIOFLAMINGO3: "input_features_mask", QWEN3_ASR: "input_features_mask"}
"""What transformers' class calls the mask of the features, where it is not `feature_attention_mask`."""


@dataclass(frozen=True)
class Pair:
    """One model, ours and theirs."""

    folder: Path
    ours: PolicyModel
    theirs: Any
    """What hears and writes."""


def qwen2_audio(text: dict[str, Any], audio: dict[str, Any]) -> tuple[Any, Any]:
    """transformers' model and the part of it that hears and writes, which is all of it."""
    from transformers import Qwen2AudioConfig, Qwen2AudioForConditionalGeneration

    config = Qwen2AudioConfig(text_config=text, audio_config=audio, audio_token_index=PATCH)
    whole = Qwen2AudioForConditionalGeneration(config)
    return whole, whole


def audioflamingo3(text: dict[str, Any], audio: dict[str, Any]) -> tuple[Any, Any]:
    """The same."""
    from transformers import AudioFlamingo3Config, AudioFlamingo3ForConditionalGeneration

    called = {CALLED.get(name, name): value for name, value in audio.items()}
    config = AudioFlamingo3Config(text_config=text, audio_config=called, audio_token_id=PATCH)
    whole = AudioFlamingo3ForConditionalGeneration(config)
    return whole, whole


def qwen2_5_omni(text: dict[str, Any], audio: dict[str, Any], *, tied: bool = False) -> tuple[Any, Any]:
    """transformers' model, with all that sees and speaks, and its thinker."""
    from transformers import Qwen2_5OmniConfig, Qwen2_5OmniForConditionalGeneration

    sections = [1, 1, text["hidden_size"] // text["num_attention_heads"] // 2 - 2]
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": sections}
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = Qwen2_5OmniConfig(
        thinker_config={
            "tie_word_embeddings": tied,
            "text_config": {**text, "rope_parameters": {**rope, **text.get("rope_parameters", {})}},
            "audio_config": {**audio, "output_dim": text["hidden_size"]},
            "vision_config": {
                "depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2,
                "out_hidden_size": text["hidden_size"], "fullatt_block_indexes": [0],
            },
            "audio_token_index": PATCH,
            "vision_start_token_id": 151652,
        },
        talker_config={
            **small, "vocab_size": 64, "num_key_value_heads": 2, "head_dim": 8, "embedding_size": text["hidden_size"],
            "rope_parameters": {**rope, "mrope_section": [1, 1, 2]},
        },
        token2wav_config={
            "dit_config": {
                **small, "head_dim": 8, "emb_dim": 8, "enc_emb_dim": 4, "enc_dim": 4, "enc_channels": [8, 8, 8, 8, 24],
                "enc_attention_channels": 4, "enc_se_channels": 4, "num_embeds": 65, "mel_dim": 4,
            },
            "bigvgan_config": {"mel_dim": 4, "upsample_initial_channel": 64},
        },
    )  # fmt: skip
    whole = Qwen2_5OmniForConditionalGeneration(config)
    return whole, whole.thinker


def qwen3_asr(text: dict[str, Any], audio: dict[str, Any], *, tied: bool = False) -> tuple[Any, Any]:
    """The same. Its decoder is Qwen3."""
    from transformers import Qwen3ASRConfig, Qwen3ASRForConditionalGeneration

    encoder = {name: value for name, value in audio.items() if name != "max_source_positions"}
    config = Qwen3ASRConfig(
        text_config={"model_type": "qwen3", "head_dim": 12, **text},
        audio_config={**encoder, "output_dim": text["hidden_size"], "downsample_hidden_size": 6},
        audio_token_id=PATCH,
        tie_word_embeddings=tied,
    )
    whole = Qwen3ASRForConditionalGeneration(config)
    return whole, whole


FAMILIES = {
    QWEN2_AUDIO: qwen2_audio,
    QWEN2_5_OMNI: qwen2_5_omni,
    AUDIOFLAMINGO3: audioflamingo3,
    QWEN3_ASR: qwen3_asr,
}


def make(family: Family, folder: Path, text: dict[str, Any], audio: dict[str, Any], *, tied: bool = False) -> Pair:
    """A random model, saved by transformers, whose biases and norms matter."""
    torch.set_num_threads(1)
    torch.manual_seed(3)
    whole, theirs = FAMILIES[family](dict(text), dict(audio), **({"tied": True} if tied else {}))
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            if parameter.dim() == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
            elif "layers" in name or "lm_head" in name:
                parameter.mul_(3.0)  # attention and MLP weigh as much as the embedding, and tokens differ
    whole.save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({f"w{i}": i for i in range(20)}, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    content = json.loads(tokenizer.to_str())
    content["model"]["vocab"][family.layout.audio_patch] = content["model"]["vocab"].pop(f"w{PATCH}")
    (folder / "tokenizer.json").write_text(json.dumps(content))
    return Pair(folder, build_policy(folder).eval(), theirs.eval())


def clips(seconds: list[float]) -> list[np.ndarray]:
    numbers = np.random.default_rng(1)
    return [(0.1 * numbers.standard_normal(int(s * 16_000))).astype(np.float32) for s in seconds]


def heard_by_transformers(found: list[np.ndarray], n_mels: int, family: Family) -> tuple[Tensor, Tensor]:
    """Its processors' features [windows, n_mels, frames] and mask [windows, frames]."""
    from transformers import WhisperFeatureExtractor

    found = [segment for clip in found for segment in segments(clip, family)]
    # some processors pad to 300 s: a second of silence is as good
    longest = max(30, max(len(clip) for clip in found) // 16_000 + 1) if family.full_seconds is None else 30
    extract = WhisperFeatureExtractor(feature_size=n_mels, chunk_length=longest)
    features = extract(found, sampling_rate=16_000, return_attention_mask=True, return_tensors="pt")
    seen, mask = features["input_features"], features["attention_mask"]
    # what is cut second by second sees no silence behind a clip, as one by itself has none
    return (seen * mask[:, None] if family is QWEN3_ASR else seen), mask


def heard_by_us(found: list[np.ndarray], n_mels: int, family: Family) -> tuple[AudioBatch, list[int]]:
    """Every clip's segments, and how many there are of each clip."""
    cut = [segments(clip, family) for clip in found]
    mels = [torch.from_numpy(mel(segment, n_mels, family)) for of_clip in cut for segment in of_clip]
    frames = torch.tensor([one.shape[1] for one in mels])
    batch = torch.full((len(mels), n_mels, int(frames.max())), 7.0)  # what lies beyond a clip must not matter
    for row, one in zip(batch, mels, strict=True):
        row[:, : one.shape[1]] = one
    return AudioBatch(batch, frames), [len(of_clip) for of_clip in cut]


@torch.no_grad()
def compare(pair: Pair, rows: list[list[float]], columns: int) -> None:
    """Log-probs of rows that each hear clips of so many seconds, one after the other, and of one that hears none,
    against the whole of transformers' model."""
    family = pair.ours.architecture.family
    found = clips([seconds for row in rows for seconds in row])
    n_mels = pair.theirs.config.audio_config.num_mel_bins
    audio, counts = heard_by_us(found, n_mels, family)
    tokens_of = iter([family.audio_tokens(int(frames)) for frames in audio.frames])
    segments_of, number = iter(counts), 0
    tokens = torch.randint(20, 300, (len(rows) + 1, columns), generator=torch.Generator().manual_seed(1))
    index = torch.full((len(rows) + 1, max(len(audio.frames), 1)), NO_AUDIO)
    for row, seconds in enumerate(rows):
        at, place = 2 + row, 0
        for _ in seconds:
            for _ in range(next(segments_of)):
                heard = next(tokens_of)
                tokens[row, at : at + heard] = PATCH
                index[row, place] = number
                at, place, number = at + heard, place + 1, number + 1
            at += 3  # words between clips
        assert at < columns
    ours = response_logprobs(pair.ours(tokens, audio, index), tokens)[:, 1:]
    features, mask = heard_by_transformers(found, n_mels, family)
    inputs = {"input_features": features, MASKS.get(family, "feature_attention_mask"): mask}
    logits = torch.cat(
        [
            pair.theirs(input_ids=tokens[:-1], attention_mask=torch.ones_like(tokens[:-1]), **inputs).logits,
            pair.theirs(input_ids=tokens[-1:], attention_mask=torch.ones_like(tokens[-1:])).logits,
        ]
    )
    expected = logits.log_softmax(-1)[:, :-1].gather(-1, tokens[:, 1:, None]).squeeze(-1)
    assert expected.std() > 0.1, "a flat distribution would hide mistakes"
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=0)
    print(f"largest difference {float((ours - expected).abs().max()):.1e} of {expected.numel()} log-probs")
