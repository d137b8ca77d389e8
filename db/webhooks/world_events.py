"""What happens beside orders and is told: of sales and products. Owns its outbox; the events' ids make each one.

An id has its parts percent-encoded, the dot too: it is signed together with what is put behind a dot.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import msgspec

from db.query_files import load
from db.webhooks.deliveries import Event
from db.work.outbox import OutboxPlace
from doorbuster.values.timeline import Phase, Timeline, due, phase_after

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("world_events")


class WorldEvent(NamedTuple):
    """Something that happened to a sale or a product."""

    event_id: str
    type: str
    subject: str
    data: dict[str, Any]


class PlacedEvent(NamedTuple):
    """An event and where it stands in the outbox."""

    event: Event
    place: OutboxPlace


class ToldSale(msgspec.Struct, frozen=True, kw_only=True):
    """A sale as its events tell of it."""

    sale_number: int
    sale_id: str
    name: str | None
    phase: Phase
    starts_at: datetime
    ends_at: datetime | None
    timeline: Timeline
    terms_at: datetime | None
    at: datetime
    """The database's clock."""
    has_started: bool
    has_closed: bool

    @property
    def phase_now(self) -> Phase:
        """What ops set, or what the timeline made of it since."""
        return phase_after(self.phase, due(self.timeline, self.terms_at, self.at))

    @property
    def has_opened(self) -> bool:
        """Whether it has taken orders: a sale on hold from its start on has not."""
        return self.has_started and self.phase_now != "hold"

    @property
    def happened(self) -> list[str]:
        """What has happened to it by now, in order."""
        said = (("opened", self.has_opened), ("closed", self.has_closed))
        return [name for name, is_so in said if is_so]


def event_id(*parts: object) -> str:
    """Return the id of an event of these parts."""
    return ":".join(quote(str(part), safe="").replace(".", "%2E") for part in parts)


def sale_event(sale: ToldSale, what: str, **more: Any) -> WorldEvent:
    """Make an event of a sale; one of a product in it has the product's id."""
    data = {
        "sale_id": sale.sale_id, "name": sale.name, "starts_at": sale.starts_at, "ends_at": sale.ends_at,
        "phase": sale.phase_now,
    }  # fmt: skip
    product = [more["product_id"]] if "product_id" in more else []
    return WorldEvent(
        event_id("sale", sale.sale_id, what, *product), f"sale.{what}", f"sale:{sale.sale_id}", data | more
    )


async def announce(connection: Connection, events: Sequence[WorldEvent]) -> None:
    """Write events down, of which each counts once however often it is seen."""
    if not events:
        return
    columns = [list(column) for column in zip(*events, strict=True)]
    columns[3] = [msgspec.to_builtins(data) for data in columns[3]]
    await connection.execute(_SQL["announce"], *columns)


async def told_sales(connection: Connection, sale_numbers: Collection[int]) -> list[ToldSale]:
    """Return sales as their events tell of them."""
    found = await connection.fetch(_SQL["sales_by"], list(sale_numbers))
    return [ToldSale(**dict(row) | {"timeline": msgspec.convert(row["timeline"], Timeline)}) for row in found]


async def announce_prewarm(
    connection: Connection, sale_number: int, *, report_id: int | None, said: dict[str, Any]
) -> None:
    """Write down what was found of a sale ahead of its start, unless it is over; without an id it is the first time."""
    events = []
    for sale in await told_sales(connection, [sale_number]):
        event = sale_event(sale, "prewarm")
        if report_id is not None:
            event = event._replace(event_id=event_id("sale", sale.sale_id, "prewarm", report_id))
        if not sale.has_closed:
            events.append(event._replace(data=event.data | said))
    await announce(connection, events)


async def untold(connection: Connection, after: OutboxPlace, *, limit: int) -> list[PlacedEvent]:
    """Return the events behind `after` whose predecessors have all been committed or rolled back, in order."""
    return [
        PlacedEvent(
            Event(row["event_id"], row["type"], row["subject"], row["position"], None, row["at"]),
            OutboxPlace(row["tx"], row["position"]),
        )
        for row in await connection.fetch(_SQL["untold"], str(after.tx), after.position, limit)
    ]


async def any_untold(connection: Connection, cursor: str) -> bool:
    """Say whether there are events behind a cursor."""
    return bool(await connection.fetchval(_SQL["any_untold"], cursor))


async def data_of(connection: Connection, event_ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return what events say."""
    return {row["event_id"]: row["data"] for row in await connection.fetch(_SQL["data_of"], list(event_ids))}


async def forget(connection: Connection, cursor: str, *, older_than_s: float, limit: int) -> None:
    """Delete events of products that a cursor has passed long ago, so many at most."""
    await connection.execute(_SQL["forget"], cursor, older_than_s, limit)


async def product_events(connection: Connection, changes: Sequence[tuple[str, int]]) -> list[WorldEvent]:
    """Return an event for each (product, version), with the product as it is now: at least that new."""
    rows = await connection.fetch(_SQL["products_by"], list({product_id for product_id, _ in changes}))
    products = {row["product_id"]: dict(row) for row in rows}
    return [
        WorldEvent(event_id("product", one, version), "product.changed", f"product:{one}", products[one])
        for one, version in changes
        if one in products
    ]
