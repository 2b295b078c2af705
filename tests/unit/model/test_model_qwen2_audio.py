"""Qwen2-Audio against transformers: the front end, the audio tower, and the whole model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor

from earwitness.chat import render_prompt
from earwitness.families.qwen2_audio import LAYOUT, audio_tokens
from earwitness.logmel import log_mel
from earwitness.wire.trajectory.v1 import trajectory_pb2
from trainer.model.audio import AudioBatch
from trainer.model.build import build_policy
from trainer.model.huggingface import save_pretrained
from trainer.model.logprobs import response_logprobs
from trainer.model.policy import NO_AUDIO, PolicyModel

PATCH = 5
SECONDS = [0.05, 0.4, 1.0, 1.613]
"""Odd and even numbers of frames; the shortest has one audio token."""


@dataclass(frozen=True)
class Pair:
    """One model, ours and theirs."""

    folder: Path
    ours: PolicyModel
    theirs: Any


def make(folder: Path, *, text: dict[str, int], audio: dict[str, int], seed: int = 3) -> Pair:
    """A random Qwen2-Audio, saved by transformers, whose biases and norms matter."""
    from transformers import Qwen2AudioConfig, Qwen2AudioForConditionalGeneration

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    config = Qwen2AudioConfig(
        text_config={"rms_norm_eps": 1e-5, "max_position_embeddings": 512, **text},
        audio_config={"max_source_positions": 1500, **audio},
        audio_token_index=PATCH,
    )
    theirs = Qwen2AudioForConditionalGeneration(config).eval()
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            if parameter.dim() == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
            elif "layers" in name or "lm_head" in name:
                parameter.mul_(3.0)  # attention and MLP weigh as much as the embedding, and tokens differ
    theirs.save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({f"w{i}": i for i in range(20)}, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    content = json.loads(tokenizer.to_str())
    content["model"]["vocab"][LAYOUT.audio_patch] = content["model"]["vocab"].pop(f"w{PATCH}")
    (folder / "tokenizer.json").write_text(json.dumps(content))
    return Pair(folder, build_policy(folder).eval(), theirs)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make(
        tmp_path_factory.mktemp("qwen2-audio") / "toy",
        text={
            "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 2, "vocab_size": 320,
        },
        audio={
            "d_model": 16, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 40,
            "num_mel_bins": 16,
        },
    )  # fmt: skip


def clips(seconds: list[float]) -> list[np.ndarray]:
    numbers = np.random.default_rng(1)
    return [(0.1 * numbers.standard_normal(int(s * 16_000))).astype(np.float32) for s in seconds]


def heard_by_transformers(found: list[np.ndarray], n_mels: int) -> tuple[Tensor, Tensor]:
    """Its processor's features [clips, n_mels, 3000] and mask [clips, 3000]."""
    from transformers import WhisperFeatureExtractor

    extract = WhisperFeatureExtractor(feature_size=n_mels)
    features = extract(found, sampling_rate=16_000, return_attention_mask=True, return_tensors="pt")
    return features["input_features"], features["attention_mask"]


def heard_by_us(found: list[np.ndarray], n_mels: int) -> AudioBatch:
    mels = [torch.from_numpy(log_mel(clip, n_mels)) for clip in found]
    frames = torch.tensor([mel.shape[1] for mel in mels])
    batch = torch.full((len(mels), n_mels, int(frames.max())), 7.0)  # what lies beyond a clip must not matter
    for row, mel in zip(batch, mels, strict=True):
        row[:, : mel.shape[1]] = mel
    return AudioBatch(batch, frames)


@pytest.mark.parametrize("seconds", [0.05, 0.4, 1.0, 1.613, 29.97, 29.98])
def test_the_front_end_is_transformers(seconds: float) -> None:
    """Ours stops two frames after the clip, where transformers' goes on with silence to 30 s."""
    features, mask = heard_by_transformers(clips([seconds]), 128)
    mel = log_mel(clips([seconds])[0], 128)
    assert mel.shape[1] == int(mask.sum()) + 2
    np.testing.assert_allclose(mel, features[0, :, : mel.shape[1]].numpy(), atol=2e-4)


