"""Supervised examples as rows of tokens, in an order that depends only on the seed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from earwitness.chat import question_text, render_prompt, render_response
from earwitness.errors import InputError
from earwitness.families.family import Family, clip_tokens
from earwitness.families.registry import MADE
from earwitness.hearing import clip_uris
from earwitness.manifest import Example
from earwitness.recipe.schema import Curriculum
from trainer.batches import Mels, Row
from trainer.tuning.curriculum import Lessons

WINDOW_BATCHES = 8
"""Examples are sorted by length within this many batches of the shuffled order: rows of a batch need little padding,
and which examples meet in a batch still changes from epoch to epoch."""
READ_AT_ONCE = 1_000
"""Examples in memory while lengths are counted: enough for the tokenizer to work on several cores."""


def load_tokenizer(model_dir: str | Path) -> Tokenizer:
    """The tokenizer of a Hugging Face directory. Raises InputError if there is none."""
    path = Path(model_dir) / "tokenizer.json"
    if not path.is_file():
        raise InputError(str(path), "no such file", "the tokenizer of a Hugging Face model directory")
    return Tokenizer.from_file(str(path))


class Rendering:
    """Makes rows of examples: the tokens that a model of one family reads and is to write."""

    def __init__(self, tokenizer: Tokenizer, mels: Mels, *, family: Family = MADE, max_positions: int) -> None:
        self._tokenizer = tokenizer
        self._mels = mels
        self._family = family
        self._max_positions = max_positions

    def row(self, example: Example) -> Row:
        """One example. Raises InputError if it is longer than the model can read."""
        clips = clip_uris(example.prompt)
        heard = [[clip_tokens(self._family, mel.shape[1], clip) for mel in self._mels[clip]] for clip in clips]
        prompt = self._encode(render_prompt(example.prompt, heard, self._family.layout))
        answer = example.prompt.answer if example.response is None else example.response
        response = self._encode(render_response(example.reasoning or "", answer, self._family.layout))
        if len(prompt) + len(response) > self._max_positions:
            problem = f"{len(prompt)} prompt and {len(response)} response tokens"
            raise InputError(f"example {example.prompt.id}", problem, f"at most {self._max_positions} together")
        return Row(np.array(prompt + response, dtype=np.int64), len(prompt), clips, f"example {example.prompt.id}")

    def text_lengths(self, examples: Sequence[Example]) -> list[int]:
        """Tokens of question and reasoning: what tells long rows from short ones without a look at the clip."""
        texts = [question_text(e.prompt) + (e.reasoning or "") for e in examples]
        return [len(encoding.ids) for encoding in self._tokenizer.encode_batch(texts, add_special_tokens=False)]

    def _encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False).ids


class Examples:
    """The examples of a supervised phase. What is kept of each is its length and its kind: millions fit in memory."""

    def __init__(
        self,
        examples: Sequence[Example],
        rendering: Rendering,
        *,
        batch_size: int,
        seed: int,
        curriculum: Curriculum | None = None,
    ) -> None:
        """`examples` are read once here, and again one by one as their turn comes."""
        self._examples = examples
        self._rendering = rendering
        self._batch_size = min(batch_size, len(examples))
        self._seed = seed
        self._lengths = np.empty(len(examples), dtype=np.int32)
        kinds: list[str] = []
        for start in range(0, len(examples), READ_AT_ONCE):
            part = examples[start : start + READ_AT_ONCE]
            self._lengths[start : start + len(part)] = rendering.text_lengths(part)
            if curriculum:
                kinds += [sys.intern(example.prompt.kind) for example in part]
        self._epoch: tuple[int, list[NDArray[np.int64]]] = (-1, [])
        self._lessons = Lessons(curriculum, kinds, self._batch_size, seed) if curriculum else None

    def batch(self, step: int) -> list[Row]:
        """The rows of update `step` (from 1), over all ranks: the same however often and in whatever order asked."""
        lessons = self._lessons.steps if self._lessons else 0
        if self._lessons and step <= lessons:
            return self._rows(self._lessons.batch(step))
        per_epoch = len(self._examples) // self._batch_size
        epoch, position = divmod(step - lessons - 1, per_epoch)
        if self._epoch[0] != epoch:
            self._epoch = (epoch, self._order(epoch))
        return self._rows(self._epoch[1][position])

    def _rows(self, indices: Iterable[int]) -> list[Row]:
        return [self._rendering.row(self._examples[int(index)]) for index in indices]

    def _order(self, epoch: int) -> list[NDArray[np.int64]]:
        """Batches of indices; the examples that do not fill the last batch wait for another epoch's shuffle."""
        random = np.random.default_rng([self._seed, epoch])
        shuffled = random.permutation(len(self._examples))
        whole = len(shuffled) // self._batch_size * self._batch_size
        window = WINDOW_BATCHES * self._batch_size
        batches: list[NDArray[np.int64]] = []
        for start in range(0, whole, window):
            part = shuffled[start : min(start + window, whole)]
            ordered = part[np.argsort(self._lengths[part], kind="stable")]
            cut = ordered.reshape(-1, self._batch_size)
            batches += [cut[index] for index in random.permutation(len(cut))]
        return batches
