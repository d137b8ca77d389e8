"""What people have of a sale's limited products, as a drain remembers it. Owns that memory; asks nobody.

Exact once it has heard of all that was counted: whoever counts gives the product a higher number, under its lock, so a
drain that holds the lock sees whether anything was, and reads just that (`db/work/people_counts.py`). It hears of its
own batch when that is committed, and else from Postgres like anybody's.

Nearly all people order once, so it is asked of each, and the answer is nothing. Up to `RECENT_MAX` lie in a dictionary,
which is fastest; what was there before lies close together, about 30 bytes each, without an object for each.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import repeat
from struct import Struct
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from db.work.people_counts import PeopleCounted, UnitsByPerson

RECENT_MAX = 400_000
"""Identities in the dictionary, of about 120 bytes each: those of 100,000 orders that name four."""
_IDENTITY = 16
_TAIL = Struct("<Ii")
"""Behind an identity: the product's place in the list, and the units."""
_ENTRY = _IDENTITY + _TAIL.size
_SEEN_SHIFT, _BUCKET_MASK = 7, 0xFFF
_Had: TypeAlias = tuple[tuple[str, int], ...]
"""Products and units of one identity; the same object for all who have the same."""


class PeopleMemory:
    """Of one sale, by product and identity."""

    def __init__(self, recent_max: int = RECENT_MAX) -> None:
        self._recent: dict[bytes, _Had] = {}
        self._recent_max = recent_max
        self._older = _Compact()
        self._numbers: dict[str, int] = {}

    def behind(self, numbers: Mapping[str, int]) -> dict[str, int]:
        """Return up to which number these products are known, of those that have a higher one."""
        known = self._numbers
        return {one: known.get(one, 0) for one, number in numbers.items() if number > known.get(one, 0)}

    def find(self, identities: Iterable[bytes]) -> UnitsByPerson:
        """Return the units of those of them who are known, by product."""
        found: UnitsByPerson = {}
        names = list(identities)
        recent = self._recent
        for identity in filter(recent.__contains__, names):
            for product_id, units in recent[identity]:
                found.setdefault(product_id, {})[identity] = units
        if self._older:
            for identity in self._older.known(names):
                for product_id, units in self._older.of(identity):
                    counts = found.setdefault(product_id, {})
                    counts[identity] = counts.get(identity, 0) + units
        return found

    def hear(self, counted: Iterable[PeopleCounted]) -> None:
        """Take in what was counted, in the order of its numbers."""
        for product_id, number, units, packed in counted:
            self.add(product_id, units, [packed[at : at + _IDENTITY] for at in range(0, len(packed), _IDENTITY)])
            self.note(product_id, number)

    def note(self, product_id: str, number: int) -> None:
        """Say that all that was counted of a product up to this number is known."""
        self._numbers[product_id] = max(number, self._numbers.get(product_id, 0))

    def add(self, product_id: str, units: int, identities: Collection[bytes]) -> None:
        """Count so many units more for each of these, none of which is named twice."""
        recent = self._recent
        if recent.keys().isdisjoint(identities):
            recent.update(zip(identities, repeat(((product_id, units),))))
        else:
            self.count(product_id, dict.fromkeys(identities, units))
        self._move_on()

    def count(self, product_id: str, counts: Mapping[bytes, int]) -> None:
        """Count units for each of these."""
        recent = self._recent
        for identity, units in counts.items():
            had = recent.get(identity)
            if had is None:
                recent[identity] = ((product_id, units),)
            else:
                of_it = dict(had)
                of_it[product_id] = of_it.get(product_id, 0) + units
                recent[identity] = tuple(of_it.items())
        self._move_on()

    def _move_on(self) -> None:
        """Move all to the others when there are too many."""
        if len(self._recent) > self._recent_max:
            self._older.take_in(self._recent)
            self._recent.clear()


class _Compact:
    """Units by product and identity, close together: each entry is so many more."""

    def __init__(self) -> None:
        self._seen = bytearray()
        """By 25 bits of their identities, whether anybody has these: of who is new nearly nothing else is looked at."""
        self._buckets: list[bytearray] = []
        """Entries, by 12 bits."""
        self._products: list[str] = []
        self._places: dict[str, int] = {}

    def __bool__(self) -> bool:
        return bool(self._buckets)

    def known(self, identities: Collection[bytes]) -> set[bytes]:
        """Return those of them who may be known; by chance one who is not."""
        seen, buckets = self._seen, self._buckets
        return {
            one
            for one, mark in zip(identities, _marks(identities), strict=True)
            if seen[mark >> _SEEN_SHIFT] and one in buckets[mark & _BUCKET_MASK]
        }

    def of(self, identity: bytes) -> Iterator[tuple[str, int]]:
        """Yield products and units of someone; a product may come several times."""
        bucket = self._buckets[_marks((identity,))[0] & _BUCKET_MASK]
        at = bucket.find(identity)
        while at >= 0:
            if at % _ENTRY == 0:  # elsewhere its bytes stand by chance
                place, units = _TAIL.unpack_from(bucket, at + _IDENTITY)
                yield self._products[place], units
            at = bucket.find(identity, at + 1)

    def take_in(self, people: Mapping[bytes, _Had]) -> None:
        """Count all of these."""
        self._seen = seen = self._seen or bytearray(1 << (32 - _SEEN_SHIFT))
        self._buckets = self._buckets or [bytearray() for _ in range(_BUCKET_MASK + 1)]
        entries: list[list[bytes]] = [[] for _ in self._buckets]
        tails = {had: [_TAIL.pack(self._place(one), units) for one, units in had] for had in set(people.values())}
        for (identity, had), mark in zip(people.items(), _marks(people), strict=True):
            seen[mark >> _SEEN_SHIFT] = 1
            for tail in tails[had]:
                entries[mark & _BUCKET_MASK].append(identity + tail)
        for bucket, those in zip(self._buckets, entries, strict=True):
            bucket += b"".join(those)

    def _place(self, product_id: str) -> int:
        place = self._places.get(product_id)
        if place is None:
            place = self._places[product_id] = len(self._products)
            self._products.append(product_id)
        return place


def _marks(identities: Iterable[bytes]) -> array[int]:
    """Return a number of 32 bits of each identity, which is as good as random."""
    return array("I", b"".join(identities))[1::4]
