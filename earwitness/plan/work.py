"""What a recipe's stage asks of one rank: the model, and the largest micro-batch."""

from __future__ import annotations

from dataclasses import dataclass

from earwitness import storage
from earwitness.errors import InputError
from earwitness.families.architecture import PUBLISHED, Architecture, read_architecture
from earwitness.recipe.recipe import Recipe
from earwitness.recipe.schema import Lora, ModelConfig

QUESTION_TOKENS = 137
"""Of a prompt beside its clip: with 30 s for Step-Audio, 375 tokens, they make 512."""

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
    lora: Lora | None = None
    """What learns beside the decoder's matrices; None: the model itself."""
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
    prompt = QUESTION_TOKENS + architecture.family.audio_tokens(CLIP_SECONDS * FRAMES_PER_SECOND)
    sampled = [sampling.max_tokens for stage in recipe.stages if (sampling := stage.sampled()) is not None]
    sequence = tokens or min(prompt + max(sampled, default=longest), longest)
    if sequence > longest:
        raise InputError("--tokens", f"{sequence}", f"at most {longest}, the model's longest sequence")
    works = []
    for index, stage in enumerate(recipe.stages):
        for training in filter(None, map(stage.training, stage.phases())):
            load = training.load()
            rows = min(training.micro_batch_size, load.sequences)
            if training.micro_batch_tokens is not None:
                rows = max(1, min(rows, training.micro_batch_tokens // sequence))
            rows = max(load.least_rows, rows)
            works.append(
                Work(
                    stage=f"{index} {load.name or stage.type}",
                    architecture=architecture,
                    bytes=2 if recipe.model.dtype == "bfloat16" else 4,
                    sequence=sequence,
                    rows=rows,
                    batch=load.sequences,
                    updates=load.updates,
                    responses=max(1, sequence - prompt),
                    critic=load.critic,
                    rl=load.recalled,
                    entropy=load.entropy,
                    freeze_encoder=recipe.model.freeze_encoder or recipe.model.lora is not None,
                    sequence_parallel=recipe.model.sequence_parallel,
                    distributed_optimizer=recipe.model.distributed_optimizer,
                    recompute=recipe.model.recompute,
                    lora=recipe.model.lora,
                    clips=-(-rows // load.per_clip),
                )
            )
    if not works:
        raise InputError("stages", "none of them trains", "a stage that does")
    return works


def architecture_of(model: ModelConfig) -> Architecture:
    """From the directory if it is there; else the published model that the path's last name begins with."""
    if model.toy is not None:
        raise InputError("model.toy", "needs no GPU", "a recipe with model.path")
    path = storage.local_path(str(model.path))
    if (path / "config.json").is_file():
        return read_architecture(path)
    published = {config.stem: config for config in sorted(PUBLISHED.glob("*.json"))}
    for name in sorted(published, key=len, reverse=True):
        if path.name.lower().startswith(name):
            return read_architecture(published[name])
    raise InputError(
        "model.path",
        f"{path} is not here",
        f"a directory with config.json, or a name that is known: {', '.join(published)}",
    )
