"""What people have of a sale's limited products, as a drain remembers it. Owns that memory; asks nobody.

Exact once it has heard of all that was counted: whoever counts gives the product a higher number, under its lock, so a
drain that holds the lock sees whether anything was, and reads just that (`db/work/people_counts.py`). It hears of its
own batch when that is committed, and else from Postgres like anybody's. Of nearly all people it is asked once and the
answer is nothing; so they lie close together, about 30 bytes each, and are found without an object for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from struct import Struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from db.work.people_counts import Counted, UnitsByPerson

_IDENTITY = 16
_TAIL = Struct("<Ii")
"""Behind an identity: the product's place in the list, and the units."""
_ENTRY = _IDENTITY + _TAIL.size


class PeopleMemory:
    """Of one sale, by product and identity."""

    def __init__(self) -> None:
        self._buckets: dict[bytes, bytearray] = {}
        """Entries by the first two bytes of their identities, which are as good as random."""
        self._products: list[str] = []
        self._places: dict[str, int] = {}
        self._numbers: dict[str, int] = {}

    def behind(self, numbers: Mapping[str, int]) -> dict[str, int]:
        """Return up to which number these products are known, of those that have a higher one."""
        known = self._numbers
        return {one: known.get(one, 0) for one, number in numbers.items() if number > known.get(one, 0)}

    def find(self, identities: Iterable[bytes]) -> UnitsByPerson:
        """Return the units of those of them who are known, by product."""
        found: UnitsByPerson = {}
        bucket_of = self._buckets.get
        for identity in identities:
            bucket = bucket_of(identity[:2])
            if bucket is not None and identity in bucket:
                for at in _places(bucket, identity):
                    place, units = _TAIL.unpack_from(bucket, at + _IDENTITY)
                    found.setdefault(self._products[place], {})[identity] = units
        return found

    def hear(self, counted: Iterable[Counted]) -> None:
        """Take in what was counted, in the order of its numbers."""
        for product_id, number, units, packed in counted:
            names = [packed[at : at + _IDENTITY] for at in range(0, len(packed), _IDENTITY)]
            self.count(product_id, dict.fromkeys(names, units))
            self.note(product_id, number)

    def note(self, product_id: str, number: int) -> None:
        """Say that all that was counted of a product up to this number is known."""
        self._numbers[product_id] = max(number, self._numbers.get(product_id, 0))

    def add(self, product_id: str, units: int, identities: Iterable[bytes]) -> None:
        """Count so many units for each of these, of whom none is known, nor named twice."""
        buckets, tail = self._buckets, _TAIL.pack(self._place(product_id), units)
        for identity in identities:
            first = identity[:2]
            if first in buckets:
                buckets[first] += identity + tail
            else:
                buckets[first] = bytearray(identity + tail)

    def count(self, product_id: str, counts: Mapping[bytes, int]) -> None:
        """Count units for each of these, known or not."""
        place = self._place(product_id)
        for identity, units in counts.items():
            bucket = self._buckets.setdefault(identity[:2], bytearray())
            for at in _places(bucket, identity) if identity in bucket else ():
                whose, had = _TAIL.unpack_from(bucket, at + _IDENTITY)
                if whose == place:
                    _TAIL.pack_into(bucket, at + _IDENTITY, place, had + units)
                    break
            else:
                bucket += identity + _TAIL.pack(place, units)

    def _place(self, product_id: str) -> int:
        place = self._places.get(product_id)
        if place is None:
            place = self._places[product_id] = len(self._products)
            self._products.append(product_id)
        return place


def _places(bucket: bytearray, identity: bytes) -> Iterator[int]:
    """Yield where entries of an identity begin; its bytes may also stand elsewhere, by chance."""
    at = bucket.find(identity)
    while at >= 0:
        if at % _ENTRY == 0:
            yield at
        at = bucket.find(identity, at + 1)
