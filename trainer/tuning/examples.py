"""Supervised examples as rows of tokens, in an order that depends only on the seed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from earwitness.chat import around, neutralise, question_text, render_prompt, render_response
from earwitness.errors import InputError
from earwitness.families.family import THINK_END, Family, clip_tokens
from earwitness.families.registry import MADE
from earwitness.hearing import clip_uris
from earwitness.manifest import Example
from earwitness.recipe.schema import Curriculum, Listening
from trainer.batches import Mels, Row
from trainer.tuning.curriculum import Lessons
from trainer.tuning.listening import Interleaved, interleaved

WINDOW_BATCHES = 8
"""Examples are sorted by length within this many batches of the shuffled order: rows of a batch need little padding,
and which examples meet in a batch still changes from epoch to epoch."""
CUTS, PACES = 1, 2
"""Tell the draws of cuts, and of paces, from those of a curriculum."""
FIRST_SHARE = 1 / 3
"""Share of the examples with nothing between their segments: who had no time to think while it listened thinks then."""
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

    def __init__(
        self,
        tokenizer: Tokenizer,
        mels: Mels,
        *,
        family: Family = MADE,
        max_positions: int,
        listening: Listening | None = None,
    ) -> None:
        """`listening`: how a trace stands between the segments of a clip; None: all of it stands behind the clip."""
        self._listening = listening
        self._tokenizer = tokenizer
        self._mels = mels
        self._family = family
        self._max_positions = max_positions

    def row(self, example: Example, cut: float | None = None, pace: float = 1.0) -> Row:
        """One example; with `cut`, from 0 to 1, its reasoning ends that far into it, and only the answer is learned.
        `pace`, from 0 to 1, says how much of what may stand between segments does.

        Raises InputError if it is longer than the model can read.
        """
        clips = clip_uris(example.prompt)
        heard = [[clip_tokens(self._family, mel.shape[1], clip) for mel in self._mels[clip]] for clip in clips]
        answer = example.prompt.answer if example.response is None else example.response
        response = self._encode(render_response(example.reasoning or "", answer, self._family.layout))
        prompt, first, given, said = self._prompt(example, heard, pace)
        response = response[said:]
        if cut is not None:
            # As a budget of thinking ends it: where it ends, and that it does, is not the policy's to say.
            thought = self._encode(neutralise(example.reasoning or ""))[said:]
            prompt += [*thought[: int(cut * (len(thought) + 1))], *self._encode(f"\n{THINK_END}\n")]
            response = self._encode(f"{neutralise(answer)}{self._family.layout.end_of_turn}")
            first, given = len(prompt), ()
        if len(prompt) + len(response) > self._max_positions:
            problem = f"{len(prompt)} prompt and {len(response)} response tokens"
            raise InputError(f"example {example.prompt.id}", problem, f"at most {self._max_positions} together")
        tokens = np.array(prompt + response, dtype=np.int64)
        return Row(tokens, first, clips, f"example {example.prompt.id}", given)

    def _prompt(self, example: Example, heard: Sequence[Sequence[int]], pace: float) -> Interleaved:
        """All that stands before the end of the human's turn, with what is thought in it."""
        layout = self._family.layout
        listening = self._listening
        if listening is None or example.prompt.clips or not heard:
            tokens = self._encode(render_prompt(example.prompt, heard, layout))
            return Interleaved(tokens, len(tokens), (), 0)
        head, mark, tail = around(question_text(example.prompt), layout)
        cut = [self._encode(mark.replace(layout.audio_patch, layout.audio_patch * count)) for count in heard[0]]
        thoughts = self._encode(neutralise(example.reasoning or ""))
        most, ends = int(pace * (listening.think_tokens + 1)), listening.pause_seconds > 0
        return interleaved(self._encode(head), cut, self._encode(tail), thoughts, most, ends=ends)

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
        think_incomplete: float = 0.0,
    ) -> None:
        """`examples` are read once here, and again one by one as their turn comes."""
        self._think_incomplete = think_incomplete
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
            return self._rows(self._lessons.batch(step), step)
        per_epoch = len(self._examples) // self._batch_size
        epoch, position = divmod(step - lessons - 1, per_epoch)
        if self._epoch[0] != epoch:
            self._epoch = (epoch, self._order(epoch))
        return self._rows(self._epoch[1][position], step)

    def _rows(self, indices: Iterable[int], step: int) -> list[Row]:
        """Which of them are cut, and where, and how fast is thought, depends on the seed and the step."""
        random = np.random.default_rng([self._seed, step, CUTS])
        paces = np.random.default_rng([self._seed, step, PACES])
        rows = []
        for index in indices:
            drawn, place = random.random(2)
            cut = place if drawn < self._think_incomplete else None
            pace = max(0.0, (paces.random() - FIRST_SHARE) / (1 - FIRST_SHARE))
            rows.append(self._rendering.row(self._examples[int(index)], cut, pace))
        return rows

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
