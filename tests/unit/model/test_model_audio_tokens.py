"""As many audio tokens as the trainer, the rollout workers and the processor make of a clip of any length."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from earwitness.families.architecture import Architecture
from earwitness.families.dims import AudioDims, DecoderDims
from earwitness.families.family import Family, clip_tokens
from earwitness.families.qwen2_audio import QWEN2_AUDIO
from earwitness.families.step_audio import STEP_AUDIO
from listener.build import build_listener
from rollout.model.clips import embed_clips
from trainer.model.audio import AudioBatch, AudioTower

MOST = 3_000
"""Mel frames that the encoder has positions for: 30 s."""
CLIPS = 250
"""Clips of a batch."""
DIMS = AudioDims(
    n_mels=1,
    positions=MOST // 2,
    size=2,
    heads=1,
    layers=0,  # lengths are decided by convolutions and pooling
    mlp_size=2,
    adapter_size=2,
    trailing_frames=0,
    learned_positions=True,
)
DECODER = DecoderDims(2, 2, 1, 1, 1, 64, 64, 1e-5, 1e4)
FAMILIES = {
    STEP_AUDIO: DIMS,
    QWEN2_AUDIO: replace(DIMS, adapter_size=None, trailing_frames=2),
}


def by_running_it(family: Family, frames: int) -> int:
    """The length that torch's own layers, in the order of the description, leave of a clip."""
    layer = torch.ones(1, 1, 3)
    x: Tensor = torch.zeros(1, 1, frames - FAMILIES[family].trailing_frames)
    x = F.conv1d(F.conv1d(x, layer, padding=1), layer, stride=2, padding=1)
    if x.shape[2] < 2:
        return 0  # torch refuses to pool what is shorter than its window
    x = F.avg_pool1d(x, 2, 2)
    return x.shape[2] if family is QWEN2_AUDIO else F.conv1d(x, layer, stride=2, padding=1).shape[2]


def lengths(family: Family) -> range:
    """Frames as `earwitness.logmel` gives them, of which 1 to 3,000 count."""
    return range(1 + FAMILIES[family].trailing_frames, MOST + FAMILIES[family].trailing_frames + 1)


@pytest.fixture(params=FAMILIES, ids=[family.model_type for family in FAMILIES])
def family(request: pytest.FixtureRequest) -> Family:
    torch.set_num_threads(1)
    return request.param


def test_the_prompt_has_as_many_placeholders_as_the_layers_leave(family: Family) -> None:
    assert [family.audio_tokens(n) for n in lengths(family)] == [by_running_it(family, n) for n in lengths(family)]


def test_qwen2_audios_processor_and_encoder_count_the_same() -> None:
    from transformers import Qwen2AudioEncoderConfig, Qwen2AudioProcessor
    from transformers.models.qwen2_audio.modeling_qwen2_audio import Qwen2AudioEncoder

    counted = torch.arange(1, MOST + 1)

    class Extractor:
        """In the place of the one that would compute 3,000 spectrograms: their masks are all that counts."""

        def fetch_audio(self, audio: list[int]) -> list[int]:
            return audio

        def __call__(self, audio: list[int], **_: object) -> dict[str, Tensor]:
            return {"attention_mask": torch.arange(MOST)[None, :] < counted[:, None]}

    processor = object.__new__(Qwen2AudioProcessor)
    processor.feature_extractor, processor.audio_token = Extractor(), "<|AUDIO|>"
    inputs, _ = processor._process_audio(counted.tolist())
    small = Qwen2AudioEncoderConfig(d_model=2, encoder_layers=1, encoder_attention_heads=1, encoder_ffn_dim=2)
    _, embeddings = Qwen2AudioEncoder(small)._get_feat_extract_output_lengths(counted)
    assert inputs["num_audio_tokens"] == embeddings.tolist()
    assert embeddings.tolist() == [QWEN2_AUDIO.audio_tokens(n) for n in lengths(QWEN2_AUDIO)]


@torch.no_grad()
def test_trainer_and_rollout_make_as_many_embeddings(family: Family) -> None:
    architecture = Architecture(family, DECODER, FAMILIES[family])
    tower = AudioTower(architecture)
    encoder, adapter = build_listener(architecture)
    heard = [n for n in lengths(family) if family.audio_tokens(n)]  # shorter clips are refused before
    assert heard[0] == lengths(family)[2]
    for start in range(0, len(heard), CLIPS):
        frames = heard[start : start + CLIPS]
        mels = torch.zeros(len(frames), 1, max(frames))
        embedded, counts = tower(AudioBatch(mels, torch.tensor(frames)))
        expected = [family.audio_tokens(n) for n in frames]
        assert counts.tolist() == expected
        assert embedded.shape[1] >= max(expected)
        clips = embed_clips(encoder, adapter, [mels[0, :, :n] for n in frames])
        assert [len(clip) for clip in clips] == expected


def test_a_clip_too_short_for_a_token_is_refused_by_name(family: Family) -> None:
    short = lengths(family)[1]
    with pytest.raises(Exception, match=f"tick.wav: {short} mel frames are too short"):
        clip_tokens(family, short, "tick.wav")
    assert clip_tokens(family, short + 1, "tick.wav") == 1
