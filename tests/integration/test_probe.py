"""The probe's promises: answers lie in the sound and never in the words, and traces are true."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from earwitness.audio import read_audio
from earwitness.chat import question_text
from earwitness.hearing import clip_uris
from earwitness.manifest import read_manifest
from earwitness.probe import Traces, write, write_probe, write_split
from earwitness.probe.kinds import KINDS
from earwitness.probe.write import Asked, make_example
from earwitness.recipe.schema import ProbeData
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.measure import measure
from reward.parse import extract_claims
from reward.surrogate import denial_phrase, surrogate_phrase
from reward.verify import as_message, check

COUNT = 160


@pytest.fixture(scope="module")
def splits(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("probe")
    return write_probe(
        str(folder), ProbeData(lessons=COUNT, cold_start=COUNT, train=COUNT, eval=COUNT, dev=COUNT, seed=3)
    )


@pytest.fixture
def unheard(monkeypatch):
    """Clips are not written: only words count."""
    monkeypatch.setattr(write, "write_clip", lambda path, rng, wave, level: None)


def made(folder: Path, split: str, index: int, traces: Traces | None = None, asked: Asked = Asked()):
    prompt, reasoning, response, extra = make_example(str(folder), 3, split, traces, index, asked)
    return trajectory_pb2.Prompt.FromString(prompt), reasoning, response, extra


def test_there_are_at_least_eight_kinds_of_question(splits):
    assert len({e.prompt.kind for e in read_manifest(splits["eval"])}) == len(KINDS) >= 8


def test_no_two_clips_are_the_same_in_any_split(splits):
    clips = [e.prompt.audio_uri for uri in splits.values() for e in read_manifest(uri, check_audio=True)]
    assert len({hashlib.sha256(Path(clip).read_bytes()).digest() for clip in clips}) == len(clips) == 5 * COUNT


def test_the_same_seed_gives_the_same_clip_and_another_seed_another(tmp_path, splits):
    again = write_split(str(tmp_path / "again"), 8, 3, "eval")
    other = write_split(str(tmp_path / "other"), 8, 4, "eval")
    for uri, equal in ((again, True), (other, False)):
        for left, right in zip(read_manifest(splits["eval"]), read_manifest(uri), strict=False):
            samples = [read_audio(e.prompt.audio_uri) for e in (left, right)]
            assert np.array_equal(*samples) is equal


def test_a_written_split_is_kept(splits):
    before = Path(splits["train"]).stat().st_mtime_ns
    folder = str(Path(splits["train"]).parent)
    assert write_split(folder, COUNT, 99, "train") == splits["train"]
    assert Path(splits["train"]).stat().st_mtime_ns == before


def test_clips_fit_the_model_and_differ_in_length_and_level(splits):
    clips = [read_audio(e.prompt.audio_uri) for e in read_manifest(splits["train"])]
    seconds = [len(c) / 16_000 for c in clips]
    levels = [20 * math.log10(float(np.sqrt(np.mean(np.square(c))))) for c in clips]
    assert min(seconds) > 0.2 and max(seconds) < 2.5
    assert np.std(seconds) > 0.1 and np.std(levels) > 3.0
    assert max(float(np.abs(c).max()) for c in clips) <= 1.0


def test_only_the_asked_share_of_traces_guesses(splits):
    assert all(e.reasoning is None for e in read_manifest(splits["train"]))
    assert not any(e.extra["surrogate"] for e in read_manifest(splits["lessons"]))
    surrogates = [e.extra["surrogate"] for e in read_manifest(splits["cold_start"])]
    assert np.mean(surrogates) == pytest.approx(0.5, abs=0.12)


def test_a_surrogate_answers_what_it_guessed_and_is_right_by_chance(tmp_path, unheard):
    examples = [made(tmp_path, "cold_start", i, Traces(surrogate=1.0)) for i in range(320)]
    right = []
    for prompt, reasoning, response, _ in examples:
        assert response in prompt.choices and response in reasoning
        right.append((response == prompt.answer) - 1 / len(prompt.choices))
    assert abs(np.mean(right)) < 3 * 0.5 / math.sqrt(len(right))


def test_the_asked_share_of_traces_denies_hearing_and_the_detector_knows_them(tmp_path, unheard):
    both = [made(tmp_path, "cold_start", i, Traces(surrogate=0.5, denial=0.25)) for i in range(160)]
    assert not any(extra["surrogate"] and extra["denial"] for *_, extra in both)
    assert np.mean([extra["denial"] for *_, extra in both]) == pytest.approx(0.25, abs=0.11)
    for _, reasoning, _, extra in both:
        assert bool(denial_phrase(reasoning)) == extra["denial"], reasoning
        assert bool(surrogate_phrase(reasoning)) >= extra["surrogate"]
    without = [made(tmp_path, "cold_start", i, Traces(surrogate=0.5)) for i in range(40)]
    assert [r for _, r, _, e in both[:40] if not e["denial"]] == [
        r for (_, r, _, _), (_, _, _, e) in zip(without, both, strict=False) if not e["denial"]
    ]  # the others are as they were


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=[k.name for k in KINDS])
def test_what_a_trace_cites_is_in_the_clip_by_measurement(tmp_path, kind):
    """Checked with the reward's own ears, which know nothing of the synthesis."""
    for index in range(kind, kind + 8 * len(KINDS), len(KINDS)):
        prompt, reasoning, _, _ = made(tmp_path, "lessons", index, Traces())
        heard = measure(read_audio(prompt.audio_uri))
        claims = extract_claims(reasoning, prompt)
        verdicts = [as_message(claim, check(claim.statement, heard)).verdict for claim in claims]
        assert trajectory_pb2.VERDICT_SUPPORTED in verdicts, reasoning
        assert trajectory_pb2.VERDICT_CONTRADICTED not in verdicts, reasoning


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=[k.name for k in KINDS])
def test_a_control_has_the_same_sounds_without_what_decides(tmp_path, kind):
    decisive = KINDS[kind].decisive
    for index in range(kind, kind + 4 * len(KINDS), len(KINDS)):
        prompt, *_ = made(tmp_path, "eval", index)
        clip, left = (read_audio(uri) for uri in (prompt.audio_uri, prompt.control_uri))
        assert prompt.control_uri == prompt.audio_uri.replace(".flac", f"-without-{decisive}.flac")
        if decisive == "time":
            levels = frame_levels(left)[1:-1]
            assert len(left) == 16_000 and np.ptp(levels) < 6 and np.ptp(frame_levels(clip)) > 15
            continue
        assert len(left) == len(clip)
        before, after = frame_levels(clip), frame_levels(left)
        sounding = before > before.max() - 22
        if decisive == "pitch":
            assert np.corrcoef(before, after)[0, 1] > 0.9  # the envelope is as it was
            assert periodicity(left) < 0.5 and (periodicity(clip) > 0.7 or prompt.answer == "noise")
        else:
            spread = np.subtract(*np.percentile(after[sounding], [90, 35]))
            assert spread < 1.5, (prompt.id, spread)


