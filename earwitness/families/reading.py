"""`config.json` of a checkpoint, field by field: whatever is missing or not supported is an error that names it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from earwitness.errors import InputError, shown
from earwitness.json_text import parsed

UNSUPPORTED: dict[str, Any] = {
    "use_sliding_window": False,
    "use_mrope": False,
    "use_qk_norm": False,
    "qk_norm": False,
    "qkv_bias": True,
    "mlp_bias": False,
    "scale_embedding": False,
    "partial_rotary_factor": 1.0,
    "quantization_config": None,
    "attn_logit_softcapping": None,
    "final_logit_softcapping": None,
    "num_experts": None,
    "num_local_experts": None,
}
"""The one value of each key that the code does; any other would train another model, unnoticed."""
TEXT = "text_config"
"""The object that describes a decoder."""
MOST = 2**24
"""Largest number of a config: sixteen times the longest context. One beyond it is damage, or made to fill memory."""
MOST_LAYERS = 1024
"""Eight times the deepest decoder that is published."""
NONE_SAID = (None, False, 0)
"""Values that say of a feature that it is not there."""


@dataclass(frozen=True)
class Section:
    """An object of the config, and how errors call its file."""

    path: str
    fields: Mapping[str, Any]

    @classmethod
    def of_file(cls, path: Path) -> Section:
        """The whole config. Raises InputError."""
        try:
            content = parsed(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(str(path), "no such file", "a Hugging Face model directory") from None
        except OSError as error:
            raise InputError(str(path), f"cannot be read ({error.strerror})", "the model's config") from error
        except ValueError as error:
            raise InputError(str(path), f"is not JSON in UTF-8 ({error})", "the model's config") from error
        return cls(str(path), content if isinstance(content, dict) else {})

    def section(self, key: str, defaults: Mapping[str, Any] | None = None) -> Section:
        """An object inside it, with `defaults` for what it leaves out."""
        section = self.fields.get(key)
        if not isinstance(section, dict):
            raise InputError(f"{self.path}: {key}", "is missing", "an object")
        return Section(self.path, {**(defaults or {}), **section})

    def count(self, key: str) -> int:
        """A positive whole number, within what a model can have."""
        value, most = self.fields.get(key), MOST_LAYERS if "layer" in key else MOST
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise InputError(f"{self.path}: {key}", f"is {shown(value)}", f"a whole number from 1 to {most:,}")
        return value

    def flag(self, key: str) -> bool:
        """True or false; false if it is not there."""
        value = self.fields.get(key)
        if value not in (None, True, False):
            raise InputError(f"{self.path}: {key}", f"is {shown(value)}", "true or false")
        return bool(value)

    def number(self, key: str) -> float:
        """A finite number above 0."""
        value = self.fields.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise InputError(f"{self.path}: {key}", f"is {shown(value)}", "a finite number above 0")
        return float(value)

    def only(self, key: str, only: object) -> None:
        """Refuses any other value of a field that is there."""
        self.refuse_other(key, self.fields.get(key, only), only)

    def plain_rope(self, key: str) -> None:
        """Refuses scaled positions. Those in three components (time, height, width) are plain ones without a picture:
        a token of text or sound has the same number in all three."""
        said = self.fields.get(key)
        plain = isinstance(said, dict) and all(
            name in ("rope_theta", "mrope_section") or kind in ("default", "mrope") for name, kind in said.items()
        )
        if said not in NONE_SAID and not plain:
            self.refuse_other(key, said, None)

    def divides(self, key: str, of: str) -> None:
        """Refuses heads that do not share a width evenly."""
        if self.count(of) % self.count(key):
            raise InputError(f"{self.path}: {key}", f"does not divide {of}", "a divisor")

    def refuse_other(self, key: str, value: object, only: object) -> None:
        """Refuses what `key` comes to if it is not `only`."""
        if value != only:
            raise InputError(f"{self.path}: {key}", f"{shown(value)} is not supported", json.dumps(only))

    def refuse_unsupported(self) -> None:
        """Refuses what the code does not do, said here or in an object inside; a decoder's positions are read later."""
        inside = {key: value for key, value in self.fields.items() if isinstance(value, dict)}
        for name, fields in {"": self.fields, **inside}.items():
            if name != TEXT:
                Section(self.path, fields).plain_rope("rope_scaling")
            for key, only in UNSUPPORTED.items():
                value = fields.get(key, only)
                if value is not None and not (only in NONE_SAID and value in NONE_SAID):
                    self.refuse_other(key, value, only)
