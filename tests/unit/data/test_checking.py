"""`data check`: what is told of clips, and that duplicates and leaks are found in whatever form they come."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from earwitness.audio import SAMPLE_RATE, decode_audio
from earwitness.cli.commands import app
from earwitness.data.checking import check_manifests
from earwitness.data.clip_facts import look_at
from earwitness.data.fingerprint import fingerprint, near_duplicates

sys.path.insert(0, str(Path(__file__).parent))

from data_kit import lines, tone, write

RATE = 22_050


def music(seed: int, seconds: float = 4.0) -> np.ndarray:
    """Notes with overtones, one after another, over a little noise; no two seeds alike."""
    rng = np.random.default_rng(seed)
    sound = rng.normal(0, 0.001, int(seconds * RATE))
    start = 0
    while start < len(sound) - RATE // 10:
        times = np.arange(min(int(rng.uniform(0.12, 0.5) * RATE), len(sound) - start)) / RATE
        pitch = rng.uniform(110, 880)
        note = sum(rng.uniform(0.1, 0.3) / h * np.sin(2 * np.pi * pitch * h * times) for h in range(1, 7))
        sound[start : start + len(times)] += note * np.exp(-3 * times)
        start += len(times)
    return 0.3 * sound / np.abs(sound).max()


def stored(path: Path, samples: np.ndarray, rate: int = RATE) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate)
    return str(path)


def words(path: str) -> np.ndarray:
    return fingerprint(decode_audio(Path(path).read_bytes(), path))


FORMS = {
    "mp3": ("x.mp3", lambda sound: sound),
    "ogg": ("x.ogg", lambda sound: sound),
    "softer": ("x.flac", lambda sound: 0.2 * sound),
    "its begin cut off": ("x.wav", lambda sound: sound[RATE // 3 :]),
    "its end cut off": ("x.wav", lambda sound: sound[:-RATE]),
    "silence before it": ("x.wav", lambda sound: np.concatenate([np.zeros(RATE // 2), sound])),
    "noise": ("x.wav", lambda sound: sound + np.random.default_rng(0).normal(0, 0.004, len(sound))),
}


@pytest.mark.parametrize("form", FORMS)
def test_near_duplicates_are_found_among_others(tmp_path: Path, form: str) -> None:
    name, change = FORMS[form]
    others = [words(stored(tmp_path / f"{n}.wav", music(n))) for n in range(12)]
    same = words(stored(tmp_path / name, change(music(7))))
    assert [pair[:2] for pair in near_duplicates([*others, same])] == [(7, 12)]


@given(st.lists(st.integers(0, 30), max_size=4), st.integers(0, 2**32 - 1))
def test_what_is_too_short_or_silent_is_like_nothing(sizes: list[int], word: int) -> None:
    prints = [np.full(size, word, dtype=np.uint32) for size in sizes]
    assert all(prints[one].size >= 30 for one, _, _ in near_duplicates(prints))
    assert near_duplicates([np.zeros(500, dtype=np.uint32)] * 2) == []
    assert len(fingerprint(np.zeros(100, dtype=np.float32))) == 0


def test_facts_of_a_clip(tmp_path: Path) -> None:
    loud = stored(tmp_path / "loud.wav", np.clip(9 * music(1), -1, 1))
    wav = stored(tmp_path / "a.wav", music(1))
    flac = stored(tmp_path / "a.flac", soundfile.read(wav, dtype="int16")[0])
    times = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    sine = look_at(stored(tmp_path / "s.wav", 0.5 * np.sin(2 * np.pi * 100 * times), SAMPLE_RATE))
    assert (sine.seconds, sine.rate, sine.channels, sine.clipped, sine.silent) == (1.0, SAMPLE_RATE, 1, False, False)
    assert sine.peak == pytest.approx(-6.02, abs=0.05)
    assert sine.level == pytest.approx(-9.03, abs=0.05)  # 3 dB below, as of any sine
    assert look_at(loud).clipped
    assert look_at(wav).content == look_at(flac).content
    assert look_at(wav).xxh3 != look_at(flac).xxh3
    assert look_at(stored(tmp_path / "z.wav", np.zeros(SAMPLE_RATE), SAMPLE_RATE)).silent
    assert "no such file" in look_at(str(tmp_path / "gone.wav")).problem


@pytest.fixture
def splits(tmp_path: Path) -> tuple[str, str]:
    """Two manifests with one fault of each kind."""

    def line(identity: str, audio: str, question: str = "q", **more: object) -> dict[str, object]:
        return {"id": identity, "audio": audio, "question": question, "answer": "yes", "verifier": "polar", **more}

    for n in range(4):
        stored(tmp_path / f"{n}.wav", music(n))
    stored(tmp_path / "0.flac", soundfile.read(tmp_path / "0.wav", dtype="int16")[0])
    stored(tmp_path / "1.mp3", music(1))
    write(tmp_path / "cut.wav", tone(300)[:100])
    stored(tmp_path / "silent.wav", np.zeros(RATE))
    train = lines(
        tmp_path / "train.jsonl", line("a", "0.wav"), line("b", "1.wav"), line("c", "2.wav"),
        line("d", "2.wav", "another"), line("e", "2.wav"), line("f", "cut.wav"), line("g", "silent.wav"),
        line("h", "3.wav", extra={"source": {"xxh3_128": "0" * 32}}),
    )  # fmt: skip
    number = {"id": "z", "question": "q", "answer": "5 or 6", "verifier": "number"}
    return str(train), str(lines(tmp_path / "eval.jsonl", line("a", "0.flac"), line("b", "1.mp3"), number))


def test_every_kind_of_fault_is_named(splits: tuple[str, str]) -> None:
    from reward.reference import reference_problem

    told: list[tuple[int, int]] = []
    found = check_manifests(splits, reference_problem, lambda done, total: told.append((done, total)))
    assert found.lines == {"train": 8, "eval": 3}
    assert (found.clips, found.text_only, told[-1]) == (8, 1, (8, 8))
    assert [(twins.lines, twins.likeness == 1) for twins in found.leaks] == [
        (["train:a", "eval:a"], True), (["train:b", "eval:b"], False),
    ]  # fmt: skip
    assert (list(found.unreadable), found.silent, found.clipped) == (["train:f"], ["train:g"], [])
    assert (found.changed, list(found.references)) == (["train:h"], ["eval:z"])
    assert (found.repeated, found.shared, found.near) == ([["train:c", "train:e"]], 1, [])
    assert found.rates == {str(RATE): 7}
    assert found.seconds["most"] == pytest.approx(4.0, abs=0.1)
    alone = check_manifests(splits[:1], reference_problem, lambda *_: None)
    assert (alone.leaks, alone.lines) == ([], {"train": 8})


def test_the_command_says_so_by_its_status(splits: tuple[str, str], tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["data", "check", *splits, "--json"])
    assert done.exit_code == 1
    assert json.loads(done.stdout)["wrong"] is True
    told = CliRunner().invoke(app, ["data", "check", *splits])
    assert "in two splits: train and eval: train:a, eval:a (100%)" in told.output
    fine = lines(tmp_path / "fine.jsonl", {"id": "1", "question": "q", "answer": "yes", "verifier": "polar"})
    assert CliRunner().invoke(app, ["data", "check", str(fine)]).exit_code == 0
