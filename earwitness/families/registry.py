"""The families that are trained and served."""

from __future__ import annotations

from pathlib import Path

from earwitness.errors import InputError
from earwitness.families.audioflamingo3 import AUDIOFLAMINGO3
from earwitness.families.family import Family
from earwitness.families.qwen2_5_omni import QWEN2_5_OMNI
from earwitness.families.qwen2_audio import QWEN2_AUDIO
from earwitness.families.qwen3_asr import QWEN3_ASR
from earwitness.families.reading import Section
from earwitness.families.step_audio import STEP_AUDIO

FAMILIES = (STEP_AUDIO, QWEN2_AUDIO, QWEN2_5_OMNI, AUDIOFLAMINGO3, QWEN3_ASR)
MADE = STEP_AUDIO
"""The family of models that are made from nothing: toys and the shipped listener."""
MIXTURE = "moe"
"""In the names of classes whose decoders choose among experts: Qwen3-Omni's is one."""


def family_of(model_dir: str | Path) -> Family:
    """The family of the checkpoint in a directory. Raises InputError."""
    return family_of_config(Section.of_file(Path(model_dir) / "config.json"))


def family_of_config(config: Section) -> Family:
    """The family that a `config.json` names."""
    named = config.fields.get("architectures")
    for family in FAMILIES:
        if isinstance(named, list) and family.architecture in named:
            return family
    known = " or ".join(family.architecture for family in FAMILIES)
    experts = ", a mixture of experts, which is not trained" if MIXTURE in str(named).lower() else ""
    raise InputError(f"{config.path}: architectures", f"is {named!r}{experts}", known)
