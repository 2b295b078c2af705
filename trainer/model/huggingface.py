"""Weights between a Hugging Face directory and the ranks of the trainer.

In: each rank reads only the rows and columns it needs. Out: rank 0 receives one parameter after another and writes it
to its place. No rank ever holds the whole model, or a whole file of it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import torch
import torch.distributed as dist
from megatron.core import parallel_state
from torch import Tensor, nn

from earwitness.families.registry import family_of
from earwitness.json_text import parsed
from trainer.disk import flush
from trainer.model.names import Slot, slots, written
from trainer.model.policy import PolicyModel, unwrap
from trainer.model.stored import VALUE_HEAD, WeightsError, check_weights, full_shapes, published_name
from trainer.model.weight_files import DTYPES, INDEX, Directory, Stored, WeightFileWriter
from trainer.ranks.parallel import device, is_rank_zero, tensor_parallel_place

WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".msgpack", ".h5", ".gguf", ".onnx")
"""Files that hold weights: everything else beside them, config and tokenizer first of all, is copied as it is."""


def load_weights(module: nn.Module, model_dir: str | Path) -> None:
    """Copies this rank's shards of the directory's weights into `module`, in the module's type.

    A critic may start from a policy's directory: lm_head is passed over and its value head becomes zero. After
    loading under a bf16 optimizer call its `reload_model_params()`. Raises WeightsError.
    """
    policy = unwrap(module)
    where = check_weights(policy.architecture, Path(model_dir), value_head=policy.value_head)
    rank, size = tensor_parallel_place()
    with torch.no_grad():
        for slot in slots(policy):
            target = slot.parameter.data
            if slot.cut == "rows" or any(name not in where for name in slot.names):
                target.zero_()  # rows that pad the vocabulary; a fresh value head
            for piece in slot.pieces(target, rank, size):
                if piece.name not in where:
                    continue
                path, stored = where[piece.name]
                for first, block in stored.read(path, piece.rows, piece.columns):
                    rows = piece.target[first - piece.rows[0] :][: len(block)]
                    rows.copy_(block.view_as(rows) if block.is_contiguous() else block)


def stored_tensors(model_dir: Path) -> Iterator[tuple[str, Tensor]]:
    """Yields (published name, tensor) of the model in a directory, one at a time, in the type it has there."""
    family = family_of(model_dir)
    directory = Directory.read(model_dir)
    if directory.damaged:
        raise WeightsError(str(model_dir), {"damaged": directory.damaged})
    for file in directory.files:
        for name, stored in file.tensors.items():
            if family.names.passes(name):
                continue
            whole = torch.empty(stored.shape, dtype=DTYPES[stored.dtype])
            flat = whole.view(stored.shape[0], -1)
            for first, block in stored.read(file.path, (0, stored.shape[0]), None):
                flat[first : first + len(block)] = block
            yield published_name(family, name), whole


def export_tensors(
    module: nn.Module, chosen: Callable[[PolicyModel], Iterator[Slot]] = written
) -> Iterator[tuple[str, Tensor]]:
    """Yields (published name, full tensor) of what is `chosen` on rank 0, one parameter at a time; every rank must run
    the iterator to its end.

    A tensor may share memory with the parameters: use it before the next optimizer step.
    """
    policy = unwrap(module)
    if parallel_state.get_data_parallel_rank() != 0:
        return
    if not parallel_state.is_pipeline_first_stage():
        _send(_joined(chosen(policy)))
        return
    yield from _joined(chosen(policy))
    if is_rank_zero():
        for stage in range(1, parallel_state.get_pipeline_model_parallel_world_size()):
            yield from _receive(stage)


def save_pretrained(module: nn.Module, source_dir: str | Path, out_dir: str | Path) -> None:
    """Writes a Hugging Face directory: `source_dir`'s files with `module`'s weights. Every rank calls it.

    Names, types, shapes, the split into files and what was not trained are the source's, to the bit also where `module`
    holds it rounded; a critic's value head stands in the last file in the place of lm_head. `out_dir` appears whole or
    not at all; what was there is replaced.
    """
    policy = unwrap(module)
    tensors = export_tensors(policy)
    if not is_rank_zero():
        for _ in tensors:
            raise AssertionError("only rank 0 receives tensors")
        return
    out = Path(out_dir)
    partial = out.with_name(f".{out.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        copy_beside(Path(source_dir), partial, policy.architecture.family.beside)
        _write(policy, tensors, Path(source_dir), partial)
        shutil.rmtree(out, ignore_errors=True)
        partial.rename(out)
    finally:
        for _ in tensors:  # the other ranks are in the middle of the export, whatever went wrong here
            pass


def _write(policy: PolicyModel, tensors: Iterator[tuple[str, Tensor]], source_dir: Path, out: Path) -> None:
    directory = Directory.read(source_dir)
    if directory.damaged:
        raise WeightsError(str(source_dir), {"damaged": directory.damaged})
    family = policy.architecture.family
    expected = full_shapes(policy.architecture, value_head=policy.value_head)
    heads = {name: ("F32", expected[name]) for name in VALUE_HEAD} if policy.value_head else {}
    files: list[WeightFileWriter] = []
    writers: dict[str, tuple[WeightFileWriter, str]] = {}
    sources: dict[str, tuple[Path, Stored]] = {}
    places: dict[str, str] = {}
    try:
        for file in directory.files:
            passing = {n: s for n, s in file.tensors.items() if family.names.passes(n)}
            kept = {n: s for n, s in file.tensors.items() if n in passing or published_name(family, n) in expected}
            layout = {n: (s.dtype, expected.get(published_name(family, n), s.shape)) for n, s in kept.items()}
            if file is directory.files[-1]:
                layout = {**heads, **layout}
            files.append(WeightFileWriter(out / file.path.name, layout, file.metadata))
            for name, stored in passing.items():
                files[-1].copy(name, file.path, stored)
            writers.update({published_name(family, name): (files[-1], name) for name in layout.keys() - passing.keys()})
            sources.update({published_name(family, name): (file.path, stored) for name, stored in kept.items()})
            places.update(dict.fromkeys(layout, file.path.name))
        for published, tensor in tensors:
            writer, name = writers[published]
            if published in sources and _is_rounded(tensor, *sources[published]):
                writer.copy(name, *sources[published])
            else:
                writer.write(name, tensor)
    finally:
        for file_writer in files:
            file_writer.close()
    if waiting := sorted(name for file_writer in files for name in file_writer.waiting):
        raise AssertionError(f"the model has no {', '.join(waiting)}")
    if directory.indexed:
        _write_index(source_dir / INDEX, out / INDEX, places)
    flush(out)


def _is_rounded(tensor: Tensor, file: Path, stored: Stored) -> bool:
    """Whether the tensor is the stored one, of another type, in its own: then nothing of it was learned."""
    if tensor.dtype == DTYPES[stored.dtype]:
        return False
    rows = tensor.detach().reshape(stored.shape[0], -1)
    return all(
        torch.equal(block.to(rows), rows[first : first + len(block)])
        for first, block in stored.read(file, (0, len(rows)), None)
    )


def _write_index(source: Path, out: Path, places: dict[str, str]) -> None:
    """The source's index, or one like it where another set of names was written."""
    content = parsed(source.read_text(encoding="utf-8"))
    if content["weight_map"] == places:
        shutil.copyfile(source, out)
    else:
        out.write_text(json.dumps({"metadata": {}, "weight_map": places}, indent=2) + "\n", encoding="utf-8")


