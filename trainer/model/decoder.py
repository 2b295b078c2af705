"""A Qwen2 or Qwen3 decoder as a Megatron-core GPTModel: Transformer Engine's layers on GPUs that have it, or local."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from megatron.core import parallel_state
from megatron.core.distributed import finalize_model_grads
from megatron.core.models.gpt import GPTModel
from megatron.core.models.gpt.gpt_layer_specs import (
    get_gpt_layer_local_spec,
    get_gpt_layer_with_transformer_engine_spec,
)
from megatron.core.packed_seq_params import PackedSeqParams
from megatron.core.transformer import ModuleSpec, TransformerConfig
from megatron.core.transformer.transformer_block import TransformerBlockSubmodules, get_num_layers_to_build
from torch import Tensor, nn

from earwitness.errors import InputError
from earwitness.families.dims import DecoderDims
from trainer.model.attention import CausalAttention, is_fused
from trainer.model.gate import SwiGlu
from trainer.model.last_layer import LastLayer
from trainer.model.norm import RMSNorm
from trainer.model.packing import Packing
from trainer.model.replicated import average_replicated
from trainer.model.rotary import scale_attention, turn_in_place, yarn_frequencies
from trainer.ranks.parallel import device


def build_decoder(
    dims: DecoderDims,
    *,
    value_head: bool,
    dtype: torch.dtype,
    sequence_parallel: bool = True,
    recompute: bool = False,
) -> Decoder:
    """This rank's part of the decoder, weights not yet set; with `value_head`, lm_head is replaced by hidden -> 1.

    `sequence_parallel` matters where ranks share layers. With `recompute` a layer keeps only its input.
    """
    _check_layout(dims)
    pre_process, post_process = parallel_state.is_pipeline_first_stage(), parallel_state.is_pipeline_last_stage()
    config = transformer_config(dims, dtype, sequence_parallel=sequence_parallel, recompute=recompute)
    if not torch.cuda.is_available():
        turn_in_place()
    decoder = Decoder(
        config=config,
        transformer_layer_spec=layer_spec(config),
        vocab_size=padded_vocabulary(dims.vocab_size, config.tensor_model_parallel_size),
        max_sequence_length=dims.max_positions,
        pre_process=pre_process,
        post_process=post_process,
        parallel_output=True,
        share_embeddings_and_output_weights=dims.tied and not value_head,
        position_embedding_type="rope",
        rotary_base=dims.rope_theta,
        scatter_embedding_sequence_parallel=False,  # the clips' embeddings are placed first, see policy.py
    )
    if dims.yarn is not None:
        decoder.rotary_pos_emb.inv_freq.copy_(yarn_frequencies(dims, dims.yarn))
    decoder.to(device=device(), dtype=dtype)  # norms of our own are made on the CPU, whatever Megatron makes
    if value_head and post_process:
        decoder.output_layer = ValueHead(dims.hidden_size).to(device())
    return decoder


class Decoder(GPTModel):
    """A GPTModel that ends with its hidden states: what is made of them is for `policy.py` and `logprobs.py`."""

    def _preprocess(self, *_: Any, packed_seq_params: PackedSeqParams | None = None, **inputs: Any) -> tuple[Any, ...]:
        embedded, angles, *others = super()._preprocess(packed_seq_params=packed_seq_params, **inputs)
        if isinstance(packed_seq_params, Packing):
            angles = angles[packed_seq_params.positions]
        return embedded, angles, *others

    def _postprocess(self, hidden_states: Tensor, *_: Any, **__: Any) -> Tensor:
        return hidden_states


def transformer_config(
    dims: DecoderDims, dtype: torch.dtype, *, sequence_parallel: bool = True, recompute: bool = False
) -> TransformerConfig:
    """Qwen2, or Qwen3, in Megatron's words."""
    on_gpu = torch.cuda.is_available()
    fused = is_fused()
    tensor = parallel_state.get_tensor_model_parallel_world_size()
    pipeline = parallel_state.get_pipeline_model_parallel_world_size()
    config = TransformerConfig(
        num_layers=dims.layers,
        hidden_size=dims.hidden_size,
        ffn_hidden_size=dims.intermediate_size,
        num_attention_heads=dims.heads,
        num_query_groups=dims.kv_heads,
        kv_channels=dims.head_size,
        normalization="RMSNorm",
        layernorm_epsilon=dims.norm_eps,
        activation_func=F.silu,
        gated_linear_unit=True,
        add_bias_linear=False,
        add_qkv_bias=not dims.qk_norm,
        qk_layernorm=dims.qk_norm,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        tensor_model_parallel_size=tensor,
        sequence_parallel=sequence_parallel and tensor > 1,
        recompute_granularity="full" if recompute else None,
        recompute_method="uniform" if recompute else None,
        recompute_num_layers=1 if recompute else None,
        pipeline_model_parallel_size=pipeline,
        pipeline_dtype=dtype,
        variable_seq_lengths=pipeline > 1,  # micro-batches are padded to their own longest row
        moe_token_dispatcher_type="alltoall",  # there are no experts, but the default is refused with variable lengths
        params_dtype=dtype,
        bf16=dtype == torch.bfloat16,
        # Losses are sums over global token counts: replicas add their gradients, nobody divides them.
        calculate_per_token_loss=True,
        perform_initialization=False,  # every weight comes from a file
        use_cpu_initialization=not on_gpu,
        # Compiled for CUDA from torch code.
        bias_activation_fusion=on_gpu,
        use_te_activation_func=not on_gpu,  # Megatron's name for an activation of one's own: see `layer_spec`
        bias_dropout_fusion=on_gpu,
        # CUDA kernels of Transformer Engine, or of APEX, which is not used.
        apply_rope_fusion=fused and dims.yarn is None,  # its kernel multiplies with nothing
        masked_softmax_fusion=False,
        gradient_accumulation_fusion=False,
        persist_layer_norm=False,
    )
    if dims.yarn is not None:
        scale_attention(config, dims.yarn)
    config.finalize_model_grads_func = _finalize
    return config


