"""Prompts as they are asked, where that is not as they stand in the manifest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

LOOKED_AT = 256
"""Prompts behind one among which another clip is looked for."""


class Changed(Sequence[wire.Prompt]):
    """Prompts of which each is changed, given its place, when it is asked for."""

    def __init__(self, prompts: Sequence[wire.Prompt], change: Callable[[wire.Prompt, int], None]) -> None:
        self._prompts = prompts
        self._change = change

    def __len__(self) -> int:
        return len(self._prompts)

    def __getitem__(self, place: Any) -> Any:
        asked = wire.Prompt()
        asked.CopyFrom(self._prompts[place])
        self._change(asked, place)
        return asked


def instructed(prompts: Sequence[wire.Prompt], instruction: str) -> Sequence[wire.Prompt]:
    """With an instruction behind the question of those that have something to hear."""

    def change(prompt: wire.Prompt, place: int) -> None:
        if prompt.audio_uri:
            prompt.question = f"{prompt.question}\n{instruction}"

    return Changed(prompts, change)


def shuffled(prompts: Sequence[wire.Prompt]) -> Sequence[wire.Prompt]:
    """Each question with another's clip: of the next prompt of its kind, or else of the next that has another clip."""

    def change(prompt: wire.Prompt, place: int) -> None:
        if not prompt.audio_uri:
            return
        behind = (prompts[(place + step) % len(prompts)] for step in range(1, min(len(prompts), LOOKED_AT + 1)))
        first = ""
        for other in behind:
            if other.audio_uri in ("", prompt.audio_uri):
                continue
            first = first or other.audio_uri
            if other.kind == prompt.kind:
                prompt.audio_uri = other.audio_uri
                return
        prompt.audio_uri = first or prompt.audio_uri

    return Changed(prompts, change)


def undecided(prompts: Sequence[wire.Prompt]) -> Sequence[wire.Prompt]:
    """Each question with the clip from which what decides it was taken, where the manifest names one."""

    def change(prompt: wire.Prompt, place: int) -> None:
        prompt.audio_uri = prompt.control_uri or prompt.audio_uri

    return Changed(prompts, change)
