"""The kinds of people who come to a sale, and what each of them does. Owns the acts; calls are `visit.py`'s.

Who comes is drawn by the number of the arrival, so that a run has the same people however many processes it is shared
out over.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadtests.crowd.notes import Notes
    from loadtests.crowd.visit import Visit

TWICE = 0.05
"""Share of shoppers who send their accepted order once more, as after a lost answer."""
LOOKS = 0.3
"""Share of shoppers who read the product's page before they order."""
RELOADS = 12
RELOAD_EVERY_S = 0.25
BOT_TRIES = 5
IMPATIENT_TRIES = 30


class Crowd(msgspec.Struct, frozen=True, kw_only=True):
    """Who comes, and what they come for."""

    sale: str
    products: dict[str, float]
    """Weights."""
    kinds: dict[str, float] = msgspec.field(default_factory=lambda: {"shopper": 1.0})
    """Weights of the kinds of people, see `ACTS`."""
    has_room: bool = False
    seed: int = 1


class Person:
    """Somebody who came: a visit, and the dice of its own."""

    def __init__(self, crowd: Crowd, visit: Visit, notes: Notes) -> None:
        self.crowd, self.visit, self.notes = crowd, visit, notes
        self.dice = Random(f"{crowd.seed}/{visit.number}")
        self.kind = self.dice.choices(list(crowd.kinds), list(crowd.kinds.values()))[0]
        self.product = self.dice.choices(list(crowd.products), list(crowd.products.values()))[0]

    def act(self) -> None:
        """Do what this kind of person does."""
        self.notes.came(self.kind)
        ACTS[self.kind](self)

    @property
    def body(self) -> dict[str, Any]:
        """The order."""
        return {"customer_id": f"locust-{self.visit.number}", "lines": [{"product_id": self.product, "quantity": 1}]}


def shop(person: Person) -> None:
    """Look perhaps, wait for one's turn, order, perhaps send it again, watch."""
    if person.dice.random() < LOOKS:
        person.visit.look_at(f"/products/{person.product}", "product page")
    if person.crowd.has_room and not person.visit.wait_for_turn():
        return
    _order_and_watch(person)


def reload_and_shop(person: Person) -> None:
    """Reload the sale's and the product's page again and again before ordering: the storm before an opening."""
    for turn in range(RELOADS):
        path = f"/sales/{person.crowd.sale}" if turn % 2 else f"/products/{person.product}"
        person.visit.look_at(path, "reload")
        person.visit.sleep(RELOAD_EVERY_S)
    if person.crowd.has_room and not person.visit.wait_for_turn():
        return
    _order_and_watch(person)


def attack(person: Person) -> None:
    """Order without having waited: with no admission, a made-up one, many accounts with one card, a worn key."""
    number = person.visit.number
    for turn in range(BOT_TRIES):
        body = person.body | {
            "customer_id": f"bot-{number}-{turn}",
            "identities": {"card": f"card-{number % 7}", "device": "the same"},
        }
        headers = {"Idempotency-Key": f"bot-{number}" if turn % 2 else f"bot-{number}-{turn}"}
        if turn % 3:
            headers["Authorization"] = f"Bearer made-up-{person.dice.getrandbits(64):x}"
        if person.visit.try_anything(body, headers) == 202 and person.crowd.has_room:
            person.notes.unadmitted += 1


def insist(person: Person) -> None:
    """Send again at once whatever `Retry-After` says, and twice the same at the end: the storm of retries."""
    if person.crowd.has_room and not person.visit.wait_for_turn():
        return
    order_id = person.visit.order(person.body, patient=False, tries=IMPATIENT_TRIES)
    if order_id is None:
        return
    for _ in range(2):
        person.visit.send_again(person.body, order_id)
    person.visit.watch(order_id)


def _order_and_watch(person: Person) -> None:
    order_id = person.visit.order(person.body)
    if order_id is None:
        return
    if person.dice.random() < TWICE:
        person.visit.send_again(person.body, order_id)
    person.visit.watch(order_id)


ACTS: dict[str, Callable[[Person], None]] = {
    "shopper": shop,
    "reloading": reload_and_shop,
    "bot": attack,
    "insisting": insist,
}
