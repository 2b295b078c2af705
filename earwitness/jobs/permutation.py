"""Shuffled orders of any length, a place at a time: nothing is as long as what is shuffled."""

from __future__ import annotations

import hashlib

ROUNDS = 4
"""Rounds of a Feistel network with pseudo-random functions that make it a pseudo-random permutation (Luby, Rackoff)."""


def permuted(seed: str, count: int, place: int) -> int:
    """Where `place` of `count` comes to lie in the order that `seed` names: a permutation of 0 to count - 1.

    A Feistel network permutes the numbers of an even number of bits; those beyond `count` are permuted again until
    they are below it (cycle walking), in the mean less than four times.
    """
    half = max(1, ((count - 1).bit_length() + 1) // 2)
    mask = (1 << half) - 1
    key = hashlib.blake2b(seed.encode(), digest_size=16).digest()
    while True:
        left, right = place >> half, place & mask
        for turn in range(ROUNDS):
            word = hashlib.blake2b(right.to_bytes(8) + bytes([turn]), key=key, digest_size=8).digest()
            left, right = right, left ^ (int.from_bytes(word) & mask)
        place = left << half | right
        if place < count:
            return place
