"""A scripted trainer and rollout+reward stand-ins in one process, for tests of the jobs service alone.

    python mesh_stand_in.py QUEUE_URL host:port --hold FILE [--fail PHASE] [--step-seconds S]

The trainer keeps a JSON file per phase as its checkpoint and resumes from it, as the real one does. The workers answer
at random but reproducibly: sample i of ordinal o of a prompt is right with the same probability in every run.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import shutil
import signal
import threading
import time
from pathlib import Path

from earwitness import artifacts
from earwitness.errors import EarwitnessError
from earwitness.queue import READY, ROLLOUTS, TASKS, Queue
from earwitness.queue.working import passed
from earwitness.recipe.load import load_recipe
from earwitness.redis_client import connect
from earwitness.rpc.server import Settings, serve_in_thread
from earwitness.wire.metrics.v1.metrics_pb2 import Metric
from earwitness.wire.trainer.v1 import trainer_pb2 as wire
from earwitness.wire.trainer.v1 import trainer_pb2_grpc
from earwitness.wire.trajectory.v1 import trajectory_pb2
from tests.integration.process_kit import wait_for_redis

ROOT = Path(__file__).parents[2]

# The file alone: its package imports torch and Megatron, 2.5 s of CPU for each of the tests that start a stand-in.
_SPEC = importlib.util.spec_from_file_location("told", ROOT / "trainer/rl/told.py")
assert _SPEC and _SPEC.loader
_TOLD = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_TOLD)

THINK_END_ID = 7
"""Of the listener's tokenizer."""

POSITIONS = 4_096
"""The listener's own 256 hold no clip of a minute."""

LISTENER = ROOT / "models/listener"


class Stopped(Exception):
    """StopPhase was called."""


