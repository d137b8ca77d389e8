"""The rules of the stateful test of an order's life: what people, shifts, the provider, time and crashes may do.

Owns what is drawn and how it is handed to the shop; what must hold after each rule is the invariant at its end.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from redis.asyncio import Redis

from db import sales
from db.connections import pool
from db.connections.pool import Connection
from db.products import stock
from doorbuster.errors import DoorbusterError, InvalidError
from doorbuster.settings import Settings
from tests.fixtures.chaotic_provider import Fault, Provider
from tests.fixtures.life.world import Wish, World
from tests.fixtures.mortal import Break
from tests.integration.workers.payments.life_acts import FULFILMENT, GIVING_BACK, Act, Ship

T = TypeVar("T")
PRODUCTS = ("a", "b", "free")
PRICES = {"a": 100, "b": 250, "free": 0}
WISHES = st.builds(
    Wish,
    st.sampled_from(["ann", "bob", "eve"]),
    st.lists(st.tuples(st.sampled_from(["a", "a", "b", "b", "free"]), st.integers(1, 3)), min_size=1, max_size=2),
    st.sampled_from([None, None, None, "tok_decline", "action", "card:A", "card:B", "action card:A"]),
    st.sampled_from([None, None, None, None, 0, 0, 0, 1]),
    st.booleans(),
    st.sampled_from([None, "ann@gmail.com", "a.nn+x@gmail.com", "bob@example.com"]),
)
FAULTS = st.lists(st.sampled_from(list(Fault)), max_size=3)
BREAKS = st.one_of(st.none(), st.none(), st.builds(Break, st.integers(0, 14), st.booleans(), st.booleans()))
INDEX = st.integers(0, 1000)
SHIFTS = ("settle", "money", "sweep", "standby")
BACKLOG_MAX = 6
CLOSES_AFTER = 8


class Stores:
    """What the examples of a run share: an event loop, and one connection to each store."""

    def __init__(self, url: str, settings: Settings) -> None:
        self.runner = asyncio.Runner()
        self.url, self.settings = url, settings
        self.admin: Connection = self.run(pool.connect(url, command_timeout_s=30))
        self.redis = Redis.from_url(settings.orders_redis_url.get_secret_value())

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run something to its end."""
        return self.runner.run(coroutine)

    def close(self) -> None:
        """Close them."""
        self.run(self.admin.close())
        self.run(self.redis.aclose())
        self.runner.close()


