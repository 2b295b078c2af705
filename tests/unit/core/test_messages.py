"""The key `messages` of a manifest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from earwitness.manifest import ManifestError, read_manifest, write_manifest


def test_clips_stand_among_the_words(tmp_path: Path) -> None:
    content = [
        {"type": "text", "text": "Clip A: "},
        {"type": "audio", "audio": "a.wav"},
        {"type": "text", "text": " Clip B: "},
        {"type": "audio", "audio": "sub/b.wav"},
        {"type": "text", "text": " Which is higher?"},
    ]
    record = {"id": "q", "messages": [{"role": "user", "content": content}], "answer": "A", "verifier": "text"}
    path = tmp_path / "m.jsonl"
    path.write_text(json.dumps(record))
    (example,) = read_manifest(str(path))
    assert example.prompt.question == "Clip A:  Clip B:  Which is higher?" and not example.prompt.audio_uri
    assert [(clip.audio_uri, clip.at) for clip in example.prompt.clips] == [
        (f"{tmp_path}/a.wav", 8), (f"{tmp_path}/sub/b.wav", 17)
    ]  # fmt: skip
    write_manifest(str(tmp_path / "copy.jsonl"), [example])
    assert json.loads((tmp_path / "copy.jsonl").read_text()) == record
    with pytest.raises(ManifestError, match=r"m\.jsonl:1\.messages: no such file.*a\.wav") as caught:
        read_manifest(str(path), check_audio=True)
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ([], "messages: 0 messages; expected a list of one message"),
        ([{"role": "system", "content": "x"}], r"messages\[0\]\.role: 'system'"),
        ([{"role": "user", "content": 3}], r"messages\[0\]\.content: 3"),
        ([{"role": "user", "content": [{"type": "image", "image": "a"}]}], r"content\[0\]: .* is no part of a message"),
        ([{"role": "user", "content": [{"type": "audio", "audio": 7}]}], r"content\[0\]\.audio: 7 is not text"),
        ([{"role": "user", "content": [{"type": "audio", "audio": "a.wav"}]}], r"content: no words; expected a quest"),
        ([{"role": "user", "content": [{"type": "text", "text": "\ud800"}]}], "half of a surrogate pair"),
        (
            [
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "?"}, {"type": "audio", "audio": "http://x/a.wav"}],
                }
            ],
            "messages: this kind of URI is not supported",
        ),
        (
            [{"role": "user", "content": [{"type": "audio", "audio": "a"}] * 17 + [{"type": "text", "text": "?"}]}],
            "17 clips; expected at most 16",
        ),
    ],
)
def test_wrong_messages_are_named(tmp_path: Path, messages: object, problem: str) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text(json.dumps({"id": "q", "messages": messages, "answer": "A", "verifier": "text"}))
    with pytest.raises(ManifestError, match=problem):
        read_manifest(str(path))


def test_messages_stand_for_question_and_audio(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    messages = [{"role": "user", "content": [{"type": "text", "text": "?"}]}]
    path.write_text(json.dumps({"id": "q", "question": "x", "messages": messages, "answer": "A", "verifier": "text"}))
    with pytest.raises(ManifestError, match=r"question: beside messages; expected either"):
        read_manifest(str(path))
