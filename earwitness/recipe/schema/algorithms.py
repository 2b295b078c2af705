"""What `algorithm` and `loss` of the stage `rl` may be, each with the fields that it reads and no others."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from earwitness.recipe.schema.fields import Bound, Count, Share, Strict, models_in
from earwitness.recipe.schema.updates import Optimizer


class Algorithm(Strict):
    """How an advantage is estimated."""

    from_group: ClassVar[bool] = False
    """Whether its baseline is made of the other trajectories of a group."""
    kl_in_reward: ClassVar[bool] = False
    """Whether the KL term is one of the reward (k1) instead of the loss."""

    @property
    def whitens(self) -> bool:
        """Whether advantages get zero mean and unit variance over the tokens of the global batch."""
        return False


class CriticAlgorithm(Algorithm):
    """One with a critic: a model of the policy's shape with a value head, which learns beside it."""

    critic_optimizer: Optimizer | None = None
    """How the critic moves; none: as the policy."""
    critic_warmup_steps: Count = 0
    """First steps that update only the critic."""
    value_clip: Bound = 0.2
    """Clip of the value's move."""


class Ppo(CriticAlgorithm):
    """PPO: a critic, and generalised advantage estimation."""

    type: Literal["ppo"] = "ppo"
    gamma: Share = 1.0
    """Discount."""
    gae_lambda: Share = 1.0
    """GAE's lambda."""
    value_lambda: Share | None = None
    """Lambda of the returns that the critic learns, as in VAPO; none: that of the policy's advantages."""
    whiten_advantages: bool = True
    """Zero mean, unit variance over the tokens of the global batch."""

    @property
    def whitens(self) -> bool:
        """As the recipe says."""
        return self.whiten_advantages


class Rloo(Algorithm):
    """REINFORCE with the mean of the group's other trajectories as its baseline."""

    from_group: ClassVar[bool] = True
    type: Literal["rloo"] = "rloo"


class Grpo(Algorithm):
    """The reward less the group's mean, over its standard deviation."""

    from_group: ClassVar[bool] = True
    type: Literal["grpo"] = "grpo"


class ReinforcePlusPlus(Algorithm):
    """The reward less the KL term of the tokens to come, whitened over the tokens of the global batch."""

    kl_in_reward: ClassVar[bool] = True
    type: Literal["reinforce++"] = "reinforce++"
    gamma: Share = 1.0
    """Discount."""

    @property
    def whitens(self) -> bool:
        """Always."""
        return True


class ClipLoss(Strict):
    """PPO's clipped surrogate with a dual clip."""

    type: Literal["clip"] = "clip"
    clip_low: Share = 0.2
    """Lower clip of the ratio."""
    clip_high: Share = 0.2
    """Upper clip of the ratio."""
    dual_clip: Annotated[float, Field(gt=1.0, le=1e6)] = 3.0
    """Bound of the loss where the advantage is negative."""
    mean: Literal["token", "sequence"] = "token"
    """token: all tokens of the global batch weigh the same; sequence: all trajectories, whatever their length."""


class GspoLoss(Strict):
    """GSPO: the clipped surrogate with one ratio for a whole response, all responses weighing the same."""

    type: Literal["gspo"] = "gspo"
    clip_low: Share = 3e-4
    """Lower clip of the ratio, which is a geometric mean over tokens and so keeps near 1."""
    clip_high: Share = 4e-4
    """Upper clip of the ratio."""

    @property
    def mean(self) -> str:
        """Of sequences."""
        return "sequence"


class CispoLoss(Strict):
    """CISPO: the ratio only weighs -A log p, and is cut instead of the gradient; all tokens weigh the same."""

    type: Literal["cispo"] = "cispo"
    clip_high: Annotated[float, Field(ge=0.0, le=1e6)] = 4.0
    """How far above 1 a weight may be; there is no bound from below."""

    @property
    def mean(self) -> str:
        """Of tokens."""
        return "token"


def _of_type(value: object) -> object:
    """`grpo` is short for `{type: grpo}`."""
    return {"type": value} if isinstance(value, str) else value


AnyAlgorithm = Ppo | Rloo | Grpo | ReinforcePlusPlus
AnyLoss = ClipLoss | GspoLoss | CispoLoss
AlgorithmField = Annotated[AnyAlgorithm, Field(discriminator="type"), BeforeValidator(_of_type)]
LossField = Annotated[AnyLoss, Field(discriminator="type"), BeforeValidator(_of_type)]

FLAT = {
    "algorithm": ("critic_optimizer", "critic_warmup_steps", "value_clip", "gamma", "gae_lambda", "whiten_advantages"),
    "loss": ("clip_low", "clip_high", "dual_clip", "loss_mean"),
}
"""Keys that once stood in the stage itself, by the field they belong to."""


def gathered(stage: Any) -> Any:
    """A stage `rl` as read, with keys of FLAT put into the algorithm or the loss that reads them; others stay where
    they are and are mistakes."""
    if not isinstance(stage, dict):
        return stage
    stage = dict(stage)
    for field, options, default in (("algorithm", AnyAlgorithm, "ppo"), ("loss", AnyLoss, "clip")):
        chosen = _of_type(stage.get(field, default))
        if not isinstance(chosen, dict):
            continue
        model = models_in(options).get(str(chosen.get("type")))
        for old in FLAT[field]:
            new = old.removeprefix("loss_")
            if old in stage and model is not None and new in model.model_fields and new not in chosen:
                stage[field] = chosen = {**chosen, new: stage.pop(old)}
    return stage
