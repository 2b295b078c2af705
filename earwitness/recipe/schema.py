"""The recipe's fields, as pydantic models. Each field says its unit and its reason.

Only types and rules live here; reading YAML and wording the errors is `load.py`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from earwitness import storage
from earwitness.errors import InputError
from earwitness.recipe.rules import PROBE_MANIFESTS, Rule, StageOutline, head_rules, order_rules, require

Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Rate = Annotated[float, Field(gt=0.0, le=1.0)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
"""Names become parts of keys and folders."""


def _plain_uri(uri: str) -> str:
    try:
        storage.check_scheme(uri)
    except InputError as error:
        raise PydanticCustomError(
            "uri", "{what}; expected {expected}", {"what": error.problem, "expected": error.expected}
        ) from error
    return uri


Uri = Annotated[str, Field(min_length=1), AfterValidator(_plain_uri)]
"""A path, or an fsspec URI of a plain store."""


class Strict(BaseModel):
    """Unknown keys are mistakes: a typo must not silently mean the default."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class ToyModel(Strict):
    """Dimensions of a Step-Audio-R1 model at toy size, made with random weights and its own tokenizer."""

    hidden_size: Positive = 128
    """Decoder width."""
    layers: Positive = 3
    """Decoder layers."""
    heads: Positive = 4
    """Decoder attention heads; stages that sample need hidden_size / heads of a size that vLLM has on the CPU."""
    kv_heads: Positive = 2
    """Decoder key-value groups."""
    intermediate_size: Positive = 384
    """Width of the decoder's gated MLP."""
    vocab_size: Annotated[int, Field(ge=300, le=4096)] = 768
    """Tokens of the BPE tokenizer trained on the cold-start text, special tokens included (256 are bytes)."""
    max_positions: Positive = 512
    """Longest sequence, tokens."""
    encoder_size: Positive = 128
    """Audio encoder width."""
    encoder_layers: Positive = 2
    """Audio encoder layers."""
    encoder_heads: Positive = 4
    """Audio encoder attention heads."""
    adapter_size: Positive = 256
    """Width between the adaptor's two linear layers."""
    n_mels: Positive = 128
    """Mel bins."""

    @model_validator(mode="after")
    def _divisible(self) -> ToyModel:
        def divides(field: str, of: str) -> tuple[bool, Rule]:
            part, whole = getattr(self, field), getattr(self, of)
            return whole % part == 0, Rule(field, f"{part} does not divide {of} {whole}", f"a divisor of {whole}")

        head_size = self.hidden_size // self.heads
        even = Rule("heads", f"heads of size {head_size}, which rotary embedding cannot halve", "an even head size")
        pairs = [("heads", "hidden_size"), ("kv_heads", "heads"), ("encoder_heads", "encoder_size")]
        exact = self.hidden_size % self.heads == 0
        require([*(divides(part, whole) for part, whole in pairs), (not exact or head_size % 2 == 0, even)])
        return self


class ModelConfig(Strict):
    """Which model. Exactly one of `path` and `toy`."""

    path: Uri | None = None
    """URI of a Hugging Face directory."""
    toy: ToyModel | None = None
    """Make a toy model under the job's output."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type the policy computes and generates in."""
    freeze_encoder: bool = False
    """The audio encoder stays as it is, as in the paper; the adaptor behind it learns. A toy has all to learn."""
    tensor_parallel: Positive = 1
    """Ranks that share each layer of the trainer."""
    pipeline_parallel: Positive = 1
    """Ranks that share the trainer's stack of layers."""
    sequence_parallel: bool = True
    """Ranks that share a layer also share what stands between layers, each a part of the sequence."""
    distributed_optimizer: bool = True
    """Replicas of the trainer share the optimizer's state, each a part of it."""
    recompute: bool = False
    """Layers keep only their input and are run again in the backward pass: a third more time, far less memory."""

    @model_validator(mode="after")
    def _one_source(self) -> ModelConfig:
        given = [name for name in ("path", "toy") if getattr(self, name) is not None]
        what = f"{' and '.join(given) or 'neither'} given"
        rules = [
            (len(given) == 1, Rule("", what, "exactly one of path (a Hugging Face directory) and toy (dimensions)"))
        ]
        if self.toy is not None:
            tensor, pipeline, toy = self.tensor_parallel, self.pipeline_parallel, self.toy
            for field in ("heads", "kv_heads"):
                count = getattr(toy, field)
                rule = Rule("tensor_parallel", f"{tensor} does not divide toy.{field} {count}", f"a divisor of {count}")
                rules.append((count % tensor == 0, rule))
            rule = Rule("pipeline_parallel", f"{pipeline} does not divide toy.layers {toy.layers}", "a divisor of it")
            rules.append((toy.layers % pipeline == 0, rule))
        require(rules)
        return self


