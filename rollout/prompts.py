"""From a task's prompt to token ids and clips, and from token ids back to text."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from earwitness.audio import read_audio, silence
from earwitness.chat import around, render_prompt
from earwitness.errors import InputError, shown
from earwitness.families.family import THINK_END
from earwitness.families.reading import Section
from earwitness.families.registry import family_of
from earwitness.hearing import Cut, check_segments, clip_uris, segments
from earwitness.logmel import frames
from earwitness.wire.trajectory.v1 import trajectory_pb2


@dataclass(frozen=True)
class EncodedPrompt:
    """What the engine is asked."""

    token_ids: list[int]
    """The prompt, with one placeholder for each segment."""
    segments: list[NDArray[np.float32]]
    """Segments of the clips in order, each `[samples]`, 16 kHz mono; none for text-only prompts."""
    segment_ids: list[str]
    """Identity of each one's content, for caches."""


class PromptCodec:
    """The tokenizer of one model directory."""

    def __init__(self, model_dir: str) -> None:
        self._tokenizer = Tokenizer.from_file(str(Path(model_dir) / "tokenizer.json"))
        family = self._family = family_of(model_dir)
        self._layout = family.layout
        end = self._tokenizer.token_to_id(self._layout.end_of_turn)
        if end is None:
            problem = f"has no token {self._layout.end_of_turn}"
            raise InputError(f"{model_dir}/tokenizer.json", problem, "the tokenizer of the model's family")
        self.stop_ids = sorted({end, *_config_stop_ids(Path(model_dir), family.inside or "")})
        """Tokens that end a turn."""
        self.think_end = self.ids(f"\n{THINK_END}\n")
        """Tokens that close a think block as `render_response` does."""

    def encode(self, prompt: trajectory_pb2.Prompt, *, without_audio: bool = False) -> EncodedPrompt:
        """Reads the clips and renders the prompt; `without_audio` puts silence in the place of each.

        Raises AudioError if a clip cannot be used, InputError if there are more segments than the engine takes.
        """
        seconds = self._family.longest_seconds
        uris = clip_uris(prompt)
        return self.encode_heard(
            prompt, [silence() if without_audio else read_audio(uri, max_seconds=seconds) for uri in uris]
        )

    def encode_heard(self, prompt: trajectory_pb2.Prompt, clips: Sequence[NDArray[np.float32]]) -> EncodedPrompt:
        """As `encode`, of clips `[samples]` that have been read."""
        of_clips = [segments(samples, self._family) for samples in clips]
        cut = [segment for of_clip in of_clips for segment in of_clip]
        check_segments(prompt.id, len(cut))
        ids = self.ids(render_prompt(prompt, [[1] * len(of_clip) for of_clip in of_clips], self._layout))
        return self.part(ids, cut)

    def part(self, token_ids: list[int], cut: list[NDArray[np.float32]]) -> EncodedPrompt:
        """A prompt, or a part of one, of these tokens and segments."""
        return EncodedPrompt(token_ids, cut, [xxhash.xxh3_128_hexdigest(segment.tobytes()) for segment in cut])

    def around(self, question: str) -> tuple[list[int], list[int], list[int]]:
        """The tokens before the one clip of a question, those of each of its segments, and those behind it: put
        together, what `encode_heard` gives."""
        head, mark, tail = around(question, self._layout)
        return self.ids(head), self.ids(mark), self.ids(tail)

    def cut(self, samples: NDArray[np.float32], seconds: float | None) -> list[NDArray[np.float32]]:
        """A clip `[samples]` in segments of so many seconds; None: as its family cuts it."""
        return segments(samples, self._family, None if seconds is None else Cut(seconds))

    def audio_tokens(self, samples: int) -> int:
        """Tokens of a segment of so many samples."""
        return self._family.audio_tokens(frames(samples))

    def stop_tokens(self, sampling: trajectory_pb2.Sampling) -> list[int]:
        """Tokens that end a response: those that end a turn, and those asked for. Raises InputError."""
        asked = set()
        for text in sampling.stop:
            ids = self.ids(text)
            if len(ids) != 1:
                raise InputError("sampling.stop", f"{text!r} is {len(ids)} tokens", "strings of one token each")
            asked.add(ids[0])
        return sorted({*self.stop_ids, *asked})

    def has_thought(self, token_ids: list[int]) -> bool:
        """Whether the think block of a response is closed."""
        return THINK_END in self.text(token_ids)

    def decode(self, token_ids: list[int], stop_tokens: Collection[int]) -> str:
        """The text of a response, without the token that ended it."""
        if token_ids and token_ids[-1] in stop_tokens:
            token_ids = token_ids[:-1]
        return self.text(token_ids)

    def text(self, token_ids: list[int]) -> str:
        """The text of tokens, whatever they are."""
        text: str = self._tokenizer.decode(token_ids, skip_special_tokens=False)
        return text

    def pieces(self) -> Callable[[int], str]:
        """Text as its tokens come: what each adds, nothing while a character is not whole."""
        stream = DecodeStream(skip_special_tokens=False)
        return lambda token_id: stream.step(self._tokenizer, token_id) or ""

    def ids(self, text: str) -> list[int]:
        """The tokens of a text."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids


def _config_stop_ids(model_dir: Path, inside: str) -> set[int]:
    """End tokens named by the checkpoint, whose config may stand `inside` another: one id or a list.

    Raises InputError.
    """
    found: set[int] = set()
    for name in ("config.json", "generation_config.json"):
        path = model_dir / name
        config = Section.of_file(path).fields if path.exists() else {}
        described = _object(config.get(inside, config))
        for section in (config, described, _object(described.get("text_config"))):
            ids = section.get("eos_token_id")
            named = ids if isinstance(ids, list) else [ids] if ids is not None else []
            if not all(isinstance(token, int) for token in named):
                raise InputError(f"{path}: eos_token_id", f"is {shown(ids)}", "a token's number, or a list of them")
            found.update(named)
    return found


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
