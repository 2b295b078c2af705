"""Families against transformers, where it has them: the front end, the audio tower, and the whole model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor

from earwitness.chat import render_prompt
from earwitness.families.family import Family
from earwitness.families.qwen2_5_omni import QWEN2_5_OMNI
from earwitness.families.qwen2_audio import LAYOUT, QWEN2_AUDIO
from earwitness.logmel import log_mel
from earwitness.wire.trajectory.v1 import trajectory_pb2
from trainer.model.audio import AudioBatch
from trainer.model.build import build_policy
from trainer.model.huggingface import save_pretrained, stored_tensors
from trainer.model.logprobs import response_logprobs
from trainer.model.policy import NO_AUDIO, PolicyModel

PATCH = 5
SECONDS = [0.05, 0.4, 1.613, 2.0, 2.01, 4.517]
"""Odd and even numbers of frames, windows of 2 s that are full and that are not; the shortest has one audio token."""


TEXT = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 320, "rms_norm_eps": 1e-5, "max_position_embeddings": 512,
}  # fmt: skip
AUDIO = {
    "d_model": 16, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 40, "num_mel_bins": 16,
    "max_source_positions": 1500,
}  # fmt: skip


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


def qwen2_5_omni(text: dict[str, Any], audio: dict[str, Any], *, tied: bool = False) -> tuple[Any, Any]:
    """transformers' model, with all that sees and speaks, and its thinker."""
    from transformers import Qwen2_5OmniConfig, Qwen2_5OmniForConditionalGeneration

    sections = [1, 1, text["hidden_size"] // text["num_attention_heads"] // 2 - 2]
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": sections}
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = Qwen2_5OmniConfig(
        thinker_config={
            "tie_word_embeddings": tied,
            "text_config": {**text, "rope_parameters": rope},
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


FAMILIES = {QWEN2_AUDIO: qwen2_audio, QWEN2_5_OMNI: qwen2_5_omni}


def make(family: Family, folder: Path, text: dict[str, Any], audio: dict[str, Any], *, tied: bool = False) -> Pair:
    """A random model, saved by transformers, whose biases and norms matter."""
    torch.set_num_threads(1)
    torch.manual_seed(3)
    whole, theirs = FAMILIES[family](text, audio, **({"tied": True} if tied else {}))
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


@pytest.fixture(scope="module", params=FAMILIES, ids=[family.model_type for family in FAMILIES])
def family(request: pytest.FixtureRequest) -> Family:
    return request.param


@pytest.fixture(scope="module")
def toy(family: Family, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make(family, tmp_path_factory.mktemp(family.model_type) / "toy", TEXT, AUDIO)


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


def test_the_prompt_is_that_of_qwen2_audios_template() -> None:
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
    assert render_prompt(prompt, [[1]], LAYOUT) == expected + "<think>\n"


def compare(pair: Pair, seconds: list[float], columns: int) -> None:
    """Log-probs of rows that each hear a clip, the last one none, against the whole of transformers' model."""
    found = clips(seconds)
    n_mels = pair.theirs.config.audio_config.num_mel_bins
    audio, (features, mask) = heard_by_us(found, n_mels), heard_by_transformers(found, n_mels)
    counts = [pair.ours.architecture.family.audio_tokens(int(frames)) for frames in audio.frames]
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


def heard_by_qwen2_audio(theirs: Any, features: Tensor, mask: Tensor) -> list[Tensor]:
    counted, counts = theirs.model.audio_tower._get_feat_extract_output_lengths(mask.sum(-1))
    inside = torch.arange(1500)[None, :] < counted[:, None]
    bias = torch.zeros(inside.shape).masked_fill(~inside, -torch.inf)[:, None, None, :]
    encoded = theirs.model.audio_tower(features, attention_mask=bias).last_hidden_state
    projected = theirs.model.multi_modal_projector(encoded)
    return [row[:count] for row, count in zip(projected, counts.tolist(), strict=True)]


def heard_by_qwen2_5_omni(theirs: Any, features: Tensor, mask: Tensor) -> list[Tensor]:
    _, counts = theirs.audio_tower._get_feat_extract_output_lengths(mask.sum(-1))
    heard = theirs.get_audio_features(features, feature_attention_mask=mask).last_hidden_state
    return list(heard.split(counts.tolist()))


HEARD = {QWEN2_AUDIO: heard_by_qwen2_audio, QWEN2_5_OMNI: heard_by_qwen2_5_omni}


@torch.no_grad()
def test_the_audio_tower_is_transformers(family: Family, toy: Pair) -> None:
    found = clips(SECONDS)
    assert toy.ours.audio is not None
    heard, ours = toy.ours.audio(heard_by_us(found, 16))
    expected = HEARD[family](toy.theirs, *heard_by_transformers(found, 16))
    assert ours.tolist() == [len(row) for row in expected]
    for row, clip in zip(heard, expected, strict=True):
        torch.testing.assert_close(row[: len(clip)], clip, atol=2e-4, rtol=1e-4)


def test_the_whole_model_is_transformers(toy: Pair) -> None:
    compare(toy, SECONDS, columns=160)


def test_a_wide_model_is_transformers(family: Family, tmp_path: Path) -> None:
    """The published width of the encoder, a decoder of hidden 1,024, two layers each."""
    text = {"hidden_size": 1024, "intermediate_size": 2816, "num_attention_heads": 16, "num_key_value_heads": 16}
    audio = {"d_model": 1280, "encoder_attention_heads": 20, "encoder_ffn_dim": 5120, "num_mel_bins": 128}
    wide = make(family, tmp_path / "wide", {**TEXT, **text, "vocab_size": 2048}, {**AUDIO, **audio})
    compare(wide, [0.4, 2.613], columns=96)


def test_a_decoder_with_normed_queries_is_transformers(tmp_path: Path) -> None:
    """Qwen3's, whose heads are wider than their share."""
    pair = make(QWEN2_AUDIO, tmp_path / "qwen3", {**TEXT, "model_type": "qwen3", "head_dim": 12}, AUDIO)
    compare(pair, SECONDS, columns=160)
    save_pretrained(pair.ours, pair.folder, tmp_path / "out")
    assert (tmp_path / "out/model.safetensors").read_bytes() == (pair.folder / "model.safetensors").read_bytes()


def test_a_thinker_with_tied_embeddings_is_transformers(tmp_path: Path) -> None:
    pair = make(QWEN2_5_OMNI, tmp_path / "tied", TEXT, AUDIO, tied=True)
    assert "thinker.lm_head.weight" not in load_file(pair.folder / "model.safetensors")
    compare(pair, SECONDS, columns=160)


def test_positions_of_text_and_sound_have_equal_components() -> None:
    """So that plain positions are those in three components, whatever their sections."""
    _, theirs = qwen2_5_omni(TEXT, AUDIO)
    tokens = torch.randint(20, 300, (2, 40), generator=torch.Generator().manual_seed(1))
    tokens[0, 3:28] = tokens[1, 10:20] = PATCH
    positions, deltas = theirs.get_rope_index(
        tokens, attention_mask=torch.ones_like(tokens), audio_seqlens=torch.tensor([100, 40])
    )
    assert torch.equal(positions, torch.arange(40).expand(3, 2, 40).to(positions.dtype))
    assert not deltas.any()


def test_what_comes_out_is_what_went_in(family: Family, toy: Pair, tmp_path: Path) -> None:
    """Under the names that transformers saves, with parts that are not trained and their files."""
    (toy.folder / "spk_dict.pt").write_bytes(b"voices")
    (toy.folder / "optimizer.bin").write_bytes(b"nobody's")
    save_pretrained(toy.ours, toy.folder, tmp_path / "out")
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == (toy.folder / "model.safetensors").read_bytes()
    assert (tmp_path / "out" / "spk_dict.pt").exists() == ("spk_dict.pt" in family.beside)
    assert not (tmp_path / "out" / "optimizer.bin").exists()
    stored = load_file(toy.folder / "model.safetensors")
    passing = {name.split(".")[0] for name in stored if family.names.passes(name)}
    assert passing == ({"thinker", "talker", "token2wav"} if family is QWEN2_5_OMNI else set())
    trained = {name for name, _ in stored_tensors(toy.folder)}
    assert trained == {family.names.published(name) for name in toy.ours.architecture.weight_shapes()}


def test_only_what_is_trained_changes(tmp_path: Path) -> None:
    """In several files, one of which holds no weight that is trained; types that no weight has are copied."""
    toy = make(QWEN2_5_OMNI, tmp_path / "in", TEXT, AUDIO)
    stored = load_file(toy.folder / "model.safetensors")
    (toy.folder / "model.safetensors").unlink()
    stored["token2wav.steps"] = torch.arange(5)
    files = {"a.safetensors": {n: t for n, t in stored.items() if n.startswith("token2wav.")}}
    files["b.safetensors"] = {n: t for n, t in stored.items() if n not in files["a.safetensors"]}
    for name, tensors in files.items():
        save_file(tensors, toy.folder / name, metadata={"format": "pt"})
    index = {"weight_map": {tensor: name for name, tensors in files.items() for tensor in tensors}}
    (toy.folder / "model.safetensors.index.json").write_text(json.dumps(index))
    ours = build_policy(toy.folder)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.add_(1.0)
    save_pretrained(ours, toy.folder, tmp_path / "out")
    for name, tensors in files.items():
        written = load_file(tmp_path / "out" / name)
        assert written.keys() == tensors.keys()
        for tensor in tensors:
            changed = int(not QWEN2_5_OMNI.names.passes(tensor))
            torch.testing.assert_close(written[tensor], tensors[tensor] + changed, rtol=0, atol=0)
