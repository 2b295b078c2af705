"""The first phase: data and model. Every part is skipped if it is there already."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from earwitness import artifacts
from earwitness.active import ActiveJob
from earwitness.chat import think_end_ids
from earwitness.data.mixture import Portion, renamed
from earwitness.errors import InputError, JobFailed
from earwitness.families.architecture import architecture_of_config
from earwitness.families.reading import Section
from earwitness.jobs.apart import WorkFailed, apart
from earwitness.jobs.changes import DataKnown, Prepared
from earwitness.jobs.context import RunningJob
from earwitness.manifest import Example
from earwitness.manifest_index import IndexedManifest, read_index
from earwitness.recipe.schema.mixing import Part
from earwitness.wire.trainer.v1 import trainer_pb2
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

QUIET_SECONDS = 120.0
"""So long a store may not answer while data is prepared, or a hundred clips may take."""

TOLD_SECONDS = 5.0
"""Between two events on how far a manifest is read, or clips are written."""


async def prepare(job: RunningJob) -> Prepared:
    """Write probe data, read every manifest, make the model."""
    recipe, record = job.submitted_recipe, job.record
    manifests = dict(recipe.data)
    await asyncio.to_thread(artifacts.write_text, record.path("recipe.yaml"), job.recipe_yaml.decode())
    if recipe.probe is not None:
        await job.tell("stage", f"writing {sum(recipe.probe.counts.values())} probe clips")
        given = {"folder": record.path("data"), "probe": recipe.probe.model_dump(mode="json")}
        manifests = {**(await apart_from(job, "probe", given, QUIET_SECONDS)), **manifests}
    for name, count in (await _index(job, manifests)).items():
        await job.tell("stage", f"data {name}: {count} prompts", change=DataKnown(manifests))
    await job.tell("stage", "preparing the model")
    request = trainer_pb2.PrepareModelRequest(job_id=record.job_id, recipe_yaml=job.recipe_yaml)
    model = await job.trainer.prepare_model(request)
    await job.tell("stage", f"model of {model.parameters:,} parameters", {"parameters": float(model.parameters)})
    if recipe.data:  # the probe's own questions are short
        given = {"recipe": job.recipe_yaml.decode(), "manifests": dict(recipe.data), "model": model.model_uri}
        await apart_from(job, "lengths", given, QUIET_SECONDS)
    return Prepared(manifests, model.model_uri)


async def apart_from(
    job: RunningJob, task: Literal["index", "lengths", "probe", "score"], given: dict[str, Any], silence: float
) -> Any:
    """What a task in a process of its own comes to; how far it is becomes events of the job. Raises JobFailed."""
    told_at = time.monotonic()

    async def told(name: str, lines: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at > TOLD_SECONDS:
            told_at = time.monotonic()
            done = f"{lines:,} probe clips written" if task == "probe" else f"data {name}: {lines:,} lines read"
            await job.tell("stage", done)

    try:
        return await apart(task, given, silence, told)
    except InputError as error:
        raise JobFailed(f"cannot use the data: {error}") from error
    except WorkFailed as error:
        raise JobFailed(str(error)) from error


async def _index(job: RunningJob, manifests: Mapping[str, str]) -> dict[str, int]:
    """Read every manifest that a stage uses; how many examples each has."""
    given = {"recipe": job.recipe_yaml.decode(), "manifests": dict(manifests), "folder": job.record.path("index")}
    counts: dict[str, int] = await apart_from(job, "index", given, QUIET_SECONDS)
    return counts


async def read_prompts(job: RunningJob) -> Prompts:
    """The prompts of the current stage, each read when it is asked for. Raises JobFailed."""
    return Prompts([(part, await read_examples(job, part.name)) for part in job.stage.parts])


async def read_examples(job: RunningJob, name: str) -> IndexedManifest:
    """The examples of a manifest, each read when it is asked for. Raises JobFailed."""
    uri = job.record.path("index", f"{name}.lines")
    if not await asyncio.to_thread(artifacts.exists, uri):
        await _index(job, job.recipe.data)
    return IndexedManifest(job.recipe.data[name], await asyncio.to_thread(read_index, uri))


class Prompts(Sequence[wire.Prompt]):
    """Of the examples of manifests one behind the other, or of those of them at `places` of each.

    Ids of several manifests are told apart by the manifest's name before them.
    """

    def __init__(
        self, parts: Sequence[tuple[Part, Sequence[Example]]], places: Sequence[Sequence[int]] | None = None
    ) -> None:
        self._parts = parts
        self._places = [range(len(examples)) for _, examples in parts] if places is None else places

    @property
    def portions(self) -> list[Portion]:
        """What each manifest gives to the mix."""
        return [Portion(part.weight, len(at)) for (part, _), at in zip(self._parts, self._places, strict=True)]

    def __len__(self) -> int:
        return sum(map(len, self._places))

    def __getitem__(self, place: Any) -> Any:
        at, place = self._find(place)
        part, examples = self._parts[at]
        example = examples[self._places[at][place]]
        return (renamed(example, part.name) if len(self._parts) > 1 else example).prompt

    def at(self, places: Sequence[int]) -> Prompts:
        """Those at `places`."""
        found: list[list[int]] = [[] for _ in self._parts]
        for at, place in map(self._find, places):
            found[at].append(self._places[at][place])
        return Prompts(self._parts, found)

    def _find(self, place: int) -> tuple[int, int]:
        """Which manifest, and where among its places."""
        for at, places in enumerate(self._places):
            if place < len(places):
                return at, place
            place -= len(places)
        raise IndexError(place)


def active_job(job: RunningJob, **changes: Any) -> ActiveJob:
    """What workers must know of the job."""
    model_uri = job.record.model_uri
    return ActiveJob(
        **{
            "job_id": job.record.job_id,
            "model_uri": model_uri,
            "dtype": job.recipe.model.dtype,
            "max_model_len": max_positions(model_uri) if model_uri else 0,
            **changes,
        }
    )


def max_positions(model_uri: str) -> int:
    """Longest sequence of a model, tokens."""
    uri = f"{model_uri}/config.json"
    return architecture_of_config(Section(uri, artifacts.read_json(uri))).decoder.max_positions


def think_end(model_uri: str) -> tuple[int, ...]:
    """Token ids of the end of the think block."""
    return think_end_ids(artifacts.read_json(f"{model_uri}/tokenizer.json"))
