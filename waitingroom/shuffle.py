"""The shuffle of the lobby: whose number gets which place. Owns permutation, seed and proof; never does I/O.

Before the start the sale publishes SHA-256(secret). At the start the cohort N is fixed, and
seed = SHA-256(secret || N as 8 bytes, big endian || beacon in UTF-8). Nobody picks the order: the secret was committed
to before N was known, and the beacon, if there is one, is a public value that nobody controls. Afterwards the secret is
published, and anyone can recompute every place.

The permutation is the generalised Feistel network of Black and Rogaway ("Ciphers with arbitrary finite domains", 2002)
over a x b >= N, walked until it lands under N: O(1) a visitor, nothing stored. Its round function is the first eight
bytes of SHA-256(seed || round as one byte || value as eight bytes, big endian).
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from math import isqrt
from typing import Final

ROUNDS: Final = 8


def commitment(secret: bytes) -> str:
    """Return what is published before the start: SHA-256 of the secret, in hexadecimal digits."""
    return hashlib.sha256(secret).hexdigest()


def seed_of(secret: bytes, cohort: int, beacon: str = "") -> bytes:
    """Return the seed of a cohort's shuffle, 32 bytes."""
    return hashlib.sha256(secret + cohort.to_bytes(8, "big") + beacon.encode()).digest()


def permute(index: int, size: int, seed: bytes) -> int:
    """Return where a seeded permutation of `range(size)` puts `index`."""
    if not 0 <= index < size:
        raise ValueError(f"{index} is not under {size}")
    a = isqrt(size - 1) + 1 if size > 1 else 1
    b = -(-size // a)
    while True:
        index = _network(index, (a, b), seed)
        if index < size:
            return index


def _network(index: int, sides: tuple[int, int], seed: bytes) -> int:
    right, left = divmod(index, sides[0])
    for turn in range(ROUNDS):
        digest = hashlib.sha256(seed + turn.to_bytes(1, "big") + right.to_bytes(8, "big")).digest()
        left, right = right, (left + int.from_bytes(digest[:8], "big")) % sides[turn & 1]
    return right * sides[0] + left


@lru_cache(maxsize=65_536)
def place_of(number: int, cohort: int, seed: bytes) -> int:
    """Return the place (from 1) of a ticket's number: shuffled within the cohort, in order of arrival behind it.

    An empty seed: there was no lobby, or it is not shuffled yet; the place is the number.
    """
    if number > cohort or not seed:
        return number
    return 1 + permute(number - 1, cohort, seed)
