"""What is done with sampled groups: MGRD keeps traces, DPO pairs them, RL selects prompts.

Each leaves a file that a restart finds. Where there is nothing left to learn the stage is skipped, and the job says so:
no manifest is written, or too few prompts are selected for a step, and the phase that would train ends at once.
"""

from __future__ import annotations

import asyncio
from typing import Any

from earwitness import artifacts
from earwitness.errors import JobFailed
from earwitness.jobs.context import RunningJob
from earwitness.jobs.pairing import pair_up
from earwitness.jobs.preparing import load_examples
from earwitness.jobs.sampling import describe, run_sampling
from earwitness.jobs.selection import correct_count, distil, distribution, is_learned, selected_ids
from earwitness.jobs.tasks import sampling_pass
from earwitness.manifest import write_manifest
from earwitness.recipe.schema import DpoStage, MgrdStage, RlStage
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire


async def run_mgrd_sample(job: RunningJob, stage: MgrdStage) -> dict[str, Any]:
    """Sample, keep what is correct, coherent and grounded, and write it as a manifest for `tune`."""
    index = job.phase.stage_index
    groups = await run_sampling(job, *await _pass(job, stage.data))
    distilled = distil(groups, stage)
    counts = dict(sorted(distilled.reasons.items(), key=lambda item: -item[1]))
    await asyncio.to_thread(artifacts.write_json, job.record.path("mgrd", f"{index}.counts.json"), counts)
    if not distilled.examples:
        found = f"mgrd kept no trace of {sum(counts.values())}: {describe(counts)}"
        if not any(isinstance(earlier, MgrdStage) for earlier in job.recipe.stages[:index]):
            raise JobFailed(found)
        await job.tell("stage", f"{found}; an earlier round has learned what there was, so this one is skipped")
        return {}
    await asyncio.to_thread(write_manifest, job.record.path("mgrd", f"{index}.jsonl"), distilled.examples)
    figures = {f"traces.{reason.replace(' ', '_')}": float(n) for reason, n in counts.items()}
    await job.tell(
        "stage", f"mgrd keeps {counts['kept']} of {sum(counts.values())} traces ({describe(counts)})", figures
    )
    return {}


async def run_dpo_sample(job: RunningJob, stage: DpoStage) -> dict[str, Any]:
    """Sample, pair answers that listen with answers that do not, and write them as a manifest for `tune`."""
    index = job.phase.stage_index
    groups = await run_sampling(job, *await _pass(job, stage.data))
    paired = pair_up(groups, stage)
    counts = dict(sorted(paired.outcomes.items(), key=lambda item: -item[1]))
    await asyncio.to_thread(artifacts.write_json, job.record.path("dpo", f"{index}.counts.json"), counts)
    if not paired.examples:
        found = f"dpo found no pair among {len(groups)} groups: {describe(counts)}"
        if not counts.get("listens"):
            raise JobFailed(f"{found}; no answer could be the better one")
        await job.tell("stage", f"{found}; there is nothing to correct, so the stage is skipped")
        return {}
    await asyncio.to_thread(write_manifest, job.record.path("dpo", f"{index}.jsonl"), paired.examples)
    pairs = len(paired.examples) // 2
    figures = {"pairs": float(pairs), **{f"answers.{what.replace(' ', '_')}": float(n) for what, n in counts.items()}}
    await job.tell("stage", f"dpo has {pairs} pairs of {len(groups)} groups ({describe(counts)})", figures)
    return {}


async def run_select(job: RunningJob, stage: RlStage) -> dict[str, Any]:
    """Count correct samples of each prompt and write which prompts RL trains on."""
    if stage.select is None:
        raise ValueError("a select phase without a selection")
    groups = await run_sampling(job, *await _pass(job, stage.data))
    counts = {g.task.prompt.id: correct_count(g) for g in groups}
    chosen = selected_ids(counts, stage.select)
    shown = distribution(counts.values())
    window = f"{stage.select.min_correct} to {stage.select.max_correct} of {stage.select.samples}"
    await asyncio.to_thread(
        artifacts.write_json, _selection(job), {"window": window, "selected": chosen, "correct": counts}
    )
    if len(chosen) < stage.groups_per_step:
        found = (
            f"only {len(chosen)} of {len(counts)} prompts had {window} correct, but a step needs "
            f"{stage.groups_per_step}; prompts by number correct: {shown}"
        )
        if not is_learned(counts.values(), stage.select):
            raise JobFailed(found)
        await job.tell("stage", f"{found}; most of the others are learned, so the stage is skipped")
        return {}
    figures = {"prompts.tried": float(len(counts)), "prompts.selected": float(len(chosen))}
    await job.tell("stage", f"{len(chosen)} of {len(counts)} prompts selected (correct: {shown})", figures)
    return {}


async def selected_prompts(job: RunningJob, stage: RlStage) -> list[wire.Prompt]:
    """The prompts RL trains on: those selected, or all."""
    prompts = [e.prompt for e in await load_examples(job.recipe.data[stage.data])]
    if stage.select is None:
        return prompts
    chosen = set(artifacts.read_json(_selection(job))["selected"])
    return [p for p in prompts if p.id in chosen]


async def _pass(job: RunningJob, data: str) -> Any:
    prompts = [e.prompt for e in await load_examples(job.recipe.data[data])]
    return sampling_pass(job.recipe, job.phase, job.record.job_id, prompts)


def _selection(job: RunningJob) -> str:
    return job.record.path("select", f"{job.phase.stage_index}.json")
