"""What is made once and kept while there is room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar


class Sized(Protocol):
    """An array or a tensor."""

    @property
    def nbytes(self) -> int:
        """Bytes that it holds."""


Value = TypeVar("Value", bound=Sized)


class Kept(Generic[Value]):
    """Values by key; the least recently used ones go first. Safe between threads."""

    def __init__(self, max_bytes: int) -> None:
        self._room = max_bytes
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The key's value, made if it is not there. One that takes more than all the room is kept alone."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock:
            if key not in self._values:
                self._values[key] = value
                self._room -= value.nbytes
            while self._room < 0 and len(self._values) > 1:
                self._room += self._values.popitem(last=False)[1].nbytes
        return value
