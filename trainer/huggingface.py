"""Weights between a Hugging Face directory and the ranks of the trainer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import torch
import torch.distributed as dist
from megatron.core import parallel_state
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from earwitness.errors import InputError
from trainer.model.names import VALUE_HEAD, Slot, full_shapes, slots
from trainer.model.policy import PolicyModel, unwrap
from trainer.parallel import device, is_rank_zero

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
FILE_BYTES = 4 << 30
"""Largest weight file: one is held in memory while a checkpoint is written."""
COPIED = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json")
"""What a model directory holds beside its weights."""
FILE_MODE = 0o644
"""safetensors writes 0600; a shared volume is read by other users."""


class WeightsError(InputError):
    """A directory's weights do not fit its config: names that are missing, unexpected, or of another shape."""

    def __init__(self, path: str, missing: list[str], unexpected: list[str], misshapen: list[str]) -> None:
        parts = [
            f"{label}: {', '.join(names)}"
            for label, names in (("missing", missing), ("unexpected", unexpected), ("wrong shape", misshapen))
            if names
        ]
        super().__init__(path, "; ".join(parts), "exactly the weights that config.json describes")
        self.missing, self.unexpected, self.misshapen = missing, unexpected, misshapen


def load_weights(module: nn.Module, model_dir: str | Path) -> None:
    """Copies this rank's shards of the directory's weights into `module`, in the module's type.

    A critic may start from a policy's directory: lm_head is passed over and its value head becomes zero. After
    loading under a bf16 optimizer call its `reload_model_params()`.
    """
    policy = unwrap(module)
    with ExitStack() as stack, torch.no_grad():
        where = {
            name: file
            for path in _files(Path(model_dir))
            for file in [stack.enter_context(safe_open(path, framework="pt"))]
            for name in file.keys()  # noqa: SIM118  (safe_open is not a mapping)
        }
        _check(policy, str(model_dir), {name: tuple(file.get_slice(name).get_shape()) for name, file in where.items()})
        rank, size = _tensor_parallel()
        for slot in slots(policy):
            if any(name in VALUE_HEAD and name not in where for name in slot.names):
                slot.parameter.zero_()
                continue
            tensors = [where[name].get_tensor(name) for name in slot.names]
            slot.parameter.copy_(slot.shard(tensors, rank, size))


def export_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yields (name, full tensor) on rank 0, one parameter at a time; every rank must run the iterator to its end.

    A tensor may share memory with the parameters: use it before the next optimizer step.
    """
    policy = unwrap(module)
    if parallel_state.get_data_parallel_rank() != 0:
        return  # replicas have nothing to add
    if parallel_state.get_pipeline_model_parallel_rank() > 0:
        _send(policy)
        return
    yield from _joined(policy)
    if is_rank_zero():
        for stage in range(1, parallel_state.get_pipeline_model_parallel_world_size()):
            yield from _receive(policy, stage)


def save_pretrained(module: nn.Module, source_dir: str | Path, out_dir: str | Path) -> None:
    """Writes a Hugging Face directory: `source_dir`'s config and tokenizer, `module`'s weights. Every rank calls it."""
    tensors = export_tensors(module)
    if not is_rank_zero():
        for _ in tensors:
            raise AssertionError("only rank 0 receives tensors")
        return
    out = Path(out_dir)
    out.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        if (Path(source_dir) / name).exists():
            shutil.copyfile(Path(source_dir) / name, out / name)
    weight_map: dict[str, str] = {}
    for number, part in enumerate(_parts(tensors), start=1):
        file = out / f"model-{number:05d}.safetensors"
        save_file(part, file, metadata={"format": "pt"})
        file.chmod(FILE_MODE)
        weight_map.update(dict.fromkeys(part, file.name))
    if len(set(weight_map.values())) == 1:
        file.replace(out / SINGLE)
    else:
        (out / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}, indent=2) + "\n")


def _parts(tensors: Iterator[tuple[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
    """Bundles tensors on the CPU, each bundle at most FILE_BYTES (or one larger tensor)."""
    part: dict[str, Tensor] = {}
    held = 0
    for name, tensor in tensors:
        if part and held + tensor.nbytes > FILE_BYTES:
            yield part
            part, held = {}, 0
        part[name] = tensor.detach().cpu().contiguous()
        held += tensor.nbytes
    yield part


def _joined(policy: PolicyModel) -> Iterator[tuple[str, Tensor]]:
    """This stage's full tensors, on its first tensor-parallel rank; the others only take part."""
    for slot in slots(policy):
        shards = _gathered(slot)
        if shards:
            yield from zip(slot.names, slot.join(shards), strict=True)


