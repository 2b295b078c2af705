"""Tokens of a manifest's rows as the trainer and vLLM will count them, and which rows do not fit: told before a job."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import soundfile

from earwitness.audio import read_clip
from earwitness.chat import render_prompt, render_response
from earwitness.containers import whole
from earwitness.errors import AudioError, EarwitnessError, InputError, Problem
from earwitness.extras import module_of
from earwitness.families.architecture import read_architecture
from earwitness.families.family import clip_tokens
from earwitness.hearing import MAX_CLIPS, Cut, check_segments, clip_uris, read_segments
from earwitness.logmel import SAMPLE_RATE, frames
from earwitness.manifest import MAX_PROBLEMS, Example, ManifestError, scan_manifest
from earwitness.parallel import in_parallel
from earwitness.recipe.recipe import Recipe
from earwitness.recipe.schema import Tune
from earwitness.recipe.stages import Stage

Told = Callable[[int, int], None]
Way = Cut | None
"""How clips are cut into segments; None: the family's own way."""


@dataclass(frozen=True)
class Length:
    """Tokens of one row."""

    prompt: int
    """With what is heard."""
    heard: int
    """Of these, of its clips."""
    response: int
    """Reasoning and answer, as it is learned from."""


@dataclass(frozen=True)
class Fitting:
    """What a manifest's rows come to under one stage."""

    stage: str
    manifest: str
    rows: int
    longest: int
    """Tokens of the longest prompt."""
    limit: int
    """Longest sequence of the model."""
    cut: int
    """Rows whose response may be cut off sooner than `sampling.max_tokens` says."""


class Counting:
    """Counts with the tokenizer and the family of one model directory. Raises InputError if there is none."""

    def __init__(self, model_dir: str) -> None:
        self._path = Path(model_dir) / "tokenizer.json"
        if not self._path.is_file():
            raise InputError(str(self._path), "no such file", "the tokenizer of a Hugging Face model directory")
        architecture = read_architecture(model_dir)
        self._family = architecture.family
        self.limit = architecture.decoder.max_positions

    @cached_property
    def _tokenizer(self) -> Any:
        tokenizers = module_of("cpu", "tokenizers", "--data")
        try:
            return tokenizers.Tokenizer.from_file(str(self._path))
        except Exception as error:  # the package raises no other type
            raise InputError(str(self._path), f"cannot be read ({error})", "a tokenizer's file") from error

    def fits_surely(self, example: Example, cut: Way = None, *, learned: bool) -> bool:
        """Whether a row fits even if each byte of its words is a token: by the longest clips there are, or else by what
        its clips' files state of their length. Decodes nothing. Raises AudioError."""
        layout, prompt = self._family.layout, example.prompt
        words = render_prompt(prompt, [])
        if learned:
            answer = prompt.answer if example.response is None else example.response
            words += render_response(example.reasoning or "", answer, layout)
        room = self.limit - len(words.encode())
        uris = clip_uris(prompt)
        if len(uris) * self._heard(self._family.longest_seconds, cut) < room:
            return True
        return room > 0 and sum(self._heard(_stated_seconds(uri), cut) for uri in uris) < room

    def _heard(self, seconds: float, cut: Way) -> int:
        """Most tokens of a clip so long, its marks among them."""
        layout, longest = self._family.layout, self._family.longest_seconds
        step, quiet = cut or (self._family.segment_seconds or longest, 0.0)
        pieces = max(1, math.ceil(seconds / step)) + (quiet > 0)
        most = max(min(seconds, step), self._family.shortest_seconds)
        of_one = self._family.audio_tokens(frames(math.ceil(most * SAMPLE_RATE) + 1)) + 1
        return pieces * (of_one + len(f"{layout.audio_start}{MAX_CLIPS}{layout.audio_end}".encode()))

    def length(self, example: Example, cut: Way = None) -> Length:
        """Decodes the row's clips. Raises InputError, AudioError for what cannot be asked."""
        prompt, family = example.prompt, self._family
        of_clips = [
            [clip_tokens(family, frames(len(segment)), uri) for segment in read_segments(uri, family, cut)]
            for uri in clip_uris(prompt)
        ]
        if cut is None:  # else no engine is asked
            check_segments(prompt.id, sum(map(len, of_clips)))
        answer = prompt.answer if example.response is None else example.response
        return Length(
            self._count(render_prompt(prompt, of_clips, family.layout)),
            sum(map(sum, of_clips)),
            self._count(render_response(example.reasoning or "", answer, family.layout)),
        )

    def _count(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)


def check_lengths(recipe: Recipe, problems: list[Problem], told: Told) -> list[Fitting]:
    """Every row of the manifests on disk, under every stage that uses it; what does not fit is added to `problems`.

    Raises InputError for a model whose tokens cannot be counted yet, ManifestError for a manifest that is wrong.
    """
    if recipe.model.path is None:
        raise InputError("model", "is a toy, whose tokenizer is made when the job starts", "model.path: a checkpoint")
    counting, fitting = Counting(recipe.model.path), list[Fitting]()
    for name, uri, uses in _used(recipe, recipe.data):
        rows = list(_lengths(counting, uri, _all_cuts(uses), problems, told))
        for use in uses:
            problems += [wrong for at, found in rows for wrong in _too_long(at, found, use, counting.limit)]
            sampling, cut = use.stage.sampled(), 0
            if sampling is not None:
                tight = range(counting.limit - sampling.max_tokens + 1, counting.limit)
                cut = sum(lengths[None].prompt in tight for _, lengths in rows)
            longest = max((lengths[way].prompt for _, lengths in rows for way in use.cuts), default=0)
            fitting.append(Fitting(use.where, name, len(rows), longest, counting.limit, cut))
    return fitting