def test_the_prompt_is_that_of_transformers_template() -> None:
    from jinja2 import Environment
    from transformers import Qwen2AudioProcessor

    template = Qwen2AudioProcessor.default_chat_template.fget(None)
    content = [{"type": "audio", "audio_url": "a.wav"}, {"type": "text", "text": "How many?\nA. one\nB. two"}]
    expected = (
        Environment()
        .from_string(template)
        .render(messages=[{"role": "user", "content": content}], add_generation_prompt=True)
    )
    prompt = trajectory_pb2.Prompt(question="How many?", choices=["one", "two"])
    assert render_prompt(prompt, 1, LAYOUT) == expected + "<think>\n"


def compare(pair: Pair, seconds: list[float], columns: int) -> None:
    """Log-probs of rows that each hear a clip, the last one none, against the whole of transformers' model."""
    found = clips(seconds)
    n_mels = pair.theirs.config.audio_config.num_mel_bins
    audio, (features, mask) = heard_by_us(found, n_mels), heard_by_transformers(found, n_mels)
    counts = [audio_tokens(int(frames)) for frames in audio.frames]
    tokens = torch.randint(20, 300, (len(found) + 1, columns), generator=torch.Generator().manual_seed(1))
    for row, count in enumerate(counts):
        tokens[row, 2 + row : 2 + row + count] = PATCH
    index = torch.tensor([*range(len(found)), NO_AUDIO])
    with torch.no_grad():
        ours = response_logprobs(pair.ours(tokens, audio, index), tokens)
        logits = torch.cat(
            [
                pair.theirs(
                    input_ids=tokens[:-1], input_features=features, feature_attention_mask=mask,
                    attention_mask=torch.ones_like(tokens[:-1]),
                ).logits,
                pair.theirs(input_ids=tokens[-1:], attention_mask=torch.ones_like(tokens[-1:])).logits,
            ]
        )  # fmt: skip
    expected = logits.log_softmax(-1)[:, :-1].gather(-1, tokens[:, 1:, None]).squeeze(-1)
    assert expected.std() > 0.1, "a flat distribution would hide mistakes"
    torch.testing.assert_close(ours[:, 1:], expected, atol=1e-4, rtol=0)
    print(f"largest difference {float((ours[:, 1:] - expected).abs().max()):.1e}")


def test_the_audio_tower_is_transformers(toy: Pair) -> None:
    found = clips(SECONDS)
    features, mask = heard_by_transformers(found, 16)
    audio = heard_by_us(found, 16)
    assert toy.ours.audio is not None
    counted, counts = toy.theirs.model.audio_tower._get_feat_extract_output_lengths(mask.sum(-1))
    inside = torch.arange(1500)[None, :] < counted[:, None]
    with torch.no_grad():
        heard, ours = toy.ours.audio(audio)
        bias = torch.zeros(inside.shape).masked_fill(~inside, -torch.inf)[:, None, None, :]
        encoded = toy.theirs.model.audio_tower(features, attention_mask=bias).last_hidden_state
        expected = toy.theirs.model.multi_modal_projector(encoded)
    assert ours.tolist() == counts.tolist()
    for row, count in enumerate(ours.tolist()):
        torch.testing.assert_close(heard[row, :count], expected[row, :count], atol=2e-4, rtol=1e-4)


def test_the_whole_model_is_transformers(toy: Pair) -> None:
    compare(toy, SECONDS, columns=64)


def test_a_wide_model_is_transformers(tmp_path: Path) -> None:
    """The published width of the encoder, a decoder of hidden 1,024, two layers each."""
    wide = make(
        tmp_path / "wide",
        text={
            "hidden_size": 1024, "intermediate_size": 2816, "num_hidden_layers": 2, "num_attention_heads": 16,
            "num_key_value_heads": 16, "vocab_size": 2048,
        },
        audio={
            "d_model": 1280, "encoder_layers": 2, "encoder_attention_heads": 20, "encoder_ffn_dim": 5120,
            "num_mel_bins": 128,
        },
    )  # fmt: skip
    compare(wide, [0.4, 1.613], columns=64)


def test_what_comes_out_is_what_went_in(toy: Pair, tmp_path: Path) -> None:
    """transformers saves the decoder under other names than those of the published checkpoint: they are kept."""
    save_pretrained(toy.ours, toy.folder, tmp_path / "out")
    assert "language_model.model.model.norm.weight" in load_file(toy.folder / "model.safetensors")
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == (toy.folder / "model.safetensors").read_bytes()
