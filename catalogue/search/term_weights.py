"""How much a word of a query says beside the others: the rarer, the more. Owns what is remembered of it, for a while.

How rare words are changes slowly, so a process asks its backend for a word once in a while.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

Ask = Callable[[Sequence[str]], Awaitable[dict[str, float]]]
"""Tells the rarity of words, from 1 on; 0 for words that do not count (the, of)."""

KEEP_S = 600.0
WORDS_MAX = 20_000


class Rarities:
    """The rarities of words that were asked for lately."""

    def __init__(self) -> None:
        self._known: dict[str, float] = {}
        self._since = time.monotonic()

    async def shares(self, words: Sequence[str], ask: Ask) -> list[float]:
        """Return each word's share, of 1 in all, in what is said; a word alone says all, and nobody is asked."""
        if len(words) < 2:
            return [1.0] * len(words)
        if time.monotonic() > self._since + KEEP_S or len(self._known) > WORDS_MAX:
            self._known, self._since = {}, time.monotonic()
        unknown = sorted(set(words) - self._known.keys())
        if unknown:
            self._known |= await ask(unknown)
        whole = sum(self._known[word] for word in words) or 1.0
        return [self._known[word] / whole for word in words]
