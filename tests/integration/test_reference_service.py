"""The real reference service on a real Redis: groups go from `scored` to `ready` with their log-probs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from earwitness.active import ActiveJob, write_active
from earwitness.local.ports import free_ports
from earwitness.queue import READY, ROLLOUTS, SCORED, TASKS, Queue
from earwitness.recipe.schema import ToyModel
from earwitness.redis_server import RedisServer, connect
from earwitness.wire.reference.v1 import reference_pb2, reference_pb2_grpc
from earwitness.wire.trajectory.v1 import trajectory_pb2
from tests.integration.process_kit import wait_for
from trainer.model.toy import make_toy

ROOT = Path(__file__).resolve().parents[2]
RUN = "j/0-train/0"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer("queue", tmp_path / "redis") as server:
        yield server


@pytest.fixture
def address(redis: RedisServer, tmp_path: Path) -> Iterator[str]:
    """A running reference service."""
    address = f"127.0.0.1:{free_ports(1)[0]}"
    env = {**os.environ, "EW_QUEUE_URL": redis.url, "EW_LISTEN": address, "EW_NAME": "reference-0"}
    with (tmp_path / "reference.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "services.reference"], env=env, cwd=ROOT, stderr=log)
        try:
            yield address
        finally:
            process.terminate()
            assert process.wait() == 0


def scored_group(queue: Queue, ordinal: int, tokens: list[int]) -> None:
    """Brings a group to `scored`, as rollout and reward would."""
    sampling = trajectory_pb2.Sampling(samples=1, temperature=1.0, top_p=1.0, max_tokens=8)
    prompt = trajectory_pb2.Prompt(id=f"p{ordinal}", question="?", answer="up")
    task = trajectory_pb2.GroupTask(run_id=RUN, ordinal=ordinal, prompt=prompt, sampling=sampling, needs_reference=True)
    assert queue.issue(task)
    for source, target in ((TASKS, ROLLOUTS), (ROLLOUTS, SCORED)):
        (taken,) = queue.take(source, "test", 1, 1000)
        group = trajectory_pb2.Group(task=task, prompt_token_ids=[20, 21, 22])
        group.trajectories.add(token_ids=tokens, logprobs=[-1.0] * len(tokens))
        assert queue.hand_off(source, taken.message_id, group, target) == "ok"


def test_groups_get_their_logprobs_and_bad_ones_are_dropped(redis: RedisServer, address: str, tmp_path: Path) -> None:
    toy = ToyModel(
        hidden_size=32, layers=1, heads=2, kv_heads=1, intermediate_size=32, vocab_size=320, max_positions=64,
        encoder_size=16, encoder_layers=1, encoder_heads=2, adapter_size=16, n_mels=16,
    )  # fmt: skip
    make_toy(str(tmp_path / "toy"), toy, ["it rises"], seed=1)
    client = connect(redis.url)
    queue = Queue(client)
    queue.open_run(RUN)
    scored_group(queue, 0, [30, 31])
    scored_group(queue, 1, [30] * 200)  # does not fit the model
    time.sleep(1.0)
    assert queue.counts(RUN).scored == 2  # nothing is taken before a job asks for a reference

    write_active(client, ActiveJob("j", needs_reference=True, reference_uri=str(tmp_path / "toy")))
    wait_for("both groups", lambda: queue.counts(RUN).running == 0)
    ledger = queue.ledger(RUN)
    assert ledger[0] == "ready"
    assert ledger[1].startswith("dropped:reference: ordinal 1, trajectory 0: 203 tokens")
    (taken,) = queue.take(READY, "test", 1, 1000)
    group = trajectory_pb2.Group.FromString(taken.data)
    (trajectory,) = group.trajectories
    assert len(trajectory.reference_logprobs) == 2 and max(trajectory.reference_logprobs) < 0
    (stay,) = group.passages
    assert stay.station == "reference" and stay.arrived <= stay.begun < stay.ended

    with grpc.insecure_channel(address) as channel:
        stub = reference_pb2_grpc.ReferenceServiceStub(channel)
        answer = stub.ScoreLogprobs(reference_pb2.ScoreLogprobsRequest(group=group))
        assert list(answer.group.trajectories[0].reference_logprobs) == list(trajectory.reference_logprobs)
        group.trajectories[0].token_ids[:] = []
        with pytest.raises(grpc.RpcError) as refused:
            stub.ScoreLogprobs(reference_pb2.ScoreLogprobsRequest(group=group))
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    (worker,) = queue.workers()
    assert (worker.role, worker.fields["state"]) == ("reference", "working")
