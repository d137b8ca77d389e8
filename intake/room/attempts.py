"""A browser's attempts to buy: the idempotency key of each, and which orders came of them. Owns both; posts nothing.

The key is made from what is bought and from the last order of it that the browser has shown. So a page that is loaded
anew, another tab, or a form that is sent again after an answer was lost has the same key, until the order's page has
been seen: only then is another press of the button another order.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, NamedTuple

from waitingroom.keyring import encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from intake.room.browser import Browser
    from waitingroom.admissions import Admission

KEPT_MAX = 12
"""Orders that a browser remembers of a sale, the latest."""
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that sounds or looks like another sign."""
_SPOKEN_DIGITS = 5
_ID = "[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
_PLACED = re.compile(f"({_ID})_([0-9a-f]{{8}})_([0-9]{{1,20}}-[0-9]{{1,20}})?_(seen)?")
_BETWEEN = "~"


class Placed(NamedTuple):
    """An order of the browser's."""

    order_id: str
    product: str
    """Digest of its product."""
    admission: str
    """Which admission paid for it; empty: none was needed."""
    seen: bool = False
    """Whether its page has been shown."""

    @property
    def number(self) -> str:
        """The order's short number."""
        return spoken(self.order_id)


def spoken(order_id: str) -> str:
    """Return an order's number to be told over the phone: four signs that stand for the last five digits of its id."""
    rest, signs = int(order_id.replace("-", "")[-_SPOKEN_DIGITS:], 16), ""
    for _ in range(_SPOKEN_DIGITS * 4 // 5):
        rest, sign = divmod(rest, len(_ALPHABET))
        signs = _ALPHABET[sign] + signs
    return signs


def read_placed(text: str | None) -> list[Placed]:
    """Return the orders that a cookie names, the oldest first; what is none is left out."""
    found = map(_PLACED.fullmatch, (text or "").split(_BETWEEN)[-KEPT_MAX:])
    return [Placed(one[1], one[2], one[3] or "", one[4] is not None) for one in found if one]


def write_placed(placed: Iterable[Placed]) -> str:
    """Return the cookie that names these orders."""
    kept = list(placed)[-KEPT_MAX:]
    return _BETWEEN.join("_".join((*one[:3], "seen" if one.seen else "")) for one in kept)


def links_of(placed: Iterable[Placed], sale_id: str) -> list[tuple[str, str]]:
    """Return of each order its short number and the address of its page."""
    return [(one.number, f"/shop/{sale_id}/orders/{one.order_id}") for one in placed]


def mark_of(admission: Admission | None) -> str:
    """Return which admission it is, among those of a sale."""
    return "" if admission is None else f"{admission.epoch}-{admission.number}"


def digest_of(product_id: str) -> str:
    """Return which product it is, among those of a sale."""
    return hashlib.blake2b(product_id.encode(), digest_size=4).hexdigest()


def key_of(browser: Browser, sale_number: int, product_id: str, placed: Iterable[Placed]) -> str:
    """Return the idempotency key of the browser's next order of a product."""
    digest = digest_of(product_id)
    last = next((one.order_id for one in reversed(list(placed)) if one.product == digest and one.seen), "")
    parts = (browser.value, str(sale_number), product_id, last)
    packed = b"".join(b"%d:%b" % (len(part.encode()), part.encode()) for part in parts)
    return encode(hashlib.sha256(b"attempt:" + packed).digest()[:18])
