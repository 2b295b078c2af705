"""`probe`, `rewards` and `sampling`: what is asked, how it is answered, what an answer is worth."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from earwitness.recipe.schema.fields import Count, Group, Positive, Seed, Share, Strict, Tokens


class ProbeData(Strict):
    """Listening questions with synthesised clips, written under the job's output (see `earwitness data probe`).

    It provides the manifests `lessons`, `cold_start`, `train` and `eval`; they never share a clip.
    """

    lessons: Positive = 4000
    """Clips with true reasoning traces: what a pre-trained listener would bring along."""

    cold_start: Positive = 4000
    """Clips with reasoning traces, some of them surrogates."""
    train: Positive = 2000
    """Clips for MGRD and RL."""
    eval: Positive = 320
    """Held-out clips."""
    surrogate_share: Share = 0.5
    """Share of the cold-start traces that guess from the words of the question."""
    seed: Seed = 1
    """Seed of the clips."""


class Rewards(Strict):
    """R = correct · [answer right] + reasoning · [reasoning term]; text prompts: R = [answer right]."""

    correct: Share = 0.8
    """Weight of correctness for prompts with audio."""
    reasoning: Share = 0.2
    """Weight of the reasoning term for prompts with audio."""
    reasoning_term: Literal["presence", "grounded"] = "presence"
    """The paper's rule, or presence scaled by the share of supported claims."""
    min_think_chars: Count = 16
    """Fewest non-space characters of a think block that counts as present."""


class SamplingConfig(Strict):
    """How trajectories are sampled."""

    samples: Group = 8
    """Trajectories per prompt."""
    temperature: Annotated[float, Field(gt=0.0, le=2.0)] = 0.7
    """Softmax temperature."""
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Nucleus mass; RL needs 1, because log-probs of a cut distribution are not the policy's."""
    max_tokens: Tokens = 96
    """Most new tokens of one trajectory."""
    stop: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=16)] = Field(default_factory=list)
    """Strings that end a response as the end of turn does; each must be one token of the model."""
