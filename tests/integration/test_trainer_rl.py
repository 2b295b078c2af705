"""The RL phase of a real trainer process on real Redis servers, fed with recorded groups."""

import math
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from trainer_kit import recorded_group, write_data, write_recipe
from trainer_service import TrainerService, losses

from earwitness.manifest import Example, read_manifest, write_manifest
from earwitness.queue import ROLLOUTS, TASKS, Queue
from earwitness.redis_server import RedisServer, connect
from earwitness.weights import WeightReader
from earwitness.wire.trainer.v1 import trainer_pb2 as wire
from earwitness.wire.trajectory.v1 import trajectory_pb2
from tests.integration.process_kit import wait_for
from trainer.tuning.examples import load_tokenizer

BASE_VERSION = 10
STEPS = 5
GROUPS = 3
BAD = {1: "logprobs", 4: "reward"}
"""Ordinals whose groups carry a NaN."""


@pytest.fixture
def mesh(tmp_path):
    with RedisServer("queue", tmp_path / "queue") as queue, RedisServer("weights", tmp_path / "weights") as weights:
        yield queue.url, weights.url


class Feeder:
    """Stands for jobs, rollout and reward: keeps the current run fed, as the admission rule would."""

    def __init__(self, url: str, model: str, manifest: str) -> None:
        self._queue = Queue(connect(url))
        self._tokenizer, self._manifest = load_tokenizer(model), manifest
        self.steps = STEPS
        """For which there are groups."""
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(1)

    def __enter__(self):
        self._running = self._pool.submit(self._run)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._running.result()
        self._pool.shutdown()

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            run_id = self._queue.current_run()
            counts = self._queue.counts(run_id) if run_id else None
            if counts is None or counts.ready >= GROUPS or counts.accepted >= GROUPS * self.steps:
                continue
            known = self._queue.ledger(run_id)
            version = BASE_VERSION + counts.used // GROUPS
            self._feed(run_id, next(n for n in range(10_000) if n not in known), version)

    def _feed(self, run_id: str, ordinal: int, version: int) -> None:
        group = recorded_group(run_id, ordinal, self._tokenizer, self._manifest, version)
        if BAD.get(ordinal) == "logprobs":
            group.trajectories[2].logprobs[0] = math.nan
        if BAD.get(ordinal) == "reward":
            group.trajectories[0].reward.total = math.nan
        if not self._queue.issue(group.task):
            return
        for stream, following in ((TASKS, ROLLOUTS), (ROLLOUTS, "ew:ready")):
            for message_id, data in self._queue.take(stream, "feeder", 1, 0):
                kind = trajectory_pb2.GroupTask if stream == TASKS else trajectory_pb2.Group
                taken = kind.FromString(data)
                moved = group if stream == TASKS else taken
                self._queue.hand_off(stream, message_id, moved, following)


def start_fields(folder: Path, manifest: str, recipe: bytes, model: str) -> dict[str, object]:
    return {
        "job_id": "job",
        "recipe_yaml": recipe,
        "stage_index": 1,
        "phase": "train",
        "model_uri": model,
        "checkpoint_uri": str(folder / "rl"),
        "base_version": BASE_VERSION,
    }


def test_killed_in_the_middle_every_ordinal_is_used_once_or_dropped(tmp_path, mesh):
    manifest = write_data(tmp_path)
    recipe = write_recipe(tmp_path, manifest, steps=STEPS, groups_per_step=GROUPS)
    queue = Queue(connect(mesh[0]))
    with TrainerService(tmp_path, *mesh) as trainer:
        model = trainer.call("PrepareModel", job_id="job", recipe_yaml=recipe).model_uri
        fields = start_fields(tmp_path, manifest, recipe, model)
        with Feeder(mesh[0], model, manifest) as feeder:
            feeder.steps = STEPS - 1  # it is not over before it is killed
            trainer.call("StartPhase", **fields)
            first = trainer.wait(step=3)
            assert first.run_id == "job/1-train/0" and first.version >= BASE_VERSION + 3
            trainer.wait(saved=True)
            trainer.kill()
            feeder.steps = STEPS
            trainer.start()
            trainer.call("StartPhase", **fields)
            done = trainer.wait(state=wire.PHASE_STATE_DONE)
        assert (done.step, done.version, done.lineage) == (STEPS, BASE_VERSION + STEPS, 1)
        assert done.run_id == "job/1-train/1"
        assert min(losses(done, "loss.policy")) in (3, 5)  # it went on from a checkpoint

        ledger = queue.ledger(done.run_id)
        used = {o: int(state.removeprefix("used:")) for o, state in ledger.items() if state.startswith("used:")}
        assert sorted(used.values()) == [step for step in range(1, STEPS + 1) for _ in range(GROUPS)]
        dropped = {o: state for o, state in ledger.items() if state.startswith("dropped:")}
        assert set(dropped) == set(BAD)
        assert "trajectory 2: logprobs is not finite" in dropped[1]
        assert "trajectory 0: reward is not finite" in dropped[4]
        assert all(state.startswith(("used:", "dropped:")) or o > max(used) for o, state in ledger.items())

        reader = WeightReader([mesh[1]])
        assert reader.latest() == ("job/1", BASE_VERSION + STEPS)
        published = {e.name: b.tobytes() for e, b in reader.fetch(reader.manifest("job/1", BASE_VERSION + STEPS))}
        assert "lm_head.weight" in published and "encoder.conv1.weight" in published
        publication = {"version": 16, "lineage": 1, "checkpoint_uri": done.checkpoint_uri, "model_uri": model}
        answer = trainer.call("PublishWeights", job_id="job", recipe_yaml=recipe, **publication)
        assert answer.bytes == sum(len(b) for b in published.values())
        from_files = {e.name: b.tobytes() for e, b in reader.fetch(reader.manifest("job/1", 16))}
        assert from_files == published  # the checkpoint's files are what was served last
        assert trainer.call("PublishWeights", job_id="job", recipe_yaml=recipe, **publication).bytes == 0


