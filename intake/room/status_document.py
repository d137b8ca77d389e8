"""The status document: one for everyone. Owns its making from a state; never does I/O.

What is committed to before the start stands in it from the beginning; the secret only once the shuffle is done.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from doorbuster.contract.room import PaceView, PollView, RoomStatus, SoldOutView
from doorbuster.values.timestamps import rfc3339_ms
from intake.sales.products_left import fill, products_of
from waitingroom.polling import poll_for
from waitingroom.sale_config import lobby_opens_at

if TYPE_CHECKING:
    from db.sales import Sale
    from doorbuster.contract.room import ChallengeView
    from intake.sales.cache import CachedSale
    from waitingroom.room import RoomState


class StatusDocument(NamedTuple):
    """The bytes, and their validator."""

    view: RoomStatus
    data: bytes
    etag: str


def document_of(cached: CachedSale, state: RoomState, challenge: ChallengeView, *, degraded: bool) -> StatusDocument:
    """Return the document of a state. The validator leaves out the time, so that a room at rest stays the same."""
    view = view_of(cached.sale, state, challenge, degraded=degraded)
    data = fill(view, products_of(cached))
    resting = data[: data.rindex(b',"at":')]
    return StatusDocument(view, data, f'W/"{hashlib.blake2b(resting, digest_size=12).hexdigest()}"')


def view_of(sale: Sale, state: RoomState, challenge: ChallengeView, *, degraded: bool) -> RoomStatus:
    """Return what everyone may know of a room."""
    config, poll = state.config, poll_for(state.config.grace_ms / 1000)
    opened = bool(state.seed)
    return RoomStatus(
        sale_id=sale.sale_id,
        mode=cast('Literal["safety_net", "always"]', config.mode.value),  # a sale without a room has no document
        phase=state.phase.value,
        needs_admission=state.needs_admission,
        frontier=state.frontier,
        tail=state.tail,
        waiting=state.waiting,
        rate_per_s=round(state.pace_per_s, 4),
        pace=PaceView(round(state.paces.least_per_s, 4), round(state.paces.most_per_s, 4)),
        admitted=state.counts.admitted,
        starts_at=sale.starts_at,
        lobby_opens_at=lobby_opens_at(sale),
        ends_at=sale.ends_at,
        cohort=state.cohort if state.places_known else None,
        commitment=config.commitment,
        seed=state.seed.hex() if opened else None,
        secret=sale.room_secret.hex() if opened else None,
        beacon=config.beacon,
        sold_out=SoldOutView(state.sold_out, list(state.sold_out_products)),
        message=config.message,
        poll=PollView(poll.min_s, poll.max_s, poll.share, poll.jitter),
        challenge=challenge,
        products=[],
        degraded=degraded,
        at=rfc3339_ms(state.now_ms),
    )
