"""What the page asks for, as JSON: the events, rules and metrics that everything else reads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from earwitness import metrics
from earwitness.chat import split_response
from earwitness.client import Mesh, state_name
from earwitness.errors import InputError
from earwitness.explain import explain
from earwitness.hearing import clip_uris
from earwitness.jobs.report.cards import segments
from earwitness.series import StepsByPhase, steps_of
from earwitness.wire.jobs.v1 import jobs_pb2
from earwitness.wire.trajectory.v1 import trajectory_pb2

JOBS = 50
"""Newest ones that the page lists."""

DIGITS = 6
"""Of a figure: more than a pixel shows."""

WORDS = 300
"""Newest messages that are shown."""


PUBLICATIONS = 8
"""Newest versions of the weights that are shown."""

Scale = Callable[[str, int], str]
"""Asks for so many workers of a role; what came of it, in words."""


class Data:
    """Answers, from a mesh. Events are read once; later questions get those that are new."""

    def __init__(self, mesh: Mesh, scale: Scale | None) -> None:
        self._mesh = mesh
        self._scale = scale
        self._events: dict[str, list[jobs_pb2.Event]] = {}
        self._lock = threading.Lock()

    def jobs(self) -> list[dict[str, Any]]:
        """Newest first."""
        return [job_json(job) for job in self._mesh.list(JOBS)]

    def mesh(self) -> dict[str, Any]:
        """Workers, queue and version now."""
        seen = self._mesh.mesh()
        return {
            "workers": [
                {"name": w.name, "role": w.role, "version": w.version, "state": w.state, "tasks": w.tasks,
                 "tokens_per_second": round(w.tokens_per_second, 1), "seen": round(w.seen_seconds_ago, 1),
                 "load": round(w.load_seconds, 2)}
                for w in seen.workers
            ],
            "streams": [
                {"name": s.stream, "waiting": s.waiting, "pending": s.pending, "oldest": round(s.oldest_seconds, 1)}
                for s in seen.streams
            ],
            "version": seen.version,
            "still": round(seen.still_seconds, 1),
            "ledger": {field.name: getattr(seen.ledger, field.name) for field in seen.ledger.DESCRIPTOR.fields},
            "scalable": self._scale is not None,
        }  # fmt: skip

    def job(self, job_id: str, after: int) -> dict[str, Any]:
        """A job and what it has told behind event `after`. Raises UnknownJob."""
        events = self._read(job_id)
        new = [event for event in events if event.sequence > after]
        return {
            "job": job_json(events[-1].job) if events else None,
            "sequence": events[-1].sequence if events else 0,
            "phases": phases(events),
            "curves": curves(steps_of(new)),
            "drops": drops(new),
            "weights": publications(new),
            "words": [
                {"time": e.time, "kind": e.kind, "text": e.message}
                for e in new
                if e.kind not in ("step", "sample") and e.message
            ][-WORDS:],
        }

    def explained(self, job_id: str) -> dict[str, Any]:
        """As `earwitness explain --json`."""
        found = explain(self._read(job_id))
        return {**asdict(found), "words": [phase.speed.words if phase.speed else "" for phase in found.phases]}

    def groups(self, job_id: str) -> list[dict[str, Any]]:
        """A few of the newest groups."""
        return [group_json(group) for group in self._mesh.groups(job_id)]

    def clip(self, run_id: str, ordinal: int) -> bytes:
        """What one of them is about, as WAV."""
        return self._mesh.clip(run_id, ordinal)

    def act(self, verb: str, job_id: str) -> dict[str, Any]:
        """Pause, resume or cancel."""
        acts = {"pause": self._mesh.pause, "resume": self._mesh.resume, "cancel": self._mesh.cancel}
        return job_json(acts[verb](job_id))

    def scale(self, role: str, count: int) -> dict[str, Any]:
        """More or fewer workers. Raises InputError where nobody here can start any."""
        if self._scale is None:
            raise InputError("scale", "the mesh is reached by its address alone", "`earwitness scale` where it runs")
        return {"words": self._scale(role, count)}

    def _read(self, job_id: str) -> Sequence[jobs_pb2.Event]:
        with self._lock:
            events = self._events.setdefault(job_id, [])
            events += self._mesh.events(job_id, after=events[-1].sequence if events else 0)
            return list(events)


def job_json(job: jobs_pb2.Job) -> dict[str, Any]:
    """A job for the page."""
    return {
        "id": job.job_id, "name": job.name, "state": state_name(job.state), "stage": job.stage_index,
        "stages": job.stages, "type": job.stage_type, "phase": job.phase, "step": job.step, "steps": job.steps,
        "left": round(job.seconds_left, 1), "reason": job.reason, "started": job.started_at, "ended": job.ended_at,
        "output": job.output_uri,
    }  # fmt: skip


def group_json(group: trajectory_pb2.Group) -> dict[str, Any]:
    """A group for the page."""
    task = group.task
    prompt = task.prompt
    return {
        "run": task.run_id, "ordinal": task.ordinal, "kind": prompt.kind, "question": prompt.question,
        "choices": list(prompt.choices), "answer": prompt.answer, "clip": bool(clip_uris(prompt)),
        "worker": group.worker, "samples": [sample_json(trajectory) for trajectory in group.trajectories],
    }  # fmt: skip


def sample_json(trajectory: trajectory_pb2.Trajectory) -> dict[str, Any]:
    """A trajectory for the page: its reasoning in pieces, each with the class of its verdict."""
    reward = trajectory.reward
    reasoning, answer = split_response(trajectory.text)
    said = trajectory.text if reasoning is None else reasoning
    return {
        "said": [{"text": text, "verdict": kind, "measured": of} for text, kind, of in segments(said, reward)],
        "answer": answer or "", "correct": reward.correct, "reward": _short(reward.total),
        "surrogate": reward.surrogate, "contradicted": reward.contradicted, "supported": reward.supported,
        "tokens": len(trajectory.token_ids), "version": trajectory.versions[0].version if trajectory.versions else 0,
    }  # fmt: skip


def phases(events: Sequence[jobs_pb2.Event]) -> list[dict[str, Any]]:
    """The line of time: each phase in the order of its begin, with seconds since the Unix epoch and how far it is."""
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for event in events:
        job = event.job
        if job.state == jobs_pb2.JOB_STATE_QUEUED:
            continue
        key = (job.stage_index, job.phase)
        one = found.setdefault(key, {"type": job.stage_type, "phase": job.phase, "begin": event.time})
        one |= {"end": event.time, "step": job.step, "steps": job.steps}
    return list(found.values())


def curves(steps: StepsByPhase) -> list[dict[str, Any]]:
    """Figures by phase: step numbers, and by name a value for each, null where there is none; and what to draw."""
    found = []
    for (index, stage, phase), of in steps.items():
        numbers = sorted(of)
        names = sorted({name for step in of.values() for name in step})
        drawn = metrics.charts(names)
        found.append(
            {
                "key": f"{index + 1} {stage} {phase}",
                "steps": numbers,
                "values": {
                    metric.name: [_short(of[number].get(metric.name)) for number in numbers]
                    for group in drawn.values()
                    for metric in group
                },
                "charts": [
                    {"title": title, "series": [{"name": m.name, "label": m.label, "unit": m.unit} for m in group]}
                    for title, group in drawn.items()
                ],
            }
        )
    return found


def drops(events: Sequence[jobs_pb2.Event]) -> dict[str, dict[str, float]]:
    """By phase, as it was told last: groups used, and dropped by reason."""
    found = {}
    for event in events:
        if event.kind == "drop" and event.metrics:
            job = event.job
            found[f"{job.stage_index + 1} {job.stage_type} {job.phase}"] = {
                metric.name.removeprefix("groups."): metric.value for metric in event.metrics
            }
    return found


def publications(events: Sequence[jobs_pb2.Event]) -> list[dict[str, Any]]:
    """The newest versions of the weights that a step told of: bytes, whole or not, and seconds."""
    found = []
    for event in events:
        of = {metric.name: metric.value for metric in event.metrics}
        if event.kind == "step" and "publish.bytes" in of:
            seconds = {part: _short(of.get(f"seconds.publish.{part}")) for part in ("snapshot", "send")}
            whole = bool(of.get("publish.whole"))
            found.append({"step": event.job.step, "bytes": of["publish.bytes"], "whole": whole, **seconds})
    return found[-PUBLICATIONS:]


def _short(value: float | None) -> float | None:
    """JSON has no infinity and no NaN: they are gaps."""
    if value is None or value != value or value in (float("inf"), float("-inf")):
        return None
    return float(f"{value:.{DIGITS}g}")
