"""As many audio tokens as the trainer, the rollout workers and the processor make of a clip of any length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from earwitness.families.architecture import Architecture
from earwitness.families.audioflamingo3 import AUDIOFLAMINGO3
from earwitness.families.dims import AudioDims, DecoderDims
from earwitness.families.family import Family, clip_tokens
from earwitness.families.qwen2_5_omni import QWEN2_5_OMNI, WINDOW
from earwitness.families.qwen2_audio import QWEN2_AUDIO
from earwitness.families.qwen3_asr import CHUNK, LONGEST_FRAMES, QWEN3_ASR
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
    QWEN2_5_OMNI: replace(DIMS, adapter_size=None, trailing_frames=2, learned_positions=False),
    AUDIOFLAMINGO3: replace(DIMS, adapter_size=None, trailing_frames=2, learned_positions=False),
    QWEN3_ASR: replace(
        DIMS, adapter_size=None, trailing_frames=2, learned_positions=False, channels=1, longest_frames=LONGEST_FRAMES
    ),
}
FEWEST = {QWEN3_ASR: 1}
"""Frames that make a token, where not 3 do."""


def by_running_it(family: Family, frames: int) -> int:
    """The length that torch's own layers, in the order of the description, leave of a clip."""
    layer = torch.ones(1, 1, 3)
    whole: Tensor = torch.zeros(1, 1, frames - FAMILIES[family].trailing_frames)
    if family is QWEN3_ASR:
        chunks = list(whole.split(CHUNK, dim=2))
        for _ in range(3):
            chunks = [F.conv1d(x, layer, stride=2, padding=1) for x in chunks]
        return sum(x.shape[2] for x in chunks)
    windows = whole.split(WINDOW if family is QWEN2_5_OMNI else MOST, dim=2)
    convolved = [F.conv1d(F.conv1d(x, layer, padding=1), layer, stride=2, padding=1) for x in windows]
    x = torch.cat(convolved, dim=2)
    if x.shape[2] < 2:
        return 0  # torch refuses to pool what is shorter than its window
    x = F.avg_pool1d(x, 2, 2)
    return x.shape[2] if family is not STEP_AUDIO else F.conv1d(x, layer, stride=2, padding=1).shape[2]


def lengths(family: Family) -> range:
    """Frames as `earwitness.logmel` gives them, of which 1 to 3,000 count."""
    return range(1 + FAMILIES[family].trailing_frames, MOST + FAMILIES[family].trailing_frames + 1)


@pytest.fixture(params=FAMILIES, ids=[family.model_type for family in FAMILIES])
def family(request: pytest.FixtureRequest) -> Family:
    torch.set_num_threads(1)
    return request.param


def test_the_prompt_has_as_many_placeholders_as_the_layers_leave(family: Family) -> None:
    assert [family.audio_tokens(n) for n in lengths(family)] == [by_running_it(family, n) for n in lengths(family)]


class Masks:
    """In the place of a feature extractor that would compute 3,000 spectrograms: their masks are all that counts."""

    def fetch_audio(self, audio: list[int]) -> list[int]:
        return audio

    def __call__(self, audio: list[int], **_: object) -> dict[str, Tensor]:
        mask = torch.arange(MOST)[None, :] < torch.tensor(audio)[:, None]
        return {"attention_mask": mask, "input_features": torch.empty(0)}


def counted_by_qwen2_audio(counted: Tensor) -> tuple[list[int], list[int]]:
    """By transformers' processor and by its encoder."""
    from transformers import Qwen2AudioEncoderConfig, Qwen2AudioProcessor
    from transformers.models.qwen2_audio.modeling_qwen2_audio import Qwen2AudioEncoder

    processor = object.__new__(Qwen2AudioProcessor)
    processor.feature_extractor, processor.audio_token = Masks(), "<|AUDIO|>"
    inputs, _ = processor._process_audio(counted.tolist())
    small = Qwen2AudioEncoderConfig(d_model=2, encoder_layers=1, encoder_attention_heads=1, encoder_ffn_dim=2)
    _, embeddings = Qwen2AudioEncoder(small)._get_feat_extract_output_lengths(counted)
    return list(inputs["num_audio_tokens"]), embeddings.tolist()


