"""A sale's money, held against the queue at the provider and against what its goods cost. Changes nothing."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from db.query_files import load
from doorbuster.contract.night.report import MoneyFigures, Operations

if TYPE_CHECKING:
    from db.connections.pool import Connection

DECLINED = "payment_declined"
_SQL = load("report")
_STATES = ("due", "done", "failed", "discarded")


async def money(connection: Connection, sale_number: int, *, declined: int) -> MoneyFigures:
    """Read a sale's money; `declined` is how many orders were cancelled for their payment."""
    payments = await connection.fetch(_SQL["payments"], sale_number)
    goods = await connection.fetchrow(_SQL["goods"], sale_number)
    assert goods is not None
    operations = await _operations(connection, sale_number)
    captured, refunded = (sum(row[name] for row in payments) for name in ("captured", "refunded"))
    given_back = operations["refund"].amount if "refund" in operations else 0
    is_settled = not goods["open"]
    return MoneyFigures(
        authorised=sum(row["authorised"] for row in payments),
        captured=captured,
        refunded=refunded,
        net=captured - refunded,
        voided=sum(row["authorised"] for row in payments if row["payment"] == "voided"),
        goods=goods["goods"],
        payments={row["payment"]: row["orders"] for row in sorted(payments, key=lambda row: row["payment"])},
        declined=declined,
        operations=operations,
        differing=goods["differing"],
        balances=not goods["differing"]
        and (not is_settled or (captured - refunded == goods["goods"] and refunded == given_back)),
    )


async def _operations(connection: Connection, sale_number: int) -> dict[str, Operations]:
    counts: defaultdict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys((*_STATES, "amount"), 0))
    for row in await connection.fetch(_SQL["operations"], sale_number):
        counts[row["kind"]][row["state"]] = row["operations"]
        if row["state"] == "done":
            counts[row["kind"]]["amount"] = row["amount"]
    return {kind: Operations(**each) for kind, each in sorted(counts.items())}
