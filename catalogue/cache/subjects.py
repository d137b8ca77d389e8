"""What can change and what is then wrong: the names of subjects, and of the tags CDNs know them by. Pure.

A product is a subject; so is each category's listing, and the listing of everything. A subject has parts: a product
one, a listing its pages.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from db.products.catalogue_changes import Change

EVERYTHING = "listing"
"""The listing of all categories."""
TAG_MAX = 120
DIGEST = "sha256:"


class MinVersion(NamedTuple):
    """Nothing older may be shown: the least version, and the log position from which it can be read."""

    version: int
    lsn: int


NO_FLOOR = MinVersion(0, 0)


def product(product_id: str) -> str:
    """Return the subject of a product."""
    return f"product/{product_id}"


def listing(category: str) -> str:
    """Return the subject of a category's listing."""
    return f"{EVERYTHING}/{category}"


def floors(changes: Iterable[Change], lsn: int) -> dict[str, MinVersion]:
    """Return what the changes put a floor under; listings have the log's position as their version."""
    raised: dict[str, MinVersion] = {}
    for change in changes:
        subject = product(change.product_id)
        if change.version > raised.get(subject, NO_FLOOR).version:
            raised[subject] = MinVersion(change.version, lsn)
        for name in {change.category, change.former_category} - {None}:
            raised[listing(str(name))] = MinVersion(lsn, lsn)
        raised[EVERYTHING] = MinVersion(lsn, lsn)
    return raised


def category_tag(category: str) -> str:
    """Return the surrogate key of all that belongs to a category, for people to purge by; changes purge less."""
    return tag(f"category/{category}")


def tag(subject: str) -> str:
    """Return the subject as a surrogate key: one word of plain characters, long ones by digest.

    No two subjects share one: a digest is marked by a colon, which no quoted name has.
    """
    kind, slash, name = subject.partition("/")
    quoted = quote(name, safe="")
    if len(quoted) > TAG_MAX:
        quoted = f"{DIGEST}{hashlib.sha256(name.encode()).hexdigest()[:32]}"
    return f"{kind}{slash}{quoted}"
