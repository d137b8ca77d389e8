"""Rehearsals of a sale: made with their shadow, kept by who drives them, ended. Owns these resources.

What a shadow leaves is removed by the workers, whoever ends the rehearsal, and however.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from db import rehearsals as rows
from db import sales
from doorbuster.contract.night.rehearsal import (
    LiveAccepting,
    RehearsalChange,
    RehearsalRequest,
    RehearsalResult,
    RehearsalView,
)
from doorbuster.errors import ConflictError
from intake.ops.change_log import note
from intake.ops.rehearsals import shadow as shadows
from intake.web.paging import limit_of, number_cursor_of, write_page
from intake.web.problems import RefusedError
from intake.web.query_parameters import refuse_unknown_params
from intake.web.requests import body_of
from intake.web.responses import write

if TYPE_CHECKING:
    from falcon.asgi import Request, Response
    from redis.asyncio import Redis

    from db.connections.pool import Connection
    from intake.accepting.live_first import LiveFirst
    from intake.changes.publish import ChangePublisher
    from intake.database import Database

HEARD_S = 2.0
"""From when every process has dropped a shadow to the removal of what is left: what was under way is over then."""
REMOVED_WITHIN_S = 15.0
"""How long an ending waits for the removal; it goes on by itself."""
LOOK_S = 0.25

_request = msgspec.json.Decoder(RehearsalRequest)
_change = msgspec.json.Decoder(RehearsalChange)


class Rehearsals:
    """What the resources share: the rehearsals of sales, as ops see them."""

    def __init__(self, database: Database, redis: Redis, publishing: ChangePublisher, live_first: LiveFirst) -> None:
        self.database, self.redis, self.publishing = database, redis, publishing
        self._live_first = live_first

    async def sale(self, connection: Connection, sale_id: str) -> sales.Sale:
        """Return a sale that can be rehearsed.

        Raises:
            RefusedError: there is none.
        """
        sale = await sales.get_sale(connection, sale_id)
        if sale is None or sale.shadow_of is not None:
            raise RefusedError("sale_not_found", f"There is no sale {sale_id[:64]!r}")
        return sale

    async def rehearsal(self, connection: Connection, sale: sales.Sale, number: str) -> rows.Rehearsal:
        """Return a sale's rehearsal.

        Raises:
            RefusedError: there is none.
        """
        is_number = number.isascii() and number.isdigit() and len(number) <= 18
        found = await rows.get(connection, sale.number, int(number)) if is_number else None
        if found is None:
            raise RefusedError("not_found", f"The sale has no rehearsal {number[:64]!r}")
        return found

    async def view(
        self, connection: Connection, sale: sales.Sale, found: rows.Rehearsal, *, measured: bool = False
    ) -> RehearsalView:
        """Return a rehearsal as ops see it; `measured`: with how far the workers are with its shadow."""
        now, beside, live = None, [], None
        if measured and found.closed_at is None:
            shadow = await sales.get_sale_by_number(connection, found.shadow_number)
            now = None if shadow is None else await shadows.look(connection, self.redis, shadow)
            beside = await rows.sales_on(connection)
            live = self._live() if beside else None
        state = "removed" if found.removed_at else "removing" if found.closed_at or found.lease_over else "running"
        return RehearsalView(
            rehearsal_id=found.rehearsal_id,
            sale_id=sale.sale_id,
            state=state,  # type: ignore[arg-type]  # one of the three
            started_at=found.started_at,
            lease_expires_at=found.lease_expires_at,
            finished_at=found.finished_at,
            removed_at=found.removed_at,
            shadow_id=found.shadow_id,
            set_rate_per_s=shadows.set_rate_of(sale),
            result=None if found.result is None else msgspec.convert(found.result, RehearsalResult),
            shadow=now,
            beside=beside,
            live=live,
        )

    def _live(self) -> LiveAccepting:
        recent, longer = self._live_first.accepting(last_s=10), self._live_first.accepting(last_s=20)
        return LiveAccepting(orders=recent.orders, p99_ms=recent.p99_ms, p99_ms_20s=longer.p99_ms)


class RehearsalList:
    """Resource of a sale's rehearsals."""

    def __init__(self, rehearsals: Rehearsals) -> None:
        self._rehearsals = rehearsals

    async def on_post(self, req: Request, resp: Response, sale: str) -> None:
        """Make a shadow that is open at once; it goes when its lease is not renewed."""
        refuse_unknown_params(req)
        request = await body_of(req, _request, empty=b"{}")
        mine = self._rehearsals
        async with mine.database.working() as connection, connection.transaction():
            row = await mine.sale(connection, sale)
            found = await rows.create(
                connection, row, room=shadows.room_of(row), units=request.units, beside_live=request.beside_live
            )
            await note(connection, req, "rehearse", f"sale:{row.sale_id}")
            shadow = await sales.get_sale_by_number(connection, found.shadow_number)
        assert shadow is not None
        await mine.publishing.sale(shadow)
        async with mine.database.working() as connection:
            view = await mine.view(connection, row, found, measured=True)
        resp.set_header("Location", f"/ops/sales/{row.sale_id}/rehearsals/{found.rehearsal_id}")
        write(resp, view, 201)

    async def on_get(self, req: Request, resp: Response, sale: str) -> None:
        """List rehearsals, newest first."""
        refuse_unknown_params(req, "cursor", "limit")
        limit = limit_of(req)
        mine = self._rehearsals
        async with mine.database.working() as connection:
            row = await mine.sale(connection, sale)
            found = await rows.of_sale(connection, row.number, before=number_cursor_of(req), limit=limit)
            views = [await mine.view(connection, row, one) for one in found]
        write_page(resp, views, str(found[-1].rehearsal_id) if len(found) == limit else None)


