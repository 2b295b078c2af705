"""The families of audio language models that are trained and served, and what all parts must agree on about each.

Both have Whisper's front end (`earwitness.logmel`) and a Qwen2 decoder. They differ in how they write a conversation
down, and in how many audio tokens a clip of so many mel frames has.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from earwitness.chat import QWEN2_AUDIO_LAYOUT, STEP_AUDIO_LAYOUT, Layout
from earwitness.errors import InputError
from earwitness.logmel import audio_tokens

QWEN2_AUDIO_TRAILING_FRAMES = 2
"""`logmel` pads clips so that they have two frames more than their length asks for. Qwen2-Audio does not count them,
but its convolutions see them at the clip's end, as they would in a clip padded with silence to 30 s."""


@dataclass(frozen=True)
class Family:
    """One family."""

    model_type: str
    """As `config.json` says."""
    architecture: str
    """The class, as `config.json` says."""
    layout: Layout
    """How it writes a conversation down."""
    audio_tokens: Callable[[int], int]
    """Audio tokens of a clip of so many mel frames."""
    trailing_frames: int
    """How many of a clip's last mel frames the encoder sees but does not count."""


def qwen2_audio_tokens(frames: int) -> int:
    """Audio tokens that Qwen2-Audio's encoder makes of `frames` mel frames, the trailing ones among them.

    The second convolution halves (kernel 3, stride 2, padding 1), the average pool halves and drops an odd frame:
    100 -> 50 -> 25 Hz. This is transformers' `_get_feat_extract_output_lengths` of the frames that count.
    """
    counted = max(frames - QWEN2_AUDIO_TRAILING_FRAMES, 0)
    return (counted + 1) // 2 // 2


STEP_AUDIO = Family("step_audio_2", "StepAudio2ForCausalLM", STEP_AUDIO_LAYOUT, audio_tokens, trailing_frames=0)
QWEN2_AUDIO = Family(
    "qwen2_audio",
    "Qwen2AudioForConditionalGeneration",
    QWEN2_AUDIO_LAYOUT,
    qwen2_audio_tokens,
    trailing_frames=QWEN2_AUDIO_TRAILING_FRAMES,
)
FAMILIES = (STEP_AUDIO, QWEN2_AUDIO)


def family_of(model_dir: str | Path) -> Family:
    """The family of the checkpoint in a directory. Raises InputError."""
    path = Path(model_dir) / "config.json"
    try:
        return family_of_config(json.loads(path.read_text(encoding="utf-8")), str(path))
    except FileNotFoundError:
        raise InputError(str(path), "no such file", "a Hugging Face model directory") from None
    except json.JSONDecodeError as error:
        raise InputError(str(path), f"is not JSON ({error})", "the model's config") from error


def family_of_config(config: Any, path: str) -> Family:
    """The family that a `config.json` names; `path` is what the error calls it."""
    named = config.get("architectures") if isinstance(config, dict) else None
    for family in FAMILIES:
        if isinstance(named, list) and family.architecture in named:
            return family
    raise InputError(f"{path}: architectures", f"is {named!r}", " or ".join(family.architecture for family in FAMILIES))


def clip_tokens(family: Family, frames: int, clip: str) -> int:
    """Audio tokens of a clip that a prompt needs. Raises InputError, naming the clip, if it is too short for any."""
    tokens = family.audio_tokens(frames)
    if tokens < 1:
        raise InputError(clip, f"{frames} mel frames are too short for an audio token", "a longer clip")
    return tokens
