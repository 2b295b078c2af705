"""Stage `dpo`: self-cognition correction. Which answer is preferred to which is a pure function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

from earwitness.chat import split_response
from earwitness.errors import JobFailed
from earwitness.manifest import Example
from earwitness.recipe.schema.fields import Positive
from earwitness.recipe.schema.mixing import Data
from earwitness.recipe.schema.sampling import SamplingConfig
from earwitness.recipe.schema.updates import PreferenceTune
from earwitness.recipe.stages.base import Stage, numbered, told
from earwitness.recipe.stages.keeping import KeepingStage, Kept
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire


class DpoStage(KeepingStage):
    """Self-cognition correction: of answers to one prompt, those that listen are preferred to those that do not.

    Preferred: right and coherent, without a surrogate or a denial. Rejected: with one ("I am a text model").
    """

    type: Literal["dpo"] = "dpo"
    data: Data = "train"
    """Manifest of the prompts, or several with [weights](#data-of-a-stage)."""
    prompts: Positive = 600
    """Prompts to sample, from the start of the seeded shuffle."""
    sampling: SamplingConfig = SamplingConfig()
    """Candidates."""
    max_per_prompt: Positive = 2
    """Most pairs of one prompt."""
    tune: PreferenceTune
    """The updates on the pairs; the reference is the policy as the stage begins."""

    def keep(self, groups: Sequence[wire.Group]) -> Kept:
        return pair_up(groups, self)

    def words(self, kept: Kept, counts: Mapping[str, int], groups: int) -> tuple[str, dict[str, float]]:
        pairs = len(kept.examples) // 2
        answers = {f"answers.{what.replace(' ', '_')}": float(n) for what, n in counts.items()}
        return f"dpo has {pairs} pairs of {groups} groups ({told(counts)})", {"pairs": float(pairs), **answers}

    def nothing(self, counts: Mapping[str, int], groups: int, earlier: Sequence[Stage]) -> str:
        found = f"dpo found no pair among {groups} groups: {told(counts)}"
        if not counts.get("listens"):
            raise JobFailed(f"{found}; no answer could be the better one")
        return f"{found}; there is nothing to correct, so the stage is skipped"


def pair_up(groups: Sequence[wire.Group], stage: DpoStage) -> Kept:
    """At most `max_per_prompt` pairs of each prompt, no text twice: best supported answers first.

    Two examples are a pair: chosen, rejected, chosen, rejected, ...
    """
    examples: list[Example] = []
    outcomes: Counter[str] = Counter()
    for group in groups:
        kinds: dict[str, dict[str, wire.Trajectory]] = {}
        for trajectory in sorted(group.trajectories, key=lambda t: (-t.reward.supported, t.index)):
            kind = kind_of(trajectory)
            outcomes[kind] += 1
            kinds.setdefault(kind, {}).setdefault(trajectory.text, trajectory)
        chosen, rejected = (list(kinds.get(kind, {}).values()) for kind in ("listens", "does not listen"))
        for number, pair in enumerate(zip(chosen[: stage.max_per_prompt], rejected, strict=False)):
            for trajectory, sign in zip(pair, "+-", strict=True):
                prompt = numbered(group.task.prompt, f"{number}{sign}")
                examples.append(Example(prompt, *split_response(trajectory.text)))
    return Kept(examples, dict(outcomes))


def kind_of(trajectory: wire.Trajectory) -> str:
    """`listens`: right, coherent, neither surrogate nor denial. `does not listen`: one of the two, right or wrong."""
    reward = trajectory.reward
    if reward.truncated or not reward.well_formed:
        return "malformed"
    if reward.surrogate or reward.denial:
        return "does not listen"
    if not reward.correct:
        return "wrong answer"
    return "listens" if reward.coherent else "incoherent"
