"""A version's byte string, cut in chunks and put together again, without copying. Pure: no connection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from earwitness.weights.names import CHUNK_BYTES

Parts = list[memoryview]
"""One chunk's bytes, as they lie in memory."""


def split(parts: Iterable[bytes | memoryview], chunk_bytes: int = CHUNK_BYTES) -> Iterator[Parts]:
    """The chunks of the parts one after another, as views of them; parts are drawn as chunks are.

    A part must stay as it is until its chunks have been sent.
    """
    held: Parts = []
    room = chunk_bytes
    for part in parts:
        view = memoryview(part)
        while view.nbytes:
            piece, view = view[:room], view[room:]
            held.append(piece)
            room -= piece.nbytes
            if room == 0:
                yield held
                held, room = [], chunk_bytes
    if held:
        yield held


def spread(sizes: Iterable[int], buffers: Iterable[memoryview]) -> list[Parts]:
    """Where the chunks of these sizes go, if the buffers, one after another, are the byte string.

    Raises `ValueError` if the two are not of the same length.
    """
    waiting = iter(buffers)
    buffer = memoryview(b"")
    plan: list[Parts] = []
    for size in sizes:
        parts: Parts = []
        while size:
            while not buffer.nbytes:
                if (following := next(waiting, None)) is None:
                    raise ValueError("the chunks go on after the last tensor")
                buffer = following
            piece, buffer = buffer[:size], buffer[size:]
            parts.append(piece)
            size -= piece.nbytes
        plan.append(parts)
    if buffer.nbytes or any(rest.nbytes for rest in waiting):
        raise ValueError("the chunks end before the last tensor does")
    return plan
