"""The command `bench`: a public benchmark, sampled on the mesh and scored."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from earwitness.cli.terminal import err, out, progress
from earwitness.cli.where import Where, finds_mesh
from earwitness.errors import InputError, JobFailed, shown
from earwitness.extras import module_of

if TYPE_CHECKING:
    from earwitness.data.importing import Import

LONGEST_ANSWER = 4096
"""Tokens of an answer with its thinking, where nobody says more: the paper's have 2,300 to 2,800."""


@finds_mesh
def bench(
    model: Annotated[
        Path | None,
        typer.Argument(help="Folder of a checkpoint (config.json), or a recipe with one."),
    ] = None,
    *,
    benchmark: Annotated[str, typer.Option(help="mmau, mmar, mmsu, big-bench-audio, spoken-mqa or wildspeech.")],
    data: Annotated[Path, typer.Option(help="The benchmark as it was downloaded.")],
    folder: Annotated[Path, typer.Option("--out", help="Folder for the manifest, the job and the answers.")],
    runs: Annotated[int, typer.Option(min=1, max=64, help="Answers to each question, each of its own seed.")] = 1,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, max=2**20, help="Most tokens of an answer with its thinking.")
    ] = None,
    realtime: Annotated[
        str, typer.Option(help="Ask this `earwitness serve` instead of the mesh: aloud, in real time, answers by ear.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    where: Where,
) -> None:
    """Put a benchmark to a model on the mesh, and score it beside published rows.

    The mesh must see the folders of data and output under the same paths.

    Example:

        earwitness bench runs/quickstart/checkpoints/3-rl/hf --benchmark mmau --data MMAU/ --out runs/mmau --runs 3

        earwitness bench --realtime http://127.0.0.1:8000 --benchmark big-bench-audio --data BBA/ --out runs/bba
    """
    from earwitness.data.importers import IMPORTERS
    from earwitness.data.importing import Import, records

    measuring = importlib.import_module("reward.benchmarks.runs")  # needs what the core does without
    if benchmark not in (known := measuring.BENCHMARKS):
        raise InputError("--benchmark", f"unknown benchmark {shown(benchmark)}", f"one of {', '.join(known)}")
    if (model is None) == (not realtime):
        raise InputError("MODEL, --realtime", "are both given, or neither", "a model, or a server that has one")
    recipe = None if model is None else _recipe(model, benchmark, folder, runs, max_tokens)
    reference = importlib.import_module("reward.reference").reference_problem
    plan = Import(benchmark, IMPORTERS[benchmark], data, folder, {}, False, reference)
    left_out = _import(plan)
    manifest = str(folder / f"{benchmark}.jsonl")
    first_audio = None
    if recipe:
        samples = _sample(recipe, folder, where)
    else:
        samples, first_audio = _ask_aloud(realtime, where.token or "", manifest, folder)
    measured = measuring.measure(benchmark, manifest, samples, records(plan), str(folder))
    measured = replace(measured, first_audio=first_audio)
    measuring.show(measured, left_out, as_json=as_json, console=out)


def _import(plan: Import) -> int:
    """The manifest, unless it is there from an earlier run; how many rows could not be used."""
    from earwitness import artifacts
    from earwitness.data.importing import import_data

    provenance = plan.out / f"{plan.name}.provenance.json"
    if not (plan.out / f"{plan.name}.jsonl").exists():
        with progress("rows") as told:
            import_data(plan, told)
    return sum(artifacts.read_json(str(provenance))["left_out"].values()) if provenance.exists() else 0


def _recipe(model: Path, benchmark: str, folder: Path, runs: int, max_tokens: int | None) -> dict[str, Any]:
    """A recipe of one evaluation. Of a recipe it takes the model, and how its last evaluation samples."""
    if model.is_dir():
        from earwitness.jobs.preparing import max_positions

        path = next((place for place in (model, model / "hf") if (place / "config.json").is_file()), None)
        if path is None:
            raise InputError(str(model), "holds no config.json", "the folder of a checkpoint in Hugging Face's layout")
        chosen: dict[str, Any] = {"path": str(path.absolute())}
        sampling = {"max_tokens": min(LONGEST_ANSWER, max_positions(str(path)) // 2)}
    else:
        from earwitness.recipe.load import read_recipe

        read = read_recipe(str(model))
        if read.model.path is None:
            raise InputError(f"{model}: model", "is made, not loaded", "`model.path`, or the folder of a checkpoint")
        chosen = read.model.model_dump(mode="json", exclude_none=True)
        chosen["path"] = str(Path(read.model.path).absolute())
        last = next((stage for stage in reversed(read.stages) if stage.evaluation(stage.phases()[0])), None)
        found = last.sampled() if last else None
        sampling = found.model_dump(mode="json") if found else {"max_tokens": LONGEST_ANSWER}
    sampling |= {"samples": runs} | ({"max_tokens": max_tokens} if max_tokens else {})
    return {
        "name": f"bench-{benchmark}",
        "output": str((folder / "job").absolute()),
        "model": chosen,
        "data": {benchmark: str((folder / f"{benchmark}.jsonl").absolute())},
        "stages": [{"type": "eval", "name": benchmark, "data": benchmark, "sampling": sampling}],
    }


def _ask_aloud(server: str, token: str, manifest: str, folder: Path) -> tuple[str, dict[str, float]]:
    """Puts every question to a server; where the answers are, and seconds to the first sound. Raises InputError."""
    import asyncio

    import numpy as np

    from earwitness import artifacts
    from earwitness.manifest import read_manifest

    aloud = module_of("serving", "serving.realtime.aloud", "--realtime")
    with progress("questions") as told:
        prompts = [example.prompt for example in read_manifest(manifest)]
        heard = asyncio.run(aloud.ask_all(server, token, prompts, told))
    for why in heard.refused:
        err.print(why, markup=False)
    if not heard.first_seconds:
        raise InputError("--realtime", "no question was answered in sound", "a server that has a voice")
    samples = f"{folder}/realtime.jsonl"
    artifacts.write_groups(samples, heard.groups)
    p50, p95 = np.percentile(heard.first_seconds, [50, 95])
    return samples, {"p50": round(float(p50), 3), "p95": round(float(p95), 3)}


def _sample(recipe: dict[str, Any], folder: Path, where: Where) -> str:
    """Submits the evaluation and waits for it; where its samples are. Raises JobFailed."""
    from earwitness.cli.follow import conclusion, follow

    file = folder / "bench.yaml"
    file.write_text(yaml.safe_dump(recipe, sort_keys=False))
    with where.connect() as mesh:
        job = mesh.submit(file)
        err.print(f"job {job.job_id}; Ctrl-C stops watching, not the job")
        follow(mesh.watch(job.job_id), err)
        ended = mesh.get(job.job_id)
    words, code = conclusion(ended)
    if code:
        raise JobFailed(words)
    return f"{ended.output_uri}/samples/0-score.jsonl"
