"""The figures of report.json: pure functions over sampled groups and told steps."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import xxhash

from earwitness.chat import think_length
from earwitness.coverage import coverage
from earwitness.jobs.report.stats import paired_gain, wilson
from earwitness.recipe.stages import CONTROLS, STAGES
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

MOST_REASONS = 20
"""Reasons why statements were not read, the most frequent first."""
PASS_AT = (1, 4, 8, 16)
"""Samples of which one has to be right."""
UNREADABLE = "no answer"
"""Column of the confusion tables for responses without an answer."""


@dataclass(frozen=True)
class Evaluation:
    """One evaluation pass."""

    name: str
    groups: Sequence[wire.Group]
    think_end: Sequence[int]
    """Token ids of the end of the think block."""
    file: str = ""
    """Of its groups, below the job's folder."""
    think_budget: int | None = None
    """Tokens after which the think block was closed; None: never."""
    extended: bool = False
    """Whether each think block went on once more."""
    greedy: bool = False
    """Whether each token was the likeliest."""

    @property
    def trajectories(self) -> list[wire.Trajectory]:
        """All samples."""
        return [t for g in self.groups for t in g.trajectories]

    def correct_by_prompt(self, kind: str | None = None) -> dict[str, float]:
        """Share of correct samples of each prompt (of one kind)."""
        return {
            g.task.prompt.id: sum(t.reward.correct for t in g.trajectories) / len(g.trajectories)
            for g in self.groups
            if g.trajectories and (kind is None or g.task.prompt.kind == kind)
        }

    def outcomes(self) -> dict[str, tuple[str, float]]:
        """Kind and share of correct samples of each prompt, by an identity that means the same in every job."""
        shares = self.correct_by_prompt()
        prompts = [group.task.prompt for group in self.groups if group.trajectories]
        return {identity(prompt): (prompt.kind, shares[prompt.id]) for prompt in prompts}

    def accuracy(self, kind: str | None = None) -> float | None:
        """Mean over prompts of the share of correct samples."""
        return mean(list(self.correct_by_prompt(kind).values()))

    def chance(self) -> float | None:
        """Accuracy of blind guesses; None where a question has no choices."""
        choices = [len(group.task.prompt.choices) for group in self.groups if group.trajectories]
        return mean([1 / count for count in choices]) if all(choices) else None

    def pass_at(self) -> dict[str, float]:
        """Mean chance over prompts that one of k samples is right, for k of PASS_AT as far as each prompt has them.

        1 - C(n - c, k) / C(n, k) for c right of n, unbiased (Chen et al. 2021, equation 1).
        """
        counted = [(len(g.trajectories), sum(t.reward.correct for t in g.trajectories)) for g in self.groups]
        least = min((n for n, _ in counted), default=0)
        return {
            str(k): sum(1 - math.comb(n - right, k) / math.comb(n, k) for n, right in counted) / len(counted)
            for k in PASS_AT
            if k <= least
        }

    def supported_share(self) -> float | None:
        """Supported claims among those that the waveform could decide."""
        supported = sum(t.reward.supported for t in self.trajectories)
        decided = supported + sum(t.reward.contradicted for t in self.trajectories)
        return supported / decided if decided else None

    def coverage(self, kind: str | None = None) -> float | None:
        """Share of what is said of the sound (in answer to one kind of question) that has a verdict."""
        rewards = [t.reward for g in self.groups for t in g.trajectories if kind is None or g.task.prompt.kind == kind]
        return coverage((claim for r in rewards for claim in r.claims), sum(len(r.unread) for r in rewards))

    def unread(self) -> Counter[str]:
        """Why statements about the sound have no claim, with how many."""
        return Counter(unread.why for t in self.trajectories for unread in t.reward.unread)

    def surrogate_share(self) -> float | None:
        """Samples that guess from the words."""
        return mean([float(t.reward.surrogate) for t in self.trajectories])

    def incoherent_share(self) -> float | None:
        """Samples whose answer is not what their reasoning comes to, among those that have both."""
        return mean([float(not t.reward.coherent) for t in self.trajectories if t.reward.well_formed])

    def denial_share(self) -> float | None:
        """Samples that deny hearing, in the reasoning or in the answer."""
        return mean([float(t.reward.denial) for t in self.trajectories])

    def think_tokens(self) -> float | None:
        """Mean length of the think block, tokens; a block that is not closed counts whole."""
        return mean([float(think_length(t.token_ids, self.think_end)) for t in self.trajectories])

    def unanswered(self) -> float | None:
        """Samples that answer with none of the choices, which a blind guess always does."""
        asked = [(g.task.prompt, t) for g in self.groups for t in g.trajectories if g.task.prompt.choices]
        return mean([float(given_answer(prompt, t) not in prompt.choices) for prompt, t in asked])

    def confusion(self) -> dict[str, dict[str, Counter[str]]]:
        """By kind and right answer: how often each answer was given."""
        tables: dict[str, dict[str, Counter[str]]] = {}
        for group in self.groups:
            prompt = group.task.prompt
            table = tables.setdefault(prompt.kind or "all", {})
            for trajectory in group.trajectories:
                given = given_answer(prompt, trajectory)
                table.setdefault(prompt.answer, Counter())[given] += 1
        return tables


def identity(prompt: wire.Prompt) -> str:
    """A prompt's id and what is asked: manifests of other data may use the same ids."""
    asked = "\x1f".join([prompt.question, *prompt.choices, prompt.answer])
    return f"{prompt.id}#{xxhash.xxh3_64_hexdigest(asked.encode())}"


