"""One person's calls to a shop: look at pages, wait in the room, order, watch the order. Owns the calls of HTTP.

What a person does with them is `people.py`'s. The client is Locust's, or a stand-in of the tests.
"""

from __future__ import annotations

import hashlib
import time
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadtests.crowd.notes import Notes

WATCH_S = 30.0
WATCH_EVERY_S = 0.5
PATIENCE_S = 60.0
"""How long somebody waits in the room."""
TRIES = 6
FINAL = frozenset({"confirmed", "cancelled", "refunded", "shipped", "delivered"})
_BUSY = (0, 429, 503)


class Visit:
    """The calls of one person, who has a number, and what is noted of them."""

    def __init__(
        self, client: Any, notes: Notes, sale: str, number: int, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client, self._notes, self._sale = client, notes, sale
        self.number = number
        self.sleep = sleep
        self._admission: str | None = None
        self._is_drawn = False

    @property
    def is_admitted(self) -> bool:
        """Whether the room let this person in."""
        return self._admission is not None

    def look_at(self, path: str, name: str) -> int:
        """Read a page; return its status, 0 without an answer. One that is refused is refused, nothing more."""
        self._notes.reads += 1
        with self._client.get(path, name=name, catch_response=True) as answer:
            if answer.status_code in (200, 304, 429, 503):
                answer.success()
            else:
                answer.failure(f"status {answer.status_code}")
            return int(answer.status_code)

    def wait_for_turn(self) -> bool:
        """Join the sale's room and wait; return whether the person was let in before it lost patience."""
        ticket = self._join()
        if ticket is None:
            return False
        ends = perf_counter() + PATIENCE_S
        while perf_counter() < ends:
            pause = self._pause(ticket["number"])
            if pause is None:
                return False
            if pause > 0:
                self.sleep(min(pause, max(ends - perf_counter(), 0)))
                continue
            again = self._claim(ticket["ticket"])
            if again is None:
                return self.is_admitted
            self.sleep(again)
        self._notes.count("lost patience")
        return False

    def _join(self) -> dict[str, Any] | None:
        body = {
            "visitor_id": f"visitor-{self.number:08}",
            "secret_hash": hashlib.sha256(self._secret().encode()).hexdigest(),
        }
        for attempt in range(TRIES):
            with self._client.post(f"{self._room}/tickets", name="join", json=body, catch_response=True) as answer:
                if answer.status_code == 201:
                    answer.success()
                    joined: dict[str, Any] = answer.json()
                    return joined
                if answer.status_code in (409, 410):
                    answer.success()
                    self._notes.count(_code(answer))
                    return None
                answer.failure(f"status {answer.status_code}")
                if answer.status_code not in _BUSY:
                    self._notes.count(f"http_{answer.status_code}")
                    return None
                pause = _pause_of(answer, attempt)
            self.sleep(pause)
        self._notes.count("unanswered")
        return None

    def _pause(self, number: int) -> float | None:
        """Look at the room; return how long to wait: 0 when it is this person's turn, None when there is no use."""
        with self._client.get(self._room, name="room", catch_response=True) as answer:
            if answer.status_code != 200:
                answer.failure(f"status {answer.status_code}")
                return 1.0
            room = answer.json()
        if room["phase"] == "lobby":
            self._is_drawn = True
            return float(room["poll"]["min_s"])
        if room["sold_out"]["whole"] or room["phase"] in ("drain", "over"):
            self._notes.count("room_sold_out" if room["sold_out"]["whole"] else "room_over")
            return None
        ahead = number - room["frontier"]
        if ahead <= 0 or self._is_drawn:  # the draw gave another place than the number; the claim says how long
            return 0.0
        poll = room["poll"]
        away = ahead / room["rate_per_s"] * poll["share"] if room["rate_per_s"] > 0 else poll["max_s"]
        return float(min(max(away, poll["min_s"]), poll["max_s"]))

    def _claim(self, ticket: str) -> float | None:
        """Claim the admission; return how long to wait before the next try, None when there is an end of it."""
        body = {"ticket": ticket, "secret": self._secret()}
        with self._client.post(f"{self._room}/admissions", name="claim", json=body, catch_response=True) as answer:
            if answer.status_code == 200:
                answer.success()
                self._admission = answer.json()["admission"]
                return None
            if answer.status_code == 202:
                answer.success()
                return float(answer.json()["retry_after_s"])
            if answer.status_code in (409, 410):
                answer.success()
                self._notes.count(_code(answer))
                return None
            answer.failure(f"status {answer.status_code}")
            if answer.status_code in _BUSY:
                return _pause_of(answer, 1)
            self._notes.count(f"http_{answer.status_code}")
            return None

    def order(self, body: dict[str, Any], *, patient: bool = True, tries: int = TRIES) -> str | None:
        """Post an order until it is answered; return its id if it was accepted.

        Who is patient waits as `Retry-After` says; who is not sends again at once.
        """
        headers = {"Idempotency-Key": f"locust-{self.number}"}
        if self._admission is not None:
            headers["Authorization"] = f"Bearer {self._admission}"
        for attempt in range(tries):
            with self._client.post(
                f"/sales/{self._sale}/orders", name="order", json=body, headers=headers, catch_response=True
            ) as answer:
                if answer.status_code == 202:
                    answer.success()
                    return self._accepted(answer)
                if answer.status_code not in _BUSY:
                    self._refused(answer)
                    return None
                answer.failure(f"status {answer.status_code}")
                pause = _pause_of(answer, attempt)
            if patient:
                self.sleep(pause)
        self._notes.count("unanswered")
        return None

    def _accepted(self, answer: Any) -> str:
        order_id = str(answer.json()["order_id"])
        self._notes.ids.append(order_id)
        return order_id

    def _refused(self, answer: Any) -> None:
        if 400 <= answer.status_code < 500:
            answer.success()
            self._notes.count(_code(answer))
        else:
            answer.failure(f"status {answer.status_code}")
            self._notes.count(f"http_{answer.status_code}")

    def send_again(self, body: dict[str, Any], order_id: str) -> None:
        """Send an accepted order once more, as after a lost answer: it must be the same order."""
        self._notes.replays += 1
        if self.order(body) != order_id:
            self._notes.replays_differ += 1

    def try_anything(self, body: dict[str, Any], headers: dict[str, str]) -> int:
        """Post what a bot posts, once; return the status. Whatever is accepted is an order like any other."""
        with self._client.post(
            f"/sales/{self._sale}/orders", name="bot", json=body, headers=headers, catch_response=True
        ) as answer:
            answer.success()
            if answer.status_code == 202:
                self._accepted(answer)
                self._notes.count("bot: accepted")
            else:
                self._notes.count(f"bot: {_code(answer) if answer.status_code else 'unanswered'}")
            return int(answer.status_code)

    def watch(self, order_id: str) -> None:
        """Watch an order until it is final."""
        ends = perf_counter() + WATCH_S
        while perf_counter() < ends:
            with self._client.get(f"/orders/{order_id}", name="watch", catch_response=True) as answer:
                if answer.status_code != 200:
                    answer.failure(f"status {answer.status_code}")
                elif (status := answer.json()["status"]) in FINAL:
                    self._notes.count(status)
                    return
            self.sleep(WATCH_EVERY_S)
        self._notes.unwatched += 1

    @property
    def _room(self) -> str:
        return f"/sales/{self._sale}/room"

    def _secret(self) -> str:
        return f"secret of visitor {self.number}"


def _pause_of(answer: Any, attempt: int) -> float:
    """Return how long the answer asks to wait; without a word of it, longer each time."""
    said = (answer.headers or {}).get("Retry-After", "")
    return float(said) if said.isdigit() else min(0.2 * 2**attempt, 2.0)


def _code(answer: Any) -> str:
    """Return the code of a problem."""
    try:
        found = answer.json()["code"]
    except (ValueError, KeyError, TypeError):
        return f"http_{answer.status_code}"
    return str(found)
