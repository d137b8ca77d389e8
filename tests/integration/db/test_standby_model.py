"""A stateful model of the standby, held against real Postgres after every step (Hypothesis)."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from db import sales
from db.audit import questions as audit
from db.connections import pool
from db.orders import standby
from db.orders.states import Status
from db.orders.transitions import cancel_many, transition
from db.products import stock
from doorbuster.orderstore import entry as codec
from tests.fixtures.draining import Draining, make_product
from workers.drain.batch import Entry

T = TypeVar("T")
PRODUCTS = ("a", "b", "c")
CARD_LIMIT = {"c": 3}
CUSTOMER_LIMIT = {"b": 4}
MAX = 6
"""Orders that may wait."""
LINES = st.lists(st.tuples(st.sampled_from(PRODUCTS), st.integers(1, 3)), min_size=1, max_size=3)
WISH = st.tuples(st.sampled_from("xyz"), st.integers(0, 2), LINES, st.booleans())
"""Customer, card (0: none), lines, whether it would wait."""


@dataclass
class Placed:
    """An order as the model knows it."""

    customer: str
    card: int
    wanted: dict[str, int]
    status: str = "cancelled"


@dataclass
class Model:
    """What should be: one list, gone through from its beginning whenever units come back."""

    stock: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PRODUCTS, 0))
    allotment: dict[str, int] = field(default_factory=lambda: {"a": 5})
    orders: dict[UUID, Placed] = field(default_factory=dict)

    def _had(self, product: str, **who: Any) -> int:
        return sum(
            one.wanted.get(product, 0)
            for one in self.orders.values()
            if one.status == "pending" and all(getattr(one, name) == value for name, value in who.items())
        )

    def outcome(self, order: Placed) -> str:
        for product, units in order.wanted.items():
            if self._had(product, customer=order.customer) + units > CUSTOMER_LIMIT.get(product, 10**9):
                return "limit_exceeded"
            if order.card and self._had(product, card=order.card) + units > CARD_LIMIT.get(product, 10**9):
                return "limit_exceeded"
            if units > self.left(product):
                return "sold_out"
        return "pending"

    def left(self, product: str) -> int:
        return min(self.stock[product], self.allotment.get(product, 10**9) - self._had(product))

    def place(self, order_id: UUID, order: Placed, *, waits: bool) -> None:
        waiting = sum(one.status == "standby" for one in self.orders.values())
        order.status = self.outcome(order)
        if order.status == "sold_out" and waits and waiting < MAX:
            order.status = "standby"
        self.orders[order_id] = order
        if order.status == "pending":
            self._take(order)

    def _take(self, order: Placed) -> None:
        for product, units in order.wanted.items():
            self.stock[product] -= units

    def cancel(self, order_id: UUID) -> None:
        order = self.orders[order_id]
        if order.status == "pending":
            for product, units in order.wanted.items():
                self.stock[product] += units
        order.status = "cancelled"

    def serve(self) -> None:
        for order in self.orders.values():
            if order.status != "standby" or any(units > self.left(one) for one, units in order.wanted.items()):
                continue
            order.status = self.outcome(order)
            if order.status == "pending":
                self._take(order)


class StandbyMachine(RuleBasedStateMachine):
    """Drives Postgres and the model side by side."""

    url = ""
    runs = 0

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.model = Model()
        self.keys = 0

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    @initialize()
    def begin(self) -> None:
        type(self).runs += 1
        self.connection = self.run(pool.connect(self.url))
        tables = (
            "products, stock, sales, orders, order_lines, order_events, stock_movements, purchases, people_counts,"
            " standby, reservations, stream_cursors, shifts, payment_operations"
        )
        self.run(self.connection.execute(f"truncate {tables} cascade"))
        for product in PRODUCTS:
            self.run(make_product(self.connection, product))
        self.draining = self.run(Draining.of(self.connection, self._terms(), f"sale-{self.runs}"))
        self.run(sales.update_sale(self.connection, f"sale-{self.runs}", {"standby_max": MAX}))

    def _terms(self) -> list[sales.SaleProduct]:
        return [
            sales.SaleProduct(
                product_id=one, quantity=self.model.allotment.get(one), limit_per_customer=CUSTOMER_LIMIT.get(one),
                limit_card=CARD_LIMIT.get(one),
            )
            for one in PRODUCTS
        ]  # fmt: skip

    def teardown(self) -> None:
        if hasattr(self, "connection"):
            self.run(self.connection.close())
        self.runner.close()

    @rule(wishes=st.lists(WISH, min_size=1, max_size=5))
    def drain(self, wishes: list[tuple[str, int, list[tuple[str, int]], bool]]) -> None:
        entries = []
        for customer, card, lines, waits in wishes:
            self.keys += 1
            plain = self.draining.entry(customer, lines, f"key-{self.keys}")
            assert plain.order is not None
            identities = bytes((2,)) + bytes((card,)) * 16 if card else None
            grown = msgspec.structs.replace(plain.order, standby=waits or None, identities=identities)
            entries.append(Entry(plain.id, codec.encode(grown)))
            wanted: dict[str, int] = {}
            for product, units in lines:
                wanted[product] = wanted.get(product, 0) + units
            order_id = self.draining.order_id(customer, f"key-{self.keys}")
            self.model.place(order_id, Placed(customer, card, wanted), waits=waits)
        self.run(self.draining.batch(self.connection, entries))

    @rule(product=st.sampled_from(PRODUCTS), units=st.integers(1, 4))
    def receive(self, product: str, units: int) -> None:
        self.run(stock.receive(self.connection, product, units))
        self.model.stock[product] += units
        self.model.serve()

    @rule(more=st.integers(1, 4))
    def raise_allotment(self, more: int) -> None:
        self.model.allotment["a"] += more
        self.run(sales.update_sale(self.connection, f"sale-{self.runs}", {"products": self._terms()}))
        self.model.serve()

    @precondition(lambda self: self.model.orders)
    @rule(data=st.data(), by_hand=st.booleans())
    def cancel(self, data: st.DataObject, by_hand: bool) -> None:
        live = [one for one, order in self.model.orders.items() if order.status in ("pending", "standby")]
        if not live:
            return
        chosen = data.draw(st.lists(st.sampled_from(live), min_size=1, max_size=1 if by_hand else 4, unique=True))
        self.run(self._cancel(chosen, by_hand=by_hand))
        for order_id in chosen:
            self.model.cancel(order_id)
        self.model.serve()

    async def _cancel(self, chosen: list[UUID], *, by_hand: bool) -> None:
        if by_hand:
            await transition(self.connection, chosen[0], Status.CANCELLED)
            return
        async with self.connection.transaction():
            await cancel_many(self.connection, chosen, reason="test")

    @invariant()
    def orders_are_the_models(self) -> None:
        if not hasattr(self, "draining"):
            return
        rows = self.run(self.connection.fetch("select order_id, status::text, reason from orders"))
        seen = {
            UUID(int=row["order_id"].int): row["reason"]
            if row["reason"] in ("standby", "limit_exceeded", "sold_out")
            else row["status"]
            for row in rows
        }
        assert seen == {order_id: order.status for order_id, order in self.model.orders.items()}
        units = {row[0]: row[1] for row in self.run(self.connection.fetch("select product_id, stock from stock"))}
        assert units == self.model.stock

    @invariant()
    def nothing_is_left_over(self) -> None:
        if hasattr(self, "draining"):
            assert self.run(standby.servable(self.connection, limit=5)) == []

    @rule()
    def audit(self) -> None:
        findings = self.run(audit.audit(self.connection))
        assert [figure for figure in findings.figures if figure.breaches] == []


def test_postgres_does_what_the_model_does(database_url: str) -> None:
    machine = type("Machine", (StandbyMachine,), {"url": database_url})
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
