"""What a recipe's stage asks of one rank: the model, and the largest micro-batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from earwitness.errors import InputError
from earwitness.model.architecture import PUBLISHED, Architecture
from earwitness.recipe.schema import DpoStage, EvalStage, MgrdStage, MicroBatching, ModelConfig, Recipe, RlStage

PROMPT_TOKENS = 512
"""Of a prompt with a clip of 30 s: 375 audio tokens, and the question."""

CLIP_SECONDS = 30
FRAMES_PER_SECOND = 100
"""Mel frames."""


@dataclass(frozen=True)
class Work:
    """One stage's training on one rank, whatever the layout."""

    stage: str
    """As people call it."""
    architecture: Architecture
    bytes: int
    """Of one number that the model computes with: 2 in bfloat16, 4 in float32."""
    sequence: int
    """Tokens of the longest sequence."""
    rows: int
    """Sequences of that length in a micro-batch."""
    batch: int
    """Sequences of an update, over all ranks."""
    updates: int
    """Of a step."""
    responses: int
    """Tokens of a sequence that count: those of the response."""
    critic: bool
    rl: bool
    """Whether log-probs are taken before the update."""
    entropy: bool
    """Whether the loss has an entropy term."""
    freeze_encoder: bool
    sequence_parallel: bool
    distributed_optimizer: bool
    recompute: bool
    """Layers keep only their input."""
    clips: int
    """Distinct clips in a micro-batch."""
    frames: int = CLIP_SECONDS * FRAMES_PER_SECOND
    """Mel frames of a clip."""
    fused: bool = True
    """Kernels of a GPU (flash attention, Transformer Engine); False: the layers that the CPU runs."""

    @property
    def tokens(self) -> int:
        """Of a micro-batch."""
        return self.rows * self.sequence


def stages_of(recipe: Recipe, tokens: int | None) -> list[Work]:
    """The recipe's training stages. `tokens`: of the longest sequence; None: the prompt and what may be sampled.

    Raises InputError if the model's dimensions are not known or the sequences are longer than it can be.
    """
    architecture = architecture_of(recipe.model)
    longest = architecture.decoder.max_positions
    sampled = [s.sampling.max_tokens for s in recipe.stages if isinstance(s, MgrdStage | RlStage | EvalStage)]
    sequence = tokens or min(PROMPT_TOKENS + max(sampled, default=longest), longest)
    if sequence > longest:
        raise InputError("--tokens", f"{sequence}", f"at most {longest}, the model's longest sequence")
    works = []
    for index, stage in enumerate(recipe.stages):
        if isinstance(stage, EvalStage):
            continue
        cut: MicroBatching
        name: str
        if isinstance(stage, RlStage):
            cut, name, updates, samples = stage, stage.algorithm, stage.updates_per_step, stage.sampling.samples
            batch = stage.groups_per_step * samples // updates
        else:
            cut, name, updates = stage.tune, stage.type, 1
            samples = 2 if isinstance(stage, DpoStage) else 1  # an answer and a worse one
            batch = stage.tune.batch_size * samples
        rows = min(cut.micro_batch_size, batch)
        if cut.micro_batch_tokens is not None:
            rows = max(1, min(rows, cut.micro_batch_tokens // sequence))
        if isinstance(stage, DpoStage):
            rows = max(2, rows)
        rl = stage if isinstance(stage, RlStage) else None
        works.append(
            Work(
                stage=f"{index} {name}",
                architecture=architecture,
                bytes=2 if recipe.model.dtype == "bfloat16" else 4,
                sequence=sequence,
                rows=rows,
                batch=batch,
                updates=updates,
                responses=max(1, sequence - PROMPT_TOKENS),
                critic=rl is not None and rl.algorithm == "ppo",
                rl=rl is not None,
                entropy=rl is not None and rl.entropy_coef > 0,
                freeze_encoder=recipe.model.freeze_encoder,
                sequence_parallel=recipe.model.sequence_parallel,
                distributed_optimizer=recipe.model.distributed_optimizer,
                recompute=recipe.model.recompute,
                clips=-(-rows // samples),
            )
        )
    if not works:
        raise InputError("stages", "none of them trains", "a stage of type sft, mgrd, dpo or rl")
    return works


def architecture_of(model: ModelConfig) -> Architecture:
    """From the directory if it is there; else the published model that the path's last name begins with."""
    if model.toy is not None:
        raise InputError("model.toy", "needs no GPU", "a recipe with model.path")
    path = Path(str(model.path).removeprefix("file://"))
    if (path / "config.json").is_file():
        return Architecture.read(path)
    published = {config.stem: config for config in sorted(PUBLISHED.glob("*.json"))}
    for name in sorted(published, key=len, reverse=True):
        if path.name.lower().startswith(name):
            return Architecture.read(published[name])
    raise InputError(
        "model.path",
        f"{path} is not here",
        f"a directory with config.json, or a name that is known: {', '.join(published)}",
    )
