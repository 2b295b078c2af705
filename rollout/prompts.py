"""From a task's prompt to token ids and a clip, and from token ids back to text."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xxhash
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from earwitness.audio import read_audio, silence
from earwitness.chat import render_prompt
from earwitness.errors import InputError
from earwitness.families.family import THINK_END
from earwitness.families.registry import family_of
from earwitness.wire.trajectory.v1 import trajectory_pb2


@dataclass(frozen=True)
class EncodedPrompt:
    """What the engine is asked."""

    token_ids: list[int]
    """The prompt, with one placeholder for the clip."""
    samples: NDArray[np.float32] | None
    """The clip `[samples]`, 16 kHz mono; none for text-only prompts."""
    clip_id: str
    """Identity of the clip's content, for caches; empty without one."""


class PromptCodec:
    """The tokenizer of one model directory."""

    def __init__(self, model_dir: str) -> None:
        self._tokenizer = Tokenizer.from_file(str(Path(model_dir) / "tokenizer.json"))
        family = family_of(model_dir)
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
        """Reads the clip and renders the prompt; `without_audio` puts silence in the clip's place.

        Raises AudioError if the clip cannot be used.
        """
        if not prompt.audio_uri:
            return self.encode_heard(prompt, None)
        return self.encode_heard(prompt, silence() if without_audio else read_audio(prompt.audio_uri))

    def encode_heard(self, prompt: trajectory_pb2.Prompt, samples: NDArray[np.float32] | None) -> EncodedPrompt:
        """As `encode`, of a clip `[samples]` that has been read, or of none."""
        if samples is None:
            return EncodedPrompt(self.ids(render_prompt(prompt, 0, self._layout)), None, "")
        clip_id = xxhash.xxh3_128_hexdigest(samples.tobytes())
        return EncodedPrompt(self.ids(render_prompt(prompt, 1, self._layout)), samples, clip_id)

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
    """End tokens named by the checkpoint, whose config may stand `inside` another: one id or a list."""
    found: set[int] = set()
    for name in ("config.json", "generation_config.json"):
        path = model_dir / name
        config = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        described = config.get(inside, config)
        for section in (config, described, described.get("text_config", {})):
            ids = section.get("eos_token_id")
            if ids is not None:
                found.update(ids if isinstance(ids, list) else [ids])
    return found
