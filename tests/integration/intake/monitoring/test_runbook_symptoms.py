"""Each symptom of the runbook that is no alert of its own, made on real stores: its steps are typed, and it ends.

A few in a night, one after the other: each leaves the sale as it was. All of them take longer than a test may, beside
others. A section without its walk fails here.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from doorbuster import keys
from intake.monitoring.alerts.table import ALERTS
from tests.fixtures.night import Night, work_off
from tests.fixtures.runbook import section, sections, steps_of
from tests.fixtures.visitors import Visitor
from tests.fixtures.waiting import eventually
from workers.payments.gateway import PaymentRefusedError, PaymentRequest, ProviderPayment
from workers.payments.simulated import SimulatedGateway
from workers.payments.simulated_books import PostgresBooks

Mend = Callable[[], Awaitable[Any]]


@asynccontextmanager
async def overloaded(night: Night) -> AsyncIterator[Mend]:
    """More orders wait for the drain than may."""
    narrow = await night.serve(backlog_max=1)
    body = {"lines": [{"product_id": "lamp", "quantity": 1}]}
    assert (await narrow.post("sale", **body)).status_code == 202

    async def answer() -> str:
        return str((await narrow.post("sale", **body)).json().get("code", "taken"))

    assert await answer() == "overloaded"
    yield night.shop.drain
    assert 'doorbuster_backlog_orders{partition="0",sale="sale"} 1.0' in night.person.heard("curl")
    assert await answer() == "taken"
    await night.shop.drain()


@asynccontextmanager
async def nobody_let_in(night: Night) -> AsyncIterator[Mend]:
    """Somebody held the sale, and its only admission is out."""
    await _room(night, max_active=1)
    ann, bob = Visitor(night.intake, "sale", "ann"), Visitor(night.intake, "sale", "bob")
    await ann.join()
    await ann.admitted()
    assert (await bob.join()).status_code == 201
    (await night.intake.ops.post("/ops/sales/sale/hold")).raise_for_status()
    assert (await bob.claim()).status_code == 202

    async def let_in() -> None:
        assert await bob.admitted()

    yield let_in
    said = night.person.heard("curl")
    assert '"phase":"hold"' in said
    assert 'where="active"} 1.0' in said
    assert "hold" in night.person.heard("doorbuster sale log")


@asynccontextmanager
async def admission_invalid(night: Night) -> AsyncIterator[Mend]:
    """Another intake has other keys of the room."""
    await _room(night)
    odd = await night.serve(room_keys="odd:" + "0" * 64)
    ann = Visitor(night.intake, "sale", "ann-2")
    await ann.join()
    admission = await ann.admitted()
    order = {"lines": [{"product_id": "lamp", "quantity": 1}], "customer_id": "ann"}
    bearer = {"Authorization": f"Bearer {admission}"}
    assert (await odd.post("sale", headers=bearer, **order)).json()["code"] == "admission_invalid"

    async def give_it_the_same() -> None:
        odd.stop()
        alike = await night.serve()
        assert (await alike.post("sale", headers=bearer, **order)).status_code == 202

    yield give_it_the_same
    assert "different keys" in night.person.heard("doorbuster prewarm")


@asynccontextmanager
async def wrong_people(night: Night) -> AsyncIterator[Mend]:
    """Somebody is inside who should not be."""
    await _room(night)
    mallory = Visitor(night.intake, "sale", "mallory")
    await mallory.join()
    admission = await mallory.admitted()
    yield _nothing
    lamp = [{"product_id": "lamp", "quantity": 1}]
    refused = await mallory.order(admission, "mallory", customer_id="mallory", lines=lamp)
    assert refused.json()["code"] == "admission_invalid"
    again = await Visitor(night.intake, "sale", "mallory-2").join()
    assert (again.status_code, again.json()["code"]) == (403, "challenge_failed")
    await _room(night, challenge=None)


@asynccontextmanager
async def stays_accepted(night: Night) -> AsyncIterator[Mend]:
    """An order is accepted, and nobody drains."""
    order_id = await _accepted(night)
    night.person.env |= {"ID": order_id, "N": str(night.shop.sale_number), "P": "0"}

    async def drain() -> None:
        await night.shop.drain()
        await eventually(lambda: _status(night, order_id, "pending"))

    yield drain
    assert '"status":"accepted"' in night.person.heard("curl")
    assert "-0" in night.person.heard("orders XRANGE"), "the entry that waits"


@asynccontextmanager
async def provider_refuses(night: Night) -> AsyncIterator[Mend]:
    """A card takes no refund."""

    class Stern(SimulatedGateway):
        async def refund(self, payment: PaymentRequest, amount: int, *, key: str) -> ProviderPayment:
            raise PaymentRefusedError("the card is closed")

    order_id = await _accepted(night)
    await night.shop.drain()
    await night.shop.settle()
    cancel = {"to": "cancelled", "reason": "too late"}
    (await night.intake.ops.post(f"/ops/orders/{order_id}/transitions", json=cancel)).raise_for_status()
    await night.shop.money(Stern(PostgresBooks(night.shop.settings.database_url.get_secret_value(), timeout_s=5)))
    failed = await night.shop.db.fetchval("select operation_id from payment_operations where state = 'failed'")
    night.person.env["ID"] = f"payment-{failed}"
    await work_off(night.shop)
    await night.fires("PromiseBroken")
    yield night.shop.money
    assert "the card is closed" in night.person.heard("psql")
    assert "the card is closed" in night.person.heard("doorbuster dead-letters list")
    assert await night.shop.db.fetchval("select status::text from refunds") == "succeeded"


@asynccontextmanager
async def dead_letter(night: Night) -> AsyncIterator[Mend]:
    """Postgres refused an order's row, for a reason that is gone."""
    db = night.shop.db
    await db.execute(
        """
        create function stranger() returns trigger language plpgsql as
          $$ begin raise exception 'not here' using errcode = 'check_violation'; end $$;
        create trigger stranger before insert on orders for each row execute function stranger()
        """
    )
    order_id = await _accepted(night)
    await night.shop.drain()
    await db.execute("drop trigger stranger on orders; drop function stranger")
    night.person.env["ID"] = str(
        await db.fetchval("select dead_letter_id from dead_letter_states where state = 'open'")
    )
    await work_off(night.shop)
    await night.fires("PromiseBroken")

    async def becomes_an_order() -> None:
        await night.shop.drain()
        await night.shop.settle()
        assert await _status(night, order_id, "confirmed")

    yield becomes_an_order
    assert "rejected_by_database" in night.person.heard("doorbuster dead-letters list")
    assert "not here" in night.person.heard("doorbuster dead-letters show")


