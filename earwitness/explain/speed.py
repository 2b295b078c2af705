"""Where the time of an RL step goes, and what bounds it.

A step of the trainer is: wait for groups, log-probs, updates, publish, save. What sets its pace is a way from one step
of the trainer to another. If it had to wait, that is the way of the group that was ready last: waiting for weights, for
a rollout worker, being generated, waiting for a reward worker, and so on (`seconds.way.<station>`, made by
`trainer.rl.told`), and then the trainer's own work. If all groups were there already, it is that work alone. A
publication that waits for the one before is the weight link's. A step's seconds are booked on the stations in
proportion to theirs on that way. **The bound is the station with the most seconds of a step.**

One more worker of n makes the station's seconds n / (n + 1) of what they are, at best: a single long generation is not
cut by a second worker. The trainer's own work stays, whatever else is faster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from earwitness.explain.window import RECENT_STEPS, Window
from earwitness.series import Steps

PARTS = ("wait", "logprob", "train", "publish", "checkpoint")
"""Of a step: `seconds.<part>`."""

TRAINER, WEIGHTS = "trainer", "weights"

LIFE = {
    WEIGHTS: ("seconds.weights",),
    "rollout": ("seconds.queue.rollout", "seconds.generate"),
    "reward": ("seconds.queue.reward", "seconds.score"),
    "reference": ("seconds.queue.reference", "seconds.reference"),
}
"""A group's seconds at each station, until the trainer may take it."""

LONG_TAIL = 3.0
"""The longest generation of a step is a tail if it takes so many times the mean."""


@dataclass(frozen=True)
class Speed:
    """Means over the newest steps. Seconds are of a step; shares in [0, 1]."""

    steps: int
    step_seconds: float
    parts: dict[str, float]
    """Share of each part of the step."""
    stations: dict[str, float]
    """Seconds that each station costs."""
    bound: str
    """The station that costs most."""
    idle: dict[str, float]
    """Share of their time that the trainer and the workers of each station have nothing to do."""
    workers: dict[str, int]
    gain: float
    """How many times as fast it would be, at best, with one more of what bounds it (half of it, where that is one)."""
    life: dict[str, float]
    """A group's mean seconds at each station; `trainer`: ready, and not yet taken."""
    kv_use: float
    """Share of a rollout worker's KV cache that the groups it has in work are expected to need."""
    staleness: float
    tail: float
    """Longest generation of a step by the mean one."""
    weight_sync: dict[str, float]
    """Of a version: seconds to send, bytes, share of versions that were whole."""

    @property
    def has_tail(self) -> bool:
        """One generation is so much longer than the rest that a step may wait for it alone."""
        return self.tail >= LONG_TAIL

    @property
    def words(self) -> str:
        """The bound in one sentence."""
        share = self.stations[self.bound] / self.step_seconds
        if self.bound == TRAINER:
            half = f"half of that would make it {self.gain:.1f} times as fast"
            return f"the trainer itself takes {share:.0%} of a step; {half}"
        wait = f"steps wait for {NAMES[self.bound]} {share:.0%} of the time"
        if self.bound == WEIGHTS:
            return f"{wait}; a link twice as fast gives at most {self.gain:.1f} times the speed"
        return f"{wait}; one more, beside {self.workers[self.bound]}, gives at most {self.gain:.1f} times the speed"


NAMES = {WEIGHTS: "weights to reach the workers", "rollout": "rollout workers", "reward": "reward workers",
         "reference": "the reference"}  # fmt: skip


def speed_of(steps: Steps) -> Speed | None:
    """What bounds the newest steps; None of steps that wait for no groups.

    The first step of a phase is left out if there are others: what starts up is not what runs.
    """
    newest = [step for step in sorted(steps) if "seconds.wait" in steps[step]][1:][-RECENT_STEPS:] or sorted(steps)[-1:]
    seen = Window({step: steps[step] for step in newest})

    def average(name: str) -> float:
        return seen.total(name) / len(newest)

    if not newest or "seconds.wait" not in steps[newest[-1]]:
        return None
    seconds = {part: average(f"seconds.{part}") for part in PARTS}
    step = sum(seconds.values())
    if step <= 0:
        return None
    life = {station: sum(average(name) for name in names) for station, names in LIFE.items()}
    idle_trainer = seconds["wait"] + sum(_blocked(steps[number]) for number in newest) / len(newest)
    each = [_costs(steps[number]) for number in newest]
    costs = {station: sum(of[station] for of in each) / len(each) for station in each[0]}
    bound = max(costs, key=lambda station: costs[station])
    workers = {s: round(average(f"workers.{s}")) for s in LIFE if average(f"workers.{s}")}
    saved = costs[bound] / (workers.get(bound, 1) + 1)
    if bound != TRAINER:
        saved = min(saved, idle_trainer)
    idle = {s: 1 - min(1.0, average(f"work.{s}") / (n * step)) for s, n in workers.items()}
    mean_generation = average("seconds.generate")
    return Speed(
        steps=len(newest),
        step_seconds=step,
        parts={part: of / step for part, of in seconds.items()},
        stations={station: of for station, of in costs.items() if of},
        bound=bound,
        idle={TRAINER: idle_trainer / step, **idle},
        workers=workers,
        gain=step / (step - saved),
        life={**{s: of for s, of in life.items() if of}, TRAINER: average("seconds.queue.trainer")},
        kv_use=average("kv_use"),
        staleness=average("staleness.mean"),
        tail=average("seconds.generate.max") / mean_generation if mean_generation else 0.0,
        weight_sync={
            "seconds": average("seconds.publish.send"),
            "bytes": average("publish.bytes"),
            "whole": average("publish.whole"),
        },
    )


def _blocked(figures: Mapping[str, float]) -> float:
    """Seconds in which the step's publication waited for the one before."""
    return max(0.0, figures.get("seconds.publish", 0.0) - figures.get("seconds.publish.snapshot", 0.0))


def _costs(figures: Mapping[str, float]) -> dict[str, float]:
    """A step's seconds by station, as on the way that set its pace; a wait for nobody known is the trainer's."""
    parts = {part: figures.get(f"seconds.{part}", 0.0) for part in PARTS}
    step, blocked = sum(parts.values()), _blocked(figures)
    way = {station: figures.get(f"seconds.way.{station}", 0.0) for station in (*LIFE, TRAINER)}
    if not any(way.values()):
        way[TRAINER] = parts["wait"]
    way[TRAINER] += step - parts["wait"] - blocked
    way[WEIGHTS] += blocked
    length = sum(way.values()) or 1.0
    return {station: step * seconds / length for station, seconds in way.items()}
