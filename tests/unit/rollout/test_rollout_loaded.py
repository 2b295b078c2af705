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


def test_another_type_or_layout_is_not_compared(model, tensors):
    tensors["embed.weight"] = torch.zeros(24, 4)
    tensors["norm.weight"] = tensors["norm.weight"].bfloat16()
    assert not {"embed.weight", "norm.weight"} & check_loaded(model, tensors)


class Share(torch.nn.Module):
    """One of two tensor-parallel ranks, cut as vLLM cuts: heads and vocabulary by rows, what leads back by columns."""

    def __init__(self, whole: dict[str, torch.Tensor], rank: int) -> None:
        super().__init__()
        padded = torch.cat([whole["embed.weight"], torch.zeros(3, 4)])  # 13 rows, 8 for each rank
        half = {name: tensor.chunk(2)[rank] for name, tensor in whole.items()}
        held = {
            "attn.qkv_proj": torch.cat([half[f"attn.{part}_proj.weight"] for part in "qkv"]),
            "attn.o_proj": whole["attn.o_proj.weight"].chunk(2, dim=1)[rank],
            "norm": whole["norm.weight"],
            "embed": padded.chunk(2)[rank],
        }
        self.attn = torch.nn.Module()
        for name, tensor in held.items():
            *above, last = name.split(".")
            layer = torch.nn.Module()
            layer.weight = torch.nn.Parameter(tensor.clone())
            self.get_submodule(".".join(above)).add_module(last, layer)


@pytest.fixture
def whole():
    torch.manual_seed(1)
    shapes = {"q": (8, 4), "k": (4, 4), "v": (4, 4), "o": (4, 8)}
    weights = {f"attn.{part}_proj.weight": torch.randn(shape) for part, shape in shapes.items()}
    return weights | {"norm.weight": torch.randn(4), "embed.weight": torch.randn(13, 4)}


@pytest.mark.parametrize("rank", [0, 1])
def test_a_tensor_parallel_rank_is_compared_with_its_share(whole, rank):
    names = {"attn.qkv_proj.weight", "attn.o_proj.weight", "norm.weight", "embed.weight"}
    assert check_loaded(Share(whole, rank), whole, rank, 2) == names
    with pytest.raises(RuntimeError, match="is not what the version says"):
        check_loaded(Share(whole, rank), whole, 1 - rank, 2)  # the other's share


@pytest.mark.parametrize("name", ["attn.q_proj.weight", "attn.v_proj.weight", "attn.o_proj.weight", "embed.weight"])
def test_one_bit_of_a_share_that_did_not_arrive_is_told(whole, name):
    shares = [Share(whole, rank) for rank in range(2)]
    whole[name].view(torch.int32).flatten()[-1] ^= 1  # of the second rank
    check_loaded(shares[0], whole, 0, 2)
    with pytest.raises(RuntimeError, match="is not what the version says"):
        check_loaded(shares[1], whole, 1, 2)
