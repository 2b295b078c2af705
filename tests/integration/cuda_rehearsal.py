"""The trainer on a GPU that is not there: `python cuda_rehearsal.py LOCAL_RANK MODEL MANIFEST DTYPE`.

Tensors are real and on the CPU, and carry the name of the device that they would be on. `torch.cuda` says that there
are two; every thread's current one is the first until it says otherwise, as CUDA has it. So the branches for CUDA run,
with true numbers, forward and backward; an operation on tensors of two devices is an error as it would be there. What
needs CUDA itself is not rehearsed: kernels, streams, NCCL, Transformer Engine.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakTensorKeyDictionary

DEVICES = 2
HOST = torch.device("cpu")
MOVES = {"to", "cuda", "cpu", "copy_", "type", "type_as"}
"""Operations that may go from device to device."""

places = WeakTensorKeyDictionary()
"""The device that each tensor would be on. One that is not here was made inside torch, and is wherever it is used."""


class Current(threading.local):
    """CUDA's current device."""

    device = torch.device("cuda", 0)


current = Current()


class Pretend(TorchFunctionMode):
    """Runs everything on the CPU, and keeps the books."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = getattr(function, "__name__", "")
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        if name in ("_parse_to", "device"):
            return function(*args, **kwargs)
        if name == "__get__":
            return self._attribute(function, args, kwargs)
        if name == "__set__":  # `data`, `grad`: what a parameter is made of
            if len(args) > 1 and isinstance(args[1], torch.Tensor) and args[1] in places:
                places[args[0]] = places[args[1]]
            return function(*args, **kwargs)
        if name == "numpy" and places.get(tensors[0], HOST) != HOST:
            raise TypeError("can't convert a tensor of a CUDA device to numpy")
        asked = self._asked(name, tensors, args, kwargs)
        args, kwargs = tree_map(lambda v: HOST if isinstance(v, torch.device) else v, (args, kwargs))
        if isinstance(kwargs.get("device"), str | int):
            kwargs["device"] = HOST
        if name in ("to", "cuda"):
            args = (args[0], *(HOST if isinstance(arg, str) else arg for arg in args[1:]))
        if name == "mm" and "out_dtype" in kwargs:  # which torch has on CUDA alone
            wider = kwargs.pop("out_dtype")
            args = tuple(arg.to(wider) for arg in args)
        found = tensors[0] if name == "cuda" else function(*args, **kwargs)
        if name == "type" and isinstance(found, str):
            return found.replace("torch.", "torch.cuda.", 1) if places.get(tensors[0], HOST) != HOST else found
        if name == "cuda":
            found = tensors[0].clone() if places.get(tensors[0]) != asked else tensors[0]
        elif name == "to" and found is tensors[0] and places.get(found, asked) != asked:
            found = tensors[0].clone()  # there it would be another tensor
        self._place(found, asked)
        return found

    def _attribute(self, function: Any, args: tuple, kwargs: dict) -> Any:
        found = function(*args, **kwargs)
        there = places.get(args[0])
        owner = getattr(function.__self__, "__name__", "")
        if owner == "device" and there is not None:
            return there
        if owner == "is_cuda":
            return there is not None and there != HOST
        self._place(found, there)
        return found

    def _asked(self, name: str, tensors: list, args: tuple, kwargs: dict) -> torch.device | None:
        """Where the result would be. Raises RuntimeError for tensors on two devices."""
        named = [v for v in (*args, kwargs.get("device")) if isinstance(v, torch.device)]
        words = (*args[1:], kwargs.get("device"))
        named += [torch.device(v) for v in words if isinstance(v, str) and v.startswith(("cuda", "cpu"))]
        if name == "cuda" or (named and named[0].type == "cuda" and named[0].index is None):
            return current.device
        if named:
            return named[0]
        if name == "cpu":
            return HOST
        known = {places[t] for t in tensors if t in places and (t.dim() or places[t] != HOST)}
        if len(known) > 1 and name not in MOVES:
            found = sorted(map(str, known))
            raise RuntimeError(f"{name}: expected all tensors to be on the same device, but found {found}")
        if name in MOVES and tensors:
            return places.get(tensors[0])
        if known:
            return next(iter(known))
        return None if tensors else HOST

    def _place(self, found: Any, there: torch.device | None) -> None:
        for leaf in tree_leaves(found):
            if isinstance(leaf, torch.Tensor) and there is not None:
                places[leaf] = there


def pretend() -> None:
    """From here on CUDA is there, as far as Python asks."""
    torch.cuda.is_available = lambda: True
    torch.cuda.device_count = lambda: DEVICES
    torch.cuda.set_device = lambda number: setattr(current, "device", torch.device("cuda", number))
    torch.cuda.current_device = lambda: current.device
    torch.cuda.synchronize = torch.cuda.empty_cache = lambda *_: None
    torch.cuda.get_rng_state = lambda *_: torch.zeros(16, dtype=torch.uint8)
    torch.cuda.set_rng_state = lambda *_: None
    torch.cuda.manual_seed = lambda *_: None
    torch.cuda.FloatTensor = torch.FloatTensor


def rehearse(model: str, manifest: str, dtype: str) -> dict[str, Any]:
    """Some steps of each kind of training, what a checkpoint takes of them and what is published."""
    from trainer_layouts_worker import Layout, Recorder

    from earwitness.families.registry import MADE
    from trainer.mels import MelCache
    from trainer.publish.snapshot import Snapshot

    layout = Layout(model, manifest, MelCache(128, MADE), {"micro": 4, "packed": True, "dtype": dtype})
    told: dict[str, Any] = {"weights": set(), "pieces": set(), "figures": {}}
    for phase in ("sft", "ppo", "dpo"):
        recorder = Recorder()
        for learner in getattr(layout, phase)(recorder):
            told["weights"] |= {str(parameter.device) for parameter in learner.model.parameters()}
            told["pieces"] |= {str(piece.tensor.device) for piece in learner.pieces("learner")}
            Snapshot().take(learner.model.module)
        told["figures"][phase] = [
            {name: value for name, value in step.items() if not name.startswith("seconds")} for step in recorder.figures
        ]
    return {name: sorted(value) if isinstance(value, set) else value for name, value in told.items()}


def main(where: str, *chosen: str) -> dict[str, Any]:
    """`where`: a local rank, or "cpu" for the same without pretending."""
    sys.path.insert(0, str(Path(__file__).parent))
    if where == "cpu":
        return rehearse(*chosen)
    from trainer.ranks import parallel
    from trainer.tuning import loop

    pretend()
    os.environ |= {"LOCAL_RANK": where, "RANK": "0", "WORLD_SIZE": "1"}
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    torch.cuda.set_device(int(where))
    # Modes are a thread's own, and so is CUDA's current device.
    loop.ThreadPoolExecutor = partial(ThreadPoolExecutor, initializer=lambda: Pretend().__enter__())
    with Pretend():
        assert parallel.device() == torch.device("cuda", int(where))
        return rehearse(*chosen)


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
