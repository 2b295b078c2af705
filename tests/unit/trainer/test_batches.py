import numpy as np
import torch

from trainer.batches import Row, chunks, pad, share, spread

CPU = torch.device("cpu")


def row(prompt: int, response: int, clip: str = "") -> Row:
    return Row(np.arange(1, prompt + response + 1), prompt, clip)


def mel(frames: int) -> np.ndarray:
    return np.full((4, frames), frames, dtype=np.float32)


def test_rows_are_padded_on_the_right_and_only_responses_count():
    batch = pad([(4, row(3, 2)), (2, row(1, 9))], {}, CPU)
    assert batch.tokens.shape == (2, 16)
    assert batch.tokens[0].tolist() == [1, 2, 3, 4, 5] + [0] * 11
    assert batch.lengths.tolist() == [5, 10]
    assert batch.response_mask.sum(1).tolist() == [2, 9]
    assert batch.response_mask[0].nonzero().flatten().tolist() == [3, 4]
    assert batch.positions[1].tolist() == list(range(16))
    assert batch.numbers.tolist() == [4, 2]
    assert batch.audio is None and batch.audio_index.tolist() == [-1, -1]


def test_rows_of_one_clip_share_it():
    rows = [row(1, 1, "a"), row(1, 1), row(1, 1, "b"), row(1, 1, "a")]
    batch = pad(list(enumerate(rows)), {"a": mel(6), "b": mel(9)}, CPU)
    assert batch.audio_index.tolist() == [0, -1, 1, 0]
    assert batch.audio.mels.shape == (2, 4, 9)
    assert batch.audio.frames.tolist() == [6, 9]
    assert batch.audio.mels[0, 0].tolist() == [6.0] * 6 + [0.0] * 3


def test_numbers_of_response_tokens_land_where_the_tokens_stand():
    rows = [row(2, 2), row(1, 3)]
    values = [np.array([5, 6], dtype=np.float32), np.array([7, 8, 9], dtype=np.float32)]
    assert spread(rows, values, 5, CPU).tolist() == [[0, 0, 5, 6, 0], [0, 7, 8, 9, 0]]


def test_every_item_belongs_to_exactly_one_rank():
    for count in range(1, 12):
        for ranks in range(1, 5):
            parts = [share(range(count), rank, ranks) for rank in range(ranks)]
            assert [item for part in parts for item in part] == list(range(count))
            assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_chunks_keep_the_order():
    assert chunks([1, 2, 3, 4, 5], 2) == [[1, 2], [3, 4], [5]]
