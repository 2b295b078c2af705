"""What all parts must agree on about a family of audio language models.

All have Whisper's front end (`earwitness.logmel`) and a Qwen2 or Qwen3 decoder. They differ in how they write a
conversation down, in how many audio tokens a clip of so many mel frames has, in their configs, and in the names of
their weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from earwitness.errors import InputError
from earwitness.families.dims import AudioDims, DecoderDims
from earwitness.families.names import OURS, Names
from earwitness.families.reading import Section

WHISPER_SECONDS = 29.98
"""Longest clip that Whisper's encoder hears at a time: it has 1500 positions of 20 ms, and the padding takes two frames
of 10 ms."""
THINK = "<think>"
THINK_END = "</think>"


@dataclass(frozen=True)
class Layout:
    """How a family of models writes a conversation down. Every token here is one id in its tokenizers."""

    opening: str
    """What stands before the human's words, and before the audio if that comes first."""
    audio_start: str
    """`{number}` in it stands for the number of the clip, from 1."""
    audio_patch: str
    """Placeholder of one audio embedding."""
    audio_end: str
    audio_first: bool
    """Whether the clip stands before the question."""
    end_of_turn: str
    assistant: str
    """What stands between the end of the human's turn and the response; it opens the think block."""


CHATML = ("<|im_start|>", "<|im_end|>")
"""Marks of Qwen's turns."""


def chatml(audio_start: str, audio_patch: str, audio_end: str, system: str = "You are a helpful assistant.") -> Layout:
    """Qwen's chat template. Its tokenizers have no think tokens: the tags are plain text, several ids each."""
    begin, end = CHATML
    return Layout(
        opening=f"{begin}system\n{system}{end}\n{begin}user\n",
        audio_start=audio_start,
        audio_patch=audio_patch,
        audio_end=audio_end,
        audio_first=True,
        end_of_turn=end,
        assistant=f"\n{begin}assistant\n{THINK}\n",
    )


@dataclass(frozen=True)
class Family:
    """One family."""

    model_type: str
    """As `config.json` says."""
    architecture: str
    """The class, as `config.json` says."""
    layout: Layout
    """How it writes a conversation down."""
    special_tokens: Sequence[str]
    """Its layout's; but for `THINK_END`, a well-formed response holds none."""
    audio_tokens: Callable[[int], int]
    """Audio tokens of a clip of so many mel frames."""
    read: Callable[[Section], tuple[DecoderDims, AudioDims]]
    """Dimensions from a `config.json`. Raises InputError, naming the field, for what the code does not do."""
    listener_shapes: Callable[[AudioDims, int], dict[str, tuple[int, ...]]]
    """Shape of every weight of the listener, by our name, before a decoder of that width."""
    longest_seconds: float = WHISPER_SECONDS
    """Longest clip. What a family's own processor or client hears beyond that stands in its file, with the reason."""
    shortest_seconds: float = 0.0
    """Length to which its own front end pads shorter clips with silence that is heard."""
    segment_seconds: float | None = None
    """Longer clips are cut into pieces of that length, each between marks of its own. None: they are heard whole."""
    full_seconds: float | None = None
    """Length to which its own front end pads with silence: what is as long ends in its mirror image. None: there is
    silence behind every clip."""
    names: Names = OURS
    """What its checkpoints call a weight."""
    inside: str | None = None
    """The object of `config.json` that describes the model; None: the whole."""
    reference: str | None = None
    """The class of transformers that hears and writes alone, if it has one."""
    beside: Sequence[str] = ()
    """Files of parts that travel through untouched, which look like weights in another format."""


def clip_tokens(family: Family, frames: int, clip: str) -> int:
    """Audio tokens of a clip that a prompt needs. Raises InputError, naming the clip, if it is too short for any."""
    tokens = family.audio_tokens(frames)
    if tokens < 1:
        raise InputError(clip, f"{frames} mel frames are too short for an audio token", "a longer clip")
    return tokens
