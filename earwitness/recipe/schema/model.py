"""`model`: which policy, over how many ranks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from earwitness.recipe.rules import Rule, require
from earwitness.recipe.schema.fields import Bound, Depth, Ranks, Strict, Tokens, Uri, Width

MOST_TOY_PARAMETERS = 10**9
"""A toy is made in the memory of one process, 4 bytes a parameter, and written before a job begins."""


class ToyModel(Strict):
    """Dimensions of a Step-Audio-R1 model at toy size, made with random weights and its own tokenizer."""

    hidden_size: Width = 128
    """Decoder width."""
    layers: Depth = 3
    """Decoder layers."""
    heads: Depth = 4
    """Decoder attention heads; stages that sample need hidden_size / heads of a size that vLLM has on the CPU."""
    kv_heads: Depth = 2
    """Decoder key-value groups."""
    intermediate_size: Width = 384
    """Width of the decoder's gated MLP."""
    vocab_size: Annotated[int, Field(ge=300, le=4096)] = 768
    """Tokens of the BPE tokenizer trained on the traces of all manifests, special tokens included (256 are bytes)."""
    max_positions: Tokens = 512
    """Longest sequence, tokens."""
    encoder_size: Width = 128
    """Audio encoder width."""
    encoder_layers: Depth = 2
    """Audio encoder layers."""
    encoder_heads: Depth = 4
    """Audio encoder attention heads."""
    adapter_size: Width = 256
    """Width between the adaptor's two linear layers."""
    n_mels: Depth = 128
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
        about = self.layers * self.hidden_size * (4 * self.hidden_size + 3 * self.intermediate_size)
        about += self.encoder_layers * 12 * self.encoder_size**2
        small = Rule(
            "", f"a toy of about {about:,} parameters", f"at most {MOST_TOY_PARAMETERS:,}; a larger one by `path`"
        )
        rules = [*(divides(part, whole) for part, whole in pairs), (not exact or head_size % 2 == 0, even)]
        require([*rules, (about <= MOST_TOY_PARAMETERS, small)])
        return self


class Lora(Strict):
    """Matrices of low rank learn beside the decoder's, and nothing else does (https://arxiv.org/abs/2106.09685)."""

    rank: Annotated[int, Field(ge=1, le=512)] = 16
    """Rows of A and columns of B."""
    alpha: Bound = 32.0
    """The matrix W is trained as W + alpha / rank · B A."""
    targets: Literal["all", "attention", "mlp"] = "all"
    """Which matrices: those of attention (queries, keys, values, output), those of the gated MLP, or all."""


class ModelConfig(Strict):
    """Which model. Exactly one of `path` and `toy`."""

    path: Uri | None = None
    """URI of a Hugging Face directory."""
    toy: ToyModel | None = None
    """Make a toy model under the job's output."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type the policy computes and generates in."""
    freeze_encoder: bool = False
    """The audio encoder stays as it is, as in the paper, and hears each clip once; the adaptor behind it learns. A toy
    with random weights has all to learn."""
    lora: Lora | None = None
    """Train few numbers beside the decoder's matrices instead of the model: a fraction of the memory, at ten times the
    learning rate. Encoder and adaptor then stay as they are, too."""
    tensor_parallel: Ranks = 1
    """Ranks that share each layer of the trainer."""
    pipeline_parallel: Ranks = 1
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
