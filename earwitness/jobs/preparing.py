"""The first phase: data and model. Every part is skipped if it is there already."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from earwitness import artifacts
from earwitness.active import ActiveJob
from earwitness.chat import think_end_ids
from earwitness.errors import InputError, JobFailed
from earwitness.jobs.changes import DataKnown, Prepared
from earwitness.jobs.context import RunningJob
from earwitness.manifest import Example, read_manifest
from earwitness.recipe.recipe import Recipe
from earwitness.recipe.schema import ProbeData
from earwitness.wire.trainer.v1 import trainer_pb2


async def prepare(job: RunningJob) -> Prepared:
    """Write probe data, read every manifest, make the model."""
    recipe, record = job.submitted_recipe, job.record
    manifests = dict(recipe.data)
    await asyncio.to_thread(artifacts.write_text, record.path("recipe.yaml"), job.recipe_yaml.decode())
    if recipe.probe is not None:
        folder = record.path("data")
        await job.tell("stage", f"writing {_clips(recipe.probe)} probe clips")
        manifests = {**(await _write_probe(folder, recipe.probe)), **manifests}
    used = sorted({stage.data for stage in recipe.stages})
    for name in used:
        examples = await load_examples(manifests[name])
        await job.tell("stage", f"data {name}: {len(examples)} prompts", change=DataKnown(manifests))
    await job.tell("stage", "preparing the model")
    request = trainer_pb2.PrepareModelRequest(job_id=record.job_id, recipe_yaml=job.recipe_yaml)
    model = await job.trainer.prepare_model(request)
    await job.tell("stage", f"model of {model.parameters:,} parameters", {"parameters": float(model.parameters)})
    return Prepared(manifests, model.model_uri)


def check_data(recipe: Recipe) -> None:
    """Read the manifests a recipe names, before its job is accepted. Raises ManifestError and others of InputError."""
    for stage in recipe.stages:
        uri = recipe.data.get(stage.data)
        if uri is None:
            continue  # probe data, which is not written yet
        examples = read_manifest(uri, check_audio=True)
        stage.check(examples)


async def load_examples(uri: str) -> list[Example]:
    """A manifest, read beside the event loop. Raises JobFailed."""
    try:
        return await asyncio.to_thread(read_manifest, uri)
    except InputError as error:
        raise JobFailed(f"cannot use the data: {error}") from error


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
    config = artifacts.read_json(f"{model_uri}/config.json")
    return int(config.get("text_config", config)["max_position_embeddings"])


def think_end(model_uri: str) -> tuple[int, ...]:
    """Token ids of the end of the think block."""
    return think_end_ids(artifacts.read_json(f"{model_uri}/tokenizer.json"))


def _clips(probe: ProbeData) -> int:
    return probe.lessons + probe.cold_start + probe.train + probe.eval


async def _write_probe(folder: str, probe: ProbeData) -> dict[str, str]:
    """Manifest URI by name. In a process of its own, because a thread could not be stopped by a cancellation."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "earwitness.jobs.probe_process", folder, stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        output, _ = await process.communicate(probe.model_dump_json().encode())
    finally:
        if process.returncode is None:
            process.terminate()  # it ends its own workers on SIGTERM
            await process.wait()
    if process.returncode:
        raise JobFailed(f"writing the probe data failed with exit status {process.returncode}; see the service's log")
    manifests: dict[str, str] = json.loads(output)
    return manifests