def counted_by_qwen2_5_omni(counted: Tensor) -> tuple[list[int], list[int]]:
    """The same."""
    from transformers import BatchEncoding, Qwen2_5OmniProcessor
    from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniAudioEncoder

    class Texts:
        init_kwargs: ClassVar[dict[str, object]] = {}

        def __call__(self, text: list[str], **_: object) -> BatchEncoding:
            return BatchEncoding({"placeholders": [len(one) for one in text]})

    class Processor(Qwen2_5OmniProcessor):
        def __init__(self) -> None:
            self.feature_extractor, self.tokenizer = Masks(), Texts()
            self.audio_token, self.image_token, self.video_token = "a", "i", "v"
            self.image_processor = self.video_processor = SimpleNamespace(merge_size=2)

        def _merge_kwargs(self, *_: object, **__: object) -> dict[str, dict[str, object]]:
            videos = {"seconds_per_chunk": 2.0, "position_id_per_seconds": 25, "use_audio_in_video": False}
            return {"videos_kwargs": videos, "audio_kwargs": {}, "text_kwargs": {}}

    processed = Processor()(text=["a"] * len(counted), audio=counted.tolist())
    encoder = object.__new__(Qwen2_5OmniAudioEncoder)
    return processed["placeholders"], encoder._get_feat_extract_output_lengths(counted)[1].tolist()


def counted_by_audioflamingo3(counted: Tensor) -> tuple[list[int], list[int]]:
    """The same; clips of one window."""
    from transformers import AudioFlamingo3EncoderConfig, AudioFlamingo3Processor
    from transformers.models.audioflamingo3.modeling_audioflamingo3 import AudioFlamingo3Encoder

    lengths = AudioFlamingo3Processor._get_audio_token_length(object.__new__(AudioFlamingo3Processor), counted)
    small = AudioFlamingo3EncoderConfig(hidden_size=2, num_hidden_layers=1, num_attention_heads=1, intermediate_size=2)
    encoder = AudioFlamingo3Encoder(small)
    return lengths.tolist(), encoder._get_feat_extract_output_lengths(counted)[1].tolist()


def counted_by_qwen3_asr(counted: Tensor) -> tuple[list[int], list[int]]:
    """The same."""
    from transformers import Qwen3ASRProcessor
    from transformers.models.qwen3_asr.modeling_qwen3_asr import Qwen3ASREncoder

    placeholders = Qwen3ASRProcessor._get_audio_token_length(object.__new__(Qwen3ASRProcessor), counted)
    chunks = (counted[:, None] - CHUNK * torch.arange(MOST // CHUNK)).clamp(0, CHUNK)
    return placeholders.tolist(), Qwen3ASREncoder._post_cnn_length(chunks).sum(1).tolist()


@pytest.mark.parametrize(
    ("family", "count"),
    [
        (QWEN2_AUDIO, counted_by_qwen2_audio),
        (QWEN2_5_OMNI, counted_by_qwen2_5_omni),
        (AUDIOFLAMINGO3, counted_by_audioflamingo3),
        (QWEN3_ASR, counted_by_qwen3_asr),
    ],
)
def test_transformers_processor_and_encoder_count_the_same(
    family: Family, count: Callable[[Tensor], tuple[list[int], list[int]]]
) -> None:
    placeholders, embeddings = count(torch.arange(1, MOST + 1))
    assert placeholders == embeddings
    assert embeddings == [family.audio_tokens(n) for n in lengths(family)]


@torch.no_grad()
def test_trainer_and_rollout_make_as_many_embeddings(family: Family) -> None:
    architecture = Architecture(family, DECODER, FAMILIES[family])
    tower = AudioTower(architecture)
    encoder, adapter = build_listener(architecture)
    heard = [n for n in lengths(family) if family.audio_tokens(n)]  # shorter clips are refused before
    assert heard[0] == lengths(family)[FEWEST.get(family, 3) - 1]
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
    short = lengths(family)[0] + FEWEST.get(family, 3) - 2
    with pytest.raises(Exception, match=f"tick.wav: {short} mel frames are too short"):
        clip_tokens(family, short, "tick.wav")
    assert clip_tokens(family, short + 1, "tick.wav") == 1