def refuse_too_long(model: str, recipe: Recipe, manifests: Mapping[str, str], told: Callable[[str, int], None]) -> None:
    """Raises ManifestError, naming rows that are too long for the model that a job has made or been given.

    Rows are counted only where bytes and headers do not show that they fit. A clip that cannot be heard is its worker's
    to tell: one sample of many is dropped for it."""
    counting, problems = Counting(model), list[Problem]()
    for name, uri, uses in _used(recipe, manifests):
        learned = any(use.stage.sampled() is None for use in uses)
        rows = scan_manifest(uri, problems)
        long = in_parallel(partial(_if_long, counting, learned, _all_cuts(uses)), rows, os.cpu_count() or 1)
        for number, identity, found in long:
            told(name, number)
            at = f"{uri}:{number} ({identity})"
            if isinstance(found, dict):
                for use in uses:
                    problems += _too_long(at, found, use, counting.limit)
            elif found is not None:
                problems.append(Problem(at, str(found), "a row that can be asked"))
            if len(problems) >= MAX_PROBLEMS:
                break
    if problems:
        raise ManifestError(problems)


def _if_long(
    counting: Counting, learned: bool, cuts: set[Way], row: tuple[int, int, Example | None]
) -> tuple[int, str, dict[Way, Length] | EarwitnessError | None]:
    """The row's number and id, and its lengths if one may be too much."""
    number, _, example = row
    if example is None:
        return number, "", None
    try:
        sure = all(counting.fits_surely(example, cut, learned=learned) for cut in cuts)
        return number, example.prompt.id, None if sure else {cut: counting.length(example, cut) for cut in cuts}
    except AudioError:
        return number, example.prompt.id, None
    except EarwitnessError as error:
        return number, example.prompt.id, error


def _stated_seconds(uri: str) -> float:
    try:
        found = soundfile.info(io.BytesIO(whole(read_clip(uri), uri)))
    except soundfile.SoundFileError as error:
        raise AudioError(uri, "cannot be decoded", "an audio file") from error
    return float(found.frames / found.samplerate)


@dataclass(frozen=True)
class _Use:
    """A stage that uses a manifest."""

    where: str
    stage: Stage
    cuts: list[Way]
    """How it cuts clips, each way once."""


def _used(recipe: Recipe, manifests: Mapping[str, str]) -> Iterator[tuple[str, str, list[_Use]]]:
    """Manifests that stages use: name, URI, and the stages."""
    for name, uri in manifests.items():
        uses = [
            _Use(f"stages[{n}] ({stage.type})", stage, _cuts(stage))
            for n, stage in enumerate(recipe.stages)
            if name in stage.manifests
        ]
        if uses:
            yield name, uri, uses


def _cuts(stage: Stage) -> list[Way]:
    """How a stage's clips are cut, each way once: what samples hears them as the family does, what learns as
    `tune.listening` has it."""
    learned: list[Way] = []
    for training in filter(None, map(stage.training, stage.phases())):
        listening = training.listening if isinstance(training, Tune) else None
        learned.append(listening.cut if listening else None)
    return list(dict.fromkeys([*learned, None] if stage.sampled() is not None else learned))


def _all_cuts(uses: Iterable[_Use]) -> set[Way]:
    return {cut for use in uses for cut in use.cuts}


def _lengths(
    counting: Counting, uri: str, cuts: set[Way], problems: list[Problem], told: Told
) -> Iterator[tuple[str, dict[Way, Length]]]:
    """Where each row stands, and its length for each way to cut its clips; rows without one are told."""
    wrong: list[Problem] = []
    lines = [(number, example) for number, _, example in scan_manifest(uri, wrong) if example is not None]
    if wrong:
        raise ManifestError(wrong)
    counted = in_parallel(partial(_counted, counting, cuts), (example for _, example in lines), os.cpu_count() or 1)
    for (number, example), found in zip(lines, counted, strict=True):
        told(number, len(lines))
        if isinstance(found, dict):
            yield f"{uri}:{number} ({example.prompt.id})", found
        else:
            problems.append(Problem(f"{uri}:{number} ({example.prompt.id})", str(found), "a row that can be asked"))


def _counted(counting: Counting, cuts: set[Way], example: Example) -> dict[Way, Length] | EarwitnessError:
    try:
        return {cut: counting.length(example, cut) for cut in cuts}
    except EarwitnessError as error:
        return error


def _too_long(at: str, lengths: Mapping[Way, Length], use: _Use, limit: int) -> Iterator[Problem]:
    """What is wrong with a row under a stage, once for each way in which its clips are heard there."""
    learned = use.stage.sampled() is None
    for cut in use.cuts:
        length = lengths[cut]
        if length.prompt + (length.response if learned else 1) <= limit:
            continue
        pieces, longer = ("", "") if cut is None else (f" in segments of {cut.seconds:g} s", "longer segments, ")
        problem = f"{length.prompt} prompt tokens, {length.heard} of them heard{pieces}"
        most, shorter = f"fewer than {limit}", "a shorter clip or question"
        if learned:
            problem += f", and {length.response} of reasoning and answer"
            most, shorter = f"at most {limit} together", "a shorter trace or clip"
        right = f"{most}, the model's longest sequence: {longer}{shorter}, or another model"
        yield Problem(at, f"{problem}, in {use.where}", right)