class LifeOfAnOrder(RuleBasedStateMachine):
    """Drives one shop."""

    stores: ClassVar[Stores]
    examples: ClassVar[int] = 0
    world: World | None = None

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.stores.run(coroutine)

    @initialize(
        mode=st.sampled_from(["capture", "capture", "authorise", "authorise", "none"]),
        units=st.sampled_from([0, 1, 2, 4, 8, 12]),
        wishes=st.lists(WISHES, min_size=2, max_size=5),
        begins=st.sampled_from(["accepted", "paid", "sent"]),
        limited=st.booleans(),
        provider=st.builds(Provider, st.booleans(), st.booleans()),
    )
    def begin(
        self, mode: sales.PaymentMode, units: int, wishes: list[Wish], begins: str, limited: bool, provider: Provider
    ) -> None:
        type(self).examples += 1
        world = World(self.stores.admin, self.stores.url, self.stores.settings, self.stores.redis, provider)
        terms = [
            sales.SaleProduct(
                product_id="a", quantity=10, limit_email=6 if limited else None, limit_card=4 if limited else None
            ),
            sales.SaleProduct(product_id="b", limit_per_customer=3 if limited else None),
            sales.SaleProduct(product_id="free"),
        ]
        spec = sales.SaleSpec(sale_id=f"sale-{self.examples}", products=terms, payment=mode, standby_max=3)
        self.run(world.begin(spec, dict.fromkeys(PRODUCTS, units), PRICES))
        self.world = world
        world.accept(wishes)
        self.run(world.drain(len(wishes)))
        if begins != "accepted":
            self.all_goes_well()
        for order_id in world.order_ids if begins == "sent" else ():
            self.by_hand(order_id, Ship(None), None)

    @property
    def shop(self) -> World:
        assert self.world is not None
        return self.world

    def order(self, index: int) -> UUID:
        """Return an order, mostly one that is not over."""
        some = self.shop.order_ids
        if index % 4:
            some = self.run(self.shop.living()) or some
        return some[index % len(some)]

    def has_orders(self) -> bool:
        return self.world is not None and bool(self.world.order_ids)

    # Orders.

    @precondition(lambda self: self.world is not None and len(self.world.backlog) < BACKLOG_MAX)
    @rule(wishes=st.lists(WISHES, min_size=1, max_size=4))
    def accept(self, wishes: list[Wish]) -> None:
        self.shop.accept(wishes)

    @precondition(lambda self: self.world is not None and self.world.backlog)
    @rule(most=st.integers(1, 6), again=st.integers(0, 2), at=BREAKS)
    def drain(self, most: int, again: int, at: Break | None) -> None:
        self.run(self.shop.drain(most, again, at))

    # Shifts.

    @precondition(has_orders)
    @rule(kind=st.sampled_from(SHIFTS), steps=st.integers(1, 3), late=st.booleans(), faults=FAULTS, at=BREAKS)
    def work(self, kind: str, steps: int, late: bool, faults: list[Fault], at: Break | None) -> None:
        if late:
            self.run(self.shop.make_due())
        for step in range(steps):
            self.run(self.shop.step(kind, faults if step == 0 else (), at if step == 0 else None))

    @precondition(has_orders)
    @rule()
    def all_goes_well(self) -> None:
        self.run(self.shop.make_due())
        for kind in ("settle", "settle", "money", "money"):
            self.run(self.shop.step(kind))

    @precondition(has_orders)
    @rule(kind=st.sampled_from(SHIFTS))
    def replace(self, kind: str) -> None:
        self.run(self.shop.replace(kind))

    @precondition(lambda self: self.world is not None and self.world.old)
    @rule(index=INDEX, dies=st.booleans())
    def an_old_shift_wakes(self, index: int, dies: bool) -> None:
        process = self.shop.old.pop(index % len(self.shop.old))
        if not dies:
            self.run(process.step())
        self.run(process.kill())

    @precondition(has_orders)
    @rule(kind=st.sampled_from(SHIFTS), how=st.sampled_from(["killed", "stopped", "ended"]))
    def end(self, kind: str, how: str) -> None:
        process = self.run(self.shop.process(kind))
        self.run(process.kill() if how == "killed" else process.end(immediately=how == "stopped"))

    # The provider, and time.

    @precondition(lambda self: self.world is not None and self.world.provider.under_way)
    @rule(index=INDEX)
    def a_late_request_arrives(self, index: int) -> None:
        self.shop.provider.arrive(index % len(self.shop.provider.under_way))

    @precondition(lambda self: self.world is not None and self.world.provider.waiting)
    @rule(index=INDEX)
    def an_answer_comes(self, index: int) -> None:
        self.shop.provider.release(index % len(self.shop.provider.waiting))

    @precondition(lambda self: self.world is not None and self.world.provider.news)
    @rule(indexes=st.lists(INDEX, min_size=1, max_size=3), again=st.booleans())
    def the_provider_calls_back(self, indexes: list[int], again: bool) -> None:
        self.run(self.shop.tell(indexes, again=again))

    @precondition(lambda self: self.world is not None and self.world.provider.payments)
    @rule(index=INDEX, succeeds=st.booleans())
    def the_shopper_acts(self, index: int, succeeds: bool) -> None:
        provider = self.shop.provider
        provider.act(list(provider.payments)[index % len(provider.payments)], succeeds=succeeds)

    @precondition(lambda self: self.world is not None and not self.world.provider.under_way)
    @rule()
    def a_day_passes(self) -> None:
        self.run(self.shop.a_day_passes())

    @precondition(has_orders)
    @rule(indexes=st.lists(INDEX, min_size=1, max_size=3))
    def holds_end(self, indexes: list[int]) -> None:
        self.run(self.shop.end_holds([self.order(index) for index in indexes]))

    @precondition(has_orders)
    @rule()
    def time_comes(self) -> None:
        self.run(self.shop.make_due())

    # People.

    @rule(product=st.sampled_from(PRODUCTS), units=st.integers(1, 3))
    def receive(self, product: str, units: int) -> None:
        self.run(stock.receive(self.stores.admin, product, units))

    @rule(product=st.sampled_from(PRODUCTS), price=st.sampled_from([90, 100, 260]))
    def reprice(self, product: str, price: int) -> None:
        self.run(self.shop.reprice(product, price))

    @rule(product=st.sampled_from(PRODUCTS), quantity=st.sampled_from([None, 3, 8, 20]))
    def allot(self, product: str, quantity: int | None) -> None:
        with contextlib.suppress(InvalidError):  # more are sold already
            self.run(self.shop.allot(product, quantity))

    @precondition(lambda self: self.world is not None and len(self.world.order_ids) > CLOSES_AFTER)
    @rule()
    def the_sale_closes(self) -> None:
        self.run(self.shop.close_sale())

    # Three rules, because some are left out of each example.

    @precondition(has_orders)
    @rule(acts=st.lists(st.tuples(INDEX, FULFILMENT, BREAKS), min_size=1, max_size=3))
    def it_is_fulfilled(self, acts: list[tuple[int, Act, Break | None]]) -> None:
        self.people_act(acts)

    @precondition(has_orders)
    @rule(acts=st.lists(st.tuples(INDEX, GIVING_BACK, BREAKS), min_size=1, max_size=3))
    def it_is_given_back(self, acts: list[tuple[int, Act, Break | None]]) -> None:
        self.people_act(acts)

    @precondition(has_orders)
    @rule(acts=st.lists(st.tuples(INDEX, FULFILMENT | GIVING_BACK, BREAKS), min_size=1, max_size=3))
    def anything_is_done(self, acts: list[tuple[int, Act, Break | None]]) -> None:
        self.people_act(acts)

    def people_act(self, acts: list[tuple[int, Act, Break | None]]) -> None:
        for index, act, at in acts:
            self.by_hand(self.order(index), act, at)
            told(self.run(self.shop.problems()))

    def by_hand(self, order_id: UUID, act: Act, at: Break | None) -> None:
        """Do something by hand: a refusal changes nothing."""
        before = self.run(self.shop.read())
        order, key = before.orders[order_id], self.shop.next_key()
        try:
            self.run(self.shop.by_hand(lambda db: act.do(db, order, key), at))
        except DoorbusterError:
            assert self.run(self.shop.read()) == before

    # What must hold.

    @invariant()
    def promises_hold(self) -> None:
        if self.world is not None:
            told(self.run(self.shop.problems()))

    def teardown(self) -> None:
        if self.world is None:
            return
        try:
            told(self.run(self.shop.rest()))
        finally:
            self.run(self.shop.close())


def told(problems: Sequence[str]) -> None:
    """Fail with what is wrong, one a line."""
    assert not problems, "\n".join(problems)
