"""Families against transformers, where it has them: the front end, the audio tower, and the whole model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from earwitness.chat import render_prompt
from earwitness.families import audioflamingo3, qwen2_audio
from earwitness.families.audioflamingo3 import AUDIOFLAMINGO3
from earwitness.families.family import Family, Layout
from earwitness.families.qwen2_5_omni import QWEN2_5_OMNI
from earwitness.families.qwen2_audio import QWEN2_AUDIO
from earwitness.families.qwen3_asr import QWEN3_ASR
from earwitness.wire.trajectory.v1 import trajectory_pb2
from tests.unit.model.family_pairs import (
    AUDIO,
    FAMILIES,
    PATCH,
    TEXT,
    Pair,
    clips,
    compare,
    heard_by_transformers,
    heard_by_us,
    make,
    qwen2_5_omni,
)
from trainer.model.build import build_policy
from trainer.model.huggingface import save_pretrained, stored_tensors

SECONDS = [0.05, 0.4, 1.613, 2.0, 2.01, 4.517]
"""Odd and even numbers of frames, windows of 2 s that are full and that are not; the shortest has one audio token."""
ROWS = [*([seconds] for seconds in SECONDS), [2.0, 0.4, 1.613]]
"""Clips that rows hear: each of them, and several."""


@pytest.fixture(scope="module", params=FAMILIES, ids=[family.model_type for family in FAMILIES])
def family(request: pytest.FixtureRequest) -> Family:
    return request.param


@pytest.fixture(scope="module")
def toy(family: Family, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make(family, tmp_path_factory.mktemp(family.model_type) / "toy", TEXT, AUDIO)


FRONT_ENDS = [(QWEN2_AUDIO, 29.97), (QWEN2_AUDIO, 29.98), (AUDIOFLAMINGO3, 30.0), (AUDIOFLAMINGO3, 29.9999)]


@pytest.mark.parametrize(("family", "seconds"), [*((QWEN2_AUDIO, s) for s in (0.05, 0.4, 1.0, 1.613)), *FRONT_ENDS])
def test_the_front_end_is_transformers(family: Family, seconds: float) -> None:
    """Ours stops two frames after the clip, where transformers' goes on with silence to 30 s; of 30 s it sees the end
    mirrored."""
    features, mask = heard_by_transformers(clips([seconds]), 128, family)
    heard, _ = heard_by_us(clips([seconds]), 128, family)
    assert int(heard.frames) == int(mask.sum()) + 2
    there = min(int(heard.frames), 3_000)
    np.testing.assert_allclose(heard.mels[0, :, :there], features[0, :, :there].numpy(), atol=2e-4)


TEMPLATE = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% for c in m['content'] if c['type'] == 'audio' %}<sound>{% endfor %}"
    "{% for c in m['content'] if c['type'] == 'text' %}{{ c['text'] }}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Audio Flamingo 3's, after the one that stands in its published processor and in no class of transformers."""


@pytest.mark.parametrize("layout", [qwen2_audio.LAYOUT, audioflamingo3.LAYOUT], ids=["qwen2_audio", "audioflamingo3"])
def test_the_prompt_is_that_of_its_template(layout: Layout) -> None:
    from jinja2 import Environment
    from transformers import Qwen2AudioProcessor

    template = Qwen2AudioProcessor.default_chat_template.fget(None) if layout is qwen2_audio.LAYOUT else TEMPLATE
    content = [{"type": "audio", "audio_url": "a.wav"}, {"type": "text", "text": "How many?\nA. one\nB. two"}]
    expected = (
        Environment()
        .from_string(template)
        .render(messages=[{"role": "user", "content": content}], add_generation_prompt=True)
    )
    prompt = trajectory_pb2.Prompt(question="How many?", choices=["one", "two"])
    assert render_prompt(prompt, [[1]], layout) == expected + "<think>\n"


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


def heard_by_audioflamingo3(theirs: Any, features: Tensor, mask: Tensor) -> list[Tensor]:
    _, counts = theirs.model.audio_tower._get_feat_extract_output_lengths(mask.sum(-1))
    return list(theirs.get_audio_features(features, mask).pooler_output.split(counts.tolist()))


