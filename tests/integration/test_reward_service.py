"""The reward worker as a real process on a real queue, and what becomes of scorers that hang or die."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import psutil
import pytest
import soundfile

from earwitness.log import get_logger
from earwitness.probe import Traces
from earwitness.probe.write import Asked, make_example
from earwitness.queue import READY, ROLLOUTS, SCORED, TASKS, Queue
from earwitness.recipe.schema.sampling import RECORDING_KINDS
from earwitness.redis_server import RedisServer, connect
from earwitness.wire.reward.v1 import reward_pb2, reward_pb2_grpc
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.score import score_group
from reward.scoring import ScoringProcess
from tests.integration.process_kit import PATIENCE, wait_for

sys.path.insert(0, str(Path(__file__).parent))  # the scoring process must find the module by its name
import reward_faults

ROOT = Path(__file__).parents[2]
RUN = "job/1-train/1"
RIGHT = "The tone is near 440 Hz, I hear one tone.\n</think>\none"
WRONG = "Questions like this usually mean two, so I would guess two.\n</think>\ntwo"


@pytest.fixture
def queue_url(tmp_path: Path) -> Iterator[str]:
    with RedisServer("queue", tmp_path / "redis") as server:
        yield server.url


@pytest.fixture
def queue(queue_url: str) -> Queue:
    queue = Queue(connect(queue_url))
    queue.open_run(RUN)
    return queue


@pytest.fixture
def clip(tmp_path: Path) -> str:
    path = tmp_path / "tone.flac"
    times = np.arange(16_000) / 16_000
    soundfile.write(path, 0.1 * np.sin(2 * np.pi * 440 * times) * (times > 0.2) * (times < 0.8), 16_000)
    return str(path)


@pytest.fixture
def worker(queue_url: str) -> Iterator[Callable[[str], tuple[subprocess.Popen[str], str]]]:
    """worker(name): starts a reward worker; returns its process and gRPC address."""
    started: list[subprocess.Popen[str]] = []

    def start(name: str) -> tuple[subprocess.Popen[str], str]:
        environment = os.environ | {
            "EW_QUEUE_URL": queue_url, "EW_NAME": name, "EW_CLAIM_IDLE_MS": "1500", "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-m", "services.reward"], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stderr is not None
        for line in process.stderr:
            event = json.loads(line) if line.startswith("{") else {}
            if event.get("event") == "listening":
                return process, event["address"]
        raise AssertionError(f"reward worker {name} ended with {process.wait()} before it listened")

    yield start
    for process in started:
        process.kill()
        process.wait()


def roll_out(queue: Queue, ordinal: int, uri: str, texts: list[str], **task_fields: bool) -> None:
    """Puts a group on `rollouts`, as a rollout worker does."""
    prompt = trajectory_pb2.Prompt(
        id=str(ordinal), question="How many tones are there?", choices=["one", "two"], answer="one", audio_uri=uri,
        verifier=trajectory_pb2.VERIFIER_CHOICE,
    )  # fmt: skip
    rule = trajectory_pb2.RewardRule(
        weights={"correct": 0.8, "grounded": 0.2}, min_think_chars=16,
    )  # fmt: skip
    task = trajectory_pb2.GroupTask(run_id=RUN, ordinal=ordinal, prompt=prompt, reward=rule, **task_fields)
    assert queue.issue(task)
    (taken,) = queue.take(TASKS, "test", block_ms=0)
    group = trajectory_pb2.Group(task=task)
    for index, text in enumerate(texts):
        group.trajectories.add(index=index, text=text, finish_reason=trajectory_pb2.FINISH_REASON_STOP)
    assert queue.hand_off(TASKS, taken.message_id, group, ROLLOUTS) == "ok"


def test_groups_are_scored_filtered_and_handed_on(queue, clip, worker, tmp_path):
    process, address = worker("r1")
    roll_out(queue, 0, clip, [RIGHT, WRONG], needs_spread=True)
    roll_out(queue, 1, clip, [RIGHT, RIGHT], needs_spread=True)
    roll_out(queue, 2, clip, [WRONG, WRONG], needs_spread=True)
    roll_out(queue, 3, clip, [RIGHT, RIGHT], needs_reference=True)
    roll_out(queue, 4, str(tmp_path / "missing.wav"), [RIGHT, RIGHT])
    wait_for("five groups", lambda: queue.counts(RUN).rolled == 0)
    ledger = queue.ledger(RUN)
    assert (ledger[0], ledger[1], ledger[2], ledger[3]) == (
        "ready",
        "dropped:all correct",
        "dropped:all wrong",
        "scored",
    )
    assert ledger[4].startswith("dropped:unverified: clip cannot be measured")
    (ready,) = queue.take(READY, "test", count=10, block_ms=0)
    group = trajectory_pb2.Group.FromString(ready.data)
    assert [t.reward.total for t in group.trajectories] == pytest.approx([1.0, 0.0 + 0.0])
    assert group.trajectories[1].reward.surrogate
    (stay,) = group.passages
    assert (stay.station, stay.worker) == ("reward", "r1")
    assert stay.arrived == stay.able <= stay.begun < stay.ended
    shown = [trajectory_pb2.Group.FromString(data) for data in queue.shown()]
    assert shown and shown[-1].task.ordinal == 0 and shown[-1].trajectories[0].reward.correct
    assert not any(trajectory.logprobs for trajectory in shown[-1].trajectories)
    assert len(queue.take(SCORED, "test", count=10, block_ms=0)) == 1

    # The same through gRPC as through the queue and in this process.
    bare = trajectory_pb2.Group.FromString(ready.data)
    for trajectory in bare.trajectories:
        trajectory.ClearField("reward")
    with grpc.insecure_channel(address) as channel:
        stub = reward_pb2_grpc.RewardServiceStub(channel)
        answered = stub.Score(reward_pb2.ScoreRequest(group=bare)).group
        with pytest.raises(grpc.RpcError) as refused:
            stub.Score(reward_pb2.ScoreRequest(group=trajectory_pb2.Group()))
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    score_group(bare)
    rewards = [t.reward for t in group.trajectories]
    assert [t.reward for t in answered.trajectories] == rewards == [t.reward for t in bare.trajectories]

    process.send_signal(signal.SIGTERM)
    assert process.wait() == 0


def test_what_is_said_of_two_recordings_is_checked_on_the_one_that_is_meant(worker, tmp_path):
    """The probe's comparisons with their true reasoning; then with the clips in each other's place."""
    _, address = worker("r1")
    with grpc.insecure_channel(address) as channel:
        stub = reward_pb2_grpc.RewardServiceStub(channel)
        for index, kind in enumerate(RECORDING_KINDS):
            made, reasoning, _, _ = make_example(str(tmp_path), 3, "train", Traces(), index, Asked(RECORDING_KINDS))
            group = group_of()
            group.task.reward.weights.update({"correct": 0.8, "grounded": 0.2})
            group.task.prompt.ParseFromString(made)
            text = f"{reasoning}\n</think>\n{group.task.prompt.answer}"
            group.trajectories.add(text=text, finish_reason=trajectory_pb2.FINISH_REASON_STOP)
            (true,) = stub.Score(reward_pb2.ScoreRequest(group=group)).group.trajectories
            assert true.reward.correct and true.reward.supported >= 2 and not true.reward.contradicted, (kind, true)
            first, second = group.task.prompt.clips
            first.audio_uri, second.audio_uri = second.audio_uri, first.audio_uri
            (exchanged,) = stub.Score(reward_pb2.ScoreRequest(group=group)).group.trajectories
            assert exchanged.reward.contradicted >= 2, (kind, exchanged)
            assert exchanged.reward.parts["grounded"] < true.reward.parts["grounded"], (kind, exchanged)


def test_a_killed_worker_loses_nothing(queue, clip, worker):
    first, _ = worker("r1")
    for ordinal in range(40):
        roll_out(queue, ordinal, clip, [RIGHT, WRONG] * 4)
    wait_for("the first group", lambda: queue.counts(RUN).ready > 0)
    below = psutil.Process(first.pid).children(recursive=True)
    assert below
    first.kill()
    wait_for("its scorer to end with it", lambda: not any(process.is_running() for process in below))
    worker("r2")
    wait_for("the rest", lambda: queue.counts(RUN).ready == 40)
    assert len(queue.take(READY, "test", count=100, block_ms=0)) == 40


def group_of(*texts: str) -> trajectory_pb2.Group:
    group = trajectory_pb2.Group()
    for index, text in enumerate(texts):
        group.trajectories.add(index=index, text=text)
    return group


class ForWhatHangs(ScoringProcess):
    """A second for what hangs, and for anything else as long as it takes on any machine."""

    async def _attempt(self, group: trajectory_pb2.Group) -> trajectory_pb2.Group:
        self._seconds = 1.0 if any(t.text == "hang" for t in group.trajectories) else PATIENCE
        return await super()._attempt(group)


@pytest.mark.parametrize(
    ("fault", "reason"), [("hang", "took longer"), ("die", "process died"), ("raise", "RuntimeError: on purpose")]
)
async def test_a_faulty_trajectory_is_dropped_and_no_other(fault, reason, monkeypatch):
    monkeypatch.setattr("reward.scoring.START_SECONDS", 0.0)
    with ForWhatHangs(get_logger("test"), reward_faults.faulty) as scoring:
        scored = await scoring.score(group_of("fine", fault, "fine too"))
        again = await scoring.score(group_of("fine"))
    drops = [t.reward.drop_reason for t in scored.trajectories]
    assert (drops[0], drops[2]) == ("", "")
    assert reason in drops[1]
    assert [t.reward.total for t in scored.trajectories] == [1.0, 0.0, 1.0]
    assert again.trajectories[0].reward.total == 1.0
