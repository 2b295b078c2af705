"""The synthesiser of probe clips, groups to score, and an OpenAI-compatible endpoint."""

from __future__ import annotations

import importlib.util
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile

from earwitness.wire.trajectory.v1 import trajectory_pb2


def synthesiser(name: str) -> ModuleType:
    """The module of that name beside this file."""
    spec = importlib.util.spec_from_file_location(f"reward_test_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def clips() -> ModuleType:
    """Tones and pulses."""
    return synthesiser("clips")


@pytest.fixture(scope="session")
def scenes() -> ModuleType:
    """Chords, drums, syllables, speech."""
    return synthesiser("scenes")


@pytest.fixture
def two_tones(clips: ModuleType, tmp_path: Path) -> str:
    """URI of a clip with 440 Hz for 0.3 s at -20 dBFS, then 620 Hz for 0.6 s at -12 dBFS."""
    rng = np.random.default_rng(3)
    parts = [(0.1, clips.tone(440, 0.3), -20.0), (0.6, clips.tone(620, 0.6), -12.0)]
    path = tmp_path / "two.wav"
    soundfile.write(path, clips.mix(parts, 1.4, 35.0, rng), clips.RATE)
    return str(path)


@pytest.fixture
def make_group(two_tones: str) -> Callable[..., trajectory_pb2.Group]:
    """make_group(*texts, **prompt fields): a group on the two tones; the answer is "second"."""

    def make(*texts: str, term: int = trajectory_pb2.REASONING_TERM_GROUNDED, **fields: object) -> trajectory_pb2.Group:
        prompt = trajectory_pb2.Prompt(
            id="p",
            question="Which tone is higher?",
            choices=["first", "second"],
            answer="second",
            verifier=trajectory_pb2.VERIFIER_CHOICE,
            audio_uri=two_tones,
        )
        prompt.MergeFrom(trajectory_pb2.Prompt(**{k: v for k, v in fields.items() if v}))
        if fields.get("audio_uri") == "":
            prompt.audio_uri = ""
        rule = trajectory_pb2.RewardRule(
            correct_weight=0.8, reasoning_weight=0.2, reasoning_term=term, min_think_chars=16
        )
        group = trajectory_pb2.Group(task=trajectory_pb2.GroupTask(prompt=prompt, reward=rule))
        for index, text in enumerate(texts):
            group.trajectories.add(index=index, text=text, finish_reason=trajectory_pb2.FINISH_REASON_STOP)
        return group

    return make


class Endpoint(ThreadingHTTPServer):
    """Replies with what `replies` holds, the last again and again: a verdict, a status, or seconds to wait."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Replies)
        self.replies: list[str | int | float] = ["CORRECT"]
        self.requests: list[dict] = []
        self.lock = threading.Lock()


class Replies(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.requests.append({"path": self.path, "key": self.headers["Authorization"], **body})
            reply = self.server.replies.pop(0) if len(self.server.replies) > 1 else self.server.replies[0]
        if isinstance(reply, float):
            time.sleep(reply)
            reply = "CORRECT"
        if callable(reply):
            reply = reply(json.loads(body["messages"][1]["content"]))
        self.send_response(reply if isinstance(reply, int) else 200)
        self.end_headers()
        self.wfile.write(json.dumps({"choices": [{"message": {"content": reply}}]}).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()
