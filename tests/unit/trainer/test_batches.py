import numpy as np
import pytest
import torch

from trainer.batches import LENGTH_MULTIPLE, Row, collate, spread
from trainer.model.packing import ALONE, Segments

CPU = torch.device("cpu")


def row(prompt: int, response: int, clip: str = "") -> Row:
    return Row(np.arange(1, prompt + response + 1), prompt, tuple(clip))


def mel(frames: int) -> np.ndarray:
    return np.full((4, frames), frames, dtype=np.float32)


def test_padded_rows_are_filled_on_the_right():
    batch = collate([(4, row(3, 2)), (2, row(1, 9))], {}, CPU)
    assert batch.tokens.shape == (2, 16)
    assert batch.tokens[0].tolist() == [1, 2, 3, 4, 5] + [0] * 11
    assert batch.segments is None
    assert batch.numbers.tolist() == [4, 2]
    assert batch.audio is None and batch.audio_index.tolist() == [[-1], [-1]]


def test_packed_rows_stand_one_after_another():
    batch = collate([(4, row(3, 2)), (2, row(1, 9))], {}, CPU, packed=True)
    assert batch.tokens.tolist() == [[1, 2, 3, 4, 5, *range(1, 11), 0]]
    assert batch.segments is not None and batch.segments.lengths == (5, 10, 1)
    assert collate([(0, row(3, 5))], {}, CPU, packed=True).segments == Segments(
        (LENGTH_MULTIPLE,), (ALONE,), (2, 3, 4, 5, 6)
    )


def test_what_several_read_stands_there_once():
    """The end of a prompt that responses share comes before the first token of each."""
    batch = collate([(0, row(3, 4)), (1, row(3, 2))], {}, CPU)
    assert batch.before.tolist() == [2, 3, 4, 5, 2, 6]
    assert batch.segments is not None and batch.segments.read == (2, 3, 4, 5, 6)


@pytest.mark.parametrize("packed", [False, True])
def test_only_responses_count_and_each_knows_the_token_before_it(packed):
    rows = [row(3, 2), row(1, 9), row(4, 0)]
    batch = collate(list(enumerate(rows)), {}, CPU, packed=packed)
    assert batch.mask.sum(1).tolist() == [2, 9, 0]
    assert batch.mask.shape == (3, 9)
    assert batch.responses.tolist() == [4, 5, *range(2, 11)]
    states = batch.tokens.t().flatten()  # hidden states are [seq, batch]; each token stands for its own
    assert (states[batch.before] + 1).tolist() == batch.responses.tolist()


def test_no_response_at_all_still_has_a_shape():
    batch = collate([(0, row(3, 2).muted())], {}, CPU)
    assert batch.mask.shape == (1, 1) and not batch.mask.any()
    assert batch.responses.tolist() == batch.before.tolist() == []


def test_rows_of_one_clip_share_it():
    rows = [row(1, 1, "a"), row(1, 1), row(1, 1, "b"), row(2, 1, "a")]
    batch = collate(list(enumerate(rows)), {"a": [mel(6)], "b": [mel(9)]}, CPU)
    assert batch.audio_index.tolist() == [[0], [-1], [1], [0]]
    assert batch.audio.mels.shape == (2, 4, 9)
    assert batch.audio.frames.tolist() == [6, 9]
    assert batch.audio.mels[0, 0].tolist() == [6.0] * 6 + [0.0] * 3


def test_numbers_of_response_tokens_land_in_their_row():
    mask = torch.tensor([[True, True, False], [False, False, False], [True, True, True]])
    values = [np.array([5, 6]), np.array([]), np.array([7, 8, 9])]
    assert spread(values, mask).tolist() == [[5, 6, 0], [0, 0, 0], [7, 8, 9]]


def test_a_row_hears_its_clips_segment_by_segment():
    """Places of the distinct segments, in the order in which the row hears them."""
    rows = [row(1, 1, ("a", "b")), row(1, 1, ("b", "a", "b")), row(1, 1), row(2, 1, ("c",))]
    batch = collate(list(enumerate(rows)), {"a": [mel(6)], "b": [mel(9), mel(4)], "c": [mel(3)]}, CPU)
    assert batch.audio.frames.tolist() == [6, 9, 4, 3]
    assert batch.audio_index.tolist() == [[0, 1, 2, -1, -1], [1, 2, 0, 1, 2], [-1] * 5, [3, -1, -1, -1, -1]]


@pytest.mark.parametrize("packed", [False, True])
def test_what_was_heard_between_thoughts_does_not_count(packed):
    """Rows of one prompt, of which two hear on behind it: those stand whole, the others share the prompt."""
    hears_on = Row(np.arange(1, 10), 3, ("a",), given=((4, 6), (7, 8)))
    rows = [hears_on, row(3, 4, "a"), hears_on, Row(np.array([1, 2, 3, 4, 9]), 3, ("a",))]
    batch = collate(list(enumerate(rows)), {"a": [mel(6), mel(3)]}, CPU, packed=packed)
    assert batch.mask.sum(1).tolist() == [3, 4, 3, 2]
    assert hears_on.tokens[hears_on.learned].tolist() == [4, 7, 9]
    assert batch.responses.tolist() == [4, 7, 9, 4, 5, 6, 7, 4, 7, 9, 4, 9]
    states = batch.tokens.t().flatten()  # each token stands for its own state
    assert states[batch.before].tolist() == [3, 6, 8, 3, 4, 5, 6, 3, 6, 8, 3, 4]
    assert batch.segments is not None and batch.segments.lengths[:4] == (9, 3, 3, 9)
    assert batch.audio_index[:4].tolist() == [[0, 1], [0, 1], [-1, -1], [0, 1]]
