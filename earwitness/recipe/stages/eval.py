"""Stage `eval`: how good the policy is as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from earwitness.errors import InputError
from earwitness.hearing import clip_uris
from earwitness.manifest import Example
from earwitness.metrics import ACCURACY
from earwitness.recipe.rules import Rule, require
from earwitness.recipe.schema.fields import Name, ThinkTokens
from earwitness.recipe.schema.mixing import Data
from earwitness.recipe.schema.sampling import SamplingConfig
from earwitness.recipe.stages.base import Asked, Learned, Stage, StageJob
from earwitness.recipe.stages.changed import shuffled, undecided
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

CONTROLS = {
    "decisive_removed": "score-removed",
    "shuffled_audio": "score-shuffled",
    "without_audio": "score-silent",
}
"""Controls, in which the sound cannot tell the answer, by the field that asks for them; their phases."""
EXTENDED = "score-extended"
"""The phase in which thinking goes on once more."""
GREEDY = "score-greedy"
"""The phase in which each token is the likeliest."""
LIKELIEST = 1e-6
"""A nucleus that holds no token but the likeliest, which alone has more mass in any vocabulary that there is."""
THINK = "score-think-"
"""Begins the names of the phases in which thinking is bounded; the bound follows."""


class EvalStage(Stage):
    """Samples the manifests `data` with the policy as it is and reports accuracy and grounding."""

    type: Literal["eval"] = "eval"
    name: Name
    """What the report calls it."""
    data: Data = "eval"
    """Manifest of the prompts, or several: each prompt is asked once, so they have no weights."""
    sampling: SamplingConfig = SamplingConfig(samples=1)
    """As RL samples, so that the figures speak of the same policy."""
    without_audio: bool = False
    """Also evaluate with one second of silence in place of every clip: the no-audio control."""
    shuffled_audio: bool = False
    """Also evaluate each question with the clip of another question of its kind."""
    decisive_removed: bool = False
    """Also evaluate each question with its `control_audio`, the clip without what decides the answer. The probe's
    `eval` has one for every clip: noise of the same envelope where pitch or timbre decides, steady sound of the same
    spectrum where time does, equally loud sounds where level does."""
    think_budgets: Annotated[list[ThinkTokens], Field(max_length=16)] = Field(default_factory=list)
    """Also evaluate with the think block closed after so many tokens, each in turn: what thinking is worth. The report
    draws accuracy over these."""

    extend: Annotated[str, Field(max_length=200)] = ""
    """Also evaluate with each think block continued once: where it ends these words stand, for example " The", and the
    policy goes on. The report sets it beside the evaluation."""

    greedy: bool = False
    """Also evaluate with the likeliest token each time, one sample of each prompt: what sampling costs."""

    benchmark: Literal["mmau", "mmar", "mmsu", "big-bench-audio", "spoken-mqa"] | None = None
    """The public benchmark that `data` holds, as `data import` wrote it: the report scores the evaluation by its
    published rule and strictly."""

    @model_validator(mode="after")
    def _means_something(self) -> EvalStage:
        most, budgets = self.sampling.max_tokens, self.think_budgets
        alone = Rule("benchmark", "is scored of one manifest, its own", "data of one manifest")
        twice = Rule("think_budgets", "the same budget twice", "each once")
        once = "an evaluation asks each prompt once, whatever the weight"
        require(
            [
                (self.benchmark is None or len(self.parts) == 1, alone),
                *(
                    (budget < most, Rule(f"think_budgets.{place}", f"{budget}", f"below sampling.max_tokens, {most}"))
                    for place, budget in enumerate(budgets)
                ),
                (len(set(budgets)) == len(budgets), twice),
                *((p.weight == 1, Rule(f"data[{at}].weight", once, "none")) for at, p in enumerate(self.parts)),
            ]
        )
        return self

    def phases(self) -> list[str]:
        # Runs of a job are ordered by the names of their phases.
        asked = {
            "decisive_removed": self.decisive_removed,
            "shuffled_audio": self.shuffled_audio,
            "without_audio": self.without_audio,
        }
        controls = sorted(phase for field, phase in CONTROLS.items() if asked[field])
        others = [*([EXTENDED] if self.extend else []), *([GREEDY] if self.greedy else [])]
        return ["score", *others, *controls, *(f"{THINK}{budget:07}" for budget in sorted(self.think_budgets))]

    async def run(self, phase: str, job: StageJob) -> Learned | None:
        groups = [group for group in await job.sample() if group.trajectories]
        if phase == "score" and groups:
            right = [sum(t.reward.correct for t in group.trajectories) / len(group.trajectories) for group in groups]
            accuracy = sum(right) / len(right)
            await job.tell("stage", f"{self.name}: {accuracy:.1%} right", {ACCURACY: accuracy})
            if self.benchmark:
                await job.score_benchmark(self.benchmark)
        return None

    def sampled(self) -> SamplingConfig:
        return self.sampling

    def asks(self, phase: str, prompts: Sequence[wire.Prompt]) -> Asked:
        control = self.control(phase)
        change = {"shuffled_audio": shuffled, "decisive_removed": undecided}.get(control)
        likeliest = {"samples": 1, "top_p": LIKELIEST}
        return Asked(
            change(prompts) if change else prompts,
            self.sampling.model_copy(update=likeliest) if self.is_greedy(phase) else self.sampling,
            len(prompts),
            shuffled=False,
            without_audio=control == "without_audio",
            think_tokens=self.think_tokens(phase),
            extend=self.extend if self.extends(phase) else "",
        )

    def evaluation(self, phase: str) -> str:
        return self.name

    def think_tokens(self, phase: str) -> int | None:
        return int(phase.removeprefix(THINK)) if phase.startswith(THINK) else None

    def is_greedy(self, phase: str) -> bool:
        return phase == GREEDY

    def extends(self, phase: str) -> bool:
        return phase == EXTENDED

    def control(self, phase: str) -> str:
        return next((field for field, of in CONTROLS.items() if of == phase), "")

    def check(self, example: Example) -> None:
        prompt = example.prompt
        controls = [clip.control_uri for clip in prompt.clips] or [prompt.control_uri]
        if self.decisive_removed and clip_uris(prompt) and not all(controls):
            what = "has a clip and no control_audio, which decisive_removed asks for"
            raise InputError(prompt.id, what, "control_audio: the clip without what decides the answer")
