"""Whether a checkpoint can be trained and rolled out, looked at before a GPU is rented."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from earwitness.chat import THINK_END, render_prompt, render_response, think_end_ids
from earwitness.errors import InputError
from earwitness.families.architecture import Architecture, read_architecture
from earwitness.json_text import parsed
from earwitness.logmel import SAMPLE_RATE, frames
from earwitness.wire.trajectory.v1 import trajectory_pb2
from trainer.model.stored import check_weights
from trainer.model.template import of_template
from trainer.model.weight_files import ITEM_BYTES, Directory

CLIP_SECONDS = (1, 10, 30)
"""Clips whose audio tokens are told."""
PROMPT = trajectory_pb2.Prompt(question="Which tone is higher?", choices=["the first", "the second"])
"""A conversation that every tokenizer must write."""
ANSWER = ("The first tone is near 440 Hz.", "the first")


@dataclass(frozen=True)
class Checkup:
    """What a directory holds."""

    architecture: Architecture
    types: dict[str, int]
    """Parameters that are trained, by their type in the files: {"BF16": 3706102784}."""
    passing: int
    """Parameters of parts that travel through untouched."""
    passing_bytes: int
    tokenizer: int
    """Tokens of the tokenizer."""
    special: dict[str, int]
    """Ids of the family's special tokens."""
    think_end: tuple[int, ...]
    """Ids that begin the end of the think block."""
    clips: dict[int, int]
    """Audio tokens of a clip of so many seconds."""
    template: tuple[str, str] | None
    """What its own chat template makes of a prompt, and what we write; None: it has none."""


def check_up(model_dir: Path) -> Checkup:
    """Reads config, headers and tokenizer. Raises InputError, a WeightsError among them, with what does not fit."""
    architecture = read_architecture(model_dir)
    types: Counter[str] = Counter()
    for _, stored in check_weights(architecture, model_dir).values():
        types[stored.dtype] += math.prod(stored.shape)
    passes = architecture.family.names.passes
    passing = [
        stored
        for file in Directory.read(model_dir).files
        for name, stored in file.tensors.items()
        if passes(name)
    ]  # fmt: skip
    tokenizer, content = _tokenizer(model_dir)
    special = _special(architecture, tokenizer, str(model_dir))
    return Checkup(
        architecture,
        dict(types),
        passing=sum(math.prod(stored.shape) for stored in passing),
        passing_bytes=sum(math.prod(stored.shape) * ITEM_BYTES.get(stored.dtype, 1) for stored in passing),
        tokenizer=tokenizer.get_vocab_size(),
        special=special,
        think_end=think_end_ids(content),
        clips={s: architecture.family.audio_tokens(frames(s * SAMPLE_RATE)) for s in CLIP_SECONDS},
        template=of_template(model_dir, PROMPT, architecture.family.layout),
    )


def conversation(architecture: Architecture, tokenizer: Tokenizer, audio_tokens: int) -> list[int]:
    """Token ids of a whole conversation in the family's layout."""
    layout = architecture.family.layout
    text = render_prompt(PROMPT, [[audio_tokens]], layout) + render_response(*ANSWER, layout)
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


def _tokenizer(model_dir: Path) -> tuple[Tokenizer, dict[str, object]]:
    path = model_dir / "tokenizer.json"
    try:
        text = path.read_text(encoding="utf-8")
        return Tokenizer.from_str(text), parsed(text)
    except FileNotFoundError:
        raise InputError(str(path), "no such file", "the tokenizer of the model's family") from None
    except Exception as error:  # tokenizers raises Exception itself
        raise InputError(str(path), f"cannot be read ({error})", "a tokenizer of the tokenizers library") from error


def _special(architecture: Architecture, tokenizer: Tokenizer, where: str) -> dict[str, int]:
    """Ids of the family's special tokens, each of which a conversation holds as one token."""
    family, found = architecture.family, {}
    for token in family.special_tokens:
        token_id = tokenizer.token_to_id(token)
        if token_id is None or tokenizer.encode(token, add_special_tokens=False).ids != [token_id]:
            raise InputError(f"{where}/tokenizer.json", f"{token} is no token", "the tokenizer of the model's family")
        found[token] = token_id
    rows, largest = architecture.decoder.vocab_size, max([*conversation(architecture, tokenizer, 1), *found.values()])
    if largest >= rows or tokenizer.get_vocab_size() > rows:
        problem = f"{tokenizer.get_vocab_size()} tokens, the largest id {largest}"
        raise InputError(f"{where}/tokenizer.json", problem, f"at most the {rows} rows of the embedding")
    if THINK_END not in tokenizer.decode(conversation(architecture, tokenizer, 1), skip_special_tokens=False):
        raise InputError(f"{where}/tokenizer.json", f"{THINK_END} does not come back", "one that writes any text")
    return found
