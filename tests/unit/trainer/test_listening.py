"""Rows in which a clip is heard in segments, with thoughts between them."""

from __future__ import annotations

import numpy as np
import pytest

from earwitness.chat import around, question_text
from earwitness.families.step_audio import AUDIO_PATCH, audio_tokens
from earwitness.manifest import Example
from earwitness.recipe.schema import Listening
from earwitness.wire.trajectory.v1 import trajectory_pb2
from trainer.model.toy import train_tokenizer
from trainer.tuning.examples import Examples, Rendering
from trainer.tuning.listening import interleaved

FRAMES = (50, 50, 50, 34)
REASONING = "I hear one beep, then I hear two beeps and then I hear three beeps."


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(["How many? one two three then and I hear a beep beeps."], 320)


def example(index: int = 0) -> Example:
    prompt = trajectory_pb2.Prompt(id=f"e{index}", question="How many?", choices=["one", "three"], answer="three")
    prompt.audio_uri, prompt.verifier = "clip.wav", trajectory_pb2.VERIFIER_CHOICE
    return Example(prompt, REASONING)


def rendering(tokenizer, between: int | None, frames=FRAMES, pause: float = 0.0) -> Rendering:
    mels = {"clip.wav": [np.zeros((128, n), dtype=np.float32) for n in frames]}
    listening = None
    if between is not None:
        listening = Listening(segment_seconds=0.5, think_tokens=between, pause_seconds=pause)
    return Rendering(tokenizer, mels, max_positions=512, listening=listening)


def test_a_piece_stands_behind_each_segment_and_goes_no_further_than_the_clip_had_gone():
    head, segments, tail = [1, 2], [[10, 11], [10, 12], [10, 13], [10, 14]], [3, 4]
    thoughts = list(range(100, 112))
    made = interleaved(head, segments, tail, thoughts, 9)
    pieces = [100, 101, 102], [103, 104, 105]  # a quarter of the trace behind a half of the clip, a half behind three
    assert made.tokens == [1, 2, 10, 11, 10, 12, *pieces[0], 10, 13, *pieces[1], 10, 14, 3, 4]
    assert (made.first, made.said) == (4, 6)
    learned = [token for at, token in enumerate(made.tokens) if at >= 4 and not within(at, made.given)]
    assert learned == [10, *pieces[0], 10, *pieces[1], 10]  # and where to stop

    short = interleaved(head, segments, tail, thoughts, 2)
    assert short.tokens == [1, 2, 10, 11, 10, 12, 100, 101, 10, 13, 102, 103, 10, 14, 3, 4]
    learned = [token for at, token in enumerate(short.tokens) if at >= 4 and not within(at, short.given)]
    assert learned == [10, 100, 101, 102, 103]  # cut off by the bound: when to stop is not learned there
    assert interleaved(head, segments[:1], tail, thoughts, 9) == ([1, 2, 10, 11, 3, 4], 6, (), 0)


def test_before_a_last_segment_in_which_nothing_sounds_the_trace_may_go_to_its_end(tokenizer):
    made = interleaved([1, 2], [[10, 11], [10, 12]], [3, 4], [100, 101, 102], 9, ends=True)
    assert made == ([1, 2, 10, 11, 100, 101, 102, 10, 12, 3, 4], 4, ((8, 11),), 3)  # and where to stop
    cut_off = interleaved([1, 2], [[10, 11], [10, 12]], [3, 4], [100, 101, 102], 2, ends=True)
    assert cut_off.tokens == [1, 2, 10, 11, 100, 101, 10, 12, 3, 4] and cut_off.said == 2
    assert interleaved([1, 2], [[10, 11], [10, 12]], [3, 4], [100, 101, 102], 9).said == 0

    row = rendering(tokenizer, 99, (134, 30), pause=0.3).row(example())
    assert tokenizer.decode(row.tokens[row.learned].tolist(), skip_special_tokens=False).startswith(REASONING)
    answer = "\n</think>\nthree<|EOT|>"
    end = tokenizer.encode(answer, add_special_tokens=False).ids
    assert row.tokens[-len(end) :].tolist() == end and row.given[-1][1] == len(row.tokens) - len(end)


def within(at: int, spans: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= at < end for first, end in spans)


@pytest.mark.parametrize("pace", [0.0, 0.5, 1.0])
def test_a_row_is_the_servers_prompt_with_the_trace_laid_in(tokenizer, pace):
    of, whole = example(), rendering(tokenizer, None).row(example())
    row = rendering(tokenizer, 8).row(of, pace=pace)
    encode = lambda text: tokenizer.encode(text, add_special_tokens=False).ids  # noqa: E731
    head, mark, tail = around(question_text(of.prompt))
    marks = [encode(mark.replace(AUDIO_PATCH, AUDIO_PATCH * audio_tokens(n))) for n in FRAMES]
    thoughts, rest = encode(REASONING), row.tokens.tolist()
    for number, segment in enumerate([encode(head) + marks[0], *marks[1:]]):
        said = 0
        if number:  # what stands before it
            said = next(n for n in range(9) if rest[n : n + len(segment)] == segment)
            assert rest[:said] == thoughts[:said] and said <= int(9 * pace)
            thoughts = thoughts[said:]
        assert rest[said : said + len(segment)] == segment
        rest = rest[said + len(segment) :]
    assert rest == encode(tail) + thoughts + encode("\n</think>\nthree<|EOT|>")
    assert row.clips == whole.clips
    assert sorted(row.tokens) == sorted(whole.tokens)  # nothing is left out or said twice
    if pace == 0:
        assert row.tokens.tolist() == whole.tokens.tolist()


def test_all_of_a_trace_is_learned_once_and_of_one_that_is_cut_the_answer_alone(tokenizer):
    heard = rendering(tokenizer, 8)
    row, whole = heard.row(example()), rendering(tokenizer, None).row(example())
    learned, patch = row.tokens[row.learned].tolist(), tokenizer.token_to_id(AUDIO_PATCH)
    start = tokenizer.token_to_id("<audio_start>")
    assert [token for token in learned if token != start] == whole.tokens[whole.learned].tolist()
    assert patch not in learned and learned.count(start) >= 1
    cut = heard.row(example(), cut=0.3)
    assert not cut.given and cut.tokens[cut.learned].tolist() == learned[-cut.response_tokens :]
    assert tokenizer.decode(cut.tokens[cut.learned].tolist()) == "three"
    assert row.muted().response_tokens == 0


def test_how_fast_is_thought_is_drawn_anew_each_time_and_alike_after_a_resume(tokenizer):
    examples = Examples([example(i) for i in range(16)], rendering(tokenizer, 4), batch_size=8, seed=1)
    texts = {step: [row.tokens.tolist() for row in examples.batch(step)] for step in range(1, 9)}
    assert len({tuple(text) for rows in texts.values() for text in rows}) > 2
    assert all([row.tokens.tolist() for row in examples.batch(step)] == texts[step] for step in (8, 3))
