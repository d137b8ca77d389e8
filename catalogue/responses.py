"""Products and pages as they are shown: bytes, validators, cache headers. Owns their form; never does I/O.

A price flips exactly at its time because it is evaluated here, each time the present form has run out.
"""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec import UNSET, Struct, UnsetType

from catalogue.cache import subjects
from catalogue.cache.items import availability, decode_item, decode_page
from catalogue.prices import price_at
from doorbuster.contract.catalogue import ShownProduct
from doorbuster.contract.problems import JSON

if TYPE_CHECKING:
    from catalogue.cache.read_through import Copy
    from db.products.catalogue import Item

_encode = msgspec.json.Encoder().encode
NEVER = float("inf")


class ShownPage(Struct, kw_only=True):
    """Body of `GET /products`."""

    items: list[ShownProduct]
    next_cursor: str | UnsetType = UNSET


class Messages(NamedTuple):
    """An answer as messages of ASGI."""

    start: dict[str, Any]
    content: dict[str, Any]
    unchanged: dict[str, Any]
    """The start of a 304."""


class Shown(NamedTuple):
    """An answer, ready to send."""

    found: bool
    body: bytes
    etag: str
    headers: dict[str, str]
    until: float
    """Unix time from which it must be made anew."""
    messages: Messages | None = None
    """The same for the fast path, of a product that is found."""


class CacheTerms(NamedTuple):
    """How long others may keep an answer."""

    cdn_s: int
    stale_s: int


def show_product(copy: Copy, terms: CacheTerms) -> Shown:
    """Make the answer of a product's copy."""
    item = decode_item(copy.body)
    tags = subjects.tag(copy.source.subject)
    if item is None or not item.active:
        # The answer is a problem, which nobody keeps but a CDN that is told to let go of it.
        kept = {"Surrogate-Key": tags, "Surrogate-Control": f"max-age={terms.cdn_s}"}
        return Shown(found=False, body=b"", etag="", headers=kept, until=NEVER)
    shown, until = show_item(item, copy.units[0] if copy.units else None, _now_us())
    body = _encode(shown)
    # The version says which row, the digest which price and availability.
    etag = f'"{item.version}-{blake2b(body, digest_size=6).hexdigest()}"'
    tags = f"{tags} {subjects.category_tag(item.category)}"
    headers = _headers(terms, until, tags) | {"ETag": etag}
    return _with_messages(Shown(found=True, body=body, etag=etag, headers=headers, until=_again(terms, until)))


def _with_messages(shown: Shown) -> Shown:
    fields = [(name.lower().encode(), value.encode()) for name, value in shown.headers.items()]
    whole = [*fields, (b"content-type", JSON.encode()), (b"content-length", b"%d" % len(shown.body))]
    return shown._replace(
        messages=Messages(
            start={"type": "http.response.start", "status": 200, "headers": whole},
            content={"type": "http.response.body", "body": shown.body},
            unchanged={"type": "http.response.start", "status": 304, "headers": fields},
        )
    )


def show_page(copy: Copy, category: str | None, limit: int, terms: CacheTerms) -> Shown:
    """Make the answer of a page's copy."""
    items = decode_page(copy.body)
    now_us = _now_us()
    units = copy.units or (None,) * len(items)
    several = [show_item(item, left, now_us) for item, left in zip(items[:limit], units, strict=False)]
    page = ShownPage(items=[one for one, _ in several])
    if len(items) > limit:
        page.next_cursor = items[limit - 1].product_id
    until = min((moment for _, moment in several), default=NEVER)
    body = _encode(page)
    tags = subjects.tag(copy.source.subject)
    if category is not None:
        tags = f"{tags} {subjects.category_tag(category)}"
    etag = etag_of(body)
    headers = _headers(terms, until, tags) | {"ETag": etag}
    return Shown(found=True, body=body, etag=etag, headers=headers, until=_again(terms, until))


def etag_of(body: bytes) -> str:
    """Return a strong validator of an answer without a version."""
    return f'"{blake2b(body, digest_size=12).hexdigest()}"'


def _now_us() -> int:
    return time.time_ns() // 1000


def show_item(item: Item, units: int | None, now_us: int) -> tuple[ShownProduct, float]:
    """Return the product as shown at a moment, and the Unix time from which that no longer holds."""
    price, until_us = price_at(item.price, item.windows, now_us)
    shown = ShownProduct(
        product_id=item.product_id,
        name=item.name,
        brand=item.brand,
        category=item.category,
        price=price,
        currency=item.currency,
        availability=availability(item, units),
        version=item.version,
        updated_at=item.updated_at,
    )
    if item.attributes is not None:
        shown.description, shown.attributes = item.description, item.attributes
    if price != item.price:
        shown.regular_price = item.price
    if until_us is None:
        return shown, NEVER
    shown.price_until = datetime.fromtimestamp(until_us / 1_000_000, UTC)
    return shown, until_us / 1_000_000


def cache_control(terms: CacheTerms, until: float) -> str:
    """Let nobody keep an answer beyond the moment its price flips."""
    left = until - time.time()
    if left > terms.cdn_s + terms.stale_s:
        return f"public, max-age=1, s-maxage={terms.cdn_s}, stale-while-revalidate={terms.stale_s}"
    kept = _whole_seconds(left)
    return f"public, max-age={min(1, kept)}, s-maxage={min(kept, terms.cdn_s)}"


def _again(terms: CacheTerms, until: float) -> float:
    """Return when to make an answer anew: when others must be told to keep it for less, at last when a price flips."""
    left, whole = until - time.time(), terms.cdn_s + terms.stale_s
    return until - (whole if left > whole else _whole_seconds(left))


def _whole_seconds(left: float) -> int:
    """Return the whole seconds for which something may be kept that is shown until fewer than these are left."""
    return max(0, math.ceil(left) - 1)


def _headers(terms: CacheTerms, until: float, tags: str) -> dict[str, str]:
    return {
        "Cache-Control": cache_control(terms, until),
        "Surrogate-Key": tags,
        "X-Content-Type-Options": "nosniff",
    }
