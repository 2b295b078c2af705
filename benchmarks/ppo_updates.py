"""Weights of a policy under real PPO updates, as bfloat16: how many bits change at the learning rates of RL."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from earwitness.recipe.schema import ClipLoss
from trainer.means import token_mean
from trainer.rl.losses import Moved, clip

LEARNING_RATE = 1e-6
WIDTH, LAYERS, HEADS, VOCABULARY = 640, 8, 10, 17_000
"""50 million parameters in a decoder of the usual proportions, embedding included."""
ROWS, TOKENS = 4, 32
HOW = ClipLoss(clip_low=0.2, clip_high=0.2, dual_clip=3.0)


class Decoder(torch.nn.Module):
    """Causal transformer: logits [rows, tokens, vocabulary]."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(VOCABULARY, WIDTH)
        layer = torch.nn.TransformerEncoderLayer(
            WIDTH, HEADS, 4 * WIDTH, dropout=0.0, batch_first=True, norm_first=True
        )
        self.layers = torch.nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        torch.nn.init.normal_(self.embed.weight, std=0.02)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """`tokens`: [rows, tokens]."""
        mask = torch.nn.Transformer.generate_square_subsequent_mask(tokens.shape[1])
        return self.layers(self.embed(tokens), mask=mask, is_causal=True) @ self.embed.weight.T


def versions(steps: int) -> Iterator[dict[str, np.ndarray]]:
    """The bfloat16 bits by name: of a checkpoint, and after each of `steps` updates of fp32 masters with AdamW."""
    torch.manual_seed(0)
    model = Decoder()
    with torch.no_grad():
        for parameter in model.parameters():  # masters start from a bfloat16 checkpoint
            parameter.copy_(parameter.bfloat16())
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.95))
    yield _bits(model)
    for _ in range(steps):
        tokens = torch.randint(VOCABULARY, (ROWS, TOKENS + 1))
        advantages = torch.randn(ROWS, 1).expand(ROWS, TOKENS)
        old = None
        for _ in range(2):  # the second pass over the batch is off its policy, as in PPO
            chosen = tokens[:, 1:, None]
            logprobs = model(tokens[:, :-1]).log_softmax(-1).gather(-1, chosen).squeeze(-1)
            old = logprobs.detach() if old is None else old
            moved = Moved(logprobs, old, advantages, torch.ones_like(logprobs, dtype=torch.bool))
            losses = clip(moved, HOW).losses
            optimizer.zero_grad()
            token_mean(losses, moved.mask, losses.numel()).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        yield _bits(model)


def _bits(model: torch.nn.Module) -> dict[str, np.ndarray]:
    with torch.no_grad():
        return {
            name: parameter.bfloat16().view(torch.int16).numpy().view(np.uint16).reshape(-1)
            for name, parameter in model.named_parameters()
        }
