"""What the conversation holds: of an answer that was spoken, what was heard of it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from earwitness.errors import InputError
from serving.speech.playback import Spoken

MOST = 256
"""Items that are held; the oldest is forgotten first."""


@dataclass
class _Held:
    item: dict[str, Any]
    spoken: Spoken | None


class History:
    """The items of one session, the newest last."""

    def __init__(self) -> None:
        self._items: OrderedDict[str, _Held] = OrderedDict()
        self.last: str | None = None
        """The id of the newest."""

    def add(self, item: dict[str, Any], spoken: Spoken | None = None) -> str | None:
        """Holds an item; `spoken` where it is an answer with sound. The id of the one before it."""
        before, self.last = self.last, item["id"]
        self._items[item["id"]] = _Held(item, spoken)
        if len(self._items) > MOST:
            self._items.popitem(last=False)
        return before

    def check_new(self, item_id: str | None, behind: str | None) -> None:
        """Raises InputError for an item whose id another has, or that would not stand behind the newest."""
        if item_id in self._items:
            raise InputError("item.id", f"there is an item {item_id!r} already", "another, or none")
        if behind not in (None, self.last):
            raise InputError("previous_item_id", f"is {behind!r}", f"the newest item, {self.last!r}, or none")

    def replace(self, item: dict[str, Any]) -> None:
        """The same item, as it is now."""
        if held := self._items.get(item["id"]):
            held.item = item

    def item(self, item_id: str) -> dict[str, Any]:
        """As it is held. Raises InputError for one that is not."""
        return self._held(item_id).item

    def cut(self, item_id: str, milliseconds: int) -> None:
        """What was heard of an answer. Raises InputError for what has no sound, or less."""
        held = self._held(item_id)
        if held.spoken is None:
            raise InputError("item_id", f"{item_id!r} has no sound", "an answer that was spoken")
        most = round(1_000 * held.spoken.sent)
        if milliseconds > most:
            raise InputError("audio_end_ms", f"is {milliseconds}", f"at most {most}, which have been sent")
        heard = {"type": "output_audio", "transcript": held.spoken.heard(milliseconds / 1_000)}
        held.item = held.item | {"content": [heard]}

    def _held(self, item_id: str) -> _Held:
        if item_id not in self._items:
            raise InputError("item_id", f"there is no item {item_id!r}", "one of this conversation's")
        return self._items[item_id]
