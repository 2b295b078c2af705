"""A tiny model, its data and recorded groups: what the trainer's integration tests share."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile
import yaml

from earwitness.chat import render_prompt
from earwitness.families.step_audio import audio_tokens
from earwitness.logmel import frames
from earwitness.manifest import Example, write_manifest
from earwitness.recipe.load import load_recipe
from earwitness.recipe.recipe import Recipe
from earwitness.wire.trajectory.v1 import trajectory_pb2

TOY = {
    "hidden_size": 64,
    "layers": 2,
    "heads": 2,
    "kv_heads": 2,
    "intermediate_size": 64,
    "vocab_size": 320,
    "max_positions": 256,
    "encoder_size": 32,
    "encoder_layers": 1,
    "encoder_heads": 2,
    "adapter_size": 32,
}
CLIPS = 6
EXAMPLES = 24


def write_data(folder: Path) -> str:
    """A few short clips and a manifest of questions about them, one text-only; its path."""
    random = np.random.default_rng(0)
    examples = []
    for index in range(EXAMPLES):
        clip = folder / f"clip{index % CLIPS}.wav"
        if not clip.exists():
            seconds = 0.2 + 0.05 * (index % CLIPS)
            soundfile.write(clip, random.uniform(-0.5, 0.5, int(16000 * seconds)).astype(np.float32), 16000)
        prompt = trajectory_pb2.Prompt(
            id=f"q{index}",
            question="How many beeps?",
            choices=["one", "two"],
            answer=["one", "two"][index % 2],
            verifier=trajectory_pb2.VERIFIER_CHOICE,
            audio_uri="" if index == 7 else str(clip),
        )
        examples.append(Example(prompt, "I hear a beep. " * (1 + index % 3)))
    manifest = folder / "cold_start.jsonl"
    write_manifest(str(manifest), examples)
    return str(manifest)


def write_recipe(folder: Path, manifest: str, *, tensor: int = 1, pipeline: int = 1, **rl: object) -> bytes:
    """An sft and an rl stage."""
    optimizer = {"learning_rate": 1e-3, "warmup_steps": 2, "schedule": "linear", "weight_decay": 0.01}
    stage = {
        "type": "rl",
        "data": "cold_start",
        "algorithm": "ppo",
        "steps": 5,
        "groups_per_step": 3,
        "updates_per_step": 2,
        "micro_batch_size": 4,
        "sampling": {"samples": 4, "temperature": 0.7, "max_tokens": 16},
        "optimizer": optimizer,
        "logprob_gap_bound": 10.0,  # recorded groups come from no model of ours
        "checkpoint_every": 2,
        **rl,
    }
    tuning = {"steps": 5, "batch_size": 8, "micro_batch_size": 3, "optimizer": optimizer, "checkpoint_every": 2}
    recipe = {
        "name": "tiny",
        "output": str(folder),
        "model": {"toy": TOY, "tensor_parallel": tensor, "pipeline_parallel": pipeline},
        "data": {"cold_start": manifest},
        "stages": [{"type": "sft", "data": "cold_start", "tune": tuning}, stage],
    }
    return yaml.safe_dump(recipe).encode()


def lineage_of(run_id: str) -> str:
    """Of the weights that a run (`job/stage-phase/number`) is sampled from."""
    job, *_, number = run_id.split("/")
    return f"{job}/{number}"


def recorded_group(
    run_id: str, ordinal: int, tokenizer, manifest: str, version: int, samples: int = 4
) -> trajectory_pb2.Group:
    """A group as it stands on `ready`: made up, but the same for the same ordinal."""
    random = np.random.default_rng([7, ordinal])
    lineage = lineage_of(run_id) if run_id else ""
    clip = str(Path(manifest).parent / f"clip{ordinal % CLIPS}.wav")
    prompt = trajectory_pb2.Prompt(id=f"q{ordinal}", question="How many?", answer="two", audio_uri=clip)
    task = trajectory_pb2.GroupTask(run_id=run_id, ordinal=ordinal, prompt=prompt)
    heard = audio_tokens(frames(soundfile.info(clip).frames))
    ids = tokenizer.encode(render_prompt(prompt, [[heard]] if heard else []), add_special_tokens=False).ids
    group = trajectory_pb2.Group(task=task, prompt_token_ids=ids, worker="recorded")
    for index in range(samples):
        length = int(random.integers(3, 12))
        trajectory = group.trajectories.add(
            index=index,
            token_ids=random.integers(8, 300, length).tolist(),
            logprobs=(-5.7 + 0.1 * random.standard_normal(length)).tolist(),
            finish_reason=trajectory_pb2.FINISH_REASON_STOP,
        )
        trajectory.versions.add(version=version, tokens=length, lineage=lineage)
        trajectory.reward.total = float(random.integers(0, 2))
        trajectory.reward.correct = trajectory.reward.total > 0
    return group


def recipe_of(content: bytes) -> Recipe:
    """Parsed."""
    return load_recipe(content)


def figures_of(path: Path) -> list[dict[str, float]]:
    """What a training process wrote, one JSON object a line."""
    return [json.loads(line) for line in path.read_text().splitlines()]
