"""An adapter folder as PEFT, and vLLM's `--enable-lora`, read it: A and B apart from the model."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from earwitness.recipe.schema import Lora
from trainer.model.huggingface import export_tensors
from trainer.model.names import adapters
from trainer.model.policy import PolicyModel
from trainer.ranks.parallel import is_rank_zero

SHARING = {"q_proj": ("q_proj", "k_proj", "v_proj"), "gate_proj": ("gate_proj", "up_proj")}
"""Matrices that have one A, by the one whose name it bears."""


def save_adapter(module: PolicyModel, lora: Lora, base: Path, out: Path) -> None:
    """Writes `adapter_config.json` and `adapter_model.safetensors`. Every rank calls it.

    `base`: the directory whose weights are W. Modules are called as in published checkpoints of the family.
    """
    tensors: dict[str, Tensor] = {}
    for name, tensor in export_tensors(module, adapters):
        whole = tensor.detach().to("cpu", copy=True).contiguous()
        matrix, which = name.removesuffix(".weight").rsplit(".", 1)
        parent, last = matrix.rsplit(".", 1)
        sharing = SHARING.get(last, (last,)) if which == "lora_A" else (last,)
        tensors |= {f"base_model.model.{parent}.{one}.{which}.weight": whole.clone() for one in sharing}
    if not is_rank_zero():
        return
    out.mkdir(parents=True)
    modules = {name.removeprefix("base_model.model.").rsplit(".", 2)[0] for name in tensors}
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": str(base),
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "modules_to_save": None,
        "target_modules": sorted(modules),
    }
    (out / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    save_file(tensors, out / "adapter_model.safetensors", metadata={"format": "pt"})
    (out / "adapter_model.safetensors").chmod(0o644)  # the library writes 0600; a shared volume has other readers
