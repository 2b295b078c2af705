"""Dimensions of a model."""

from __future__ import annotations

from dataclasses import dataclass

KERNEL = 3
"""Taps of every convolution."""
STRIDE = 2
"""Of the encoder's second convolution, its pooling, and a convolution after it."""


@dataclass(frozen=True)
class AudioDims:
    """The audio encoder, and what brings its output to the decoder's width."""

    n_mels: int
    """Mel bins."""
    positions: int
    """Rows of the positional embedding: most frames after the second convolution."""
    size: int
    """Encoder width."""
    heads: int
    layers: int
    mlp_size: int
    """Width of the encoder's MLP."""
    adapter_size: int | None
    """Width between the linear layers of the adaptor; None where one linear layer follows the encoder."""
    trailing_frames: int
    """Mel frames at a clip's end that convolutions look at but that make no tokens."""
    learned_positions: bool
    """Whether training moves the positional embedding."""

    channels: int | None = None
    """Of convolutions over time and mel bins; None: they are over time, as wide as the encoder."""
    key_bias: bool = False
    """Whether the key projections have one, which Whisper's have not."""
    longest_frames: int | None = None
    """Mel frames of the longest clip, where positions begin anew within it; None: the positions bound it."""

    @property
    def max_frames(self) -> int:
        """Mel frames of the longest clip: the second convolution halves them onto the positional embedding."""
        return self.longest_frames or STRIDE * self.positions


@dataclass(frozen=True)
class Yarn:
    """Positions stretched beyond those that a model learned with (https://arxiv.org/abs/2309.00071)."""

    factor: float
    """How much slower the slowest channels turn."""
    positions: int
    """Longest sequence before, tokens."""
    attention: float
    """What rotated queries and keys are multiplied with."""
    beta_fast: float
    """Turns over `positions` above which channels stay as they were."""
    beta_slow: float
    """Turns below which they are slower by the factor."""
    truncate: bool
    """Whether the bounds between are whole channels."""


@dataclass(frozen=True)
class DecoderDims:
    """The decoder: Qwen2, or Qwen3 where `qk_norm` says so."""

    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    kv_heads: int
    vocab_size: int
    """Rows of the embedding and of lm_head; at least the tokenizer's size."""
    max_positions: int
    """Longest sequence, tokens."""
    norm_eps: float
    rope_theta: float
    qk_norm: bool = False
    """Whether each head's queries and keys are normed, and no projection has a bias."""
    tied: bool = False
    """Whether the output layer is the embedding: then checkpoints have no lm_head."""
    yarn: Yarn | None = None
    """How positions are stretched; None: they are plain."""
    head_channels: int | None = None
    """Channels of one attention head; None: an even share of `hidden_size`."""

    @property
    def head_size(self) -> int:
        """Channels of one attention head."""
        return self.head_channels or self.hidden_size // self.heads

    @property
    def queries(self) -> int:
        """Channels of all heads: the width, or more where heads are wider than their share of it."""
        return self.heads * self.head_size

    @property
    def keys(self) -> int:
        """Channels of a token's keys in one layer, and of its values."""
        return self.kv_heads * self.head_size