def _gathered(slot: Slot) -> list[Tensor]:
    """All ranks' shards on the first tensor-parallel rank, nothing elsewhere."""
    rank, size = _tensor_parallel()
    shard = slot.parameter.detach()
    if size == 1 or slot.cut == "whole":
        return [shard] if rank == 0 else []
    shards = [torch.empty_like(shard) for _ in range(size)] if rank == 0 else []
    dist.gather(
        shard.contiguous(),
        shards or None,
        dst=parallel_state.get_tensor_model_parallel_src_rank(),
        group=parallel_state.get_tensor_model_parallel_group(),
    )
    return shards


def _send(policy: PolicyModel) -> None:
    """Hands a later stage's tensors to rank 0: first their names and types, then each tensor."""
    to = parallel_state.get_pipeline_model_parallel_first_rank()
    if _tensor_parallel()[0] == 0:
        header = [(name, str(slot.parameter.dtype)) for slot in slots(policy) for name in slot.names]
        content = torch.frombuffer(bytearray(json.dumps(header).encode()), dtype=torch.uint8).to(device())
        dist.send(torch.tensor([content.numel()], device=device()), to)
        dist.send(content, to)
    for _, tensor in _joined(policy):
        dist.send(tensor.contiguous(), to)


def _receive(policy: PolicyModel, stage: int) -> Iterator[tuple[str, Tensor]]:
    """The counterpart of `_send` on rank 0."""
    source = dist.get_process_group_ranks(parallel_state.get_pipeline_model_parallel_group())[stage]
    size = torch.tensor([0], device=device())
    dist.recv(size, source)
    content = torch.empty(int(size), dtype=torch.uint8, device=device())
    dist.recv(content, source)
    shapes = full_shapes(policy.architecture, value_head=policy.value_head)
    for name, dtype in json.loads(content.cpu().numpy().tobytes()):
        tensor = torch.empty(shapes[name], dtype=getattr(torch, dtype.removeprefix("torch.")), device=device())
        dist.recv(tensor, source)
        yield name, tensor


def _files(model_dir: Path) -> list[Path]:
    """The directory's weight files."""
    if (model_dir / INDEX).exists():
        index = json.loads((model_dir / INDEX).read_text(encoding="utf-8"))
        return [model_dir / name for name in sorted(set(index["weight_map"].values()))]
    if (model_dir / SINGLE).exists():
        return [model_dir / SINGLE]
    raise InputError(str(model_dir), f"holds neither {SINGLE} nor {INDEX}", "a Hugging Face model directory")


def _check(policy: PolicyModel, path: str, found: dict[str, tuple[int, ...]]) -> None:
    expected = full_shapes(policy.architecture, value_head=policy.value_head)
    optional = {*VALUE_HEAD, "lm_head.weight"} if policy.value_head else set()
    missing = sorted(expected.keys() - found.keys() - optional)
    unexpected = sorted(found.keys() - expected.keys() - optional)
    misshapen = [
        f"{name} {list(found[name])} instead of {list(shape)}"
        for name, shape in expected.items()
        if name in found and found[name] != shape
    ]
    if missing or unexpected or misshapen:
        raise WeightsError(path, missing, unexpected, misshapen)


def _tensor_parallel() -> tuple[int, int]:
    return (
        parallel_state.get_tensor_model_parallel_rank(),
        parallel_state.get_tensor_model_parallel_world_size(),
    )
