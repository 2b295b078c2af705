"""One forward pass of a checkpoint, ours against transformers'."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from earwitness.families.architecture import Architecture, read_architecture
from earwitness.logmel import SAMPLE_RATE, log_mel
from trainer.model.audio import AudioBatch
from trainer.model.build import build_policy
from trainer.model.checkup import conversation
from trainer.model.logprobs import response_logprobs
from trainer.ranks.parallel import initialize

SECONDS = 2.613
"""Of the clip: noise, of an odd number of frames."""
COPIES = 2.5
"""Ours, theirs, and what is read of a file meanwhile; each in float32."""

MASKS = ("feature_attention_mask", "input_features_mask")
"""What classes call the mask of the features."""


def why_not(architecture: Architecture) -> str | None:
    """Why there is nothing to compare with here."""
    if architecture.family.reference is None:
        return f"transformers has no {architecture.family.architecture}"
    needed, there = COPIES * 4 * architecture.parameters, _available()
    if needed > there:
        return f"two copies in float32 need {needed / 1e9:.1f} GB, {there / 1e9:.1f} GB of memory are free"
    return None


@torch.no_grad()
def largest_difference(model_dir: Path) -> float:
    """Between log-probs of a conversation about a clip, in float32. `why_not` must have nothing to say."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    architecture = read_architecture(model_dir)
    # first, for where torch.distributed is running transformers leaves it to others to fill its rotary embedding
    theirs: Any = getattr(transformers, str(architecture.family.reference)).from_pretrained(
        model_dir, dtype=torch.float32, local_files_only=True
    )
    initialize(1, 1)
    policy = build_policy(model_dir).eval()
    clip = (0.1 * np.random.default_rng(1).standard_normal(int(SECONDS * SAMPLE_RATE))).astype(np.float32)
    mel = torch.from_numpy(log_mel(clip, architecture.audio.n_mels))
    audio = AudioBatch(mel[None], torch.tensor([mel.shape[1]]))
    heard = architecture.family.audio_tokens(mel.shape[1])
    tokens = torch.tensor([conversation(architecture, Tokenizer.from_file(str(model_dir / "tokenizer.json")), heard)])
    ours = response_logprobs(policy(tokens, audio, torch.tensor([0])), tokens)[:, 1:]
    extract = transformers.WhisperFeatureExtractor(feature_size=architecture.audio.n_mels)
    features = extract(clip, sampling_rate=SAMPLE_RATE, return_attention_mask=True, return_tensors="pt")
    if architecture.audio.channels is not None:  # what convolves chunk by chunk sees nothing behind the clip
        features["input_features"] = features["input_features"] * features["attention_mask"][:, None]
    takes = inspect.signature(theirs.forward).parameters
    heard_of = {name: features["attention_mask"] for name in MASKS if name in takes}
    logits = theirs.eval()(
        input_ids=tokens,
        input_features=features["input_features"],
        attention_mask=torch.ones_like(tokens),
        **heard_of,
    ).logits
    expected = logits.log_softmax(-1)[:, :-1].gather(-1, tokens[:, 1:, None]).squeeze(-1)
    return float((ours - expected).abs().max())


def _available() -> int:
    """Bytes of memory that programs can have."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
