"""What the listener is by its description, operation by operation."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def described(weights: dict[str, Tensor], mel: Tensor, attention_heads: int) -> Tensor:
    """One clip [n_mels, frames] to [tokens, hidden], operation by operation."""

    def linear(name: str, x: Tensor) -> Tensor:
        y = x @ weights[f"{name}.weight"].T
        return y + weights[f"{name}.bias"] if f"{name}.bias" in weights else y

    def norm(name: str, x: Tensor) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        scaled = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def conv(name: str, x: Tensor, stride: int) -> Tensor:  # [channels, length]
        padded = F.pad(x, (1, 1))
        windows = padded.unfold(1, 3, stride)  # [channels, out, 3]
        return torch.einsum("clk,ock->ol", windows, weights[f"{name}.weight"]) + weights[f"{name}.bias"][:, None]

    def gelu(x: Tensor) -> Tensor:
        return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))

    x = gelu(conv("encoder.conv2", gelu(conv("encoder.conv1", mel, 1)), 2)).T
    x = x + weights["encoder.positional_embedding.weight"][: len(x)]
    layers = 1 + max(int(name.split(".")[2]) for name in weights if name.startswith("encoder.blocks"))
    for layer in range(layers):
        block = f"encoder.blocks.{layer}"
        y = norm(f"{block}.attn_ln", x)
        parts = [linear(f"{block}.attn.{n}", y).chunk(attention_heads, dim=1) for n in ("query", "key", "value")]
        heads = [(q @ k.T / math.sqrt(q.shape[1])).softmax(-1) @ v for q, k, v in zip(*parts, strict=True)]
        x = x + linear(f"{block}.attn.out", torch.cat(heads, dim=1))
        y = norm(f"{block}.mlp_ln", x)
        x = x + linear(f"{block}.mlp.2", gelu(linear(f"{block}.mlp.0", y)))
    pairs = len(x) // 2
    x = norm("encoder.after_norm", x[: 2 * pairs].reshape(pairs, 2, -1).mean(1))
    x = gelu(conv("adapter.conv", x.T, 2)).T
    return linear("adapter.linear2", linear("adapter.linear1", x).relu())