class ProbeData(Strict):
    """Listening questions with synthesised clips, written under the job's output (see `earwitness data probe`).

    It provides the manifests `lessons`, `cold_start`, `train` and `eval`; they never share a clip.
    """

    lessons: Positive = 4000
    """Clips with true reasoning traces: what a pre-trained listener would bring along."""

    cold_start: Positive = 4000
    """Clips with reasoning traces, some of them surrogates."""
    train: Positive = 2000
    """Clips for MGRD and RL."""
    eval: Positive = 320
    """Held-out clips."""
    surrogate_share: Share = 0.5
    """Share of the cold-start traces that guess from the words of the question."""
    seed: Count = 1
    """Seed of the clips."""


class Rewards(Strict):
    """R = correct · [answer right] + reasoning · [reasoning term]; text prompts: R = [answer right]."""

    correct: Share = 0.8
    """Weight of correctness for prompts with audio."""
    reasoning: Share = 0.2
    """Weight of the reasoning term for prompts with audio."""
    reasoning_term: Literal["presence", "grounded"] = "presence"
    """The paper's rule, or presence scaled by the share of supported claims."""
    min_think_chars: Count = 16
    """Fewest non-space characters of a think block that counts as present."""


class SamplingConfig(Strict):
    """How trajectories are sampled."""

    samples: Positive = 8
    """Trajectories per prompt."""
    temperature: Annotated[float, Field(gt=0.0, le=2.0)] = 0.7
    """Softmax temperature."""
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Nucleus mass; RL needs 1, because log-probs of a cut distribution are not the policy's."""
    max_tokens: Positive = 96
    """Most new tokens of one trajectory."""
    stop: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=16)] = []
    """Strings that end a response as the end of turn does; each must be one token of the model."""


class Optimizer(Strict):
    """AdamW with linear warm-up and then a constant or linearly falling rate."""

    learning_rate: Rate
    """Peak rate."""
    warmup_steps: Count = 0
    """Updates of linear warm-up."""
    schedule: Literal["constant", "linear"] = "constant"
    """Rate after the warm-up."""
    weight_decay: Share = 0.0
    """Decoupled weight decay."""
    clip_grad: Annotated[float, Field(gt=0.0)] = 1.0
    """Largest gradient norm."""
    beta1: Share = 0.9
    """Adam's first decay."""
    beta2: Share = 0.95
    """Adam's second decay."""


class Curriculum(Strict):
    """Kinds of question one after another: what is learned of one sound carries over to the next.

    A small model with random weights that meets all kinds at once learns none of them for a long time.
    """

    kinds: Annotated[list[str], Field(min_length=1, max_length=64)]
    """`kind` of the prompts, in the order in which they join."""
    steps_each: Positive
    """Updates from one kind's joining to the next one's; after the last, examples are drawn from all alike."""
    newest_share: Share = 0.5
    """Share of the draws that is the newest kind's; the rest comes from all that have joined."""


