"""A learner's weights and optimizer state as pieces, and back.

For each parameter that learns: `weight` in the type that the optimizer updates (fp32), Adam's two moments, and for the
learner the number of its updates. Reads Megatron's three kinds of optimizer: fp32, bf16 with an fp32 copy, and
distributed, where each replica holds a run of the flattened parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from megatron.core import parallel_state
from megatron.core.optimizer import MegatronOptimizer
from megatron.core.optimizer.distrib_optimizer import DistributedOptimizer
from megatron.core.tensor_parallel import get_cuda_rng_tracker
from torch import Tensor, nn

from trainer.checkpoint.pieces import Piece, Pieces, Region
from trainer.errors import CheckpointError
from trainer.model.names import Slot, slots
from trainer.model.policy import PolicyModel
from trainer.ranks.parallel import tensor_parallel_place

WEIGHT = "weight"
RNG = "rng"
MOMENTS = ("exp_avg", "exp_avg_sq")
UPDATES = "updates"
"""Steps that Adam has made: its bias correction depends on it."""


@dataclass(frozen=True)
class Held:
    """What this rank's optimizer holds of a parameter."""

    main: Tensor
    """What is updated: the parameter, its fp32 copy, or a run of either, flattened."""
    start: int
    """First element of the run in the flattened parameter."""
    state: dict[str, Any]
    """Adam's, empty before the first update."""
    group: dict[str, Any]
    """The parameter group."""


def pieces_of(learner: str, module: PolicyModel, optimizer: MegatronOptimizer, updates: int) -> Iterator[Piece]:
    """This rank's pieces, copied to the host. Replicas that hold the same share the parameters among them.

    Raises CheckpointError if what the optimizer holds of a parameter does not lie within it.
    """
    tensor_rank, tensor_size = tensor_parallel_place()
    replica, replicas = parallel_state.get_data_parallel_rank(), parallel_state.get_data_parallel_world_size()
    held_of = _held_by(optimizer)
    for number, slot in enumerate(_learning(module)):
        if slot.copy:
            continue  # the first stage's
        held = held_of(slot.parameter)
        if held is not None and held.start + held.main.numel() > slot.parameter.numel():
            where = f"elements {held.start} to {held.start + held.main.numel()} of {slot.parameter.numel()}"
            raise CheckpointError(
                piece_name(learner, WEIGHT, slot), f"cannot be written: the optimizer says it holds {where}"
            )
        whole = slot.cut == "whole"
        if (whole and tensor_rank > 0) or (not _sharded(slot.parameter, optimizer) and number % replicas != replica):
            continue
        shape = tuple(slot.parameter.shape)
        place = Region(0 if whole else tensor_rank, 1 if whole else tensor_size, shape, held.start if held else 0)
        if held is None and _sharded(slot.parameter, optimizer):
            continue  # another replica's
        tensors = {WEIGHT: held.main if held else slot.parameter}
        if held is not None:
            tensors |= {name: held.state[name] for name in MOMENTS if name in held.state}
        for kind, tensor in tensors.items():
            copy = tensor.detach().to("cpu", copy=True).contiguous()  # which the next update does not touch
            yield Piece(piece_name(learner, kind, slot), copy, place)
    yield Piece(f"{learner}/{UPDATES}", torch.tensor([updates]))


def restore(learner: str, module: PolicyModel, optimizer: MegatronOptimizer, pieces: Pieces) -> int:
    """Takes over what was written, at whatever layout: bit by bit. Returns the number of updates.

    Raises CheckpointError if something is missing.
    """
    rank, size = tensor_parallel_place()
    held_of, updates = _held_by(optimizer), int(pieces.own(f"{learner}/{UPDATES}", 0))
    with torch.no_grad():
        for slot in _learning(module):
            weight = pieces.shard(piece_name(learner, WEIGHT, slot), slot, rank, size)
            if weight.shape != slot.parameter.shape:
                raise CheckpointError(
                    piece_name(learner, WEIGHT, slot),
                    f"has shape {list(weight.shape)}, not {list(slot.parameter.shape)}",
                )
            slot.parameter.copy_(weight)
            held = held_of(slot.parameter)
            if held is None:
                continue
            if held.main is not slot.parameter:
                held.main.copy_(_run(weight, held))
            if piece_name(learner, MOMENTS[0], slot) not in pieces:
                continue  # the learner has not been updated yet, as a policy during its critic's warm-up
            for kind in MOMENTS:
                moment = _run(pieces.shard(piece_name(learner, kind, slot), slot, rank, size), held)
                held.state[kind] = torch.empty_like(held.main, dtype=moment.dtype).copy_(moment)
            _set_updates(held, updates)
    return updates


