"""A Whisper of ours, a few thousand weights that are fitted to two clips: it writes one sentence for each."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np

from earwitness.audio import SAMPLE_RATE

STEPS = 60
END, SPACE = "<|endoftext|>", "Ġ"
"""As Whisper's tokeniser writes them; every letter is a token."""
HOP = 1_600
"""Samples from one frame to the next: a tenth of what a Whisper hears, for a test of a few seconds."""


def sweep(low: float, high: float) -> np.ndarray:
    """Two seconds."""
    hertz = np.geomspace(low, high, 2 * SAMPLE_RATE)
    return (0.5 * np.sin(2 * np.pi * np.cumsum(hertz) / SAMPLE_RATE)).astype(np.float32)


SENTENCES: dict[str, Callable[[], np.ndarray]] = {
    "open the door": functools.partial(sweep, 200.0, 600.0),
    "good night": functools.partial(sweep, 3_000.0, 800.0),
}


def overfitted(folder: Path) -> Path:
    """Writes the model with its tokeniser and feature extractor to `folder`."""
    import torch
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperTokenizer,
    )

    letters = sorted({letter for text in SENTENCES for letter in text.replace(" ", SPACE)})
    vocabulary = {word: n for n, word in enumerate([*letters, END])}
    end = vocabulary[END]  # the last: what is above it is a time for Whisper's tokeniser
    tokenizer = WhisperTokenizer(vocab=vocabulary, merges=[], unk_token=END, bos_token=END, eos_token=END)
    extractor = WhisperFeatureExtractor(feature_size=80, chunk_length=30, hop_length=HOP, n_fft=HOP)
    config = WhisperConfig(
        vocab_size=len(vocabulary), d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, max_target_positions=16,
        max_source_positions=30 * SAMPLE_RATE // HOP // 2, pad_token_id=end, bos_token_id=end, eos_token_id=end,
        decoder_start_token_id=end, suppress_tokens=None, begin_suppress_tokens=None,
    )  # fmt: skip
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(config)
    sound = extractor([clip() for clip in SENTENCES.values()], sampling_rate=SAMPLE_RATE, return_tensors="pt")
    rows = [[*(vocabulary[letter] for letter in text.replace(" ", SPACE)), end] for text in SENTENCES]
    labels = torch.tensor([row + [-100] * (max(map(len, rows)) - len(row)) for row in rows])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(STEPS):
        optimizer.zero_grad()
        model(input_features=sound.input_features, labels=labels).loss.backward()
        optimizer.step()
    model.generation_config = GenerationConfig(
        max_length=16, decoder_start_token_id=end, bos_token_id=end, eos_token_id=end, pad_token_id=end
    )
    for part in (model, tokenizer, extractor):
        part.save_pretrained(folder)
    return folder