@asynccontextmanager
async def disk_full(night: Night) -> AsyncIterator[Mend]:
    """Postgres has no room for a commit; that of the order store is in tests/faults/test_store_full.py."""
    db = night.shop.db
    await db.execute(
        """
        create function full_disk() returns trigger language plpgsql as
          $$ begin raise exception 'No space left on device' using errcode = 'disk_full'; end $$;
        create trigger full_disk before insert on orders for each row execute function full_disk()
        """
    )
    order_id = await _accepted(night)
    stuck = asyncio.create_task(night.shop.drain())
    refused = "select true from shifts where name like 'drain:%' and lease_expires_at > now()"
    await eventually(lambda: db.fetchval(refused), what="the drain to try")
    assert await _status(night, order_id, "accepted")

    async def free_space() -> None:
        await db.execute("drop trigger full_disk on orders; drop function full_disk")
        await stuck
        await night.shop.drain()
        assert await _status(night, order_id, "pending")

    yield free_space
    assert "aof_last_write_status': 'ok'" in night.person.heard("orders INFO")
    assert night.person.heard("orders BGREWRITEAOF") == "True\n"


@asynccontextmanager
async def hangs(night: Night) -> AsyncIterator[Mend]:
    """A shift's process is stopped while it holds the lease of the drain."""
    number, db = night.shop.sale_number, night.shop.db
    # A block of an hour: it waits for entries, with its lease, until it is stopped.
    shift = (
        f"from workers.drain import shift; from workers import jobs; shift.BLOCK_S = 3600.0; jobs.drain({number}, 0)"
    )
    env = night.person.env | {"LEASE_S": "1", "ORDER_ID_KEY": night.shop.settings.order_id_key.get_secret_value()}
    horse = await asyncio.create_subprocess_exec(sys.executable, "-c", shift, env=env)
    try:
        held = "select holder like '%:' || $1 from shifts where name = $2 and lease_expires_at > clock_timestamp()"
        await eventually(lambda: db.fetchval(held, str(horse.pid), f"drain:{number}:0"), what="the lease to be held")
        os.kill(horse.pid, signal.SIGSTOP)
        night.person.env["PID"] = str(horse.pid)
        order_id = await _accepted(night)

        async def another_takes_over() -> None:
            assert await horse.wait() == -signal.SIGKILL
            await eventually(lambda: _drained(night, order_id), what="another shift to take over")

        yield another_takes_over
    finally:
        if horse.returncode is None:
            horse.kill()
            await horse.wait()
    said = night.person.heard("psql")
    assert f":{horse.pid}" in said
    assert "T" in night.person.heard("ps ")


