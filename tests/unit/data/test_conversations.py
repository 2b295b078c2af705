"""Conversations are imported with their clips where they are heard."""

import sys
from pathlib import Path

import pytest

from earwitness.data.checking import check_manifests
from earwitness.hearing import pieces

sys.path.insert(0, str(Path(__file__).parent))

from data_kit import imported, lines, tone, write

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def test_generic_conversations_keep_their_clips_among_the_words(tmp_path: Path) -> None:
    for name, pitch in (("a", 300), ("b", 500)):
        write(tmp_path / f"in/{name}.wav", tone(pitch))
    parts = [
        {"type": "text", "text": "Clip A: "}, {"type": "audio", "audio": "a.wav"},
        {"type": "text", "text": " Clip B: "}, {"type": "audio", "audio_url": "b.wav"},
        {"type": "text", "text": " Which?"},
    ]  # fmt: skip
    marked = {"audios": ["a.wav", "b.wav"], "answer": "B", "choices": ["A", "B"]}
    lettered = {"answer": "clip B", "choices": ["clip A", "clip B"]}
    source = lines(
        tmp_path / "in/t.jsonl",
        {"id": 1, "messages": [{"role": "user", "content": parts}], **lettered},
        {"id": 2, "prompt": [{"role": "user", "content": "First <audio>, then <audio>: which is higher?"}], **marked},
        {"id": 3, "conversations": [{"from": "human", "value": "How many tones?"}, {"from": "gpt", "value": "#### 1"}],
         "audio": "a.wav"},
        {"id": 4, "messages": [{"role": "user", "content": "One <audio>?"}], **marked},
        {"id": 5, "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "?"}], **marked},
        {"id": 6, "messages": [{"role": "user", "content": [{"type": "image", "image": "x.png"}]}], **marked},
        {"id": 7, "messages": [{"role": "user", "content": "What is 1 plus 2?"}], "answer": 3},
        {"id": 8, "messages": [{"role": "user", "content": [*parts[:1], {"type": "audio", "audio": "gone.wav"}]}],
         "answer": "x"},
    )  # fmt: skip
    done, examples = imported("generic", source, tmp_path / "out", checksums=True)
    heard = [
        [words if clip is None else Path(clip).stem for words, clip in pieces(example.prompt)] for example in examples
    ]
    assert heard[:3] == [
        ["Clip A: ", "a", " Clip B: ", "b", " Which?"],
        ["First ", "a", ", then ", "b", ": which is higher?"],
        ["a", "How many tones?"],
    ]
    assert [example.prompt.answer for example in examples] == ["clip B", "B", "1", "3"]
    assert examples[3].prompt.question == "What is 1 plus 2?" and not examples[3].prompt.clips
    assert [len(examples[n].extra["source"]["seconds"]) for n in (0, 1)] == [2, 2]
    assert sum(done.left_out.values()) == 4
    told = " ".join(done.left_out)
    for reason in ("1 places for 2 clips", "is of 'system'", "neither text nor audio", "the clip is missing"):
        assert reason in told
    assert not check_manifests([next(iter(done.manifests))], lambda prompt: None, lambda *_: None).changed


def test_generic_conversations_with_sound_in_parquet(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "<audio>Which <audio> is higher?"}]
    audios = [{"bytes": tone(300), "path": "a.wav"}, {"bytes": tone(500), "path": "b.wav"}]
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"prompt": [turns], "audios": [audios], "answer": ["second"]}), tmp_path / "in/t.parquet")
    _, (example,) = imported("generic", tmp_path / "in/t.parquet", tmp_path / "out")
    assert [clip.at for clip in example.prompt.clips] == [0, 6]
    assert [Path(clip.audio_uri).read_bytes() for clip in example.prompt.clips] == [sound["bytes"] for sound in audios]
