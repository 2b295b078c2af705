"""The log-mel against two independent implementations, and the frame and token counts against the real convolutions."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from earwitness.audio import MAX_SECONDS
from earwitness.errors import InputError
from earwitness.families.step_audio import audio_tokens
from earwitness.logmel import SAMPLE_RATE, frames, log_mel, mel_filters

torch.set_num_threads(1)


def slaney_filters(n_mels: int) -> np.ndarray:
    """Librosa's filters, [201, n_mels], by transformers, which is slow to import: only who asks does."""
    from transformers.audio_utils import mel_filter_bank

    return mel_filter_bank(201, n_mels, 0.0, 8000.0, 16000, norm="slaney", mel_scale="slaney")


def reference_log_mel(samples: np.ndarray, n_mels: int) -> np.ndarray:
    """Step-Audio-R1's front end as it is written for torch."""
    audio = torch.nn.functional.pad(torch.from_numpy(samples), (0, 479))
    stft = torch.stft(audio, 400, 160, window=torch.hann_window(400), return_complex=True)
    bank = slaney_filters(n_mels).astype(np.float32)
    mel = torch.from_numpy(bank).T @ (stft[..., :-1].abs() ** 2)
    log = torch.clamp(mel, min=1e-10).log10()
    return ((torch.maximum(log, log.max() - 8.0) + 4.0) / 4.0).numpy()


@pytest.mark.parametrize("n_mels", [40, 80, 128])
def test_the_filters_are_librosas(n_mels: int) -> None:
    expected = slaney_filters(n_mels).T
    np.testing.assert_allclose(mel_filters(n_mels), expected, atol=1e-12)


@pytest.mark.parametrize("samples", [1, 159, 160, 161, 16_000, 31_999])
@pytest.mark.parametrize("n_mels", [80, 128])
def test_the_spectrogram_is_step_audios(samples: int, n_mels: int) -> None:
    clip = np.random.default_rng(samples).normal(scale=0.1, size=samples).astype(np.float32)
    mel = log_mel(clip, n_mels)
    assert mel.shape == (n_mels, frames(samples))
    assert mel.dtype == np.float32
    np.testing.assert_allclose(mel, reference_log_mel(clip, n_mels), atol=2e-4)


def test_a_tone_stands_in_its_filter() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)
    loudest = int(log_mel(tone)[:, 50].argmax())
    bins = np.linspace(0, 8000, 201)
    assert abs(bins[mel_filters(128)[loudest].argmax()] - 1000) <= 40  # one FFT bin


def test_silence_is_flat() -> None:
    np.testing.assert_array_equal(log_mel(np.zeros(1600, dtype=np.float32)), np.float32(-1.5))


def test_the_same_clip_gives_the_same_bits() -> None:
    clip = np.random.default_rng(0).normal(size=20_000).astype(np.float32)
    assert log_mel(clip).tobytes() == log_mel(clip.copy()).tobytes()
    strided = np.repeat(clip, 2)[::2]
    assert log_mel(clip).tobytes() == log_mel(strided).tobytes()


@given(st.integers(1, 500_000))
def test_frames_are_the_hops_begun_and_two(samples: int) -> None:
    assert frames(samples) == -(-samples // 160) + 2


def test_tokens_are_what_the_convolutions_make_at_every_length() -> None:
    conv1 = torch.nn.Conv1d(1, 1, 3, stride=1, padding=1)
    conv2 = torch.nn.Conv1d(1, 1, 3, stride=2, padding=1)
    adaptor = torch.nn.Conv1d(1, 1, 3, stride=2, padding=1)
    pool = torch.nn.AvgPool1d(2, 2)
    with torch.inference_mode():
        for length in range(frames(1), 3001):
            made = adaptor(pool(conv2(conv1(torch.zeros(1, 1, length))))).shape[-1]
            assert audio_tokens(length) == made, length


def test_short_lengths_have_a_token_or_none() -> None:
    assert [audio_tokens(length) for length in (1, 2, 3)] == [0, 0, 1]
    assert audio_tokens(frames(1)) == 1


def test_the_longest_clip_fills_the_encoder() -> None:
    assert frames(int(MAX_SECONDS * SAMPLE_RATE)) == 3000
    assert audio_tokens(3000) == 375


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_clip_that_is_not_finite_is_refused(bad: float) -> None:
    clip = np.zeros(100, dtype=np.float32)
    clip[7] = bad
    with pytest.raises(InputError, match="NaN or infinity"):
        log_mel(clip)


@pytest.mark.parametrize("shape", [(0,), (2, 100)])
def test_a_clip_of_the_wrong_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="mono clip"):
        log_mel(np.zeros(shape, dtype=np.float32))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3000), st.floats(1e-6, 3e4), st.integers(0, 2**32 - 1))
def test_the_spectrogram_is_finite_and_spans_80_decibels(samples: int, scale: float, seed: int) -> None:
    clip = np.random.default_rng(seed).normal(scale=scale, size=samples).astype(np.float32)
    mel = log_mel(clip, 80)
    assert np.isfinite(mel).all()
    assert mel.max() - mel.min() <= 2.0 + 1e-6
