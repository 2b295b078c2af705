"""How often Python looks for garbage in cycles, in processes that import much and keep it: torch, Megatron, vLLM."""

from __future__ import annotations

import atexit
import gc
import sys

NEW_OBJECTS = 10_000
"""Objects that are made, beyond those given up, between two looks at the new ones; Python's own choice is 700."""
YOUNGER_LOOKS = 20
"""Looks at one generation between two at the next older one; Python's own choice is 10."""


def look_seldom() -> None:
    """From now on, and not at all when the process ends.

    An import of vLLM makes millions of objects that stay. To walk them again and again was a fifth of what it costs:
    11.0 s of CPU, 8.8 so. To walk them while the interpreter is taken down, whose memory the kernel takes back anyway,
    was a third more: 2.0 s, 1.0 with Megatron, 0.04 of the 0.29 of an `earwitness list`.
    """
    gc.set_threshold(NEW_OBJECTS, YOUNGER_LOOKS, YOUNGER_LOOKS)
    atexit.register(_leave)


def _leave() -> None:
    if "triton" in sys.modules:  # nanobind, which binds it, would print what of it was not given up
        gc.unfreeze()
    else:
        gc.freeze()