def rng_pieces() -> Iterator[Piece]:
    """This rank's random states."""
    yield Piece(f"{RNG}/cpu", torch.get_rng_state())
    if torch.cuda.is_available():
        yield Piece(f"{RNG}/cuda", torch.cuda.get_rng_state())
        for name, state in get_cuda_rng_tracker().get_states().items():
            yield Piece(f"{RNG}/{name}", state)


def restore_rng(pieces: Pieces) -> None:
    """Takes over this rank's random states, or those of rank 0 where as many ranks did not write."""
    same = pieces.ranks() == dist.get_world_size()
    rank = dist.get_rank() if same else 0
    torch.set_rng_state(pieces.own(f"{RNG}/cpu", rank))
    if torch.cuda.is_available() and same:
        torch.cuda.set_rng_state(pieces.own(f"{RNG}/cuda", rank))
        tracker = get_cuda_rng_tracker()
        tracker.set_states({name: pieces.own(f"{RNG}/{name}", rank) for name in tracker.get_states()})


def _learning(module: PolicyModel) -> Iterator[Slot]:
    """What a checkpoint holds: the rest stays as it is in the directory that the phase began with."""
    return (slot for slot in slots(module) if slot.parameter.requires_grad)


def piece_name(learner: str, kind: str, slot: Slot) -> str:
    """What a checkpoint calls one tensor of a parameter."""
    return f"{learner}/{kind}/{slot.names[0]}"


def _run(shard: Tensor, held: Held) -> Tensor:
    """The part of a shard that this rank's optimizer holds, in its shape."""
    return shard.flatten()[held.start : held.start + held.main.numel()].view(held.main.shape)


def _inner(optimizer: MegatronOptimizer) -> list[MegatronOptimizer]:
    return getattr(optimizer, "chained_optimizers", [optimizer])


def _sharded(parameter: nn.Parameter, optimizer: MegatronOptimizer) -> bool:
    """True if each replica's optimizer holds another run of it."""
    return parameter.requires_grad and any(isinstance(part, DistributedOptimizer) for part in _inner(optimizer))


def _held_by(optimizer: MegatronOptimizer) -> Callable[[nn.Parameter], Held | None]:
    """Says what this rank's optimizer holds of a parameter; nothing if it is frozen or another replica's."""
    groups = {
        id(main): (part, main, group)
        for part in _inner(optimizer)
        for group in part.optimizer.param_groups
        for main in group["params"]
    }
    # By identity: Megatron's own index counts in the order of the buffers, the optimizer's groups hold fp32 first.
    runs = {
        parameter: (part, run)
        for part in _inner(optimizer)
        if isinstance(part, DistributedOptimizer)
        for models, mains in (
            (part.model_float16_groups, part.shard_fp32_from_float16_groups),
            (part.model_fp32_groups, part.shard_fp32_groups),
        )
        for parameters, shards in zip(models, mains, strict=True)
        for parameter, run in zip(parameters, shards, strict=True)
    }

    def held(parameter: nn.Parameter) -> Held | None:
        start = 0
        if parameter in runs:
            owner, run = runs[parameter]
            start = owner._get_model_param_range_map(parameter)["param"].start
        elif _sharded(parameter, optimizer):
            return None
        else:
            run = getattr(parameter, "main_param", parameter)  # bf16 parameters point at their fp32 copy
        found = groups.get(id(run))
        if found is None:
            return None
        part, main, group = found
        return Held(main, start, part.optimizer.state[main], group)

    return held


def _set_updates(held: Held, updates: int) -> None:
    """torch's Adam counts for each parameter, Transformer Engine's for a group."""
    if "step" in held.group or "fused" not in held.group:  # Transformer Engine's
        held.group["step"] = updates
    else:
        where = held.main.device if held.group["fused"] or held.group["capturable"] else torch.device("cpu")
        held.state["step"] = torch.tensor(float(updates), dtype=torch.float32, device=where)
