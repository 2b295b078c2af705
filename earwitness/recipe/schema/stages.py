"""The stages."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from earwitness.recipe.schema.fields import Name, Positive, Share, Strict
from earwitness.recipe.schema.reinforcement import RlStage
from earwitness.recipe.schema.sampling import SamplingConfig
from earwitness.recipe.schema.updates import PreferenceTune, Tune


class ColdStartStage(Strict):
    """Supervised fine-tuning on traces of the manifest `data`."""

    type: Literal["sft"] = "sft"
    data: Name = "cold_start"
    """Manifest whose prompts carry `reasoning`."""
    tune: Tune
    """The updates."""


class MgrdStage(Strict):
    """Modality Grounded Reasoning Distillation: sample, keep what is grounded, coherent and correct, tune on it."""

    type: Literal["mgrd"] = "mgrd"
    data: Name = "train"
    """Manifest of the prompts."""
    prompts: Positive = 600
    """Prompts to sample, from the start of the seeded shuffle."""
    sampling: SamplingConfig = SamplingConfig(samples=4)
    """Candidates."""
    instruction: Annotated[str, Field(max_length=1000)] = ""
    """Put behind each question with a clip while candidates are sampled, for example to name what is heard; what is
    kept is learned without it."""
    min_supported: Positive = 1
    """Fewest distinct supported claims of a kept trace."""
    min_supported_share: Share = 1.0
    """Smallest supported / (supported + contradicted) of a kept trace."""
    max_per_prompt: Positive = 2
    """Most traces kept for one prompt, so that easy prompts do not crowd out the rest."""
    tune: Tune
    """The updates on what was kept."""


class DpoStage(Strict):
    """Self-cognition correction: of answers to one prompt, those that listen are preferred to those that do not.

    Preferred: right and coherent, without a surrogate or a denial. Rejected: with one ("I am a text model").
    """

    type: Literal["dpo"] = "dpo"
    data: Name = "train"
    """Manifest of the prompts."""
    prompts: Positive = 600
    """Prompts to sample, from the start of the seeded shuffle."""
    sampling: SamplingConfig = SamplingConfig()
    """Candidates."""
    max_per_prompt: Positive = 2
    """Most pairs of one prompt."""
    tune: PreferenceTune
    """The updates on the pairs; the reference is the policy as the stage begins."""


class EvalStage(Strict):
    """Samples the manifest `data` with the policy as it is and reports accuracy and grounding."""

    type: Literal["eval"] = "eval"
    name: Name
    """What the report calls it."""
    data: Name = "eval"
    """Manifest of the prompts."""
    sampling: SamplingConfig = SamplingConfig(samples=1)
    """As RL samples, so that the figures speak of the same policy."""
    without_audio: bool = False
    """Also evaluate with one second of silence in place of every clip: the no-audio control."""


STAGE_TYPES: dict[str, type[Strict]] = {
    "sft": ColdStartStage,
    "mgrd": MgrdStage,
    "rl": RlStage,
    "dpo": DpoStage,
    "eval": EvalStage,
}
"""The stages by their `type`."""

Stage = Annotated[ColdStartStage | MgrdStage | RlStage | DpoStage | EvalStage, Field(discriminator="type")]
