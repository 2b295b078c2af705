"""Stage `rl`: reinforcement learning with verified rewards. Which prompts it trains on is a pure function."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Literal

from pydantic import model_validator

from earwitness import artifacts
from earwitness.errors import JobFailed
from earwitness.recipe.rules import Rule, require
from earwitness.recipe.schema.fields import Count, Group, Positive, Strict
from earwitness.recipe.schema.mixing import Data
from earwitness.recipe.schema.reinforcement import Reinforcement
from earwitness.recipe.schema.sampling import SamplingConfig
from earwitness.recipe.schema.updates import Training
from earwitness.recipe.stages.base import Asked, Learned, Stage, StageJob
from earwitness.recipe.stages.mgrd import MgrdStage, tried_file
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire


class Selection(Strict):
    """Which prompts RL trains on: those the policy gets right sometimes, by count of correct samples."""

    prompts: Positive = 400
    """Prompts to try."""
    samples: Group = 8
    """Samples of each."""
    min_correct: Count = 3
    """Fewest correct samples of a selected prompt."""
    max_correct: Positive = 6
    """Most correct samples of a selected prompt."""
    from_mgrd: bool = False
    """Count what the mgrd stage before has sampled of its prompts, with the policy before it was tuned, and sample
    nothing. `prompts` then says nothing, and `samples` are those of that stage."""

    @model_validator(mode="after")
    def _ordered(self) -> Selection:
        low, high, samples = self.min_correct, self.max_correct, self.samples
        require(
            [
                (low <= high, Rule("min_correct", f"{low} is above max_correct {high}", f"at most {high}")),
                (high <= samples, Rule("max_correct", f"{high} is above samples {samples}", f"at most {samples}")),
            ]
        )
        return self

    @property
    def window(self) -> str:
        """For people."""
        return f"{self.min_correct} to {self.max_correct} of {self.samples}"


class RlStage(Stage, Reinforcement):
    """Reinforcement learning with verified rewards."""

    type: Literal["rl"] = "rl"
    data: Data = "train"
    """Manifest of the prompts, or several with [weights](#data-of-a-stage)."""
    select: Selection | None = None
    """Selection by count of correct samples; none: every prompt."""

    def behind(self, earlier: Sequence[Stage]) -> Iterable[tuple[bool, Rule]]:
        if self.select is None or not self.select.from_mgrd:
            return
        found = [stage for stage in earlier if isinstance(stage, MgrdStage)]
        rule = Rule("select.from_mgrd", "no mgrd stage before", "one, whose samples are counted")
        yield bool(found), rule
        if found:
            sampled, samples = found[-1], found[-1].sampling.samples
            what = f"{self.select.samples}, but mgrd takes {samples} of a prompt"
            yield self.select.samples == samples, Rule("select.samples", what, f"{samples}")
            names, of_mgrd = ", ".join(self.manifests), ", ".join(sampled.manifests)
            rule = Rule("data", f"{names}, but mgrd samples {of_mgrd}", f"{of_mgrd}, whose samples are counted")
            yield self.manifests == sampled.manifests, rule

    def figures(self, index: int, read: Callable[[str], Any]) -> dict[str, int | float]:
        found = read(f"select/{index}.json")
        if found is None:
            return {}
        return {"prompts counted": len(found["correct"]), "prompts selected": len(found["selected"])}

    def phases(self) -> list[str]:
        return ["select", "train"] if self.select else ["train"]

    async def run(self, phase: str, job: StageJob) -> Learned | None:
        if phase == "select":
            await self._choose(job)
            return None
        if self.select is None:
            return await job.train(await job.prompts())
        places = (await asyncio.to_thread(artifacts.read_json, _selection(job)))["places"]
        if len(places) < self.groups_per_step:
            return None  # selection has said so
        return await job.train(await job.prompts(places))

    def sampled(self) -> SamplingConfig:
        return self.sampling

    def asks(self, phase: str, prompts: Sequence[wire.Prompt]) -> Asked:
        if phase == "train":
            return Asked(
                prompts,
                self.sampling,
                needs_reference=self.kl_coef > 0,
                needs_spread=self.dynamic_filter,
            )
        if phase != "select" or self.select is None:
            return super().asks(phase, prompts)
        sampling = self.sampling.model_copy(update={"samples": self.select.samples})
        return Asked(prompts, sampling, min(self.select.prompts, len(prompts)))

    def training(self, phase: str) -> Training | None:
        return self if phase == "train" else None

    def workers(self, phase: str) -> Mapping[str, Any]:
        if phase != "train":
            return {}
        return {"max_staleness": self.max_staleness, "needs_reference": self.kl_coef > 0}

    async def _choose(self, job: StageJob) -> None:
        """Count correct samples of each prompt and write which prompts the training takes."""
        if self.select is None:
            raise ValueError("a select phase without a selection")
        at, counts = await (self._counted(job) if self.select.from_mgrd else self._sampled(job))
        chosen, window = selected_ids(counts, self.select), self.select.window
        places = sorted(at[prompt] for prompt in chosen)
        found = {"window": window, "selected": chosen, "places": places, "correct": counts}
        await asyncio.to_thread(artifacts.write_json, _selection(job), found)
        shown = distribution(counts.values())
        if len(chosen) >= self.groups_per_step:
            figures = {"prompts.tried": float(len(counts)), "prompts.selected": float(len(chosen))}
            await job.tell("stage", f"{len(chosen)} of {len(counts)} prompts selected (correct: {shown})", figures)
            return
        few = (
            f"only {len(chosen)} of {len(counts)} prompts had {window} correct, but a step needs "
            f"{self.groups_per_step}; prompts by number correct: {shown}"
        )
        if not is_learned(counts.values(), self.select):
            raise JobFailed(few)
        await job.tell("stage", f"{few}; most of the others are learned, so the stage is skipped")

    async def _sampled(self, job: StageJob) -> tuple[dict[str, int], dict[str, int]]:
        """Place and count of correct samples of each prompt, by its id."""
        groups = await job.sample()
        at = {g.task.prompt.id: job.place(g.task.ordinal) for g in groups}
        return at, {g.task.prompt.id: correct_count(g) for g in groups}

    async def _counted(self, job: StageJob) -> tuple[dict[str, int], dict[str, int]]:
        """As `_sampled`, of what mgrd has sampled."""
        index = max(i for i, stage in enumerate(job.earlier) if isinstance(stage, MgrdStage))
        tried = await asyncio.to_thread(artifacts.read_json, job.path(*tried_file(index)))
        prompts = await job.prompts()
        counted = await asyncio.to_thread(lambda: [(prompts[place].id, place, right) for place, right in tried])
        return {i: place for i, place, _ in counted}, {i: right for i, _, right in counted}


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


def _selection(job: StageJob) -> str:
    return job.path("select", f"{job.index}.json")