class OneRehearsal:
    """Resource of a rehearsal."""

    def __init__(self, rehearsals: Rehearsals) -> None:
        self._rehearsals = rehearsals

    async def on_get(self, req: Request, resp: Response, sale: str, rehearsal: str) -> None:
        """Show it."""
        refuse_unknown_params(req)
        write(resp, await self._show(sale, rehearsal))

    async def on_patch(self, req: Request, resp: Response, sale: str, rehearsal: str) -> None:
        """Renew its lease, leave its result, and see how far the workers are."""
        refuse_unknown_params(req)
        change = await body_of(req, _change)
        mine = self._rehearsals
        async with mine.database.working() as connection, connection.transaction():
            row = await mine.sale(connection, sale)
            found = await mine.rehearsal(connection, row, rehearsal)
            if not await rows.renew(connection, found.rehearsal_id):
                raise ConflictError(f"rehearsal {found.rehearsal_id} is over")
            if isinstance(change.result, RehearsalResult) and not await rows.finish(
                connection, found.rehearsal_id, msgspec.to_builtins(change.result)
            ):
                raise ConflictError(f"rehearsal {found.rehearsal_id} has its result already")
        write(resp, await self._show(sale, rehearsal))

    async def on_delete(self, req: Request, resp: Response, sale: str, rehearsal: str) -> None:
        """End it: 200 when no trace of its shadow is left, 202 while the workers are at it."""
        refuse_unknown_params(req)
        mine = self._rehearsals
        async with mine.database.working() as connection, connection.transaction():
            row = await mine.sale(connection, sale)
            found = await mine.rehearsal(connection, row, rehearsal)
            await rows.close(connection, found.rehearsal_id)
            shadow = await sales.get_sale_by_number(connection, found.shadow_number)
        if shadow is not None:
            await mine.publishing.gone(shadow)
            async with mine.database.working() as connection:
                await rows.remove_within(connection, found.rehearsal_id, HEARD_S)
        view = await self._removed(sale, rehearsal)
        write(resp, view, 200 if view.state == "removed" else 202)

    async def _removed(self, sale: str, rehearsal: str) -> RehearsalView:
        ends = asyncio.get_running_loop().time() + REMOVED_WITHIN_S
        while True:
            view = await self._show(sale, rehearsal)
            if view.state == "removed" or asyncio.get_running_loop().time() > ends:
                return view
            await asyncio.sleep(LOOK_S)

    async def _show(self, sale: str, rehearsal: str) -> RehearsalView:
        mine = self._rehearsals
        async with mine.database.working() as connection:
            row = await mine.sale(connection, sale)
            found = await mine.rehearsal(connection, row, rehearsal)
            return await mine.view(connection, row, found, measured=True)