def frame_levels(clip: np.ndarray) -> np.ndarray:
    """dB of frames of 20 ms."""
    frames = clip[: len(clip) // 320 * 320].reshape(-1, 320)
    return 10 * np.log10(np.square(frames).mean(axis=1) + 1e-12)


def periodicity(clip: np.ndarray) -> float:
    """The highest autocorrelation of a clip's loudest frame of 40 ms at a lag of 1 to 10 ms."""
    starts = range(0, len(clip) - 640, 160)
    frame = max((clip[start : start + 640] for start in starts), key=lambda f: float(np.square(f).sum()))
    return max(float(np.corrcoef(frame[:-lag], frame[lag:])[0, 1]) for lag in range(16, 161))


def test_only_what_is_held_out_has_controls(splits):
    has = {
        name: {bool(e.prompt.control_uri) for e in read_manifest(uri, check_audio=True)} for name, uri in splits.items()
    }
    assert has == {"lessons": {False}, "cold_start": {False}, "train": {False}, "eval": {True}, "dev": {True}}


def test_a_clip_ends_with_the_pause_that_is_asked_for(tmp_path):
    asked = Asked(("which_louder", "recording_louder"), pause_seconds=0.5)
    for index, split in ((0, "eval"), (1, "train")):
        prompt = made(tmp_path, split, index, asked=asked)[0]
        for clip in clip_uris(prompt):
            samples = read_audio(clip)
            pause, before = samples[-7_800:], samples[:-7_800]
            assert np.abs(pause).max() < 0.2 * np.abs(before).max()
    longer, plain = (
        len(read_audio(made(tmp_path, "train", 0, asked=way)[0].audio_uri)) for way in (asked, Asked(asked.kinds))
    )
    assert longer == plain + 8_000


def test_the_words_alone_give_nothing_away(tmp_path, unheard):
    """A naive Bayes reader of question and choices, trained on 1,200 prompts, is at chance on 640 others."""

    def words(index: int, split: str) -> tuple[list[str], trajectory_pb2.Prompt]:
        prompt = made(tmp_path, split, index)[0]
        tokens = re.findall(r"\w+", question_text(prompt).lower())
        return tokens + [f"{a} {b}" for a, b in pairwise(tokens)], prompt

    joint: Counter[tuple[str, str]] = Counter()
    answers: Counter[str] = Counter()
    for index in range(1200):
        features, prompt = words(index, "train")
        answers[prompt.answer] += 1
        joint.update((prompt.answer, f) for f in set(features))

    right = chance = variance = 0.0
    for index in range(640):
        features, prompt = words(index, "eval")

        def score(choice: str, features: list[str] = features) -> float:
            likelihood = sum(math.log((joint[choice, f] + 1) / (answers[choice] + 2)) for f in set(features))
            return math.log(answers[choice] + 1) + likelihood

        right += max(prompt.choices, key=score) == prompt.answer
        share = 1 / len(prompt.choices)
        chance += share
        variance += share * (1 - share)
    assert abs(right - chance) < 3 * math.sqrt(variance), f"{right} right, {chance:.0f} by chance"
