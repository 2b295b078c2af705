"""Which recognisers a person names, read from the environment at the edge."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from earwitness.errors import InputError

TAGGER, TRANSCRIBER = "EW_TAGGER", "EW_TRANSCRIBER"


@dataclass(frozen=True)
class Named:
    """What is on this machine."""

    tagger: str = ""
    """ONNX file of a tagger of sounds; empty: none."""
    transcriber: str = ""
    """Folder of a speech recogniser; empty: none."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Named:
        """Raises InputError naming the variable."""
        named = cls(environ.get(TAGGER, ""), environ.get(TRANSCRIBER, ""))
        if named.tagger and not Path(named.tagger).is_file():
            raise InputError(TAGGER, f"there is no file {named.tagger!r}", "an ONNX file, with its labels beside it")
        if named.transcriber and not Path(named.transcriber).is_dir():
            raise InputError(
                TRANSCRIBER, f"there is no folder {named.transcriber!r}", "a folder that transformers loads"
            )
        return named


NOTHING_NAMED = Named()
