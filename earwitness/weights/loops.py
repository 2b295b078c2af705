"""The two loops over every element of a tensor, compiled with numba.

numpy needs several passes over the same memory for each, and takes the interpreter's lock between them, so a second
thread gains nothing. These need one, without the lock. They are compiled when they are first called, some tenths of a
second for each width of element; numba itself comes with the trainer's and the rollout workers' packages, not with the
core's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import Any

import numpy as np

Loop = Callable[..., int]

_making = Lock()
"""Threads that come at the same time get the same loop, which is then compiled once."""

LINE = 64
"""Bytes that are compared at a time: a line of the cache."""

LINES = 256
"""Lines that are compared before any of their elements is looked at: both sides stay in the nearest cache."""


def finder(itemsize: int) -> Loop:
    """`find(old, new, positions, values) -> count`: the elements whose bits differ, ascending.

    `old`, `new`: bits of as many elements of `itemsize` bytes, contiguous. `positions`, int32, and `values` have
    `room(most)` elements; the loop may end early, with a count above `most`, once there are more than fit.

    No branch depends on the bits. Which lines differ, then which words of these, then which elements of these: each is
    written where the last one that differs was not, and counted only if it does. A branch for each, taken at random,
    costs more than the memory.
    """
    with _making:
        return _finder(itemsize)


@cache
def _finder(itemsize: int) -> Loop:
    width, per_word, per_line = 8 * itemsize, 8 // itemsize, LINE // itemsize
    mask = (1 << width) - 1
    words_per_line = LINE // 8
    number = np.uint64  # numba looks for negative indices in any other

    def find(old: Any, new: Any, positions: Any, values: Any) -> Any:
        lines = new.size // per_line
        whole = lines * per_line
        before, after = old[:whole].view(np.uint64), new[:whole].view(np.uint64)
        line_numbers = np.empty(LINES, np.uint64)
        word_numbers = np.empty(LINES * words_per_line, np.uint64)
        most = number(positions.size - (LINES + 1) * per_line)
        count = number(0)
        for first in range(0, lines, LINES):
            if count > most:
                return count
            found_lines = number(0)
            for line in range(number(first), number(min(first + LINES, lines))):
                different = number(0)
                start = line * number(words_per_line)
                for word in range(start, start + number(words_per_line)):
                    different |= before[word] ^ after[word]
                line_numbers[found_lines] = line
                found_lines += number(different != number(0))
            found_words = number(0)
            for index in range(number(0), found_lines):
                start = line_numbers[index] * number(words_per_line)
                for word in range(start, start + number(words_per_line)):
                    word_numbers[found_words] = word
                    found_words += number(before[word] != after[word])
            for index in range(number(0), found_words):
                word = word_numbers[index]
                different = before[word] ^ after[word]
                for inside in range(number(per_word)):
                    element = word * number(per_word) + number(inside)
                    positions[count] = element
                    values[count] = new[element]
                    count += number(((different >> (number(width) * number(inside))) & number(mask)) != number(0))
        for element in range(number(whole), number(new.size)):
            positions[count] = element
            values[count] = new[element]
            count += number(old[element] != new[element])
        return count

    return _compiled(find)


def room(most: int, itemsize: int) -> int:
    """Elements of the buffers that `find` needs to find up to `most`: it counts after so many lines, and the rest."""
    return most + (LINES + 1) * LINE // itemsize + 1


def overwriter() -> Loop:
    """`overwrite(gaps, longs, long, values, target) -> 0`, or what is wrong: see `OVERWRITE_ERRORS`.

    Writes each of `values` where `gaps` says, see `gaps`; a gap of `long` stands for the next of `longs`. What is
    read is believed nothing: an error leaves what was written before it.
    """
    with _making:
        return _overwriter()


@cache
def _overwriter() -> Loop:
    def overwrite(gaps: Any, longs: Any, long: Any, values: Any, target: Any) -> int:
        position, used = np.int64(-1), np.int64(0)
        for index in range(gaps.size):
            step = np.int64(gaps[index])
            if step == long:
                if used == longs.size:
                    return 1
                step = np.int64(longs[used])
                used += 1
            position += step + 1
            if position >= target.size:
                return 2
            target[position] = values[index]
        return 3 if used < longs.size else 0

    return _compiled(overwrite)


OVERWRITE_ERRORS = ("", "fewer long gaps than there should be", "a change beyond the last element",
                    "more long gaps than there should be")  # fmt: skip


def _compiled(function: Loop) -> Loop:
    try:
        import numba  # with LLVM it is larger than the rest of the core
    except ImportError as error:
        raise ImportError("deltas of weights need numba: pip install 'earwitness[weights]'") from error
    compiled: Loop = numba.njit(function, nogil=True)
    return compiled
