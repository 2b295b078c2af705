"""How often Python looks for garbage in cycles, in processes that import torch, Megatron or vLLM."""

from __future__ import annotations

import gc

NEW_OBJECTS = 10_000
"""Objects that are made, beyond those given up, between two looks at the new ones; Python's own choice is 700."""
YOUNGER_LOOKS = 20
"""Looks at one generation between two at the next older one; Python's own choice is 10."""


def look_seldom() -> None:
    """From now on. An import of vLLM makes millions of objects that stay, and to walk them again and again was a fifth
    of what it costs: 11.0 s of CPU, 8.8 so."""
    gc.set_threshold(NEW_OBJECTS, YOUNGER_LOOKS, YOUNGER_LOOKS)
