"""The recogniser as a real process, with a network of ours, asked by a scoring process over gRPC."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import psutil
import pytest
import soundfile

from earwitness.audio import SAMPLE_RATE
from earwitness.bearer import bearer
from earwitness.errors import InputError
from earwitness.local.launch import EXIT_CONFIG
from earwitness.local.ports import free_ports
from earwitness.log import get_logger
from earwitness.settings import Settings
from earwitness.wire.recogniser.v1 import recogniser_pb2 as wire
from earwitness.wire.recogniser.v1 import recogniser_pb2_grpc
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.recognise.messages import content_of, samples_of, sound_of
from reward.recognise.track import AWAY, NotHeard
from reward.scoring import ScoringProcess, score_bytes
from services.recogniser.asking import Asking, Silence, asking
from tests.integration.process_kit import PATIENCE, ROOT, wait_for
from tests.unit.reward.onnx_toy import network, tuned

pytest.importorskip("onnxruntime")

LABELS, HERTZ = ["Dog", "Meow", "Siren"], (300.0, 900.0, 1_500.0)
TOKEN = "toy-token"
NAMES = {trajectory_pb2.VERDICT_SUPPORTED: True, trajectory_pb2.VERDICT_CONTRADICTED: False}
Start = Callable[[], subprocess.Popen[str]]


def tone(*hertz: float) -> np.ndarray:
    """A second of each, mono at 16 kHz."""
    times = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    return np.concatenate([0.5 * np.sin(2 * np.pi * f * times) for f in hertz]).astype(np.float32)


@pytest.fixture
def settings() -> Settings:
    return Settings(recogniser=f"127.0.0.1:{free_ports(1)[0]}", token=TOKEN)


@pytest.fixture
def recogniser(tmp_path: Path, settings: Settings) -> Iterator[Start]:
    """recogniser(): starts it at the address of `settings`; returns its process once it listens."""
    model = network(tmp_path / "toy.onnx", tuned(*HERTZ, rate=16_000))
    model.with_suffix(".json").write_text(json.dumps({"sample_rate": 16_000, "labels": LABELS}))
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        environment = os.environ | {
            "EW_LISTEN": settings.recogniser, "EW_TOKEN": TOKEN, "EW_TAGGER": str(model), "EW_NAME": "recogniser-0",
        }  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-m", "services.recogniser"], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stderr is not None
        if not any('"listening"' in line for line in process.stderr):
            raise AssertionError(f"it ended with {process.wait()} before it listened")
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def call(settings: Settings, request: wire.RecogniseRequest, token: str = TOKEN) -> wire.RecogniseResponse:
    with grpc.insecure_channel(settings.recogniser) as channel:
        stub = recogniser_pb2_grpc.RecogniserServiceStub(channel)
        return stub.Recognise(request, metadata=[("authorization", bearer(token))])


def group_of(clip: Path, *thoughts: str) -> trajectory_pb2.Group:
    prompt = trajectory_pb2.Prompt(
        id="1", question="How many?", choices=["one", "two"], answer="two", audio_uri=str(clip),
        verifier=trajectory_pb2.VERIFIER_CHOICE,
    )  # fmt: skip
    rule = trajectory_pb2.RewardRule(weights={"correct": 0.8, "grounded": 0.2}, min_think_chars=4)
    group = trajectory_pb2.Group(task=trajectory_pb2.GroupTask(prompt=prompt, reward=rule))
    for index, thought in enumerate(thoughts):
        group.trajectories.add(
            index=index, text=f"{thought}\n</think>\ntwo", finish_reason=trajectory_pb2.FINISH_REASON_STOP
        )
    return group


def verdicts(group: trajectory_pb2.Group) -> list[bool | None]:
    return [NAMES.get(claim.verdict) for t in group.trajectories for claim in t.reward.claims]


def test_the_sound_travels_once_and_what_was_heard_is_kept(recogniser, settings):
    recogniser()
    sound = sound_of(tone(300.0, 900.0))
    question = wire.RecogniseRequest(wanted=wire.WANTED_SOURCES, content=content_of(sound))
    assert call(settings, question) == wire.RecogniseResponse(needs_sound=True)
    with_sound = wire.RecogniseRequest(wanted=wire.WANTED_SOURCES, content=content_of(sound), sound=sound)
    answer = call(settings, with_sound)
    assert {track.label for track in answer.tracks} >= {"dog", "cat", "siren"}
    assert call(settings, question) == answer
    words = call(settings, wire.RecogniseRequest(wanted=wire.WANTED_WORDS, content=content_of(sound)))
    assert words == wire.RecogniseResponse(not_heard="needs a speech recogniser")
    for changed, code in [
        ({"content": "0" * 32}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"wanted": wire.WANTED_UNSPECIFIED}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"sound": wire.Sound(pcm=b"odd", peak=1.0)}, grpc.StatusCode.INVALID_ARGUMENT),
    ]:
        fields = {"wanted": wire.WANTED_SOURCES, "content": content_of(sound), "sound": sound} | changed
        with pytest.raises(grpc.RpcError) as refused:
            call(settings, wire.RecogniseRequest(**fields))
        assert refused.value.code() is code
    with pytest.raises(grpc.RpcError) as refused:
        call(settings, question, token="another")
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_claims_are_checked_by_it_and_while_it_is_away_they_are_not_checkable(recogniser, settings, tmp_path):
    """Killed, it comes back: groups are scored all the time, and only the claims that need it have no verdict."""
    clips = [tmp_path / f"{n}.wav" for n in range(3)]
    for n, clip in enumerate(clips):
        soundfile.write(clip, 0.9**n * tone(300.0, 900.0), SAMPLE_RATE)
    said = ("I hear a dog.", "There is a siren.", "A trumpet plays.", "The clip lasts two seconds.")
    scorer = functools.partial(score_bytes, elsewhere=functools.partial(asking, settings, silence_seconds=0.5))
    with ScoringProcess(get_logger("test"), scorer, PATIENCE) as scoring:

        async def heard(clip: Path) -> None:
            """Waits until each claim about it has its verdict: a machine that stalls is one that does not answer."""
            while (found := verdicts(await scoring.score(group_of(clip, *said)))) != [True, False, None, True]:
                assert found in ([None, None, None, True], [None, False, None, True], [True, None, None, True])
                await asyncio.sleep(0.1)

        process = recogniser()
        await heard(clips[0])
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not psutil.pid_exists(process.pid)
        away = await scoring.score(group_of(clips[1], *said))
        assert verdicts(away) == [None, None, None, True]
        assert not [t.reward.drop_reason for t in away.trajectories if t.reward.drop_reason]
        assert all(t.reward.claims[0].measured.startswith(AWAY) for t in away.trajectories[:3])
        assert [t.reward.correct for t in away.trajectories] == [True] * 4
        # What was heard before is known without it.
        assert verdicts(await scoring.score(group_of(clips[0], *said))) == [True, False, None, True]
        recogniser()
        await heard(clips[1])  # left alone at first


def test_a_clip_keeps_its_level_and_its_samples():
    """16 bits below the peak: what is lost is half a step; a clip of silence stays one."""
    for samples in (tone(300.0), 30_000 * tone(300.0), 1e-4 * tone(300.0)):
        back = samples_of(sound_of(samples))
        assert np.abs(back - samples).max() <= 0.51 * np.abs(samples).max() / 32_767
    assert not samples_of(sound_of(np.zeros(100, dtype=np.float32))).any()


def test_the_time_of_a_group_is_not_exceeded(settings):
    """A machine that takes what it is sent and says nothing: it is asked once, and then left alone."""
    with socket.create_server(("127.0.0.1", int(settings.recogniser.rpartition(":")[2]))):
        silence, sound = Silence(PATIENCE), tone(300.0)

        def asked() -> bool:
            """False if this machine took longer to begin than there was time for."""
            with pytest.raises(NotHeard, match=AWAY):
                Asking(settings, silence, seconds=0.3).recognise(sound)
            return silence.until > 0

        wait_for("an answer that does not come", asked)
        with pytest.raises(NotHeard, match=AWAY):
            Asking(settings, silence).expected()
        with pytest.raises(NotHeard, match="used up"):
            Asking(settings, Silence(60.0), seconds=0.0).expected()


@pytest.mark.parametrize("address", ["recogniser", "http://host:1", "host:", "host:1/x"])
def test_an_address_is_host_and_port(address):
    with pytest.raises(InputError, match="EW_RECOGNISER"):
        Settings.from_env({"EW_RECOGNISER": address})


def test_without_a_model_it_does_not_start():
    environment = {name: value for name, value in os.environ.items() if name not in ("EW_TAGGER", "EW_TRANSCRIBER")}
    done = subprocess.run(
        [sys.executable, "-m", "services.recogniser"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == EXIT_CONFIG and "EW_TAGGER" in done.stderr
