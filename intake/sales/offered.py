"""What a process keeps of a sale beside its row: what it offers, and the document made of that. Owns the two values."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from db.products.offers import SaleOffer
    from doorbuster.contract.fields import EffectivePhase


class Offers(NamedTuple):
    """What a sale offers, by product id; the version of its row, and when it was read."""

    by_id: dict[str, SaleOffer]
    version: int
    read_at: float


class SaleDocument(NamedTuple):
    """The bytes, their validator, and what they were made of."""

    data: bytes
    etag: str
    offers: Offers
    phase: EffectivePhase
