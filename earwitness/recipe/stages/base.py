"""What a stage is to everyone else: jobs, planner, trainer, pages and reports know stages by this interface alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from earwitness import artifacts
from earwitness.manifest import Example
from earwitness.recipe.rules import Rule
from earwitness.recipe.schema.fields import Count, Strict
from earwitness.recipe.schema.mixing import Data, Part, parts_of
from earwitness.recipe.schema.sampling import SamplingConfig
from earwitness.recipe.schema.updates import Training
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

BENCHMARKS = "benchmarks"
"""Folder of a job with what its evaluations of public benchmarks came to, a folder a stage."""
BENCHMARK = "figures.json"
"""In it: the benchmark's figures."""
ROUNDS = "rounds.json"
"""File of a job that tells which round was the last, if not all are gone through."""


@dataclass(frozen=True)
class Learned:
    """What a phase of the trainer came to."""

    checkpoint_uri: str
    updates: int
    """Weight versions that the policy moved on by."""
    lineage: int | None = None
    """Of the weights as they are now; None: as before."""


@dataclass(frozen=True)
class Asked:
    """What a phase asks of the rollout workers, over and over until its ordinals are through."""

    prompts: Sequence[wire.Prompt]
    """Candidates, in manifest order."""
    sampling: SamplingConfig
    count: int = 0
    """Prompts to sample, from the start of the order; 0: as many as the trainer consumes."""
    shuffled: bool = True
    """In an order of the phase's own and with its seeds; else in the manifest's, with the seeds that all such phases of
    a recipe share, so that two of them differ by the policy alone."""
    without_audio: bool = False
    think_tokens: int | None = None
    """After so many tokens the think block is closed; None: no bound."""
    extend: str = ""
    """Words with which a think block that ends goes on, once."""
    needs_reference: bool = False
    needs_spread: bool = False
    judge_traces: bool = False
    """Whether the reward workers' judge looks at each trace that could be learned from."""


class StageJob(Protocol):
    """The job that a stage is part of, as far as a stage may touch it."""

    @property
    def index(self) -> int:
        """Of this stage in the recipe."""

    @property
    def earlier(self) -> Sequence[Stage]:
        """The stages before this one."""

    def path(self, *parts: str) -> str:
        """URI of an artifact in the job's folder."""

    async def examples(self) -> str:
        """URI of a manifest with the examples of the stage's own, mixed by weight where there are several."""

    async def prompts(self, places: Sequence[int] | None = None) -> Sequence[wire.Prompt]:
        """The prompts of the stage's manifests one behind the other, or those at `places` of them, each read when it is
        asked for."""

    def place(self, ordinal: int) -> int:
        """Where the prompt of an ordinal of the last `sample` stands in the manifest."""

    async def sample(self, places: Sequence[int] | None = None) -> list[wire.Group]:
        """Sample what the stage asks for in this phase with the policy as it is, of the prompts of its manifest or of
        those at `places` of it; the groups that came back.

        Raises JobFailed if none did.
        """

    async def tune(self, manifest_uri: str) -> Learned:
        """Let the trainer learn from a manifest. Raises JobFailed."""

    async def train(self, prompts: Sequence[wire.Prompt]) -> Learned:
        """Let the trainer learn from what is sampled of `prompts` meanwhile. Raises JobFailed."""

    async def score_benchmark(self, benchmark: str) -> None:
        """Score what this phase sampled as the benchmark does, for the report. Raises JobFailed."""

    async def tell(self, kind: str, message: str, metrics: dict[str, float] | None = None) -> None:
        """An event of the job."""


class Stage(Strict):
    """One stage of a recipe. A subclass adds its fields and says what is particular about it."""

    if TYPE_CHECKING:  # fields of every subclass, which keeps their order
        type: str
        data: Data

    round: Count = 0
    """In which round it is, from 1; `rounds` writes it. 0: in none."""

    begins: ClassVar[bool] = False
    """Whether a model with random weights can begin with it."""

    @property
    def parts(self) -> list[Part]:
        """The manifests that its prompts come from."""
        return parts_of(self.data)

    @property
    def manifests(self) -> list[str]:
        """Their names."""
        return [part.name for part in self.parts]

    def behind(self, earlier: Sequence[Stage]) -> Iterable[tuple[bool, Rule]]:
        """Rules of its place in the recipe."""
        return ()

    def phases(self) -> list[str]:
        """Its phases in order. Each can be stopped anywhere and run again from its start."""
        raise NotImplementedError

    async def run(self, phase: str, job: StageJob) -> Learned | None:
        """A phase from its start, or from where it stood; what the trainer came to, None if it had nothing to do.

        Raises JobFailed with a reason for people.
        """
        raise NotImplementedError

    def sampled(self) -> SamplingConfig | None:
        """How it samples; None: it does not."""
        return None

    def asks(self, phase: str, prompts: Sequence[wire.Prompt]) -> Asked:
        """What a phase that samples asks for, of the prompts of its manifest. Raises ValueError for another phase."""
        raise ValueError(f"phase {phase} of {self.type} does not sample")

    def training(self, phase: str) -> Training | None:
        """What the trainer does in a phase; None: nothing."""
        return None

    def workers(self, phase: str) -> Mapping[str, Any]:
        """What workers must know in a phase: fields of `ActiveJob` other than their defaults."""
        return {}

    def evaluation(self, phase: str) -> str:
        """Under which name a phase's samples stand in the report; empty: they do not."""
        return ""

    def think_tokens(self, phase: str) -> int | None:
        """At how many tokens a phase closes the think block, for the curve of what thinking is worth; None: never."""
        return None

    def extends(self, phase: str) -> bool:
        """Whether a phase lets each think block go on once more."""
        return False

    def is_greedy(self, phase: str) -> bool:
        """Whether a phase takes the likeliest token each time."""
        return False

    def headroom(self, phase: str) -> bool:
        """Whether a phase's samples tell how often the policy, as it is before it learns of them, is right about the
        prompts that it is to learn from."""
        return False

    def control(self, phase: str) -> str:
        """Which control a phase evaluates, in which no answer can be known from the sound; empty: none."""
        return ""

    def figures(self, index: int, read: Callable[[str], Any]) -> dict[str, int | float]:
        """What the report tells of it, the stage at `index`: counts, and shares as floats. `read`: a JSON file of the
        job, None where there is none."""
        return {}

    def check(self, example: Example) -> None:
        """Look at an example of its manifest before the job is accepted. Raises InputError."""


async def end_rounds(job: StageJob, last: int) -> None:
    """No round after `last` is gone through, or what is left of it."""
    await asyncio.to_thread(artifacts.write_json, job.path(ROUNDS), {"last": last})


async def is_over(job: StageJob, stage: Stage) -> bool:
    """Whether a stage is of a round that is no longer gone through."""
    if not stage.round or not await asyncio.to_thread(artifacts.exists, job.path(ROUNDS)):
        return False
    last: int = (await asyncio.to_thread(artifacts.read_json, job.path(ROUNDS)))["last"]
    return stage.round > last


def numbered(prompt: wire.Prompt, suffix: str) -> wire.Prompt:
    """A copy for an example made of it; ids are unique within a manifest."""
    copy = wire.Prompt()
    copy.CopyFrom(prompt)
    copy.id = f"{prompt.id}~{suffix}"
    return copy


def told(counts: Mapping[str, int]) -> str:
    """Counts by reason for people, the five that come first."""
    shown = [f"{reason[:200]}: {n}" for reason, n in list(counts.items())[:5]]
    return ", ".join(shown) + (", ..." if len(counts) > 5 else "")
