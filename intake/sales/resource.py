"""`GET /sales/{sale}`: what everyone may know of a sale. Owns its document, made anew with what it is made of."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import UNSET

from catalogue.cache.items import LOW_UNITS
from doorbuster.contract.offers import OfferedProduct, OfferedRoom, OfferedSale
from doorbuster.contract.problems import JSON
from intake.sales.limits import limits_of
from intake.sales.offered import SaleDocument
from intake.sales.offers import price_of
from intake.sales.phase import effective_phase
from intake.web.problems import RefusedError
from intake.web.query_parameters import refuse_unknown_params
from intake.web.urls import page_of
from waitingroom.room import Mode
from waitingroom.sale_config import mode_of

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from db.products.offers import SaleOffer
    from db.sales import Sale
    from doorbuster.contract.fields import EffectivePhase
    from doorbuster.contract.room import RoomMode
    from intake.sales.cache import CachedSale, Sales
    from intake.sales.offers import OfferCache

_encode = msgspec.json.Encoder().encode


class ShowSale:
    """Resource of a sale as everyone sees it."""

    def __init__(self, offering: OfferCache, sales: Sales) -> None:
        self._offering, self._sales = offering, sales

    async def on_get(self, req: Request, resp: Response, sale: str) -> None:
        """Show it."""
        refuse_unknown_params(req)
        known = self._sales.fresh(sale) or await self._sales.get(sale)
        if known is None:
            raise RefusedError("sale_not_found", f"There is no sale {sale[:64]!r}")
        document = await self._document(known)
        resp.set_headers({"Cache-Control": "public, max-age=1", "ETag": document.etag, "Content-Type": JSON})
        if has_validator(req.get_header("If-None-Match"), document.etag):
            resp.status = 304
            return
        resp.data = document.data

    async def _document(self, known: CachedSale) -> SaleDocument:
        offers = await self._offering.of(known)
        phase = effective_phase(known.sale, later_s=time.monotonic() - known.taken_at)
        kept = known.document
        if kept is not None and kept.offers is offers and kept.phase == phase:
            return kept
        data = _encode(_shown(known, phase, list(offers.by_id.values())))
        made = SaleDocument(data, f'"{hashlib.blake2b(data, digest_size=12).hexdigest()}"', offers, phase)
        known.document = made
        return made


def has_validator(header: str | None, etag: str) -> bool:
    """Say whether an If-None-Match header names what would be answered (RFC 9110 section 13.1.2)."""
    if header is None:
        return False
    named = {one.strip().removeprefix("W/") for one in header.split(",")}
    return "*" in named or etag.removeprefix("W/") in named


def _shown(known: CachedSale, phase: EffectivePhase, offers: list[SaleOffer]) -> OfferedSale:
    sale = known.sale
    gone = set.intersection(*(lane.sold_out for lane in known.lanes))
    return OfferedSale(
        sale_id=sale.sale_id,
        name=sale.name or sale.sale_id,
        phase=phase,
        starts_at=sale.starts_at,
        ends_at=sale.ends_at or UNSET,
        resumes_at=(sale.resumes_at or UNSET) if phase == "hold" else UNSET,
        room=_room(sale),
        products=[_product(offer, is_gone=offer.product_id in gone) for offer in offers],
    )


def _room(sale: Sale) -> OfferedRoom:
    mode = mode_of(sale)
    if mode is Mode.OFF:
        return OfferedRoom(mode="off")
    shown: RoomMode = "always" if mode is Mode.ALWAYS else "safety_net"
    return OfferedRoom(mode=shown, page_url=page_of(sale.sale_id), status_url=f"/sales/{sale.sale_id}/room")


def _product(offer: SaleOffer, *, is_gone: bool) -> OfferedProduct:
    price = price_of(offer)
    has: Literal["low", "in_stock"] = "low" if offer.units <= LOW_UNITS else "in_stock"
    return OfferedProduct(
        product_id=offer.product_id,
        name=offer.name,
        price=price,
        regular_price=UNSET if price == offer.price else offer.price,
        currency=offer.currency,
        limits=limits_of(offer) or UNSET,
        availability="sold_out" if is_gone or offer.units <= 0 else has,
    )
