"""Why a version cannot be had."""

from __future__ import annotations

from earwitness.errors import EarwitnessError


class WeightError(EarwitnessError):
    """Something about one version; `lineage` and `version` say which."""

    def __init__(self, lineage: str, version: int, problem: str) -> None:
        super().__init__(lineage, version, problem)
        self.lineage = lineage
        self.version = version
        self.problem = problem

    def __str__(self) -> str:
        return f"weight version {self.version} of {self.lineage}: {self.problem}"


class MissingVersion(WeightError):
    """It was never committed, was deleted, or lost chunks: take the newest instead."""


class ChecksumError(WeightError):
    """Bytes are not what the manifest says; `problem` names the tensor or chunk. Nothing of it was given out."""


class WrongBase(WeightError):
    """It is a change against a version that the reader does not hold: take the newest anchor instead."""
