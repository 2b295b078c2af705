"""What Megatron and we ask of Transformer Engine, against its sources, as they cannot be imported without CUDA.

They are those of the one that is installed, or of a wheel that was unpacked: `pip download --no-deps
transformer-engine==VERSION` with the version of requirements-gpu.lock, and EW_TRANSFORMER_ENGINE=FOLDER.
"""

from __future__ import annotations

import ast
import os
from importlib.util import find_spec
from pathlib import Path

import pytest

FOLDER = os.environ.get("EW_TRANSFORMER_ENGINE", "")
FOUND = find_spec("transformer_engine")
SOURCES = Path(FOLDER, "transformer_engine") if FOLDER else FOUND and Path(FOUND.submodule_search_locations[0])
pytestmark = pytest.mark.skipif(
    not SOURCES, reason="transformer_engine is not installed, nor EW_TRANSFORMER_ENGINE set"
)

MEGATRON = Path(find_spec("megatron.core").submodule_search_locations[0])
LAYERS = {
    "TELinear": "Linear",
    "TELayerNormColumnParallelLinear": "LayerNormLinear",
    "TEDotProductAttention": "DotProductAttention",
}
"""Megatron's layers that the fused decoder is made of, and what each is derived from."""


@pytest.fixture(scope="module")
def classes() -> dict[str, ast.ClassDef]:
    """Every class of transformer_engine.pytorch."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (SOURCES / "pytorch").rglob("*.py")]
    return {node.name: node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def parameters(cls: ast.ClassDef, method: str) -> set[str]:
    found = next(node for node in cls.body if isinstance(node, ast.FunctionDef) and node.name == method)
    assert found.args.kwarg is None, f"{cls.name}.{method} takes anything"
    return {a.arg for a in (*found.args.posonlyargs, *found.args.args, *found.args.kwonlyargs)}


def keywords(cls: ast.ClassDef, name: str) -> list[set[str]]:
    """The keywords of every call of `super().name` in a class."""
    calls = (node for node in ast.walk(cls) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute))
    return [
        {keyword.arg for keyword in call.keywords if keyword.arg}
        for call in calls
        if call.func.attr == name
        and isinstance(call.func.value, ast.Call)
        and ast.unparse(call.func.value) == "super()"
    ]


@pytest.mark.parametrize("layer", LAYERS)
def test_what_megatron_passes_is_taken(classes: dict[str, ast.ClassDef], layer: str) -> None:
    tree = ast.parse((MEGATRON / "extensions" / "transformer_engine.py").read_text(encoding="utf-8"))
    ours = next(n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == layer)
    base = classes[LAYERS[layer]]
    passed = keywords(ours, "__init__")
    assert passed and all(words <= parameters(base, "__init__") for words in passed), passed
    for words in keywords(ours, "forward"):
        assert words <= parameters(base, "forward")


def test_packed_rows_reach_attention(classes: dict[str, ast.ClassDef]) -> None:
    """The fields of PackedSeqParams that `packed_rows` fills in are keywords of it, by the same names."""
    taken = parameters(classes["DotProductAttention"], "forward")
    assert {"qkv_format", "cu_seqlens_q", "cu_seqlens_kv", "max_seqlen_q", "max_seqlen_kv", "attn_mask_type"} <= taken


def test_adam_keeps_its_state_where_checkpoints_look_for_it(classes: dict[str, ast.ClassDef]) -> None:
    """`trainer/checkpoint/state.py`: moments by name in `state`, the count of updates in the group, which has no word
    `fused`, by which torch's own is told."""
    adam = classes["FusedAdam"]
    assert {"lr", "betas", "eps", "weight_decay", "adam_w_mode"} <= parameters(adam, "__init__")
    code = ast.unparse(adam)
    assert all(f"'{name}'" in code for name in ("exp_avg", "exp_avg_sq"))
    assert "group['step']" in code and "'fused'" not in code
