"""Responses that transformers' Qwen2 samples from a toy's decoder, token by token: a rollout that starts in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from earwitness.families.architecture import read_architecture

SEED = 11


def sampled(
    folder: Path, questions: list[str], samples: int, tokens: int, dtype: str, head: str
) -> list[dict[str, Any]]:
    """Rows {prompt, response (token ids), logprobs, clip ("")} of `samples` to each question; logits of type `head`.

    Questions must be of the same length in tokens. Responses are `tokens` long, whatever they say.
    """
    from earwitness.wire.trajectory.v1 import trajectory_pb2
    from rollout.prompts import PromptCodec

    model = qwen2(folder).to(getattr(torch, dtype))
    codec = PromptCodec(str(folder))
    asked = [
        trajectory_pb2.Prompt(
            id=text, question=text, choices=["it rises", "it falls"], answer="it rises",
            verifier=trajectory_pb2.VERIFIER_CHOICE,
        )
        for text in questions
    ]  # fmt: skip
    prompts = [codec.encode(prompt).token_ids for prompt in asked for _ in range(samples)]
    weight = model.lm_head.weight if head == "model" else model.lm_head.weight.float()
    draws = torch.Generator().manual_seed(SEED)
    ids, cache = torch.tensor(prompts), None
    responses, logprobs = [], []
    with torch.no_grad():
        for _ in range(tokens):
            states = model.model(input_ids=ids, past_key_values=cache, use_cache=True)
            cache = states.past_key_values
            logits = torch.nn.functional.linear(states.last_hidden_state[:, -1].to(weight.dtype), weight).float()
            logs = logits.log_softmax(-1)
            ids = torch.multinomial(logs.exp(), 1, generator=draws)
            responses.append(ids)
            logprobs.append(logs.gather(1, ids))
    drawn = zip(prompts, torch.cat(responses, 1).tolist(), torch.cat(logprobs, 1).tolist(), strict=True)
    return [{"prompt": p, "response": r, "logprobs": told, "clip": ""} for p, r, told in drawn]


def qwen2(folder: Path) -> Any:
    """transformers' model with the toy's decoder weights, in fp32."""
    from safetensors.torch import load_file
    from transformers import Qwen2Config, Qwen2ForCausalLM

    dims = read_architecture(folder).decoder
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=dims.vocab_size,
            hidden_size=dims.hidden_size,
            intermediate_size=dims.intermediate_size,
            num_hidden_layers=dims.layers,
            num_attention_heads=dims.heads,
            num_key_value_heads=dims.kv_heads,
            max_position_embeddings=dims.max_positions,
            rms_norm_eps=dims.norm_eps,
            rope_parameters={"rope_type": "default", "rope_theta": dims.rope_theta},
            tie_word_embeddings=False,
        )
    )
    weights = load_file(folder / "model.safetensors")
    model.load_state_dict({name: w for name, w in weights.items() if name.startswith(("model.", "lm_head."))})
    return model.eval()
