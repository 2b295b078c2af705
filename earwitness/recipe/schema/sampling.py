"""`probe`, `rewards` and `sampling`: what is asked, how it is answered, what an answer is worth."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from earwitness.recipe.rules import PROBE_MANIFESTS, Rule, require
from earwitness.recipe.schema.fields import Count, Group, Positive, Seed, Share, Strict, Tokens

SIMPLE_KINDS = (
    "pitch_direction", "which_higher", "count", "which_louder", "tempo_change", "timbre", "which_longer", "rhythm",
)  # fmt: skip
"""Kinds of the probe's questions that one glance answers."""
COMPOUND_KINDS = (
    "highest_of_three", "longest_of_three", "higher_than_first", "repetition", "more_before_pause", "loud_count",
)  # fmt: skip
"""Kinds over several sounds."""
REASONING_KINDS = ("more_than_after", "weighted_sum", "odd_one_out", "pitch_order")
"""Kinds whose answer is worked out from several sounds."""
RECORDING_KINDS = ("recording_higher", "recording_longer", "recording_louder")
"""Kinds that compare two clips."""
OF_TWO_SIDES = ("loud_count", "more_than_after", "weighted_sum")
"""Kinds with answers that two or three combinations come to, to learn from and held out: none is left to choose by."""


class ProbeData(Strict):
    """Listening questions with synthesised clips, written under the job's output (see `earwitness data probe`).

    It provides the manifests `lessons`, `cold_start`, `train` and `eval`, and `dev` if it has clips; they never share a
    clip.
    """

    lessons: Positive = 4000
    """Clips with true reasoning traces: what a pre-trained listener would bring along."""

    cold_start: Positive = 4000
    """Clips with reasoning traces, some of them surrogates."""
    train: Positive = 2000
    """Clips for MGRD and RL."""
    eval: Positive = 320
    """Held-out clips."""
    dev: Count = 0
    """Clips to choose settings by, so that none is chosen by the held-out ones."""
    surrogate_share: Share = 0.5
    """Share of the cold-start traces that guess from the words of the question."""
    denial_share: Share = 0.0
    """Share of the cold-start traces that deny hearing anything: what the stage `dpo` corrects."""
    stepwise_share: Share = 1.0
    """Of the cold-start traces that listen: those that go event by event before they conclude. The others are the
    conclusion alone."""
    invented_share: Share = 0.0
    """Of the cold-start traces that listen: those whose answer is right and whose values are of another clip, which the
    reward term `grounded` unteaches."""
    unthought_share: Share = 0.0
    """Share of the cold-start examples that answer at once, and rightly, behind an empty think block: the paper's audio
    examples have one. What a policy falls back to where nothing rewards that it reasons."""
    kinds: Annotated[list[str], Field(min_length=1, max_length=64)] = [*SIMPLE_KINDS, *COMPOUND_KINDS]  # noqa: RUF012
    """Kinds of question, in turns. Beside these there are `more_than_after`, `weighted_sum`, `odd_one_out` and
    `pitch_order`, whose answer is worked out from several sounds, and `recording_higher`, `recording_longer` and
    `recording_louder`, which compare two clips."""
    new_combinations: bool = False
    """Held-out clips put sounds together as no other clip does, and so do those of `dev`, which leaves out the kinds
    with too few combinations for three sides. Only with kinds over several sounds."""
    pause_seconds: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    """Quiet at the end of each clip: the pause that ends a speaker's turn."""
    seed: Seed = 1
    """Seed of the clips."""

    @property
    def counts(self) -> dict[str, int]:
        """Clips of each split that is written."""
        every = {name: getattr(self, name) for name in PROBE_MANIFESTS}
        return {name: count for name, count in every.items() if count}

    @model_validator(mode="after")
    def _kinds_that_there_are(self) -> ProbeData:
        known = [*SIMPLE_KINDS, *COMPOUND_KINDS, *REASONING_KINDS, *RECORDING_KINDS]
        given = self.surrogate_share + self.denial_share + self.unthought_share
        most = "1 together with surrogate_share and denial_share"
        rules = [(given <= 1, Rule("unthought_share", f"{given:.6g} with what guesses and denies", f"at most {most}"))]
        for place, kind in enumerate(self.kinds):
            where = f"kinds[{place}]"
            rules.append((kind in known, Rule(where, f"no kind {kind!r}", f"one of {', '.join(known)}")))
            rules.append((kind not in self.kinds[:place], Rule(where, f"{kind!r} a second time", "each once")))
            what = f"{kind!r} is of one sound, which new_combinations cannot put together anew"
            apart = self.new_combinations and kind in SIMPLE_KINDS
            rules.append((not apart, Rule(where, what, f"of {', '.join(known[len(SIMPLE_KINDS) :])}")))
        what = f"{self.dev} clips put together anew, of kinds with too few combinations"
        some = not (self.dev and self.new_combinations and set(self.kinds) <= set(OF_TWO_SIDES))
        rules.append((some, Rule("dev", what, f"0, or kinds beside {' and '.join(OF_TWO_SIDES)}")))
        require(rules)
        return self


TERMS = ("correct", "presence", "grounded", "overlong")
"""Terms of the reward."""


class Rewards(Strict):
    """Prompts with audio: R = sum over the terms of weight · value. Prompts of text: R = [answer right].

    A response that was cut off earns nothing. `overlong` is added to both, and to what was cut off.
    """

    weights: dict[str, Share] = {"correct": 0.8, "presence": 0.2}  # noqa: RUF012 - pydantic copies it
    """Weight by term. correct: the answer is right; presence: there is reasoning, and then an answer, the paper's rule;
    grounded: presence, scaled by the share of claims that the waveform supports; overlong: 0 down to -1 over the last
    tokens before `sampling.max_tokens`, as in DAPO."""
    min_think_chars: Count = 16
    """Fewest non-space characters of a think block that counts as present."""
    overlong_buffer_tokens: Tokens | None = None
    """Last tokens before `sampling.max_tokens` that cost ever more; needed where `overlong` has a weight."""

    @model_validator(mode="before")
    @classmethod
    def _from_flat(cls, given: Any) -> Any:
        """`correct`, `reasoning` and `reasoning_term` are the words of older recipes."""
        if not isinstance(given, dict) or not {"correct", "reasoning", "reasoning_term"} & given.keys():
            return given
        rest = {key: value for key, value in given.items() if key not in ("correct", "reasoning", "reasoning_term")}
        term = given.get("reasoning_term", "presence")
        both = {"correct": given.get("correct", 0.8), str(term): given.get("reasoning", 0.2)}
        return {"weights": both, **rest} if "weights" not in rest else given

    @model_validator(mode="after")
    def _known(self) -> Rewards:
        rule = "unknown term of the reward"
        require([(name in TERMS, Rule(f"weights.{name}", rule, f"one of {', '.join(TERMS)}")) for name in self.weights])
        require([(bool(self.weights), Rule("weights", "empty", f"a weight of one of {', '.join(TERMS)}"))])
        buffer, weighed = self.overlong_buffer_tokens, "overlong" in self.weights
        what, expected = (
            ("missing", "tokens") if weighed else (f"{buffer}, and no weight of overlong", "weights.overlong")
        )
        require([(weighed == (buffer is not None), Rule("overlong_buffer_tokens", what, expected))])
        return self

    def options(self) -> dict[str, float]:
        """What terms need beside their weights, by `<term>.<option>`."""
        if self.overlong_buffer_tokens is None:
            return {}
        return {"overlong.buffer_tokens": float(self.overlong_buffer_tokens)}


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
