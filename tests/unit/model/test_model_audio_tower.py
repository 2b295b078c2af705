"""The listener against a plain implementation written from its description, and clips against their neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from earwitness.families.step_audio import audio_tokens
from tests.unit.model.described import described
from trainer.batches import Row, collate
from trainer.model import audio as audio_module
from trainer.model.audio import AudioBatch, AudioTower
from trainer.model.build import build_policy
from trainer.model.encodings import Encodings
from trainer.model.kept import Kept

HEADS = 2


@pytest.fixture(scope="module")
def tower(toy_dir: Path) -> AudioTower:
    audio = build_policy(toy_dir).audio
    assert audio is not None
    return audio


@pytest.mark.parametrize("frames", [4, 5, 101, 102, 103, 104])
def test_equals_the_description(tower: AudioTower, toy_dir: Path, frames: int) -> None:
    mel = torch.randn(16, frames, generator=torch.Generator().manual_seed(frames))
    with torch.no_grad():
        heard, counts = tower(AudioBatch(mel[None], torch.tensor([frames])))
    expected = described(load_file(toy_dir / "model.safetensors"), mel, HEADS)
    assert heard.shape[1] == int(counts) == len(expected)
    torch.testing.assert_close(heard[0], expected, atol=1e-5, rtol=1e-5)


def test_a_clip_does_not_hear_its_neighbours(tower: AudioTower) -> None:
    lengths = [40, 41, 42, 43, 97, 160]
    mels = 3.0 * torch.randn(len(lengths), 16, 170)  # what lies beyond a clip's frames is noise
    with torch.no_grad():
        together, counts = tower(AudioBatch(mels, torch.tensor(lengths)))
        for row, frames in enumerate(lengths):
            alone, count = tower(AudioBatch(mels[row : row + 1, :, :frames], torch.tensor([frames])))
            assert int(counts[row]) == int(count)
            torch.testing.assert_close(together[row, : int(count)], alone[0], atol=1e-5, rtol=1e-5)


def test_as_many_embeddings_as_the_front_end_says(tower: AudioTower) -> None:
    for frames in [*range(4, 60), 2998, 2999, 3000]:
        with torch.no_grad():
            heard, counts = tower(AudioBatch(torch.zeros(1, 16, frames), torch.tensor([frames])))
        assert heard.shape[1] == int(counts) == audio_tokens(frames), frames


def test_refuses_a_clip_beyond_the_positions(tower: AudioTower) -> None:
    with pytest.raises(ValueError, match="longer than the encoder's 3000"):
        tower(AudioBatch(torch.zeros(1, 16, 3001), torch.tensor([3001])))


LENGTHS = {"a": 40, "b": 41, "c": 97, "d": 160, "twin of c": 97}


def clips(*names: str) -> AudioBatch:
    """The clips as batches of rows have them; two with the same sound have different names."""
    draws = {name: np.random.default_rng(LENGTHS[name]).normal(size=(16, LENGTHS[name])) for name in names}
    mels = {name: [mel.astype(np.float32)] for name, mel in draws.items()}
    row = np.array([1, 2], dtype=np.int64)
    audio = collate([(n, Row(row, 1, (name,))) for n, name in enumerate(names)], mels, torch.device("cpu")).audio
    assert audio is not None
    return audio


@pytest.fixture
def frozen(toy_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[AudioTower, list[int]]]:
    """A tower with a frozen encoder, and how many clips went through the encoder, call by call."""
    tower = build_policy(toy_dir, freeze_encoder=True).audio
    assert tower is not None
    monkeypatch.setattr(audio_module, "ENCODINGS", Encodings())
    calls: list[int] = []
    with_hook = tower.encoder.register_forward_pre_hook(lambda _, inputs: calls.append(len(inputs[0])))
    yield tower, calls
    with_hook.remove()


def test_a_frozen_encoder_hears_each_clip_once(frozen: tuple[AudioTower, list[int]]) -> None:
    tower, calls = frozen
    first, counts = tower(clips("a", "d", "c"))
    assert calls == [1, 1, 1]
    again, same = tower(clips("twin of c", "a", "b"))
    assert calls == [1, 1, 1, 1]
    for row, before in ((0, 2), (1, 0)):
        tokens = int(same[row])
        assert tokens == int(counts[before])
        torch.testing.assert_close(again[row, :tokens], first[before, :tokens], atol=0, rtol=0)


def test_what_is_kept_is_what_the_encoder_gives(frozen: tuple[AudioTower, list[int]], tower: AudioTower) -> None:
    batch = clips(*LENGTHS)
    heard, counts = frozen[0](batch)
    expected, expected_counts = tower(batch)
    assert torch.equal(counts, expected_counts)
    for row, count in enumerate(counts.tolist()):
        # alone and in a batch, sums are in another order: rounding goes with the size of what is summed
        bound = 1e-5 * float(expected[row, :count].abs().max())
        torch.testing.assert_close(heard[row, :count], expected[row, :count], atol=bound, rtol=0.0)
    heard[0, 0].sum().backward()
    assert all(p.grad is None for p in frozen[0].encoder.parameters())
    assert all(p.grad is not None for p in frozen[0].adapter.parameters())


def test_other_weights_are_another_encoder(frozen: tuple[AudioTower, list[int]]) -> None:
    tower, calls = frozen
    before, _ = tower(clips("a"))
    with torch.no_grad():
        tower.encoder.conv1.weight.mul_(0.5)
    after, _ = tower(clips("a"))
    assert calls == [1, 1]
    assert not torch.equal(before, after)
    with torch.no_grad():
        tower.encoder.conv1.weight.mul_(2.0)
    restored, _ = tower(clips("a"))
    assert calls == [1, 1]
    assert torch.equal(before, restored)


def test_an_encoder_that_learns_keeps_nothing(tower: AudioTower, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_module, "ENCODINGS", None)
    batch = clips("a", "c")
    together, _ = tower(batch)
    assert together.requires_grad
    assert all(p.requires_grad for p in tower.encoder.conv1.parameters())


def test_the_least_recently_used_are_dropped_for_room() -> None:
    kept: Kept[np.ndarray] = Kept(max_bytes=3 * 8)
    made: list[str] = []

    def get(key: str) -> None:
        kept.get(key, lambda: made.append(key) or np.zeros(1))

    for key in ("a", "b", "c", "a", "d", "a", "c", "b"):
        get(key)
    assert made == ["a", "b", "c", "d", "b"]
