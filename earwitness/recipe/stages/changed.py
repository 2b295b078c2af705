"""Prompts as they are asked, where that is not as they stand in the manifest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from earwitness.hearing import clip_uris, set_clips
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
        if clip_uris(prompt):
            prompt.question = f"{prompt.question}\n{instruction}"

    return Changed(prompts, change)


def shuffled(prompts: Sequence[wire.Prompt]) -> Sequence[wire.Prompt]:
    """Each question with another's clip: of the next prompt of its kind, or else of the next that has another clip.

    One about several clips gets those of a question about as many.
    """

    def change(prompt: wire.Prompt, place: int) -> None:
        own = clip_uris(prompt)
        if not own:
            return
        behind = (prompts[(place + step) % len(prompts)] for step in range(1, min(len(prompts), LOOKED_AT + 1)))
        first: tuple[str, ...] = ()
        for other in behind:
            if len(others := clip_uris(other)) != len(own) or others == own:
                continue
            first = first or others
            if other.kind == prompt.kind:
                first = others
                break
        set_clips(prompt, first or own)

    return Changed(prompts, change)


def undecided(prompts: Sequence[wire.Prompt]) -> Sequence[wire.Prompt]:
    """Each question with the clips from which what decides it was taken, where the manifest names them."""

    def change(prompt: wire.Prompt, place: int) -> None:
        prompt.audio_uri = prompt.control_uri or prompt.audio_uri
        for clip in prompt.clips:
            clip.audio_uri = clip.control_uri or clip.audio_uri

    return Changed(prompts, change)
