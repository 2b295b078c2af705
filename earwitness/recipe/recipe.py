"""The file as a whole, and the rules that hold between its parts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from earwitness.recipe.rules import Rule, StageOutline, head_rules, order_rules, require
from earwitness.recipe.schema.fields import Name, Seed, Strict, Uri
from earwitness.recipe.schema.model import ModelConfig
from earwitness.recipe.schema.sampling import ProbeData, Rewards
from earwitness.recipe.stages import BEGINNING, AnyStage

Tracker = Literal["tensorboard", "wandb", "mlflow"]


class Recipe(Strict):
    """One job."""

    name: Name
    """What people call it."""
    output: Uri
    """URI of the folder for checkpoints, artifacts and the report."""
    seed: Seed = 1
    """Seed of weights, shuffles and sampling."""
    model: ModelConfig
    """The policy."""
    data: dict[Name, Uri] = Field(default_factory=dict)
    """Manifest URI by name."""
    probe: ProbeData | None = None
    """Synthesised data; provides `cold_start`, `train`, `eval`."""
    rewards: Rewards = Rewards()
    """How trajectories are rewarded."""
    track: Annotated[list[Tracker], Field(max_length=3)] = ["tensorboard"]  # noqa: RUF012 - pydantic copies it
    """Where figures, samples and settings go beside the report, files below `output`: tensorboard, where its package
    is installed; wandb and mlflow if they are named."""
    stages: Annotated[list[AnyStage], Field(min_length=1, max_length=64)]
    """In order."""

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        written = self.probe.counts if self.probe else {}
        provided = {*self.data, *written}
        stages = [
            StageOutline(s.type, s.manifests, getattr(s, "name", None), s.begins, s.sampled() is not None)
            for s in self.stages
        ]
        both = sorted(set(self.data) & set(written))
        rules = [
            (False, Rule(f"data.{name}", "the probe provides a manifest of this name too", "another name"))
            for name in both
        ]
        if (toy := self.model.toy) is not None:
            rules += head_rules(toy.hidden_size, toy.heads, stages)
            for i, stage in enumerate(self.stages):
                if (sampling := stage.sampled()) is not None:
                    tokens = sampling.max_tokens
                    what = f"{tokens} leaves no place for the prompt in model.toy.max_positions {toy.max_positions}"
                    rule = Rule(f"stages[{i}].sampling.max_tokens", what, f"less than {toy.max_positions}")
                    rules.append((tokens < toy.max_positions, rule))
        for i, stage in enumerate(self.stages):
            behind = stage.behind(self.stages[:i])
            rules += [(holds, Rule(f"stages[{i}].{rule.field}", rule.what, rule.expected)) for holds, rule in behind]
        require(order_rules(toy is not None, provided, stages, BEGINNING) + rules)
        return self