class MicroBatching(Strict):
    """How an update is cut for one forward pass after another; its results do not depend on it."""

    micro_batch_size: Positive = 32
    """Most sequences of one forward pass on one rank."""
    micro_batch_tokens: Positive | None = None
    """Most tokens of one forward pass on one rank, padding included; a longer sequence stands alone. None: any."""
    packed: bool = False
    """Sequences stand one after another instead of padded to the longest of them."""


class Updates(MicroBatching):
    """Updates on examples that are there from the start."""

    steps: Positive
    """Updates."""
    batch_size: Positive = 32
    """Examples of one update, over all ranks."""
    optimizer: Optimizer
    """How weights move."""
    checkpoint_every: Positive = 200
    """Updates between checkpoints; there is always one at the end."""


class Tune(Updates):
    """Supervised updates: -log p over the response tokens, mean over the tokens of the global batch."""

    curriculum: Curriculum | None = None
    """Order of the first updates; none: shuffled epochs from the start."""


class PreferenceTune(Updates):
    """Updates by DPO: -log sigmoid(beta · (gain of the chosen answer - gain of the rejected one)), mean over pairs.

    An answer's gain is its log-prob under the policy less that under the frozen reference; `batch_size` counts pairs.
    """

    beta: Annotated[float, Field(gt=0.0)] = 0.1
    """How strongly the policy is held to the reference."""
    length_normalised: bool = False
    """Gains are means over an answer's tokens, so that long answers do not win by length."""


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


class Selection(Strict):
    """Which prompts RL trains on: those the policy gets right sometimes, by count of correct samples."""

    prompts: Positive = 400
    """Prompts to try."""
    samples: Positive = 8
    """Samples of each."""
    min_correct: Count = 3
    """Fewest correct samples of a selected prompt."""
    max_correct: Positive = 6
    """Most correct samples of a selected prompt."""

    @model_validator(mode="after")
    def _ordered(self) -> Selection:
        low, high, samples = self.min_correct, self.max_correct, self.samples
        require(
            [
                (low <= high, Rule("min_correct", f"{low} is above max_correct {high}", f"at most {high}")),
                (high <= samples, Rule("max_correct", f"{high} is above samples {samples}", f"at most {samples}")),
            ]
        )
        return self


