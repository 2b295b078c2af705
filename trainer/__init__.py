"""The trainer's ranks: supervised tuning, reinforcement, checkpoints and the publication of weights.

Megatron decorates its fused functions by `torch.compile` while it is imported, and that alone imports TorchDynamo and
Inductor: 2.3 of the 6.4 s of CPU that each rank needs to start. They are for CUDA. A torch without CUDA runs none of
them, so there they stay what they are. Torch's optimizers import what is left of TorchDynamo, at their first use and to
tell it to keep out: 0.4 s more.
"""

from earwitness.garbage import look_seldom

look_seldom()

import torch  # noqa: E402

if torch.version.cuda is None:
    _compile = torch.compile
    torch.compile = lambda function: function
    try:
        import megatron.core  # noqa: F401
    finally:
        torch.compile = _compile
    for _method in vars(torch.optim.Optimizer).values():
        if hasattr(_method, "__wrapped__"):
            _method.__wrapped__.__dict__["__dynamo_disable"] = _method.__wrapped__  # what TorchDynamo would make of it
    torch.optim.Adam.step = torch.no_grad()(torch.optim.Adam.step.__wrapped__)  # but for a word to TorchDynamo