def given_answer(prompt: wire.Prompt, trajectory: wire.Trajectory) -> str:
    """The answer in the words of the choices, where it is one of them."""
    if trajectory.reward.correct:
        return prompt.answer
    given = trajectory.reward.answer
    by_normal = {c.casefold(): c for c in prompt.choices}
    return by_normal.get(given.casefold(), given) or UNREADABLE


def mean(values: Sequence[float]) -> float | None:
    """The mean; None of nothing."""
    return sum(values) / len(values) if values else None


@dataclass(frozen=True)
class Milestones:
    """Evaluations that a report compares; None where there is none."""

    cold_start: Evaluation | None = None
    """The first of several."""
    distilled: Evaluation | None = None
    """The last before the last stage of RL."""
    final: Evaluation | None = None
    controls: Mapping[str, Evaluation] = field(default_factory=dict)
    """The last policy so evaluated, by control."""


def figures(
    of: Milestones,
    steps: Sequence[Mapping[str, float]],
    seconds: Mapping[str, float],
    install_seconds: float | None,
    total_seconds: float,
) -> dict[str, Any]:
    """The part of report.json that tells how the job went. Shares in [0, 1]; what was not measured is null.

    `seconds.total` is the job from its start to its report, plus the installation where that is known.
    """
    final = of.final
    both = (("cold_start", of.cold_start), ("final", final))
    gains = {"gain": _gain(of.cold_start, final), "rl_gain": _gain(of.distilled, final)}
    passes = {
        "cold_start": of.cold_start,
        "distilled": of.distilled,
        "final": final,
        **{f"final_{control}": of.controls.get(control) for control in CONTROLS},
    }
    accuracy: dict[str, Any] = {name: e.accuracy() if e else None for name, e in passes.items()}
    accuracy["n"] = len(final.correct_by_prompt()) if final else 0
    accuracy["chance"] = final.chance() if final else None
    accuracy |= {name: gain[0] if gain else None for name, gain in gains.items()}
    accuracy["interval"] = {
        **{name: _interval(e) for name, e in passes.items()},
        **{name: list(gain[1]) if gain else None for name, gain in gains.items()},
    }
    gaps = [s["logprob_gap.mean"] for s in steps if "logprob_gap.mean" in s]
    return {
        "accuracy": accuracy,
        "supported_share": {name: e.supported_share() if e else None for name, e in both},
        "coverage": {name: e.coverage() if e else None for name, e in both},
        "unread": dict(final.unread().most_common(MOST_REASONS)) if final else {},
        "surrogate_share": {name: e.surrogate_share() if e else None for name, e in both},
        "incoherent_share": {name: e.incoherent_share() if e else None for name, e in both},
        "denial_share": {name: e.denial_share() if e else None for name, e in both},
        "think_tokens": {name: e.think_tokens() if e else None for name, e in both},
        "logprob_gap": mean(gaps),
        "seconds": {
            "install": install_seconds,
            **{part: seconds.get(part, 0.0) for part in STAGES},
            "total": total_seconds + (install_seconds or 0.0),
        },
        "kinds": _kinds(passes),
        "prompts": {name: e.outcomes() if e else None for name, e in both},
    }


def by_control(found: Sequence[tuple[Evaluation, str]]) -> list[dict[str, Any]]:
    """Evaluations in which the sound cannot tell, each with its control. A gain that is there too is none of hearing;
    for answers that are none of the choices accuracy is below that of blind guesses."""
    return [_one(of, "control", control) | {"unanswered": of.unanswered()} for of, control in found]


def thinking(changed: Sequence[Evaluation]) -> list[dict[str, Any]]:
    """What thinking is worth: accuracy of evaluations whose think block was closed after so many tokens, or went on."""
    return [_one(of, "budget", of.think_budget) | {"think_tokens": of.think_tokens()} for of in changed]


def _one(of: Evaluation, what: str, value: str | int | None) -> dict[str, Any]:
    """An evaluation in which something was changed."""
    return {"evaluation": of.name, what: value, "accuracy": of.accuracy(), "interval": _interval(of)}


def _interval(evaluation: Evaluation | None) -> list[float] | None:
    """Over prompts, not samples: the samples of one prompt are not independent."""
    accuracy = evaluation.accuracy() if evaluation else None
    if evaluation is None or accuracy is None:
        return None
    interval = wilson(accuracy, len(evaluation.correct_by_prompt()))
    return list(interval) if interval else None


def _gain(cold_start: Evaluation | None, final: Evaluation | None) -> tuple[float, tuple[float, float]] | None:
    """final - cold_start over the prompts that both have."""
    if cold_start is None or final is None:
        return None
    before, after = cold_start.correct_by_prompt(), final.correct_by_prompt()
    shared = [i for i in before if i in after]
    return paired_gain([before[i] for i in shared], [after[i] for i in shared])


def _kinds(passes: Mapping[str, Evaluation | None]) -> dict[str, dict[str, float | int | None]]:
    kinds = sorted({g.task.prompt.kind for e in passes.values() if e for g in e.groups if g.task.prompt.kind})
    final = passes["final"]
    return {
        kind: {
            "n": len(final.correct_by_prompt(kind)) if final else 0,
            **{name: e.accuracy(kind) if e else None for name, e in passes.items()},
            "coverage": final.coverage(kind) if final else None,
        }
        for kind in kinds
    }
