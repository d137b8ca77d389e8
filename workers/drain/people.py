"""Limits on people in a batch: which identities a product's limits meet, and of whom only one order can be meant.

Pure: no I/O. Nearly all people order once. So what costs is done for all of a batch at once, and only those who are
known from before, or come more than once, are counted one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import lru_cache
from itertools import chain
from struct import Struct
from typing import TYPE_CHECKING, Any

from doorbuster.values.identities import KINDS, SIZE

if TYPE_CHECKING:
    from doorbuster.orderstore.entry import OrderEntry

Limits = tuple[int | None, ...]
"""By e-mail, card, address and device, in the order of `KINDS`; None: there is none."""


class PeopleLimits:
    """Limits of a product, with what is read by them."""

    __slots__ = ("_names", "least", "most")

    def __init__(self, most: Limits) -> None:
        self.most = most
        self.least = min((limit for limit in most if limit is not None), default=0)
        self._names: dict[bytes, tuple[bytes, ...]] = {}

    def names(self, packed: bytes) -> tuple[bytes, ...]:
        """Return the identities of these that have a limit."""
        names = self._names.get(packed)
        if names is None:
            names = self._names[packed] = _reader(packed[::SIZE], self.most)(packed)
        return names

    def over(self, packed: bytes, units: int, had: Callable[[bytes], int]) -> dict[str, Any] | None:
        """Return the first limit that so many units more are over, with its figures; None: all is allowed."""
        for at in range(0, len(packed), SIZE):
            limit = self.most[packed[at] - 1]
            if limit is not None:
                before = had(packed[at + 1 : at + SIZE])
                if before + units > limit:
                    return {"by": KINDS[packed[at] - 1], "limit": limit, "had": before}
        return None


def strictest(all_of_them: Collection[PeopleLimits]) -> PeopleLimits | None:
    """Return limits that meet whoever any of these meets; None: there are none."""
    if len(all_of_them) <= 1:
        return next(iter(all_of_them), None)
    return PeopleLimits(
        tuple(
            min((one.most[kind] for one in all_of_them if one.most[kind] is not None), default=None)  # type: ignore[type-var] # no None is left
            for kind in range(len(KINDS))
        )
    )


def people_of(orders: Iterable[OrderEntry], limits: PeopleLimits) -> list[bytes]:
    """Return the identities that the limits meet, order by order."""
    return list(chain.from_iterable(_each(orders, limits)))


def repeated(names: list[bytes]) -> set[bytes]:
    """Return what is there more than once."""
    if len(set(names)) == len(names):
        return set()
    return {one for one, times in Counter(names).items() if times > 1}


def _each(orders: Iterable[OrderEntry], limits: PeopleLimits) -> Iterator[tuple[bytes, ...]]:
    for order in orders:
        if order.identities is not None:
            yield limits.names(order.identities)


@lru_cache(maxsize=256)
def _reader(kinds: bytes, most: Limits) -> Callable[[bytes], tuple[bytes, ...]]:
    """Return what takes the limited identities out of packed ones of these kinds."""
    return Struct("".join(f"{SIZE}x" if most[kind - 1] is None else f"x{SIZE - 1}s" for kind in kinds)).unpack
