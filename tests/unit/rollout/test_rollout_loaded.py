"""The look at the engine's parameters after loading, on a stand-in model."""

import pytest
import torch

from rollout.loaded import check_loaded


class Fused(torch.nn.Module):
    """As vLLM names it: an attention layer with one fused projection, a padded vocabulary, and a repacked layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(12, 4)
        self.attn = torch.nn.Module()
        self.attn.qkv_proj = torch.nn.Linear(4, 8)
        self.norm = torch.nn.LayerNorm(4)
        self.out = torch.nn.Linear(4, 4, bias=False)
        self.out.weight = torch.nn.Parameter(torch.empty(0), requires_grad=False)


@pytest.fixture
def model() -> Fused:
    torch.manual_seed(0)
    return Fused()


@pytest.fixture
def tensors(model: Fused) -> dict[str, torch.Tensor]:
    weight, bias = model.attn.qkv_proj.weight.data, model.attn.qkv_proj.bias.data
    parts = {"q": slice(0, 4), "k": slice(4, 6), "v": slice(6, 8)}
    return {
        "embed.weight": model.embed.weight.data[:10].clone(),
        "norm.weight": model.norm.weight.data.clone(),
        "norm.bias": model.norm.bias.data.clone(),
        "out.weight": torch.ones(4, 4),
        **{f"attn.{part}_proj.weight": weight[rows].clone() for part, rows in parts.items()},
        **{f"attn.{part}_proj.bias": bias[rows].clone() for part, rows in parts.items()},
    }


def test_what_was_loaded_is_found_equal(model, tensors):
    assert check_loaded(model, tensors) == {
        "embed.weight", "attn.qkv_proj.weight", "attn.qkv_proj.bias", "norm.weight", "norm.bias"
    }  # fmt: skip


@pytest.mark.parametrize("name", ["embed.weight", "attn.q_proj.weight", "attn.v_proj.bias", "norm.weight"])
def test_one_bit_that_did_not_arrive_is_told(model, tensors, name):
    tensors[name].view(torch.int32).flatten()[-1] ^= 1
    with pytest.raises(RuntimeError, match="is not what the version says"):
        check_loaded(model, tensors)


def test_bits_of_nan_are_compared_as_bits(model, tensors):
    model.norm.weight.data[0] = tensors["norm.weight"][0] = float("nan")
    check_loaded(model, tensors)
    model.norm.bias.data[0], tensors["norm.bias"][0] = 0.0, -0.0
    with pytest.raises(RuntimeError, match=r"norm\.bias"):
        check_loaded(model, tensors)


def test_a_share_of_a_parameter_or_another_type_is_not_compared(model, tensors):
    tensors["embed.weight"] = torch.zeros(24, 4)
    tensors["norm.weight"] = tensors["norm.weight"].bfloat16()
    assert not {"embed.weight", "norm.weight"} & check_loaded(model, tensors)
