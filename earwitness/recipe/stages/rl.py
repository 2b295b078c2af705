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

REST = "select-rest"
"""The phase that samples on those prompts that the window is still within reach of."""


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
    first: Group | None = None
    """Sample so many of each prompt first, and the rest only where the window is still within reach, so that the same
    is selected: 3 to 6 of 8 no longer is after 7 right or 6 wrong, so it is 6 or 7 there. The report tells how many
    samples that saves. None: all at once."""
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
                *self._first_rules(),
            ]
        )
        return self

    def _first_rules(self) -> Iterable[tuple[bool, Rule]]:
        if self.first is None:
            return
        yield not self.from_mgrd, Rule("first", "nothing is sampled with from_mgrd", "only one of both")
        least, most = min(self.max_correct, self.samples - self.min_correct) + 1, self.samples - 1
        expected = f"{least} to {most}" if least <= most else "none: the window is never out of reach"
        what = f"after {self.first} of {self.samples} samples there is nothing to save with {self.window}"
        yield least <= self.first <= most, Rule("first", what, expected)

    def in_reach(self, right: int) -> bool:
        """Whether a prompt with so many of its first samples right can still come to lie in the window."""
        rest = self.samples - (self.first or self.samples)
        return right <= self.max_correct and right + rest >= self.min_correct

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
        saved = {"samples saved": found["saved"]} if self.select and self.select.first else {}
        return {"prompts counted": len(found["correct"]), "prompts selected": len(found["selected"]), **saved}

    def phases(self) -> list[str]:
        if self.select is None:
            return ["train"]
        return ["select", REST, "train"] if self.select.first else ["select", "train"]

    async def run(self, phase: str, job: StageJob) -> Learned | None:
        if phase != "train":
            await self._choose(phase, job)
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
        if phase not in ("select", REST) or self.select is None:
            return super().asks(phase, prompts)
        first = self.select.first or self.select.samples
        samples = first if phase == "select" else self.select.samples - first
        sampling = self.sampling.model_copy(update={"samples": samples})
        return Asked(prompts, sampling, min(self.select.prompts, len(prompts)), shuffled=phase == "select")

    def headroom(self, phase: str) -> bool:
        return phase == "select"

    def training(self, phase: str) -> Training | None:
        return self if phase == "train" else None

    def workers(self, phase: str) -> Mapping[str, Any]:
        if phase != "train":
            return {}
        return {"max_staleness": self.max_staleness, "needs_reference": self.kl_coef > 0}

    async def _choose(self, phase: str, job: StageJob) -> None:
        """Count correct samples of each prompt and write which prompts the training takes."""
        if self.select is None:
            raise ValueError("a select phase without a selection")
        first = job.path("select", f"{job.index}.first.json")
        if phase == REST:
            at, counts, saved = await self._completed(job, await asyncio.to_thread(artifacts.read_json, first))
        else:
            at, counts = await (self._counted(job) if self.select.from_mgrd else self._sampled(job))
            saved = 0
        if phase == "select" and self.select.first:
            await asyncio.to_thread(artifacts.write_json, first, [[i, at[i], counts[i]] for i in counts])
            return
        chosen, window = selected_ids(counts, self.select), self.select.window
        places = sorted(at[prompt] for prompt in chosen)
        found = {"window": window, "selected": chosen, "places": places, "correct": counts, "saved": saved}
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

    async def _completed(
        self, job: StageJob, first: Sequence[tuple[str, int, int]]
    ) -> tuple[dict[str, int], dict[str, int], int]:
        """As `_sampled`, of the rest where the window is within reach, with the samples that this saves. `first`: id,
        place and count of the prompts that were sampled before."""
        assert self.select is not None and self.select.first
        ids = {place: prompt for prompt, place, _ in first}
        at, counts = {prompt: place for prompt, place, _ in first}, {prompt: right for prompt, _, right in first}
        near = sorted(place for _, place, right in first if self.select.in_reach(right))
        groups = await job.sample(near) if near else []
        came = {ids[near[job.place(g.task.ordinal)]]: correct_count(g) for g in groups}
        for lost in {ids[place] for place in near} - set(came):  # dropped, as it would have been in one go
            del at[lost], counts[lost]
        counts |= {prompt: counts[prompt] + right for prompt, right in came.items()}
        far = len(first) - len(near)
        saved = far * (self.select.samples - self.select.first)
        share = saved / max(1, len(first) * self.select.samples)
        words = f"{far} of {len(first)} prompts were out of reach after {self.select.first} samples"
        await job.tell("stage", f"{words}: {saved} samples ({share:.0%}) saved", {"samples.saved": float(saved)})
        return at, counts, saved

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
