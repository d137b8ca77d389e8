"""A stateful model of stock, orders and cancellations, held against real Postgres after every step (Hypothesis)."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from db import sales
from db.audit import questions as audit
from db.connections import pool
from db.orders import orders
from db.orders.states import ALLOWED, Status
from db.orders.transitions import HandTerms, cancel_many, confirm_many, transition
from db.products import stock
from doorbuster.errors import ConflictError, IllegalTransitionError
from tests.fixtures.draining import Draining, make_product
from workers.drain.batch import Entry

T = TypeVar("T")
PRODUCTS = ("a", "b", "c")
ALLOTMENT = {"b": 12}
LIMIT = {"c": 3}
CUSTOMERS = st.sampled_from(["ann", "bob", "eve"])
LINES = st.lists(st.tuples(st.sampled_from(PRODUCTS), st.integers(1, 4)), min_size=1, max_size=4)


@dataclass
class Model:
    """What should be: the plainest program that could be right."""

    stock: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PRODUCTS, 0))
    reserved: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PRODUCTS, 0))
    sold: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PRODUCTS, 0))
    status: dict[UUID, Status] = field(default_factory=dict)
    bought: dict[UUID, tuple[str, dict[str, int]]] = field(default_factory=dict)

    def held(self, product: str, customer: str | None = None) -> int:
        return sum(
            lines.get(product, 0)
            for order_id, (who, lines) in self.bought.items()
            if self.status[order_id] is not Status.CANCELLED and customer in (None, who)
        )

    def place(self, order_id: UUID, customer: str, lines: list[tuple[str, int]]) -> None:
        wanted: dict[str, int] = {}
        for product, units in lines:
            wanted[product] = wanted.get(product, 0) + units
        fits = all(
            units <= self.stock[product]
            and self.held(product) + units <= ALLOTMENT.get(product, 10**9)
            and self.held(product, customer) + units <= LIMIT.get(product, 10**9)
            for product, units in wanted.items()
        )
        if fits:
            for product, units in wanted.items():
                self.stock[product] -= units
                self.reserved[product] += units
        self.status[order_id] = Status.PENDING if fits else Status.CANCELLED
        self.bought[order_id] = (customer, wanted)

    def move(self, order_id: UUID, to: Status, restock: bool) -> None:
        for product, units in self.bought[order_id][1].items():
            if to is Status.CANCELLED:
                self.reserved[product] -= units
                self.stock[product] += units
            elif to is Status.SHIPPED:
                self.reserved[product] -= units
                self.sold[product] += units
            elif to is Status.REFUNDED and restock:
                self.sold[product] -= units
                self.stock[product] += units
        self.status[order_id] = to


class StockMachine(RuleBasedStateMachine):
    """Drives Postgres and the model side by side."""

    url = ""
    runs = 0
    placed = Bundle("placed")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.model = Model()
        self.keys = 0
        self.entries: list[Entry] = []

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    @initialize()
    def begin(self) -> None:
        type(self).runs += 1
        self.connection = self.run(pool.connect(self.url))
        self.run(self.connection.execute("truncate products, stock, sales, orders, order_lines, order_events cascade"))
        self.run(self.connection.execute("truncate stock_movements, purchases, reservations, stream_cursors, shifts"))
        for product in PRODUCTS:
            self.run(make_product(self.connection, product))
        terms = [
            sales.SaleProduct(product_id=one, quantity=ALLOTMENT.get(one), limit_per_customer=LIMIT.get(one))
            for one in PRODUCTS
        ]
        self.draining = self.run(Draining.of(self.connection, terms, f"sale-{self.runs}"))

    def teardown(self) -> None:
        if hasattr(self, "connection"):
            self.run(self.connection.close())
        self.runner.close()

    @rule(product=st.sampled_from(PRODUCTS), units=st.integers(1, 10))
    def receive(self, product: str, units: int) -> None:
        self.run(stock.receive(self.connection, product, units))
        self.model.stock[product] += units

    @rule(product=st.sampled_from(PRODUCTS), units=st.integers(-8, -1))
    def lose(self, product: str, units: int) -> None:
        if self.model.stock[product] + units < 0:
            with pytest.raises(ConflictError):
                self.run(stock.adjust(self.connection, product, units, "count"))
            return
        self.run(stock.adjust(self.connection, product, units, "count"))
        self.model.stock[product] += units

    @rule(target=placed, wishes=st.lists(st.tuples(CUSTOMERS, LINES), min_size=1, max_size=5), again=st.booleans())
    def drain(self, wishes: list[tuple[str, list[tuple[str, int]]]], again: bool) -> Any:
        entries, ids = [], []
        for customer, lines in wishes:
            self.keys += 1
            entries.append(self.draining.entry(customer, lines, f"key-{self.keys}"))
            ids.append(self.draining.order_id(customer, f"key-{self.keys}"))
            self.model.place(ids[-1], customer, lines)
        self.entries += entries
        repeated = (
            [Entry(self.draining.entry("x", {"a": 1}, "x").id, one.payload) for one in self.entries] if again else []
        )
        self.run(self.draining.batch(self.connection, entries + repeated))
        return multiple(*ids)

    @rule(order_id=placed, to=st.sampled_from(list(Status)), restock=st.booleans())
    def move(self, order_id: UUID, to: Status, restock: bool) -> None:
        if to in ALLOWED[self.model.status[order_id]]:
            self.run(transition(self.connection, order_id, to, terms=HandTerms(restock=restock)))
            self.model.move(order_id, to, restock)
        else:
            with pytest.raises(IllegalTransitionError):
                self.run(transition(self.connection, order_id, to, terms=HandTerms(restock=restock)))

    @rule(chosen=st.lists(consumes(placed), max_size=4, unique=True), confirm=st.booleans())
    def settle(self, chosen: list[UUID], confirm: bool) -> None:
        pending = {one for one in chosen if self.model.status[one] is Status.PENDING}
        assert set(self.run(self._settle(chosen, confirm))) == pending
        for one in pending:
            self.model.move(one, Status.CONFIRMED if confirm else Status.CANCELLED, restock=False)

    async def _settle(self, chosen: list[UUID], confirm: bool) -> list[UUID]:
        async with self.connection.transaction():
            if confirm:
                return await confirm_many(self.connection, chosen)
            return await cancel_many(self.connection, chosen, reason="payment_declined")

    @invariant()
    def ledger_is_the_models(self) -> None:
        if not hasattr(self, "draining"):
            return
        rows = [self.run(stock.get_stock(self.connection, product)) for product in PRODUCTS]
        seen = {row.product_id: (row.stock, row.reserved, row.sold) for row in rows if row}
        model = self.model
        assert seen == {one: (model.stock[one], model.reserved[one], model.sold[one]) for one in PRODUCTS}

    @invariant()
    def promises_hold(self) -> None:
        if not hasattr(self, "draining"):
            return
        findings = self.run(audit.audit(self.connection))
        assert [figure for figure in findings.figures if figure.breaches] == []
        for order_id, status in self.model.status.items():
            order = self.run(orders.read_order(self.connection, order_id))
            assert order is not None
            assert order.status == status


def test_postgres_does_what_the_model_does(database_url: str) -> None:
    machine = type("Machine", (StockMachine,), {"url": database_url})
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
