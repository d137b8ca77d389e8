"""Holds what orders say of their money against the payment provider's own list (P12). Changes nothing on either side.

The system may be running: what differs at the first look is looked at once more, at the order and at the provider, and
counts only if it still differs. Orders of which something is to be done there still are passed over.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from db.audit.questions import Figure, KnownMoney, captured_since, known_money
from doorbuster.settings import load_settings
from workers.payments.gateway import PaymentRequest, ProviderPayment, ProviderStatus
from workers.payments.providers import make_gateway

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from doorbuster.embedded.data.instance import Instance
    from workers.payments.gateway import Gateway

PAGE = 1_000
_NOT_USED = "not used by the audit, which signs nothing"


def gateway_of(instance: Instance) -> Gateway:
    """Make the gateway that the environment names, with the stores of the instance.

    Raises:
        SettingsError: something is missing that the provider needs.
    """
    stores = {f"{name}_redis_url": instance.url("orders_redis") for name in ("orders", "room", "jobs", "cache")}
    keys = {name: _NOT_USED for name in ("order_id_key", "ops_key") if not os.environ.get(name.upper())}
    return make_gateway(load_settings(database_url=instance.url("database"), **stores, **keys))


async def provider_figures(connection: Connection, gateway: Gateway, hours: float) -> list[Figure]:
    """Return the figures; payments asked for within so many hours are compared.

    Raises:
        NotListedError: the provider has no list.
        GatewayError: it does not answer.
    """
    since = datetime.now(UTC) - timedelta(hours=hours)
    unseen = await captured_since(connection, since)
    listed = foreign = 0
    page: dict[UUID, ProviderPayment] = {}
    suspects: set[UUID] = set()
    async for order_id, payment in gateway.list(since):
        listed += 1
        if order_id is None:
            foreign += 1
            continue
        page[order_id] = payment
        unseen.discard(order_id)
        if len(page) == PAGE:
            suspects |= await _differing(connection, page)
            page = {}
    suspects |= await _differing(connection, page)
    differ = sum([await _still_differs(connection, gateway, order_id) for order_id in sorted(suspects | unseen)])
    return [
        Figure(promise="P12", what="payments in the provider's list", value=listed),
        Figure(promise="P12", what="of these: no order's of ours", value=foreign),
        Figure(promise="P12", what="orders that the provider's list contradicts", value=differ, breaches=differ),
    ]


async def _differing(connection: Connection, page: dict[UUID, ProviderPayment]) -> set[UUID]:
    known = await known_money(connection, page)
    return {order_id for order_id, payment in page.items() if differs(known.get(order_id), payment)}


async def _still_differs(connection: Connection, gateway: Gateway, order_id: UUID) -> bool:
    known = (await known_money(connection, [order_id])).get(order_id)
    reference = None if known is None else known.reference
    payment = await gateway.look_up(PaymentRequest(order_id, 0, "XXX", None, attempts=1, reference=reference))
    return differs(known, payment)


def differs(known: KnownMoney | None, payment: ProviderPayment) -> bool:
    """Say whether an order and its payment contradict each other."""
    money = (payment.captured, payment.refunded)
    may_hold = payment.held or payment.status is ProviderStatus.REQUIRES_ACTION
    if known is None:
        return bool(may_hold) or payment.captured != payment.refunded
    if known.is_open or known.status == "pending":
        return False
    return money != (known.captured, known.refunded) or (known.status == "cancelled" and bool(may_hold))