@asynccontextmanager
async def oversold(night: Night) -> AsyncIterator[Mend]:
    """Somebody changed a ledger by hand."""
    db = night.shop.db
    night.person.env["PRODUCT"] = "lamp"
    await db.execute("update stock set stock = stock + 2, received = received + 2 where product_id = 'lamp'")

    async def repair_after_the_dump() -> None:
        assert (night.person.folder / "audit.json").read_text().startswith("{")
        assert "lamp" in (night.person.folder / "stock.tsv").read_text()
        await db.execute("update stock set stock = stock - 2, received = received - 2 where product_id = 'lamp'")
        (await night.intake.ops.post("/ops/sales/sale/resume")).raise_for_status()

    yield repair_after_the_dump
    assert "BROKEN" in night.person.heard("doorbuster audit")
    assert "adjusted lamp by -1" in night.person.heard("doorbuster stock adjust")
    assert "counted on the shelf" not in night.person.heard("psql"), "that was looked at before"


@asynccontextmanager
async def breach(night: Night) -> AsyncIterator[Mend]:
    """The order store was started without its events."""
    await _accepted(night)
    await night.shop.drain()
    await work_off(night.shop)
    await night.shop.orders.delete(keys.EVENTS)

    async def next_event() -> None:
        await _accepted(night)
        await night.shop.drain()
        await work_off(night.shop)
        said = len(night.person.said)
        await night.person.walk("The audit reports a breach")
        assert "all promises hold" in night.person.said[said][1]

    yield next_event
    assert "BROKEN" in night.person.said[0][1]


SYMPTOMS: dict[str, Callable[[Night], AbstractAsyncContextManager[Mend]]] = {
    "Posts get 503 `overloaded`": overloaded,
    "Nobody is let in from the room": nobody_let_in,
    "Shoppers hear `admission_invalid`": admission_invalid,
    "The wrong people are inside": wrong_people,
    "Orders stay `accepted`": stays_accepted,
    "The payment provider refuses an operation": provider_refuses,
    "Dead letters": dead_letter,
    "Disk full": disk_full,
    "A worker hangs": hangs,
    "Oversold?": oversold,
    "The audit reports a breach": breach,
}
NIGHTS = [list(SYMPTOMS)[first : first + 3] for first in range(0, len(SYMPTOMS), 3)]


async def _nothing() -> None:
    """What the steps did is enough."""


async def _quiet(night: Night) -> None:
    """Leave the sale as the next symptom finds it: open, without a room, all of it worked off and audited."""
    (await night.intake.ops.post("/ops/sales/sale/resume")).raise_for_status()
    await _room(night, mode="off")
    await night.shop.drain()
    await work_off(night.shop)
    (await night.intake.ops.get("/ops/promises")).raise_for_status()


async def _room(night: Night, **terms: Any) -> None:
    room = {"mode": "always", "rate_per_s": 1000, "burst": 1000, "max_active": None} | terms
    answer = await night.intake.ops.patch("/ops/sales/sale", json={"room": room})
    assert answer.is_success, answer.text


async def _accepted(night: Night) -> str:
    answer = await night.intake.post("sale", lines=[{"product_id": "lamp", "quantity": 1}])
    assert answer.status_code == 202, answer.text
    return str(answer.json()["order_id"])


async def _status(night: Night, order_id: str, wanted: str) -> bool:
    return bool((await night.intake.http.get(f"/orders/{order_id}")).json()["status"] == wanted)


async def _drained(night: Night, order_id: str) -> bool:
    await night.shop.drain()
    return await _status(night, order_id, "pending")


def test_every_section_is_walked() -> None:
    """An alert in test_runbook.py, a symptom here."""
    assert sections() == [*(alert.name for alert in ALERTS), *SYMPTOMS]


@pytest.mark.parametrize("name", sections())
def test_a_section_has_steps_to_type(name: str) -> None:
    assert steps_of(name)
    assert "```sql" not in section(name), "a statement is typed like any step"


@pytest.mark.parametrize("names", NIGHTS, ids=[names[0] for names in NIGHTS])
async def test_each_symptom_is_made_and_its_steps_end_it(
    night: Night, subtests: pytest.Subtests, names: list[str]
) -> None:
    for name in names:
        make = SYMPTOMS[name]
        with subtests.test(name):
            night.person.said.clear()
            try:
                async with make(night) as mend:
                    await night.person.walk(name)
                    await mend()
            finally:
                await _quiet(night)
            await night.fires()
