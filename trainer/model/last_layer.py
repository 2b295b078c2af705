"""The decoder's last layer: its MLP runs only for the tokens whose states are read.

Losses see the states before response tokens. Attention has passed on what a prompt has to say, and no layer follows, so
the MLP of the last one would work for nothing on the prompt's tokens: in a supervised update of the quickstart on two
tokens of three. Of layers like these, L of them, it saves the share (1 / L) · (an MLP's part of a layer) · (prompts'
part of the tokens).
"""

from __future__ import annotations

from typing import Any

from megatron.core.packed_seq_params import PackedSeqParams
from megatron.core.transformer.transformer_layer import TransformerLayer
from torch import Tensor

from trainer.model.packing import Packing


class LastLayer(TransformerLayer):
    """Megatron's layer, which in a pack says nothing, zeros, of tokens that are not read.

    Under sequence parallelism ranks hold parts of the sequence, in which what is read would lie unevenly: all of it is
    computed, as it is of padded rows.
    """

    def forward(
        self, *given: Any, packed_seq_params: PackedSeqParams | None = None, **more: Any
    ) -> tuple[Tensor, Tensor | None]:
        """hidden_states [tokens, batch, hidden] and the rest as Megatron's block gives it; to the same shape."""
        mixed, context = self._forward_attention(*given, packed_seq_params=packed_seq_params, **more)
        if not isinstance(packed_seq_params, Packing) or self.config.sequence_parallel:
            return self._forward_mlp(mixed), context
        read = packed_seq_params.read
        made = self._forward_mlp(mixed.index_select(0, read))
        return mixed.new_zeros(mixed.shape).index_copy(0, read, made), context
