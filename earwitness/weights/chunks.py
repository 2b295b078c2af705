"""A version's byte string, cut in chunks and put together again. Pure: no connection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from earwitness.weights.names import CHUNK_BYTES


def split(parts: Iterable[bytes | memoryview], chunk_bytes: int = CHUNK_BYTES) -> Iterator[bytes | memoryview]:
    """The chunks of the parts one after another; parts are drawn as chunks are.

    A chunk inside one part is a view of it; only one that spans parts is copied. So a part must stay as it is until
    its chunks have been sent.
    """
    held: list[memoryview] = []
    room = chunk_bytes
    for part in parts:
        view = memoryview(part)
        while view.nbytes:
            piece, view = view[:room], view[room:]
            held.append(piece)
            room -= piece.nbytes
            if room == 0:
                yield held[0] if len(held) == 1 else b"".join(held)
                held, room = [], chunk_bytes
    if held:
        yield b"".join(held)


class Joined:
    """The byte string of chunks that are still arriving."""

    def __init__(self, chunks: Iterable[bytes | memoryview]) -> None:
        """The next chunk is drawn when the one before has been copied whole."""
        self._arriving = iter(chunks)
        self._chunk = memoryview(b"")

    def fill(self, buffer: np.ndarray) -> bool:
        """Copies the next bytes into `buffer`, uint8, all of it; false if the chunks end before."""
        filled = 0
        while filled < buffer.nbytes:
            if not self._chunk.nbytes:
                chunk = next((chunk for chunk in self._arriving if chunk), None)
                if chunk is None:
                    return False
                self._chunk = memoryview(chunk)
            part, self._chunk = self._chunk[: buffer.nbytes - filled], self._chunk[buffer.nbytes - filled :]
            buffer[filled : filled + part.nbytes] = np.frombuffer(part, np.uint8)
            filled += part.nbytes
        return True
