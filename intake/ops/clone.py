"""`POST /ops/sales/{sale}/clone`: a sale like another, at another time. Owns what is copied, and what is made anew.

Of the room neither access codes nor the beacon are copied: who had a code had it for that sale, and a draw has its own
beacon. Seed, commitment and keys of identities are new, as those of every sale.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from db import sales as rows
from doorbuster.contract.night.schedule import CloneRequest
from doorbuster.errors import InvalidError
from doorbuster.values.timeline import PlanEntry
from intake.ops.change_log import note
from intake.ops.sale_change import check_lobby
from intake.ops.sales import existing, show
from intake.sales.plan_check import PlannedWindow, check_timeline
from intake.server.asgi import BODY
from intake.web.requests import body_of
from intake.web.responses import write

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from db.sales import Sale, SaleSpec
    from intake.changes.publish import ChangePublisher
    from intake.database import Database

_decoder = msgspec.json.Decoder(CloneRequest)
_raw = msgspec.json.Decoder(dict[str, Any]).decode
_OF_ITS_OWN = frozenset({"access_codes", "beacon"})


class CloneSale:
    """Resource of the copies of a sale."""

    def __init__(self, database: Database, publishing: ChangePublisher) -> None:
        self._database, self._publishing = database, publishing

    async def on_post(self, req: Request, resp: Response, sale: str) -> None:
        """Make one: scheduled where it has a start to come, on hold where nobody said when it is to begin."""
        request = await body_of(req, _decoder)
        async with self._database.working() as connection, connection.transaction():
            original = await existing(connection, sale)
            is_held = request.starts_at is None and original.starts_at <= original.read_at
            made = await rows.create_sale(connection, _spec(original, request, is_held=is_held))
            if is_held:
                made = await rows.set_phase(connection, made.sale_id, "hold")
            noted = _raw(req.scope[BODY]) | {"clone_of": original.sale_id}
            await note(connection, req, "create", f"sale:{made.sale_id}", noted)
        await self._publishing.sale(made)
        resp.set_header("Location", f"/ops/sales/{made.sale_id}")
        write(resp, show(made), 201)


def _spec(sale: Sale, request: CloneRequest, *, is_held: bool) -> SaleSpec:
    """Return what the copy is made of, all its times moved by as much as its start.

    Of a copy on hold the plan names no phase: it would open without anybody having said when it is to begin.

    Raises:
        InvalidError: the times do not fit together.
    """
    starts_at = request.starts_at or max(sale.starts_at, sale.read_at)
    by = starts_at - sale.starts_at
    ends_at = request.ends_at or (None if sale.ends_at is None else _moved(sale.ends_at, by, "ends_at"))
    room = {name: value for name, value in sale.base_room.items() if name not in _OF_ITS_OWN}
    if (lobby := room.get("lobby_opens_at")) is not None:
        opens_at = _moved(datetime.fromisoformat(lobby), by, "room.lobby_opens_at")
        check_lobby(starts_at, opens_at)
        room["lobby_opens_at"] = opens_at
    timeline = [
        PlanEntry(
            at=_moved(one.at, by, f"timeline[{place}].at"),
            phase=None if is_held else one.phase,
            room={name: value for name, value in one.room.items() if name not in _OF_ITS_OWN},
        )
        for place, one in enumerate(sale.timeline)
    ]
    timeline = [one for one in timeline if one.phase is not None or one.room]
    check_timeline(timeline, PlannedWindow(starts_at, ends_at))
    return rows.SaleSpec(
        sale_id=request.sale_id,
        name=sale.name if request.name is None else request.name,
        products=list(sale.products.values()),
        starts_at=starts_at,
        ends_at=ends_at,
        partitions=sale.partitions,
        hold_s=sale.hold_s,
        prewarm_lead_s=sale.prewarm_lead_s,
        prewarm=sale.prewarm_given,
        timeline=timeline,
        room=room,
        payment=sale.payment,
        hold_extension_s=sale.hold_extension_s,
        standby_max=sale.standby_max,
    )


def _moved(at: datetime, by: timedelta, field: str) -> datetime:
    try:
        return at + by
    except OverflowError as error:
        raise InvalidError("a time would be out of bounds", [(field, "would be after the year 9999")]) from error