class ValueHead(nn.Module):
    """The critic's output layer in fp32; starts at zero, so that the first values are zero and not noise."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, hidden_size, dtype=torch.float32))
        self.bias = nn.Parameter(torch.zeros(1, dtype=torch.float32))

    def forward(self, hidden: Tensor) -> Tensor:
        """[seq, batch, hidden] to [batch, seq]."""
        return F.linear(hidden.float(), self.weight, self.bias).squeeze(-1).transpose(0, 1)


def padded_vocabulary(vocab_size: int, tensor_parallel: int) -> int:
    """Rows of the embedding and of the output layer: every rank has as many. What is more than the vocabulary is 0."""
    return -(-vocab_size // tensor_parallel) * tensor_parallel


def layer_spec(config: TransformerConfig) -> ModuleSpec | TransformerBlockSubmodules:
    """What this rank's layers are made of: Transformer Engine's on a GPU that has it, else Megatron's local ones.

    On a GPU the local ones run torch's flash attention.
    """
    if is_fused():
        return get_gpt_layer_with_transformer_engine_spec(qk_layernorm=config.qk_layernorm)
    spec = get_gpt_layer_local_spec(normalization="RMSNorm")
    spec.submodules.self_attention.submodules.core_attention = CausalAttention
    if config.qk_layernorm:
        attention = spec.submodules.self_attention
        attention.submodules = replace(attention.submodules, q_layernorm=RMSNorm, k_layernorm=RMSNorm)
    spec.submodules.mlp.submodules.activation_func = SwiGlu
    spec.submodules.input_layernorm = spec.submodules.pre_mlp_layernorm = RMSNorm
    layers = [spec] * get_num_layers_to_build(config)
    if parallel_state.is_pipeline_last_stage():
        layers[-1] = replace(spec, module=LastLayer)
    return TransformerBlockSubmodules(layers, layer_norm=RMSNorm)


def _finalize(model: list[nn.Module], _num_tokens: Tensor | None, **options: Any) -> None:
    """Sums gradients over replicas; the losses are divided already, so the token count must not divide again."""
    if dist.get_world_size() == 1:
        return
    for chunk in model:
        average_replicated(chunk)
    finalize_model_grads(model, None, **options)


def _check_layout(dims: DecoderDims) -> None:
    tensor = parallel_state.get_tensor_model_parallel_world_size()
    pipeline = parallel_state.get_pipeline_model_parallel_world_size()
    for name, count in (
        ("num_key_value_heads", dims.kv_heads),
        ("intermediate_size", dims.intermediate_size),
    ):
        if count % tensor:
            raise InputError("model.tensor_parallel", f"{tensor} does not divide {name} {count}", "a divisor")
    if dims.layers % pipeline:
        raise InputError("model.pipeline_parallel", f"{pipeline} does not divide {dims.layers} layers", "a divisor")
