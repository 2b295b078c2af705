"""What the groups of a step say: of the policy, of the questions, and of the stations that they passed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from earwitness.chat import think_length
from earwitness.metrics import CLAIMS, KIND, PART
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

WORK = {"rollout": "generate", "reward": "score", "reference": "reference"}
"""What each station does with a group."""

WAY = "seconds.way."
"""Begins the names of the parts of the way that set a step's pace, each of which ends with the station."""

MOST_KINDS = 24
"""Kinds of question with figures of their own in a step: those with the most groups."""


def group_metrics(
    groups: Sequence[wire.Group],
    version: int,
    think_end: Sequence[int],
    asked: Sequence[float],
    now: float,
    before: int,
) -> dict[str, float]:
    """The figures of a step's groups; shares of nothing (no checkable claim) are 0.

    `version`: of the policy that will learn from them; `think_end`: ids of what closes the think block; `asked`,
    `before`: as `way` has them; `now`: when the trainer had all groups, in seconds since the Unix epoch.
    """
    trajectories = [t for group in groups for t in _kept(group)]
    rewards = [t.reward for t in trajectories]
    supported = sum(r.supported for r in rewards)
    checked = supported + sum(r.contradicted for r in rewards)
    parts = sorted({name for r in rewards for name in r.parts} - {"correct", "presence", "grounded"})  # told above
    right = [_mean([t.reward.correct for t in kept]) for group in groups if (kept := _kept(group))]
    return {
        "reward.mean": _mean([r.total for r in rewards]),
        "correct.mean": _mean([r.correct for r in rewards]),
        "reasoning.mean": _mean([r.reasoning for r in rewards]),
        **{f"{PART}{name}.mean": _mean([r.parts[name] for r in rewards]) for name in parts},
        "supported_share": supported / checked if checked else 0.0,
        "surrogate_share": _mean([r.surrogate for r in rewards]),
        "truncated_share": _mean([r.truncated for r in rewards]),
        "groups.all_right": _mean([share == 1 for share in right]),
        "groups.all_wrong": _mean([share == 0 for share in right]),
        "think_tokens.mean": _mean([think_length(t.token_ids, think_end) for t in trajectories]),
        "staleness.mean": _mean([version - t.versions[0].version for t in trajectories]),
        "trajectories": len(trajectories),
        **_by_kind(groups),
        **_claims(rewards),
        **stations(groups, now),
        **way(groups, asked, now, before),
    }


def stations(groups: Sequence[wire.Group], now: float) -> dict[str, float]:
    """Mean seconds of a group from its issue until `now`, part by part; and what the workers of each station did.

    `kv_use`: share of a rollout worker's KV cache that its groups were expected to need, as each of them began.
    `work.<station>`: seconds in which its workers had at least one of the groups in work, added up over the workers.
    """
    found: dict[str, float] = {}
    for station, verb in WORK.items():
        stays = [p for group in groups for p in group.passages if p.station == station]
        if not stays:
            continue
        if station == "rollout":  # the others need no weights
            found["seconds.weights"] = _mean([p.able - p.arrived for p in stays])
            found["kv_use"] = _mean([p.kv_use for p in stays])
        seconds = [p.ended - p.begun for p in stays]
        found[f"seconds.queue.{station}"] = _mean([max(0.0, p.begun - p.able) for p in stays])
        found[f"seconds.{verb}"] = _mean(seconds)
        found[f"seconds.{verb}.max"] = max(seconds)
        by_worker = defaultdict(list)
        for stay in stays:
            by_worker[stay.worker].append((stay.begun, stay.ended))
        found[f"work.{station}"] = sum(covered(spans) for spans in by_worker.values())
        found[f"workers.{station}"] = len(by_worker)
    ready = [group.passages[-1].ended for group in groups if group.passages]
    if ready:
        found["seconds.queue.trainer"] = max(0.0, _mean([now - ended for ended in ready]))
    return found


def way(groups: Sequence[wire.Group], asked: Sequence[float], now: float, before: int) -> dict[str, float]:
    """Seconds at each station of the way that set the pace of the step; nothing of groups without passages.

    `asked`: when the trainer asked for the groups of each step, from that after which these were issued, at the
    earliest, to this one; `before`: highest ordinal that it has learned from before.

    If all were there when it asked, only the trainer was missing. Else the step was held up by the group that was ready
    last, all its way long, although the trainer had other steps to do meanwhile: they would have come no earlier. What
    is left is the trainer's: it took what was ready, and before that told of its step. Where steps do not overlap that
    was done when the first of the next ordinals was issued. What else lies before the last group's issue, when those
    passed in whose place it came, is shared as its own way is.
    """
    last = max((g for g in groups if g.passages), key=lambda group: group.passages[-1].ended, default=None)
    if last is None:
        return {}
    if last.passages[-1].ended <= asked[-1]:
        return {f"{WAY}trainer": now - asked[-1]}
    told = asked[0]
    if len(asked) == 1:
        after = before + len(groups)  # as many are issued at once; others came in place of those that were dropped
        issued = [g.passages[0].arrived for g in groups if g.passages and before < g.task.ordinal <= after]
        told = max(told, min(issued, default=told))
    ends = [("weights", stay.able) for stay in last.passages if stay.station == "rollout"]
    ends += [(stay.station, stay.ended) for stay in last.passages]
    begun = reached = min(now, max(told, last.passages[0].arrived))
    found: dict[str, float] = {}
    for station, end in ends:
        until = max(reached, min(end, now))  # clocks differ a little
        found[station] = until - reached
        reached = until
    if length := sum(found.values()):
        found = {station: seconds * (1 + (begun - told) / length) for station, seconds in found.items()}
    trainer = max(0.0, now - asked[0] - sum(found.values()))
    return {f"{WAY}{station}": seconds for station, seconds in found.items()} | {f"{WAY}trainer": trainer}


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Seconds that lie in at least one of the spans (begin, end)."""
    total, reached = 0.0, -np.inf
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total


def _by_kind(groups: Sequence[wire.Group]) -> dict[str, float]:
    """Share of right answers by kind of question."""
    right: defaultdict[str, list[bool]] = defaultdict(list)
    for group in groups:
        if group.task.prompt.kind:
            right[group.task.prompt.kind] += [t.reward.correct for t in _kept(group)]
    most = sorted(right, key=lambda kind: (-len(right[kind]), kind))[:MOST_KINDS]
    return {f"{KIND}{kind}": _mean(right[kind]) for kind in sorted(most)}


def _claims(rewards: Sequence[wire.Reward]) -> dict[str, float]:
    """By family of claims, how many the waveform supported and contradicted."""
    told = {wire.VERDICT_SUPPORTED: "supported", wire.VERDICT_CONTRADICTED: "contradicted"}
    counts = Counter(
        f"{CLAIMS}{claim.kind}.{told[claim.verdict]}" for r in rewards for claim in r.claims if claim.verdict in told
    )
    return {name: float(counts[name]) for name in sorted(counts)}


def _kept(group: wire.Group) -> list[wire.Trajectory]:
    return [t for t in group.trajectories if not t.reward.drop_reason]


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0
