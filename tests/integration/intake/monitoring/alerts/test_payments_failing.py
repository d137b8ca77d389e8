"""Rows of PaymentsFailing: a provider that does not answer, holds that ended, nobody who settles."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.fixtures.night import Night, work_off
from tests.fixtures.runbook_rows import Row
from tests.fixtures.waiting import eventually
from workers.payments.gateway import OutcomeUnknownError, PaymentRequest, ProviderPayment
from workers.payments.simulated import SimulatedGateway

NAME = "PaymentsFailing"
RESERVATIONS = 'psql "$DATABASE_URL" -c "select sale_number'
OPERATIONS = 'psql "$DATABASE_URL" -c "select order_id, kind'


class Silent(SimulatedGateway):
    """Says nothing."""

    def answers_at_once(self, payment: PaymentRequest) -> bool:
        return False

    async def authorise(self, payment: PaymentRequest) -> ProviderPayment:
        raise OutcomeUnknownError("no answer")

    async def look_up(self, payment: PaymentRequest) -> ProviderPayment:
        raise OutcomeUnknownError("no answer")


def _row(said: str) -> dict[str, str]:
    """Return the one row that psql shows, by its columns."""
    lines = said.splitlines()
    head = next(place for place, line in enumerate(lines) if line.startswith("-"))
    return dict(
        zip(*([cell.strip() for cell in lines[place].split("|")] for place in (head - 1, head + 1)), strict=True)
    )


async def _pending(night: Night, *, token: str | None = None) -> UUID:
    """Have an order that is to be paid."""
    (order_id,) = await night.shop.buy("ada", lamp=1, token=token)
    await night.shop.drain()
    return order_id


async def _is(night: Night, order_id: UUID, *wanted: str) -> bool:
    return (await night.shop.statuses([order_id]))[0] in wanted


@pytest.mark.walks(NAME, "`attempts` grows, the log says `no answer from the gateway`")
async def test_the_provider_is_slow(row: Row) -> None:
    night = row.night
    order_id = await _pending(night, token="slow:300")
    hasty = {"payment_timeout_s": 0.05, "payment_retry_s": 0.05}
    seen = [0]
    while len(seen) < 3:
        await night.shop.db.execute("update reservations set due_at = now()")
        await night.shop.settle(**hasty)
        seen.append(int(_row(await row.looks(RESERVATIONS))["attempts"]))
    assert seen == sorted(set(seen)), "it is asked again and again"
    await night.shop.db.execute("update reservations set due_at = now()")
    await night.shop.settle(payment_timeout_s=30.0)
    assert await _is(night, order_id, "confirmed"), "raised, PAYMENT_TIMEOUT_S outlasts it"


@pytest.mark.walks(NAME, "no row of an order that is `pending`")
@pytest.mark.parametrize("paid", [False, True])
async def test_its_hold_ended(row: Row, paid: bool) -> None:
    night = row.night
    order_id = await _pending(night)
    await night.shop.settle(Silent(), payment_retry_s=0.05)
    await night.shop.db.execute("update reservations set expires_at = now() - interval '1 s', due_at = now()")
    await night.shop.settle(Silent(), payment_retry_s=0.05)
    said = await row.looks(RESERVATIONS, OPERATIONS)
    assert "(0 rows)" in said
    assert f" {order_id} | void | due " in said
    assert await _is(night, order_id, "pending")
    row.reads((await night.intake.http.get(f"/orders/{order_id}")).text)

    class Answers(SimulatedGateway):
        async def look_up(self, payment: PaymentRequest) -> ProviderPayment:
            return await self.authorise(payment) if paid else await super().look_up(payment)

    await night.shop.money(Answers())
    assert await _is(night, order_id, *(["confirmed"] if paid else ["cancelled:hold_expired"]))
    await work_off(night.shop)
    await night.shop.money(Answers())


@pytest.mark.walks(NAME, "no row of an order that is `pending`")
async def test_it_stands_by(row: Row) -> None:
    night = row.night
    terms = {"standby_max": 10}
    (await night.intake.ops.patch("/ops/sales/sale", json=terms)).raise_for_status()
    (order_id,) = await night.shop.stand_by("ada", lamp=21)
    await night.shop.drain()
    assert "(0 rows)" in await row.looks(RESERVATIONS)
    said = (await night.intake.http.get(f"/orders/{order_id}")).text
    assert '"reason":"standby"' in said
    row.reads(said)


async def _starts_workers(row: Row, order_id: UUID, *wanted: str) -> None:
    row.starts("python -m workers.scheduler &")
    row.starts("python -m workers &")
    await eventually(lambda: _is(row.night, order_id, *wanted), within_s=30, what="the payment to be seen to")


@pytest.mark.walks(NAME, "`attempts` 0, `next` far in the past")
async def test_nobody_settles(row: Row) -> None:
    night = row.night
    order_id = await _pending(night)
    await night.shop.db.execute(
        "update reservations set due_at = now() - interval '1 h', expires_at = now() - interval '50 m'"
    )
    shown = _row(await row.looks(RESERVATIONS))
    assert shown["attempts"] == "0"
    assert shown["next"].startswith("-01:00")
    await _starts_workers(row, order_id, "confirmed")


@pytest.mark.walks(NAME, "`attempts` not 0, `first_end` in the past")
async def test_nobody_settles_nor_sweeps(row: Row) -> None:
    night = row.night
    order_id = await _pending(night)
    await night.shop.settle(Silent(), payment_retry_s=0.05)
    await night.shop.db.execute("update reservations set expires_at = now() - interval '1 h', due_at = now()")
    shown = _row(await row.looks(RESERVATIONS))
    assert shown["attempts"] != "0"
    assert shown["first_end"].startswith("-01:00")
    await _starts_workers(row, order_id, "confirmed", "cancelled:hold_expired")
