"""Finds the knee, the highest rate held: doubles until one is not, then halves the gap. Pure but for the probe."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

CLOSE = 0.1
"""The gap that is left between the highest rate held and the lowest not held, as a share of the former."""
PROBES_MAX = 24
MARGIN = 0.2
"""How much below the knee the proposed rate is."""

Probe = Callable[[float], Awaitable[bool]]
"""Holds a rate for a while and says whether everything kept up."""


class Knee(msgspec.Struct, frozen=True):
    """What a search found."""

    held: float | None
    """The highest rate that was held; None: none was."""
    broke: float | None
    """The lowest that was not; None: none up to the bound."""

    @property
    def proposed(self) -> float | None:
        """The rate to set: below the knee by the margin; where none was found, what was held."""
        if self.held is None:
            return None
        return round(self.held if self.broke is None else self.held * (1 - MARGIN), 1)


async def find(probe: Probe, *, start: float, most: float, least: float = 1.0) -> Knee:
    """Search from a rate on, up to `most`; a rate that breaks is tried once more, for a hiccup is no knee."""
    held: float | None = None
    broke: float | None = None
    rate, probes = min(start, most), 0
    while probes < PROBES_MAX:
        probes += 1
        good = await probe(rate) or await probe(rate)
        if good:
            held = rate
        else:
            broke = rate
        if broke is None:
            if rate >= most:
                break
            rate = min(rate * 2, most)
        elif held is None:
            if rate <= least:
                break
            rate = max(rate / 2, least)
        elif broke - held <= held * CLOSE:
            break
        else:
            rate = (held + broke) / 2
    return Knee(held, broke)