class ScriptedTrainer(trainer_pb2_grpc.TrainerServiceServicer):
    """Counts steps; in `train` it consumes groups like the real one."""

    def __init__(self, queue: Queue, fail: str, step_seconds: float, stale: bool, hold: Path) -> None:
        self.queue, self.fail, self.step_seconds, self.stale, self.hold = queue, fail, step_seconds, stale, hold
        self.status = wire.GetStatusResponse(state=wire.PHASE_STATE_IDLE)
        self.metrics: list[wire.StepMetrics] = []
        self.thread: threading.Thread | None = None
        self.stopping = threading.Event()
        self.lock, self.saving = threading.Lock(), threading.Lock()

    def PrepareModel(self, request, context):
        folder = Path(load_recipe(request.recipe_yaml).output) / "model"
        folder.mkdir(parents=True, exist_ok=True)
        config = json.loads((LISTENER / "config.json").read_text())
        config["text_config"] |= dict.fromkeys(("max_seq_len", "max_position_embeddings"), POSITIONS)
        (folder / "config.json").write_text(json.dumps(config))
        shutil.copy(LISTENER / "tokenizer.json", folder)
        return wire.PrepareModelResponse(model_uri=str(folder), parameters=1234)

    def StartPhase(self, request, context):
        with self.lock:
            same = (self.status.job_id, self.status.stage_index, self.status.phase) == (
                request.job_id, request.stage_index, request.phase,
            )  # fmt: skip
            if self.status.state == wire.PHASE_STATE_RUNNING and same:
                return wire.StartPhaseResponse(step=self.status.step)
            stage = load_recipe(request.recipe_yaml).stages[request.stage_index]
            self.folder = Path(request.checkpoint_uri)
            self.folder.mkdir(parents=True, exist_ok=True)
            saved = self._load()
            steps = stage.steps if request.phase == "train" else stage.tune.steps
            self.metrics = []
            self.used = {int(o): s for o, s in saved["used"].items()}
            self.dropped = {int(o): r for o, r in saved["dropped"].items()}
            self.status = wire.GetStatusResponse(
                job_id=request.job_id, stage_index=request.stage_index, phase=request.phase,
                state=wire.PHASE_STATE_RUNNING, step=saved["step"], steps=steps, lineage=saved["lineage"] + 1,
                version=request.base_version + (saved["step"] if request.phase == "train" else 0),
            )  # fmt: skip
            self._save()
            self.stopping.clear()
            work = self._train if request.phase == "train" else self._tune
            self.thread = threading.Thread(target=self._run, args=(work, stage), daemon=True)
            self.thread.start()
            return wire.StartPhaseResponse(step=saved["step"])

    def StopPhase(self, request, context):
        if self.status.job_id == request.job_id and self.thread is not None:
            self.stopping.set()
            self.thread.join()
        return wire.StopPhaseResponse(step=self.status.step)

    def PublishWeights(self, request, context):
        return wire.PublishWeightsResponse(bytes=1)

    def SaveCheckpoint(self, request, context):
        self._save()
        return wire.SaveCheckpointResponse(checkpoint_uri=str(self.folder))

    def GetStatus(self, request, context):
        answer = wire.GetStatusResponse()
        answer.CopyFrom(self.status)
        answer.steps_done.extend(m for m in list(self.metrics) if m.step > request.after_step)
        return answer

    def _run(self, work, stage):
        try:
            if self.fail == self.status.phase:
                raise ValueError("the loss is not finite")
            work(stage)
            self._save()
            self.status.checkpoint_uri = str(self.folder)
            self.status.state = wire.PHASE_STATE_DONE
        except Stopped:
            self.status.state = wire.PHASE_STATE_STOPPED
        except (ValueError, EarwitnessError) as error:  # said: nobody waits for a thread that has ended
            self.status.reason = str(error)
            self.status.state = wire.PHASE_STATE_FAILED

    def _wait(self):
        """What a step takes; some are not done while the file `hold` names the phase."""
        if self.stopping.wait(self.step_seconds):
            raise Stopped
        while self._held():
            if self.stopping.wait(0.02):
                raise Stopped

    def _held(self):
        """Behind the phase may stand how many steps of it are done; without, all but the last."""
        try:
            phase, _, done = self.hold.read_text().partition(" ")
        except FileNotFoundError:
            return False
        return phase == self.status.phase and self.status.step >= int(done or self.status.steps - 1)

    def _step(self, metrics):
        step = self.status.step + 1
        figures = [Metric(name=name, value=value) for name, value in metrics.items()]
        self.metrics.append(wire.StepMetrics(step=step, metrics=figures))
        self.status.step = step

    def _tune(self, stage):
        while self.status.step < self.status.steps:
            self._wait()
            self._step({"loss": 3.0 / (self.status.step + 1), "grad_norm": 1.0})

    def _train(self, stage):
        run_id = f"{self.status.job_id}/{self.status.stage_index}-train/{self.status.lineage}"
        self.queue.open_run(run_id, used=self.used, dropped=self.dropped)
        self.status.run_id = run_id
        while self.status.step < self.status.steps:
            taken, groups, stale = [], [], self.stale
            waited = time.time()
            while len(taken) < stage.groups_per_step:
                if self.stopping.is_set():
                    raise Stopped
                for entry in self.queue.take(READY, "trainer", stage.groups_per_step - len(taken), 100):
                    group = trajectory_pb2.Group.FromString(entry.data)
                    if stale:
                        self.queue.drop(READY, entry.message_id, run_id, group.task.ordinal, "stale")
                        stale = False
                        continue
                    taken.append(entry)
                    groups.append(group)
            now = time.time()
            # As the script has it: what bounds a step is no matter of this machine.
            told = {"seconds.wait": self.step_seconds / 10, "seconds.train": self.step_seconds}
            told |= {"publish.bytes": 2.5e6, "publish.whole": 0.0, "seconds.publish.send": 0.01}
            before = max(self.used, default=-1)
            told |= _TOLD.group_metrics(groups, self.status.version, [THINK_END_ID], [waited], now, before)
            self._wait()
            ordinals = [g.task.ordinal for g in groups]
            step = self.status.step + 1
            self.queue.use(run_id, step, [(t.message_id, o) for t, o in zip(taken, ordinals, strict=True)])
            self.used |= dict.fromkeys(ordinals, step)
            self._step(told | {"logprob_gap.mean": 1e-5, "kl": 0.0})
            self.status.version += 1
            if step % 2 == 0:
                self._save()

    def _save(self):
        state = {"step": self.status.step, "lineage": self.status.lineage, "used": self.used, "dropped": self.dropped}
        partial = self.folder / "state.part"
        with self.saving:  # a pause saves beside the phase
            partial.write_text(json.dumps(state))
            partial.rename(self.folder / "state.json")

    def _load(self):
        file = self.folder / "state.json"
        if not file.exists():
            return {"step": 0, "lineage": -1, "used": {}, "dropped": {}}
        return json.loads(file.read_text())


