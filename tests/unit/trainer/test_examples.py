import gc
import tracemalloc
from contextlib import closing

import numpy as np
import pytest

from earwitness.chat import render_prompt, render_response
from earwitness.errors import InputError
from earwitness.families.step_audio import AUDIO_PATCH, audio_tokens
from earwitness.manifest import Example, write_manifest
from earwitness.manifest_index import indexed
from earwitness.wire.trajectory.v1 import trajectory_pb2
from trainer.model.toy import train_tokenizer
from trainer.tuning.examples import Examples, Rendering, load_tokenizer

COUNT = 50


def example(index: int, clip: str = "") -> Example:
    prompt = trajectory_pb2.Prompt(id=f"e{index}", question="How many?", choices=["one", "two"], answer="two")
    prompt.audio_uri, prompt.verifier = clip, trajectory_pb2.VERIFIER_CHOICE
    return Example(prompt, "I hear a beep." * (index % 5 + 1))


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(["How many? one two I hear a beep."], 320)


def make(tokenizer, count=COUNT, batch_size=8, seed=1, max_positions=512):
    rendering = Rendering(tokenizer, {}, max_positions=max_positions)
    return Examples([example(i) for i in range(count)], rendering, batch_size=batch_size, seed=seed)


def texts(examples, steps):
    return [[row.tokens.tolist() for row in examples.batch(step)] for step in steps]


def test_a_row_is_the_rendered_prompt_and_response(tokenizer):
    frames = 100
    mels = {"clip.wav": [np.zeros((128, frames), dtype=np.float32)]}
    heard = example(0, "clip.wav")
    row = Rendering(tokenizer, mels, max_positions=512).row(heard)
    n = audio_tokens(frames)
    text = render_prompt(heard.prompt, [[n]]) + render_response(heard.reasoning, "two")
    assert row.tokens.tolist() == tokenizer.encode(text, add_special_tokens=False).ids
    assert (row.tokens == tokenizer.token_to_id(AUDIO_PATCH)).sum() == n
    assert row.clips == ("clip.wav",)
    assert row.response_tokens == len(tokenizer.encode(render_response(heard.reasoning, "two")).ids)


def test_of_a_trace_that_is_cut_the_answer_alone_is_learned(tokenizer):
    rendering = Rendering(tokenizer, {}, max_positions=512)
    whole, plain = rendering.row(example(4)), render_prompt(example(4).prompt, [])
    thought = tokenizer.encode(example(4).reasoning).ids
    for cut in (0.0, 0.5, 1 - 1e-9):
        row = rendering.row(example(4), cut)
        kept = thought[: int(cut * (len(thought) + 1))]
        text = plain + tokenizer.decode(kept) + "\n</think>\n"
        learned = row.tokens[len(row.tokens) - row.response_tokens :].tolist()
        assert tokenizer.decode(row.tokens.tolist(), skip_special_tokens=False).startswith(text)
        assert learned == tokenizer.encode(render_response("", "two")).ids[-len(learned) :]
        assert tokenizer.decode(learned) == "two"
    assert row.tokens.tolist() == whole.tokens.tolist()  # nothing is cut off, and still only the answer learned


def test_a_share_of_the_traces_is_cut_anew_each_time_and_alike_after_a_resume(tokenizer):
    def drawn(share):
        rendering = Rendering(tokenizer, {}, max_positions=512)
        return Examples([example(i) for i in range(COUNT)], rendering, batch_size=8, seed=1, think_incomplete=share)

    steps = range(1, 61)
    assert texts(drawn(0.5), steps) == list(reversed(texts(drawn(0.5), reversed(steps))))
    assert texts(drawn(0.0), steps) == texts(make(tokenizer), steps)
    answer, shares = Rendering(tokenizer, {}, max_positions=512).row(example(0), 0.0).response_tokens, []
    for share in (0.25, 1.0):
        rows = [row for step in steps for row in drawn(share).batch(step)]
        shares.append(np.mean([row.response_tokens == answer for row in rows]))
    assert shares[0] == pytest.approx(0.25, abs=0.07) and shares[1] == 1.0


def test_the_order_depends_only_on_seed_and_step(tokenizer):
    steps = [1, 2, 6, 7, 13, 100]
    assert texts(make(tokenizer), steps) == list(reversed(texts(make(tokenizer), reversed(steps))))
    assert texts(make(tokenizer), steps) != texts(make(tokenizer, seed=2), steps)


def test_an_epoch_uses_no_example_twice(tokenizer):
    examples = make(tokenizer)
    order = [index for batch in examples._order(3) for index in batch]
    assert len(order) == COUNT // 8 * 8 == len(set(order))


def test_rows_of_a_batch_have_similar_lengths(tokenizer):
    spreads = [
        max(lengths) - min(lengths) for lengths in ([len(t) for t in b] for b in texts(make(tokenizer), range(1, 7)))
    ]
    assert np.median(spreads) < max(len(t) for b in texts(make(tokenizer), range(1, 7)) for t in b) / 3


def test_fewer_examples_than_a_batch_make_a_smaller_batch(tokenizer):
    assert len(make(tokenizer, count=3).batch(5)) == 3


def test_an_example_that_does_not_fit_is_named(tokenizer):
    with pytest.raises(InputError, match=r"example e0: .* prompt and .* response tokens; expected at most 10"):
        make(tokenizer, count=1, max_positions=10).batch(1)


def test_a_manifest_is_not_held_in_memory(tmp_path):
    """Of 4,000 examples with 2 kB of reasoning each, 8 MB, next to nothing is kept, whichever are asked for."""
    word = "beep" * 16  # a token of its own: making tokens is slow where memory is traced
    tokenizer = train_tokenizer([word, f" {word}"], 320)
    path, trace = str(tmp_path / "m.jsonl"), f"{word} " * 31
    write_manifest(path, (Example(example(i).prompt, f"{i} {trace}") for i in range(4000)))
    with closing(indexed(path)) as manifest:
        gc.collect()
        tracemalloc.start()
        examples = Examples(manifest, Rendering(tokenizer, {}, max_positions=8192), batch_size=8, seed=1)
        names = {row.name for step in (1, 250, 500) for row in examples.batch(step)}
        gc.collect()
        kept, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert len(names) == 24
    assert kept < 500_000 and peak < 8_000_000, (kept, peak)


def test_a_manifest_read_line_by_line_gives_the_same_batches(tokenizer, tmp_path):
    path = str(tmp_path / "m.jsonl")
    write_manifest(path, (example(i) for i in range(COUNT)))
    with closing(indexed(path)) as manifest:
        lazily = Examples(manifest, Rendering(tokenizer, {}, max_positions=512), batch_size=8, seed=1)
        assert texts(lazily, range(1, 20)) == texts(make(tokenizer), range(1, 20))


def test_a_directory_without_tokenizer_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"tokenizer\.json: no such file"):
        load_tokenizer(tmp_path)
