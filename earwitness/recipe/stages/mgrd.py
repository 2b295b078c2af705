"""Stage `mgrd`: Modality Grounded Reasoning Distillation. What it keeps of what was sampled is a pure function."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from earwitness import artifacts
from earwitness.chat import split_response
from earwitness.errors import JobFailed
from earwitness.hearing import clip_uris
from earwitness.manifest import Example
from earwitness.recipe.schema.fields import Count, Group, Positive, Share, Strict
from earwitness.recipe.schema.mixing import Data
from earwitness.recipe.schema.sampling import SamplingConfig
from earwitness.recipe.schema.updates import Tune
from earwitness.recipe.stages.base import Asked, Learned, Stage, StageJob, end_rounds, numbered, told
from earwitness.recipe.stages.changed import instructed
from earwitness.recipe.stages.keeping import KeepingStage, Kept
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

CURATE = "curate"
"""The phase that looks for prompts that need ears."""
REFUSED = "refused by the judge"
"""What becomes of a trace that the judge of the reward workers refuses."""


class Curation(Strict):
    """Which prompts need ears: those that the policy cannot answer without hearing."""

    samples: Group = 4
    """Answers of each prompt with one second of silence in place of its clip."""
    max_correct: Count = 1
    """Most of these that may be right: with so many choices as there are, some are by chance."""


class MgrdStage(KeepingStage):
    """Modality Grounded Reasoning Distillation: sample, keep what is grounded, coherent and correct, tune on it."""

    type: Literal["mgrd"] = "mgrd"
    data: Data = "train"
    """Manifest of the prompts, or several with [weights](#data-of-a-stage)."""
    prompts: Positive = 600
    """Prompts to sample, from the start of the seeded shuffle."""
    sampling: SamplingConfig = SamplingConfig(samples=4)
    """Candidates."""
    curate: Curation | None = None
    """Sample only prompts that need ears, as the paper curates them, and those of text. None: every prompt."""
    instruction: Annotated[str, Field(max_length=1000)] = ""
    """Put behind each question with a clip while candidates are sampled, for example to name what is heard; what is
    kept is learned without it."""
    min_supported: Positive = 1
    """Fewest distinct supported claims of a kept trace."""
    min_supported_share: Share = 1.0
    """Smallest supported / (supported + contradicted) of a kept trace."""
    coherent: bool = True
    """Keep only traces whose reasoning comes to their answer; false to see what that rule is for."""
    judge: bool = False
    """Also drop traces that a language model, the [judge](reward.md#judge) of the reward workers, refuses: it is sent
    the question, the trace and what was measured of its claims, and tells whether the answer comes from what is heard.
    A trace on which it gives no verdict is kept; the report tells how many it refused and how many it did not judge."""
    max_per_prompt: Positive = 2
    """Most traces kept for one prompt, so that easy prompts do not crowd out the rest."""
    least_gain: Annotated[float, Field(ge=-1.0, le=1.0)] = 0.0
    """In `rounds`: by how much the share of right answers, among what is sampled of the prompts to distil, must have
    risen since the round before; else this round and the later ones are not gone through."""
    tune: Tune
    """The updates on what was kept."""

    def phases(self) -> list[str]:
        return [CURATE, *super().phases()] if self.curate else super().phases()

    async def run(self, phase: str, job: StageJob) -> Learned | None:
        if phase != CURATE:
            return await super().run(phase, job)
        assert self.curate is not None
        groups = await job.sample()
        chosen = sorted(job.place(g.task.ordinal) for g in groups if needs_ears(g, self.curate))
        await asyncio.to_thread(artifacts.write_json, _curated(job), chosen)
        figures = {"prompts.tried": float(len(groups)), "prompts.selected": float(len(chosen))}
        await job.tell("stage", f"{len(chosen)} of {len(groups)} prompts cannot be answered without hearing", figures)
        return None

    async def places(self, job: StageJob) -> Sequence[int] | None:
        if self.curate is None:
            return None
        places: list[int] = await asyncio.to_thread(artifacts.read_json, _curated(job))
        if not places:
            raise JobFailed("mgrd found no prompt that cannot be answered without hearing: raise curate.max_correct")
        return places

    def asks(self, phase: str, prompts: Sequence[wire.Prompt]) -> Asked:
        if phase != CURATE or self.curate is None:
            return super().asks(phase, prompts)
        sampling = self.sampling.model_copy(update={"samples": self.curate.samples})
        return Asked(prompts, sampling, min(self.prompts, len(prompts)), without_audio=True)

    async def goes_on(self, job: StageJob, groups: Sequence[wire.Group], counts: Mapping[str, int]) -> bool:
        places = await self.places(job)
        tried = [
            (job.place(g.task.ordinal), sum(t.reward.correct for t in g.trajectories)) for g in groups if g.trajectories
        ]
        counted = [(place if places is None else places[place], right) for place, right in tried]
        await asyncio.to_thread(artifacts.write_json, job.path(*tried_file(job.index)), counted)
        if self.judge:
            judged = judgements(groups)
            await asyncio.to_thread(artifacts.write_json, job.path(_judged(job.index)), judged)
            if failed := sum(judged["failed"].values()):
                await job.tell("stage", f"the judge gave no verdict on {failed} traces: {told(judged['failed'])}")
        before = [i for i, stage in enumerate(job.earlier) if isinstance(stage, MgrdStage) and stage.round]
        if self.round < 2 or not before:
            return True
        earlier = await asyncio.to_thread(artifacts.read_json, job.path("mgrd", f"{before[-1]}.counts.json"))
        now, then = right_share(counts), right_share(earlier)
        if now - then >= self.least_gain:
            return True
        await end_rounds(job, self.round - 1)
        shares = f"{then:.1%} of the answers were right in round {self.round - 1}, {now:.1%} are in round {self.round}"
        await job.tell("stage", f"{shares}: no more rounds", {"right": now})
        return False

    def figures(self, index: int, read: Callable[[str], Any]) -> dict[str, int | float]:
        counts: dict[str, int] | None = read(f"mgrd/{index}.counts.json")
        if counts is None:
            return {}
        curated = read(f"mgrd/{index}.curated.json")
        return {
            **({} if curated is None else {"prompts that need ears": len(curated)}),
            "traces sampled": sum(counts.values()),
            "of these right": right_share(counts),
            "traces kept": counts.get("kept", 0),
            **_judge_figures(counts, read(_judged(index))),
        }

    @property
    def judges(self) -> bool:
        return self.judge

    def keep(self, groups: Sequence[wire.Group]) -> Kept:
        return distil(groups, self)

    def words(self, kept: Kept, counts: Mapping[str, int], groups: int) -> tuple[str, dict[str, float]]:
        figures = {f"traces.{reason.replace(' ', '_')}": float(n) for reason, n in counts.items()}
        return f"mgrd keeps {counts['kept']} of {sum(counts.values())} traces ({told(counts)})", figures

    def nothing(self, counts: Mapping[str, int], groups: int, earlier: Sequence[Stage]) -> str:
        found = f"mgrd kept no trace of {sum(counts.values())}: {told(counts)}"
        if not any(isinstance(stage, MgrdStage) for stage in earlier):
            raise JobFailed(found)
        return f"{found}; an earlier round has learned what there was, so this one is skipped"

    def asked(self, prompts: Sequence[wire.Prompt]) -> Sequence[wire.Prompt]:
        return instructed(prompts, self.instruction) if self.instruction else prompts


def right_share(counts: Mapping[str, int]) -> float:
    """Share of well-formed right answers among all, by what became of them."""
    return 1 - (counts.get("malformed", 0) + counts.get("wrong answer", 0)) / max(1, sum(counts.values()))


def tried_file(index: int) -> tuple[str, str]:
    """Below the job's folder: place of each prompt that the stage at `index` sampled, and how often it was right."""
    return "mgrd", f"{index}.tried.json"


def needs_ears(group: wire.Group, curation: Curation) -> bool:
    """Whether the prompt of a group that was sampled in silence is worth listening to."""
    right = sum(t.reward.correct for t in group.trajectories)
    return not clip_uris(group.task.prompt) or right <= curation.max_correct


def judgements(groups: Sequence[wire.Group]) -> dict[str, Any]:
    """What the judge said of the traces of `groups`: how many of them it was asked about, and of how many there is no
    verdict, by reason, most frequent first."""
    asked = [t.reward for g in groups for t in g.trajectories if t.reward.trace_verdict]
    failed = Counter(r.trace_verdict_why for r in asked if r.trace_verdict == wire.TRACE_VERDICT_FAILED)
    return {"asked": len(asked), "failed": dict(failed.most_common())}


def _judge_figures(counts: Mapping[str, int], judged: Mapping[str, Any] | None) -> dict[str, int | float]:
    if judged is None:
        return {}
    return {REFUSED: counts.get(REFUSED, 0), "not judged": sum(judged["failed"].values())}


def _judged(index: int) -> str:
    return f"mgrd/{index}.judge.json"


def _curated(job: StageJob) -> str:
    return job.path("mgrd", f"{job.index}.curated.json")


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
    if stage.coherent and not reward.coherent:
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
    return REFUSED if reward.trace_verdict == wire.TRACE_VERDICT_REFUSED else "kept"


def distil(groups: Sequence[wire.Group], stage: MgrdStage) -> Kept:
    """The kept traces: at most `max_per_prompt` of each prompt, no text twice, best supported first."""
    examples: list[Example] = []
    outcomes: Counter[str] = Counter()
    for group in groups:
        kept: dict[str, wire.Trajectory] = {}
        for trajectory in sorted(group.trajectories, key=lambda t: (-t.reward.supported, t.index)):
            outcome = verdict(trajectory, stage, heard=bool(clip_uris(group.task.prompt)))
            if outcome == "kept" and trajectory.text in kept:
                outcome = "same text again"
            elif outcome == "kept" and len(kept) == stage.max_per_prompt:
                outcome = "enough of this prompt"
            if outcome == "kept":
                kept[trajectory.text] = trajectory
            outcomes[outcome] += 1
        for number, trajectory in enumerate(kept.values()):
            prompt = numbered(group.task.prompt, f"{number}")
            prompt.question = prompt.question.removesuffix(f"\n{stage.instruction}")
            examples.append(Example(prompt, *split_response(trajectory.text)))
    return Kept(examples, dict(outcomes))
