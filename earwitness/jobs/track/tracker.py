"""What every tracker is fed with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from earwitness.chat import split_response
from earwitness.errors import InputError
from earwitness.hearing import clip_uris
from earwitness.jobs.report.cards import verdict
from earwitness.jobs.report.clips import sound
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

Setting = str | int | float | bool


@dataclass(frozen=True)
class Sample:
    """A clip, and what the policy said of it."""

    name: str
    text: str
    """Markdown."""
    wave: bytes | None
    """WAV at 16 kHz; None if there is no clip any more."""


class Tracker(Protocol):
    """One of them. Called from one thread; whatever it raises ends it, and not the job."""

    def scalars(self, phase: str, step: int, time: float, figures: Mapping[str, float]) -> None:
        """Figures of a step. `time`: seconds since the Unix epoch."""

    def result(self, settings: Mapping[str, Setting], figures: Mapping[str, float]) -> None:
        """The recipe by dotted name, and the figures of the report."""

    def sample(self, sample: Sample) -> None:
        """One clip of the last evaluation."""

    def close(self) -> None:
        """Write what is not yet written."""


def tag_of(name: str) -> str:
    """A figure's name as trackers group it: what stands before the first dot is the group."""
    return name.replace(".", "/", 1)


def sample_of(group: wire.Group) -> Sample:
    """The first trajectory of a group, with its verdicts."""
    prompt, trajectory = group.task.prompt, group.trajectories[0]
    reward = trajectory.reward
    reasoning, answer = split_response(trajectory.text)
    lines = [f"**{prompt.question}** {' / '.join(prompt.choices)}", f"right answer: {prompt.answer}"]
    lines += [reasoning if reasoning is not None else trajectory.text]
    lines += [f"answer: **{answer or 'none'}**, {'right' if reward.correct else 'wrong'}"]
    if reward.surrogate:
        lines += [f"guesses from the words: {reward.surrogate_phrase}"]
    if reward.claims:
        rows = ["| claim | said | measured | verdict |", "|---|---|---|---|"]
        rows += [f"| {c.kind} | {c.claimed} | {c.measured} | {verdict(c)[1]} |" for c in reward.claims]
        lines += ["\n".join(rows)]
    try:
        wave = sound(uris)[0] if (uris := clip_uris(prompt)) else None
    except InputError:
        wave = None
    return Sample(f"{prompt.kind or 'all'}/{prompt.id}", "\n\n".join(lines), wave)
