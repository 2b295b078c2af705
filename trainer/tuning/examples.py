"""Supervised examples as rows of tokens, in an order that depends only on the seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from earwitness.chat import question_text, render_prompt, render_response
from earwitness.errors import InputError
from earwitness.families.family import Family, clip_tokens
from earwitness.families.registry import MADE
from earwitness.manifest import Example
from earwitness.recipe.schema import Curriculum
from trainer.batches import Mels, Row
from trainer.tuning.curriculum import Lessons

WINDOW_BATCHES = 8
"""Examples are sorted by length within this many batches of the shuffled order: rows of a batch need little padding,
and which examples meet in a batch still changes from epoch to epoch."""


def load_tokenizer(model_dir: str | Path) -> Tokenizer:
    """The tokenizer of a Hugging Face directory. Raises InputError if there is none."""
    path = Path(model_dir) / "tokenizer.json"
    if not path.is_file():
        raise InputError(str(path), "no such file", "the tokenizer of a Hugging Face model directory")
    return Tokenizer.from_file(str(path))


class Examples:
    """The examples of a supervised phase."""

    def __init__(
        self,
        examples: Sequence[Example],
        tokenizer: Tokenizer,
        mels: Mels,
        *,
        family: Family = MADE,
        batch_size: int,
        max_positions: int,
        seed: int,
        curriculum: Curriculum | None = None,
    ) -> None:
        self._examples = examples
        self._tokenizer = tokenizer
        self._mels = mels
        self._family = family
        self._batch_size = min(batch_size, len(examples))
        self._max_positions = max_positions
        self._seed = seed
        texts = [question_text(e.prompt) + (e.reasoning or "") for e in examples]
        self._lengths = [len(encoding.ids) for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]
        self._epoch: tuple[int, list[list[int]]] = (-1, [])
        kinds = [example.prompt.kind for example in examples]
        self._lessons = Lessons(curriculum, kinds, self._batch_size, seed) if curriculum else None

    def batch(self, step: int) -> list[Row]:
        """The rows of update `step` (from 1), over all ranks: the same however often and in whatever order asked."""
        lessons = self._lessons.steps if self._lessons else 0
        if self._lessons and step <= lessons:
            return [self.row(self._examples[index]) for index in self._lessons.batch(step)]
        per_epoch = len(self._examples) // self._batch_size
        epoch, position = divmod(step - lessons - 1, per_epoch)
        if self._epoch[0] != epoch:
            self._epoch = (epoch, self._order(epoch))
        return [self.row(self._examples[index]) for index in self._epoch[1][position]]

    def row(self, example: Example) -> Row:
        """One example. Raises InputError if it is longer than the model can read."""
        clip = example.prompt.audio_uri
        placeholders = clip_tokens(self._family, self._mels[clip].shape[1], clip) if clip else 0
        prompt = self._encode(render_prompt(example.prompt, placeholders, self._family.layout))
        answer = example.prompt.answer if example.response is None else example.response
        response = self._encode(render_response(example.reasoning or "", answer, self._family.layout))
        if len(prompt) + len(response) > self._max_positions:
            problem = f"{len(prompt)} prompt and {len(response)} response tokens"
            raise InputError(f"example {example.prompt.id}", problem, f"at most {self._max_positions} together")
        return Row(np.array(prompt + response, dtype=np.int64), len(prompt), clip, f"example {example.prompt.id}")

    def _order(self, epoch: int) -> list[list[int]]:
        """Batches of indices; the examples that do not fill the last batch wait for another epoch's shuffle."""
        random = np.random.default_rng([self._seed, epoch])
        shuffled = random.permutation(len(self._examples)).tolist()
        whole = len(shuffled) // self._batch_size * self._batch_size
        window = WINDOW_BATCHES * self._batch_size
        batches = []
        for start in range(0, whole, window):
            ordered = sorted(shuffled[start : min(start + window, whole)], key=self._lengths.__getitem__)
            cut = [ordered[at : at + self._batch_size] for at in range(0, len(ordered), self._batch_size)]
            batches += [cut[index] for index in random.permutation(len(cut))]
        return batches

    def _encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False).ids