def test_a_stop_while_waiting_for_groups_is_quick_and_lost_weights_and_runs_come_back(tmp_path, mesh):
    manifest = write_data(tmp_path)
    recipe = write_recipe(tmp_path, manifest, algorithm="rloo", updates_per_step=1)
    with TrainerService(tmp_path, *mesh) as trainer:
        model = trainer.call("PrepareModel", job_id="job", recipe_yaml=recipe).model_uri
        trainer.call("StartPhase", **start_fields(tmp_path, manifest, recipe, model))
        reader = WeightReader([mesh[1]])
        wait_for("the base version", lambda: reader.latest() == ("job/0", BASE_VERSION))
        queue = Queue(connect(mesh[0]))
        wait_for("the run", lambda: queue.current_run() == "job/1-train/0")
        connect(mesh[1]).flushall()
        wait_for("the base version to come back", lambda: reader.latest() == ("job/0", BASE_VERSION))
        connect(mesh[0]).flushall()
        wait_for("the run to come back", lambda: queue.current_run() == "job/1-train/0")

        def quick_stop() -> bool:
            """A machine that stalls may make one take longer, never each."""
            started = time.monotonic()
            trainer.call("StopPhase", job_id="job")
            seconds = time.monotonic() - started
            assert trainer.call("GetStatus").state == wire.PHASE_STATE_STOPPED
            if seconds >= 10:  # a second on an idle machine
                before = queue.current_run()
                trainer.call("StartPhase", **start_fields(tmp_path, manifest, recipe, model))
                wait_for("the next run", lambda: queue.current_run() != before)
            return seconds < 10

        wait_for("a quick stop", quick_stop)


def test_ranks_fail_together_and_stay_usable(tmp_path, mesh):
    """Two ranks: what only one of them sees, and what all see, ends the phase with its reason and not the process."""
    manifest = write_data(tmp_path)
    recipe = write_recipe(tmp_path, manifest, algorithm="grpo", updates_per_step=1, logprob_gap_bound=0.01)
    with TrainerService(tmp_path, *mesh, ranks=2) as trainer:
        model = trainer.call("PrepareModel", job_id="job", recipe_yaml=recipe).model_uri
        with Feeder(mesh[0], model, manifest):
            trainer.call("StartPhase", **start_fields(tmp_path, manifest, recipe, model))
            status = wait_for_end(trainer)
        assert status.state == wire.PHASE_STATE_FAILED
        assert "expected at most logprob_gap_bound = 0.01. The first token that differs: ordinal " in status.reason
        assert (status.step, status.ranks) == (0, 2)

        examples = read_manifest(manifest)
        lost = trajectory_pb2.Prompt(id="lost", question="?", answer="one", audio_uri="/nowhere.wav")
        lost.verifier = trajectory_pb2.VERIFIER_TEXT
        incomplete = str(tmp_path / "incomplete.jsonl")
        write_manifest(incomplete, [*examples[:7], Example(lost, "heard")])
        sft = {**start_fields(tmp_path, manifest, recipe, model), "phase": "tune", "stage_index": 0}
        trainer.call("StartPhase", **{**sft, "manifest_uri": incomplete, "checkpoint_uri": str(tmp_path / "a")})
        status = wait_for_end(trainer)
        assert status.state == wire.PHASE_STATE_FAILED and "/nowhere.wav: no such file" in status.reason

        trainer.call("StartPhase", **{**sft, "manifest_uri": manifest, "checkpoint_uri": str(tmp_path / "b")})
        assert wait_for_end(trainer).state == wire.PHASE_STATE_DONE
        assert trainer.process.poll() is None


def wait_for_end(trainer: TrainerService) -> wire.GetStatusResponse:
    status = wire.GetStatusResponse()

    def ended() -> bool:
        status.CopyFrom(trainer.call("GetStatus"))
        return status.state != wire.PHASE_STATE_RUNNING

    wait_for("the end of the phase", ended)
    return status
