"""How a policy is reinforced: what the trainer does with trajectories, and how many it asks for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from earwitness.recipe.rules import Rule, require
from earwitness.recipe.schema.algorithms import (
    AlgorithmField,
    ClipLoss,
    CriticAlgorithm,
    LossField,
    Ppo,
    gathered,
)
from earwitness.recipe.schema.fields import Batch, Bound, Count, Positive, Weight
from earwitness.recipe.schema.sampling import SamplingConfig
from earwitness.recipe.schema.updates import Load, Optimizer, Training


class Reinforcement(Training):
    """Updates on trajectories that are sampled and rewarded meanwhile."""

    algorithm: AlgorithmField = Ppo()
    """How advantages are estimated: the name of one, or its `type` and its own keys."""
    loss: LossField = ClipLoss()
    """What the policy descends: the name of one, or its `type` and its own keys."""
    steps: Positive
    """Policy versions to publish."""
    groups_per_step: Batch = 16
    """Groups consumed by one step."""
    sampling: SamplingConfig = SamplingConfig(samples=16)
    """Trajectories."""
    updates_per_step: Batch = 1
    """Optimizer updates on each step's trajectories: the global batch is split in this many mini-batches."""
    optimizer: Optimizer
    """How the policy moves."""
    kl_coef: Weight = 0.0
    """Weight of the KL term to the frozen reference; above 0 the reference service is used. A term of the loss;
    in reinforce++ one of the reward, always k1."""
    kl_estimator: Literal["k1", "k2", "k3"] = "k3"
    """Which estimator."""
    entropy_coef: Weight = 0.0
    """Weight of the entropy bonus."""
    importance_cap: Annotated[float, Field(ge=1.0, le=1e6)] = 2.0
    """Cap of the truncated importance weight exp(trainer - rollout log-prob)."""
    dynamic_filter: bool = True
    """Drop groups whose samples are all correct or all wrong, and issue others."""
    max_staleness: Count = 0
    """Versions a trajectory may be behind; 0 is exactly on-policy."""
    max_running: Batch = 64
    """Most groups in flight."""
    logprob_gap_bound: Bound | None = None
    """Largest mean |trainer - rollout log-prob| of the batch before the first update; above it the job fails, and shows
    the first token that differs. None: 0.001 in float32 (0.01 on a GPU, which multiplies in TF32), 0.1 in bfloat16."""
    checkpoint_every: Positive = 10
    """Steps between checkpoints; there is always one at the end."""
    keep_checkpoints: Positive = 2
    """Checkpoints kept."""

    @model_validator(mode="before")
    @classmethod
    def _from_flat(cls, data: Any) -> Any:
        return gathered(data)

    @model_validator(mode="after")
    def _possible(self) -> Reinforcement:
        sampling, group = self.sampling, self.sampling.samples
        trajectories = self.groups_per_step * group
        exact = "1: log-probs of a cut distribution are not the policy's"
        baseline = f"at least 2: {self.algorithm.type} takes its baseline from the group"
        require(
            [
                (sampling.top_p == 1.0, Rule("sampling.top_p", f"{sampling.top_p} in an rl stage", exact)),
                (not self.algorithm.from_group or group >= 2, Rule("sampling.samples", f"{group}", baseline)),
                (
                    trajectories % self.updates_per_step == 0,
                    Rule(
                        "updates_per_step",
                        f"{self.updates_per_step} does not divide the {trajectories} trajectories of a step",
                        "a divisor of groups_per_step * sampling.samples",
                    ),
                ),
            ]
        )
        return self

    def load(self) -> Load:
        group = self.sampling.samples
        return Load(
            sequences=self.groups_per_step * group // self.updates_per_step,
            per_clip=group,
            updates=self.updates_per_step,
            name=self.algorithm.type,
            critic=isinstance(self.algorithm, CriticAlgorithm),
            recalled=True,
            entropy=self.entropy_coef > 0,
        )
