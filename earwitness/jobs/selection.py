"""Which prompts RL trains on, and which sampled traces MGRD keeps: pure functions over sampled groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from earwitness.chat import split_response
from earwitness.manifest import Example
from earwitness.recipe.schema import MgrdStage, Selection
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire


def correct_count(group: wire.Group) -> int:
    """Samples of a group with the right answer."""
    return sum(t.reward.correct for t in group.trajectories)


def selected_ids(counts: dict[str, int], selection: Selection) -> list[str]:
    """Prompt ids whose count of correct samples lies in the window, in the order they were tried."""
    return [i for i, correct in counts.items() if selection.min_correct <= correct <= selection.max_correct]


def is_learned(counts: Collection[int], selection: Selection) -> bool:
    """True if more prompts lie above the window than below it: few are left because the policy knows the others."""
    above = sum(correct > selection.max_correct for correct in counts)
    return above > sum(correct < selection.min_correct for correct in counts)


def distribution(counts: Iterable[int]) -> str:
    """How many prompts had how many correct samples, for people: `0: 12, 1: 30`."""
    return ", ".join(f"{correct}: {prompts}" for correct, prompts in sorted(Counter(counts).items()))


@dataclass(frozen=True)
class Distilled:
    """What MGRD keeps of a sampling pass."""

    examples: list[Example]
    reasons: dict[str, int]
    """Traces by what became of them: `kept`, or the first rule they broke."""


def verdict(trajectory: wire.Trajectory, stage: MgrdStage, *, heard: bool = True) -> str:
    """`kept`, or the first rule of MGRD the trace breaks: correct, coherent, neither surrogate nor denial, grounded.

    A trace about text alone has nothing to be grounded in: the other rules decide.
    """
    reward = trajectory.reward
    checked = reward.supported + reward.contradicted
    if reward.truncated or not reward.well_formed:
        return "malformed"
    if not reward.correct:
        return "wrong answer"
    if not reward.coherent:
        return "incoherent"
    if reward.surrogate:
        return "surrogate"
    if reward.denial:
        return "denial"
    if not heard:
        return "kept"
    if reward.supported < stage.min_supported:
        return "too few supported claims"
    if reward.supported < stage.min_supported_share * checked:
        return "contradicted by the sound"
    return "kept"


def distil(groups: Sequence[wire.Group], stage: MgrdStage) -> Distilled:
    """The kept traces: at most `max_per_prompt` of each prompt, no text twice, best supported first."""
    examples: list[Example] = []
    reasons: Counter[str] = Counter()
    for group in groups:
        kept: dict[str, wire.Trajectory] = {}
        for trajectory in sorted(group.trajectories, key=lambda t: (-t.reward.supported, t.index)):
            outcome = verdict(trajectory, stage, heard=bool(group.task.prompt.audio_uri))
            if outcome == "kept" and trajectory.text in kept:
                outcome = "same text again"
            elif outcome == "kept" and len(kept) == stage.max_per_prompt:
                outcome = "enough of this prompt"
            if outcome == "kept":
                kept[trajectory.text] = trajectory
            reasons[outcome] += 1
        for number, trajectory in enumerate(kept.values()):
            reasoning, said = split_response(trajectory.text)
            prompt = wire.Prompt()
            prompt.CopyFrom(group.task.prompt)
            prompt.id = f"{prompt.id}~{number}"  # ids are unique within a manifest
            prompt.question = prompt.question.removesuffix(f"\n{stage.instruction}")
            examples.append(Example(prompt, reasoning, said))
    return Distilled(examples, dict(reasons))