def answer(task: trajectory_pb2.GroupTask, *, learned: bool = False) -> trajectory_pb2.Group:
    """A group for a task: right with a probability that depends on the prompt, never the same text twice.

    `learned`: always right, never a surrogate, and nothing said that could be checked.
    """
    group = trajectory_pb2.Group(task=task, worker="stand-in")
    for index in range(task.sampling.samples):
        luck = random.Random(f"{task.prompt.id}/{task.ordinal}/{index}")
        correct = luck.random() < 0.5 or learned
        wrong = next((c for c in task.prompt.choices if c != task.prompt.answer), "unsure")
        said = task.prompt.answer if correct else wrong
        trajectory = group.trajectories.add(
            index=index, token_ids=[11, 12, 13, THINK_END_ID, 14], logprobs=[-0.1] * 5,
            finish_reason=trajectory_pb2.FINISH_REASON_STOP,
            text=f"I hear a tone {luck.random():.6f} <b>loud</b>\n</think>\n{said}",
        )  # fmt: skip
        trajectory.versions.add(version=task.min_version, tokens=5)
        reward = trajectory.reward
        reward.total, reward.correct, reward.well_formed = float(correct), correct, True
        reward.coherent, reward.answer = True, said
        reward.surrogate = luck.random() < 0.2 and not learned
        reward.supported = int(not learned)
        reward.claims.add(
            text="a tone",
            kind="pitch",
            verdict=trajectory_pb2.VERDICT_SUPPORTED,
            claimed="<i>220</i> Hz",
            measured="219 Hz",
        )
    return group


def work(url: str, stop: threading.Event, learned_from: int) -> None:
    """Rollout and reward at once. From stage `learned_from` on all is learned."""
    queue = Queue(connect(url), claim_idle_ms=2000)
    while not stop.is_set():
        for taken in queue.take(TASKS, "stand-in", 16, 100):
            task = trajectory_pb2.GroupTask.FromString(taken.data)
            stage = int(task.run_id.split("/")[1].split("-")[0])
            begun = time.time()
            group = answer(task, learned=stage >= learned_from)
            passed(group, "rollout", "stand-in", taken, begun)
            queue.hand_off(TASKS, taken.message_id, group, ROLLOUTS)
        for taken in queue.take(ROLLOUTS, "stand-in", 16, 10):
            group = trajectory_pb2.Group.FromString(taken.data)
            passed(group, "reward", "stand-in", taken, time.time())
            queue.show(artifacts.compact(group))
            right = sum(t.reward.correct for t in group.trajectories)
            if group.task.needs_spread and right in (0, len(group.trajectories)):
                reason = "all correct" if right else "all wrong"
                queue.drop(ROLLOUTS, taken.message_id, group.task.run_id, group.task.ordinal, reason)
            else:
                queue.hand_off(ROLLOUTS, taken.message_id, group, READY)
        queue.announce("rollout", "stand-in", {"state": "working", "version": 1, "tasks": 2, "tokens_per_second": 10.0})
        time.sleep(0.01)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser()
    parser.add_argument("queue_url")
    parser.add_argument("listen")
    parser.add_argument("--fail", default="")
    parser.add_argument("--stale", action="store_true", help="every step refuses its first group")
    parser.add_argument("--learned-from", type=int, default=1000, help="stage from which on every answer is right")
    parser.add_argument("--step-seconds", type=float, default=0.02)
    parser.add_argument("--hold", type=Path, required=True, help="file that names a phase whose last step has to wait")
    args = parser.parse_args()
    # Nobody starts it again: a Redis that is silent for seconds, as on a machine that stalls, must not end its threads.
    wait_for_redis()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    # The trainer's own groups never grow old: after a pause it would be given again what it holds.
    trainer = ScriptedTrainer(
        Queue(connect(args.queue_url), claim_idle_ms=600_000),
        args.fail,
        args.step_seconds,
        args.stale,
        args.hold,
    )
    settings = Settings(listen=args.listen, name="trainer")
    server = serve_in_thread(
        "trainer", settings, lambda s: trainer_pb2_grpc.add_TrainerServiceServicer_to_server(trainer, s)
    )
    threading.Thread(target=work, args=(args.queue_url, stop, args.learned_from), daemon=True).start()
    stop.wait()
    server.stop()


if __name__ == "__main__":
    main()