def heard_by_qwen3_asr(theirs: Any, features: Tensor, mask: Tensor) -> list[Tensor]:
    counts = [QWEN3_ASR.audio_tokens(int(frames) + 2) for frames in mask.sum(-1)]
    return list(theirs.model.get_audio_features(features, mask).pooler_output.split(counts))


HEARD = {
    QWEN2_AUDIO: heard_by_qwen2_audio,
    QWEN2_5_OMNI: heard_by_qwen2_5_omni,
    AUDIOFLAMINGO3: heard_by_audioflamingo3,
    QWEN3_ASR: heard_by_qwen3_asr,
}


@torch.no_grad()
def test_the_audio_tower_is_transformers(family: Family, toy: Pair) -> None:
    found = clips(SECONDS)
    assert toy.ours.audio is not None
    heard, ours = toy.ours.audio(heard_by_us(found, 16, family)[0])
    expected = HEARD[family](toy.theirs, *heard_by_transformers(found, 16, family))
    assert ours.tolist() == [len(row) for row in expected]
    for row, clip in zip(heard, expected, strict=True):
        torch.testing.assert_close(row[: len(clip)], clip, atol=2e-4, rtol=1e-4)


def test_the_whole_model_is_transformers(toy: Pair) -> None:
    compare(toy, ROWS, columns=160)


def test_a_decoder_with_normed_queries_is_transformers(tmp_path: Path) -> None:
    """Qwen3's, whose heads are wider than their share."""
    pair = make(QWEN2_AUDIO, tmp_path / "qwen3", {**TEXT, "model_type": "qwen3", "head_dim": 12}, AUDIO)
    compare(pair, ROWS, columns=160)
    save_pretrained(pair.ours, pair.folder, tmp_path / "out")
    assert (tmp_path / "out/model.safetensors").read_bytes() == (pair.folder / "model.safetensors").read_bytes()


def test_positions_that_are_stretched_are_transformers(family: Family, tmp_path: Path) -> None:
    """By YaRN, over 16 times the positions before; rows go beyond those."""
    yarn = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 16.0, "original_max_position_embeddings": 32}
    pair = make(family, tmp_path / "yarn", {**TEXT, "rope_parameters": yarn}, AUDIO)
    assert pair.ours.architecture.decoder.yarn is not None
    compare(pair, ROWS[3:], columns=160)


def test_windows_and_tied_embeddings_of_qwen3_asr_are_transformers(tmp_path: Path) -> None:
    """Positions attend within 8 s: clips that are as long, a little longer and twice as long."""
    pair = make(QWEN3_ASR, tmp_path / "asr", TEXT, AUDIO, tied=True)
    assert "lm_head.weight" not in load_file(pair.folder / "model.safetensors")
    compare(pair, [[8.0], [8.31, 0.6], [16.97]], columns=250)


def test_qwen3_asr_hears_a_clip_as_beside_a_longer_one() -> None:
    """Its feature extractor drops what is left of a frame at the end of the longest clip of a batch, and mirrors it;
    clips that are shorter have silence behind them, and those below half a second are filled up with it."""
    from transformers import Qwen3ASRFeatureExtractor

    found = clips([0.05, 0.4, 1.613, 2.0, 2.01, 6.0])
    theirs = Qwen3ASRFeatureExtractor()(found, sampling_rate=16_000, padding=True, return_attention_mask=True)
    heard, _ = heard_by_us(found, 128, QWEN3_ASR)
    counted = theirs["attention_mask"].sum(1).tolist()
    assert (heard.frames - 2).tolist() == counted and counted[:3] == [50, 50, 162]
    for ours, features, frames in zip(heard.mels[:-1], theirs["input_features"], counted, strict=False):
        np.testing.assert_allclose(ours[:, :frames], features[:, :frames].numpy(), atol=2e-4)


def test_a_thinker_with_tied_embeddings_is_transformers(tmp_path: Path) -> None:
    pair = make(QWEN2_5_OMNI, tmp_path / "tied", TEXT, AUDIO, tied=True)
    assert "thinker.lm_head.weight" not in load_file(pair.folder / "model.safetensors")
    compare(pair, ROWS, columns=160)


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
