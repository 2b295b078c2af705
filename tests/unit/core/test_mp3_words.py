"""mp3 files whole, whatever the blocks they are read in, and not a word of the decoder in our output."""

from __future__ import annotations

import ctypes
import io
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from earwitness import audio
from earwitness.audio import AudioError, channels, decode_audio
from earwitness.containers.words import heard

MARK = 0xFF


def mp3(rate: int, sides: int = 1, seconds: float = 6.0) -> bytes:
    """A low tone over noise that comes and goes: its frames borrow bits from those before."""
    rng, time = np.random.default_rng(0), np.arange(int(seconds * rate)) / rate
    wave = 0.5 * np.sin(2 * np.pi * 200 * time) + 0.05 * rng.standard_normal(len(time)) * (np.sin(9 * time) > 0)
    made = io.BytesIO()
    soundfile.write(made, np.stack([wave] * sides, axis=1), rate, format="MP3")
    return made.getvalue()


def frames(data: bytes) -> list[int]:
    """Where they begin, and some other places."""
    begin = data.index(MARK)
    head = data[begin : begin + 2]
    return [place for place in range(len(data) - 1) if data[place : place + 2] == head]


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100])
def test_blocks_cost_no_frame_and_print_nothing(
    rate: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    data = mp3(rate)
    whole = decode_audio(data, "clip")
    monkeypatch.setattr(audio, "_BLOCK", 1000)
    assert np.array_equal(decode_audio(data, "clip"), whole)
    pieces = list(channels(mp3(rate, sides=2), 800))
    assert {len(piece) for piece in pieces[:-1]} == {800}
    sides = np.concatenate(pieces)
    at_once = np.concatenate(list(channels(mp3(rate, sides=2), 10**7)))
    assert sides.shape[1] == 2 and np.array_equal(sides, at_once)
    assert capfd.readouterr().err == ""


def test_one_cut_out_of_a_longer_one_begins_with_silence_and_is_no_damage(capfd: pytest.CaptureFixture[str]) -> None:
    data, cut = mp3(16_000), 0
    for start in frames(data)[1:40]:
        try:
            assert len(decode_audio(data[start:], "clip")) > 70_000
        except AudioError as error:  # no frame begins there
            assert "decoder" not in str(error)
        else:
            cut += 1
    assert cut >= 20
    assert capfd.readouterr().err == ""


def test_a_frame_that_cannot_be_decoded_is_damage(capfd: pytest.CaptureFixture[str]) -> None:
    """Containers show nothing of it: what the decoder says is all there is."""
    rng, data, said = np.random.default_rng(1), mp3(16_000), []
    for _ in range(40):
        noisy = bytearray(data)
        for place in rng.integers(2000, len(data), 20):
            noisy[place] = rng.integers(256)
        try:
            decode_audio(bytes(noisy), "clip.mp3")
        except AudioError as error:
            said.append(str(error))
    assert any("clip.mp3: is damaged: the decoder says 'error: " in words for words in said), said
    assert capfd.readouterr().err == ""


def test_what_others_say_meanwhile_is_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    libc = ctypes.CDLL(None)
    stderr = ctypes.c_void_p.in_dll(libc, "stderr")
    before = stderr.value
    with heard() as words:
        libc.fputs(b"another library\n", stderr)
        libc.fputs(b"[src/libmpg123/layer3.c:f():1] error: bad frame\n", stderr)
        subprocess.run([sys.executable, "-c", "import sys; print('a child', file=sys.stderr)"], check=True)
        assert words.take() == ["error: bad frame"]
        assert words.take() == []
    assert stderr.value == before
    assert sorted(capfd.readouterr().err.splitlines()) == ["a child", "another library"]