class RlStage(MicroBatching):
    """Reinforcement learning with verified rewards."""

    type: Literal["rl"] = "rl"
    data: Name = "train"
    """Manifest of the prompts."""
    algorithm: Literal["ppo", "rloo", "grpo", "reinforce++"] = "ppo"
    """ppo: critic and GAE; rloo: leave-one-out baseline; grpo: group mean and standard deviation; reinforce++: reward
    less the KL term of the tokens to come, whitened over the tokens of the global batch."""
    select: Selection | None = None
    """Selection by count of correct samples; none: every prompt."""
    steps: Positive
    """Policy versions to publish."""
    groups_per_step: Positive = 16
    """Groups consumed by one step."""
    sampling: SamplingConfig = SamplingConfig(samples=16)
    """Trajectories."""
    updates_per_step: Positive = 1
    """Optimizer updates on each step's trajectories: the global batch is split in this many mini-batches."""
    optimizer: Optimizer
    """How the policy moves."""
    critic_optimizer: Optimizer | None = None
    """How the critic moves (ppo); none: as the policy."""
    critic_warmup_steps: Count = 0
    """First steps that update only the critic (ppo)."""
    clip_low: Share = 0.2
    """Lower clip of the ratio."""
    clip_high: Share = 0.2
    """Upper clip of the ratio."""
    dual_clip: Annotated[float, Field(gt=1.0)] = 3.0
    """Bound of the loss where the advantage is negative."""
    value_clip: Annotated[float, Field(gt=0.0)] = 0.2
    """Clip of the value's move."""
    gamma: Share = 1.0
    """Discount."""
    gae_lambda: Share = 1.0
    """GAE's lambda."""
    whiten_advantages: bool = True
    """Zero mean, unit variance over the tokens of the global batch (ppo; reinforce++ always does)."""
    loss_mean: Literal["token", "sequence"] = "token"
    """token: all tokens of the global batch weigh the same; sequence: all trajectories, whatever their length."""
    kl_coef: Annotated[float, Field(ge=0.0)] = 0.0
    """Weight of the KL term to the frozen reference; above 0 the reference service is used. A term of the loss;
    in reinforce++ one of the reward, always k1."""
    kl_estimator: Literal["k1", "k2", "k3"] = "k3"
    """Which estimator."""
    entropy_coef: Annotated[float, Field(ge=0.0)] = 0.0
    """Weight of the entropy bonus."""
    importance_cap: Annotated[float, Field(ge=1.0)] = 2.0
    """Cap of the truncated importance weight exp(trainer - rollout log-prob)."""
    dynamic_filter: bool = True
    """Drop groups whose samples are all correct or all wrong, and issue others."""
    max_staleness: Count = 0
    """Versions a trajectory may be behind; 0 is exactly on-policy."""
    max_running: Positive = 64
    """Most groups in flight."""
    logprob_gap_bound: Annotated[float, Field(gt=0.0)] | None = None
    """Largest mean |trainer - rollout log-prob| of the batch before the first update; above it the job fails, and shows
    the first token that differs. None: 0.001 in float32, 0.02 in bfloat16."""
    checkpoint_every: Positive = 10
    """Steps between checkpoints; there is always one at the end."""
    keep_checkpoints: Positive = 2
    """Checkpoints kept."""

    @model_validator(mode="after")
    def _possible(self) -> RlStage:
        sampling, group = self.sampling, self.sampling.samples
        trajectories = self.groups_per_step * group
        exact = "1: log-probs of a cut distribution are not the policy's"
        from_group = self.algorithm in ("rloo", "grpo")
        baseline = f"at least 2: {self.algorithm} takes its baseline from the group"
        require(
            [
                (sampling.top_p == 1.0, Rule("sampling.top_p", f"{sampling.top_p} in an rl stage", exact)),
                (not from_group or group >= 2, Rule("sampling.samples", f"{group}", baseline)),
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


class Recipe(Strict):
    """One job."""

    name: Name
    """What people call it."""
    output: Uri
    """URI of the folder for checkpoints, artifacts and the report."""
    seed: Count = 1
    """Seed of weights, shuffles and sampling."""
    model: ModelConfig
    """The policy."""
    data: dict[Name, Uri] = Field(default_factory=dict)
    """Manifest URI by name."""
    probe: ProbeData | None = None
    """Synthesised data; provides `cold_start`, `train`, `eval`."""
    rewards: Rewards = Rewards()
    """How trajectories are rewarded."""
    stages: Annotated[list[Stage], Field(min_length=1, max_length=64)]
    """In order."""

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        provided = {*self.data, *(PROBE_MANIFESTS if self.probe else ())}
        stages = [StageOutline(s.type, s.data, s.name if isinstance(s, EvalStage) else None) for s in self.stages]
        both = sorted(set(self.data) & set(PROBE_MANIFESTS if self.probe else ()))
        rules = [
            (False, Rule(f"data.{name}", "the probe provides a manifest of this name too", "another name"))
            for name in both
        ]
        if (toy := self.model.toy) is not None:
            rules += head_rules(toy.hidden_size, toy.heads, stages)
            for i, stage in enumerate(self.stages):
                if not isinstance(stage, ColdStartStage):
                    tokens = stage.sampling.max_tokens
                    what = f"{tokens} leaves no place for the prompt in model.toy.max_positions {toy.max_positions}"
                    rule = Rule(f"stages[{i}].sampling.max_tokens", what, f"less than {toy.max_positions}")
                    rules.append((tokens < toy.max_positions, rule))
        require(order_rules(toy is not None, provided, stages) + rules)
        return self
