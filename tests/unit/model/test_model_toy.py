"""Toy model directories."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from earwitness.families.architecture import read_architecture
from earwitness.families.step_audio import AUDIO_END, AUDIO_PATCH, AUDIO_START, BOT, EOT, PAD, SPECIAL_TOKENS
from earwitness.logmel import log_mel
from earwitness.recipe.schema import ToyModel
from trainer.model.audio import AudioBatch, AudioTower
from trainer.model.toy import make_toy, random_weights, toy_architecture

TEXTS = [f"the pitch climbs from {hz} Hz to {2 * hz} Hz" for hz in range(200, 260)]


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_toy(str(tmp_path / name), ToyModel(hidden_size=32, layers=1, encoder_layers=1), TEXTS, seed=1)
    for file in ("config.json", "tokenizer.json", "model.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_an_existing_directory_is_replaced_whole(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "stale").write_text("")
    make_toy(str(tmp_path / "a"), ToyModel(hidden_size=32, layers=1, encoder_layers=1), TEXTS, seed=1)
    assert not (tmp_path / "a" / "stale").exists()


def test_special_tokens_are_one_id_each_and_bytes_survive(toy_dir: Path) -> None:
    tokenizer = Tokenizer.from_file(str(toy_dir / "tokenizer.json"))
    text = f"{BOT}human\nWie hoch? 音{AUDIO_START}{AUDIO_PATCH * 3}{AUDIO_END}{EOT}"
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert ids.count(tokenizer.token_to_id(AUDIO_PATCH)) == 3
    assert [i for i in ids if i < len(SPECIAL_TOKENS)] == [
        SPECIAL_TOKENS.index(token)
        for token in (
            BOT,
            AUDIO_START,
            *[AUDIO_PATCH] * 3,
            AUDIO_END,
            EOT,
        )
    ]
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


def test_config_fits_tokenizer_and_weights(toy_dir: Path) -> None:
    architecture = read_architecture(toy_dir)
    tokenizer = Tokenizer.from_file(str(toy_dir / "tokenizer.json"))
    assert architecture.decoder.vocab_size % 64 == 0
    assert 0 <= architecture.decoder.vocab_size - tokenizer.get_vocab_size() < 64
    text = json.loads((toy_dir / "config.json").read_text())["text_config"]
    assert tokenizer.id_to_token(text["eos_token_id"]) == EOT
    assert tokenizer.id_to_token(text["pad_token_id"]) == PAD
    weights = load_file(toy_dir / "model.safetensors")
    assert {name: tuple(tensor.shape) for name, tensor in weights.items()} == architecture.weight_shapes()


def test_fresh_weights_are_at_the_scale_of_their_kind() -> None:
    architecture = toy_architecture(ToyModel(), tokens=700)
    weights = random_weights(architecture, seed=1)
    assert abs(weights["model.embed_tokens.weight"].std() - 0.02) < 1e-3
    assert weights["model.layers.0.mlp.down_proj.weight"].std() < 0.01
    assert torch.equal(weights["model.norm.weight"], torch.ones(128))
    assert torch.equal(weights["encoder.blocks.0.attn_ln.bias"], torch.zeros(128))
    assert abs(weights["encoder.conv1.weight"].std() - (2 / (128 * 3)) ** 0.5) < 1e-3
    table = weights["encoder.positional_embedding.weight"]
    assert torch.allclose(table[0], torch.cat([torch.zeros(64), torch.full((64,), 0.1)]))


def test_what_a_fresh_tower_says_depends_on_what_it_hears() -> None:
    """Clips of one length differ as much as places within a clip do: positions must not drown the sound."""
    architecture = toy_architecture(ToyModel(), tokens=700)
    tower = AudioTower(architecture)
    weights = random_weights(architecture, seed=1)
    tower.load_state_dict({n: w for n, w in weights.items() if n.startswith(("encoder.", "adapter."))})
    time = np.arange(12_800) / 16_000
    clips = [0.1 * np.sin(2 * np.pi * hz * time).astype(np.float32) for hz in (200, 310, 490, 760)]
    mels = torch.from_numpy(np.stack([log_mel(clip) for clip in clips]))
    with torch.no_grad():
        heard, _ = tower(AudioBatch(mels, torch.full((len(clips),), mels.shape[2])))
    between_clips, between_places = heard.std(0).mean(), heard.std(1).mean()
    assert between_clips > between_places