def copy_beside(source_dir: Path, out: Path, passing: Collection[str]) -> None:
    """Copies what stands beside a model's weights; `passing`: files among it that look like weights."""
    for file in sorted(source_dir.iterdir()):
        beside = file.name in passing or not file.name.endswith(WEIGHTS)
        if file.is_file() and file.name != INDEX and beside and file.name[0] != ".":
            shutil.copyfile(file, out / file.name)


def _joined(found: Iterator[Slot]) -> Iterator[tuple[str, Tensor]]:
    """This stage's full tensors, on its first tensor-parallel rank; the others only take part."""
    for slot in found:
        shards = slot.gathered(0)
        if shards:
            yield from zip(slot.names, slot.join(shards), strict=True)


def _send(tensors: Iterator[tuple[str, Tensor]]) -> None:
    """Hands a later stage's tensors to rank 0: each after its name, type and shape; in the end an empty name."""
    to = parallel_state.get_pipeline_model_parallel_first_rank()
    for name, tensor in tensors:
        _tell(json.dumps([name, str(tensor.dtype), list(tensor.shape)]), to)
        dist.send(tensor.contiguous(), to)
    if tensor_parallel_place()[0] == 0:
        _tell("", to)


def _tell(words: str, to: int) -> None:
    content = torch.frombuffer(bytearray(words.encode()), dtype=torch.uint8) if words else torch.empty(0)
    dist.send(torch.tensor([content.numel()], device=device()), to)
    if words:
        dist.send(content.to(device()), to)


def _receive(stage: int) -> Iterator[tuple[str, Tensor]]:
    """The counterpart of `_send` on rank 0."""
    source = dist.get_process_group_ranks(parallel_state.get_pipeline_model_parallel_group())[stage]
    size = torch.tensor([0], device=device())
    while True:
        dist.recv(size, source)
        if not int(size):
            return
        content = torch.empty(int(size), dtype=torch.uint8, device=device())
        dist.recv(content, source)
        name, dtype, shape = json.loads(content.cpu().numpy().tobytes())
        tensor = torch.empty(shape, dtype=getattr(torch, dtype.removeprefix("torch.")), device=device())
        dist.recv(tensor, source)
        yield name, tensor
