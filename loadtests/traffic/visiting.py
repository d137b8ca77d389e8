"""Shoppers who go through a sale's waiting room: join, wait, claim, order with the admission. An open loop.

While waiting a visitor asks the server nothing: it looks at the status document as often as that says, and all of
them share one copy for the second that `Cache-Control` allows, as a CDN would give it to them. Where all connections
are busy, who is further on goes first: each shopper has a connection of its own, and a claim does not stand behind the
thousands that only arrive.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from random import Random
from time import perf_counter
from urllib.parse import urlsplit

import msgspec

from doorbuster.contract.room import AdmissionView, RoomStatus, TicketView, WaitView
from loadtests.traffic.connection import Attempt, Reply
from loadtests.traffic.fleet import Fleet
from loadtests.traffic.plan import Plan, Result, Visits
from loadtests.traffic.samples import Samples

MAX_AGE_S = 1.0
_read_ticket = msgspec.json.Decoder(TicketView).decode
_read_status = msgspec.json.Decoder(RoomStatus).decode
_read_admission = msgspec.json.Decoder(AdmissionView).decode
_read_wait = msgspec.json.Decoder(WaitView).decode
_POST = b"POST %b HTTP/1.1\r\nHost: %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"


class Visitor:
    """One shopper, from arrival to the last answer."""

    __slots__ = ("admitted_at", "due", "joined_at", "number", "order", "secret", "ticket")

    def __init__(self, order: bytes, due: float, secret: str) -> None:
        self.order = order
        self.due = due
        self.secret = secret
        self.ticket = ""
        self.number = 0
        self.joined_at = 0.0
        self.admitted_at = 0.0


class Step(Attempt):
    """A request of a visitor; `then` takes its answer."""

    __slots__ = ("then", "visitor")

    def __init__(self, request: bytes, due: float, visitor: Visitor | None, then: Callable[[Step, Reply], None]):
        super().__init__(request, due)
        self.visitor = visitor
        self.then = then


class Visiting(Fleet):
    """A fleet whose orders go through the room."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        assert plan.room is not None
        self._way = plan.room
        self._random = Random(plan.mix.prefix)
        self._host = urlsplit(plan.base).netloc.encode()
        self._visits = Visits()
        self._to_join, self._waited = Samples(), Samples()
        self._ends: Counter[str] = Counter()
        self._status: RoomStatus | None = None
        self._status_at = 0.0
        self._looking: list[Visitor] = []

    def result(self) -> Result:
        """Return what came of the run, its visits included."""
        result = self.tally.result()
        result.visits = msgspec.structs.replace(
            self._visits, ends=dict(self._ends), to_join=self._to_join.to_bytes(), waited=self._waited.to_bytes()
        )
        return result

    def _offer(self, due: float) -> None:
        self.tally.offered += 1
        name = f"{self._plan.mix.prefix}-visitor-{self.tally.offered}"
        visitor = Visitor(self._source(), due, f"secret of {name}")
        if self._random.random() < self._way.gatecrashers:
            self._visits.gatecrashed += 1
            self._dispatch(Step(visitor.order, due, visitor, self._on_ordered))
            return
        joins = {"visitor_id": name, "secret_hash": hashlib.sha256(visitor.secret.encode()).hexdigest()}
        if self._way.customers:
            joins["customer_id"] = f"{self._plan.mix.prefix}-{self.tally.offered - 1}"  # as `shoppers` numbers them
        body = msgspec.json.encode(joins)
        self._dispatch(Step(self._post("/tickets", body), due, visitor, self._on_joined))

    def _post(self, path: str, body: bytes) -> bytes:
        return _POST % ((self._way.base + path).encode(), self._host, len(body), body)

    def _answered(self, attempt: Attempt, reply: Reply) -> None:
        assert isinstance(attempt, Step)
        attempt.then(attempt, reply)

    def _on_joined(self, step: Step, reply: Reply) -> None:
        visitor = step.visitor
        assert visitor is not None
        if reply.status != 201:
            self._refused(step, reply)
            return
        found = _read_ticket(reply.body)
        visitor.ticket, visitor.number, visitor.joined_at = found.ticket, found.number, perf_counter()
        self._visits.joined += 1
        self._to_join.add(visitor.joined_at - step.due)
        self._look(visitor)

    def _look(self, visitor: Visitor) -> None:
        """Look at the status document; where the copy is too old, when the next one is here."""
        if self._closed:
            return
        self._visits.looks += 1
        if self._status is not None and perf_counter() - self._status_at < MAX_AGE_S:
            self._decide(visitor, self._status)
            return
        self._looking.append(visitor)
        if len(self._looking) == 1:
            request = b"GET %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (self._way.base.encode(), self._host)
            self._dispatch(Step(request, perf_counter(), None, self._on_status), ahead=True)

    def _on_status(self, _step: Step, reply: Reply) -> None:
        self._visits.fetches += 1
        if reply.status == 200:
            self._status = _read_status(reply.body)
        self._status_at = perf_counter()
        looking, self._looking = self._looking, []
        for visitor in looking:
            if self._status is None:
                self._later(1.0, visitor)
            else:
                self._decide(visitor, self._status)

    def _decide(self, visitor: Visitor, status: RoomStatus) -> None:
        """Do what the page's script does: go when nothing is left, claim when it is one's turn, else wait."""
        position = visitor.number - status.frontier
        if status.sold_out.whole or status.phase in ("drain", "over"):
            self._gone(visitor, "room_sold_out" if status.sold_out.whole else "room_over")
        elif position > 0:
            poll = status.poll
            away = position / status.rate_per_s * poll.share if status.rate_per_s > 0 else poll.max_s
            self._later(min(max(away, poll.min_s), poll.max_s) * self._jitter(poll.jitter), visitor)
        elif self._random.random() < self._way.no_shows:
            self._visits.no_shows += 1
            self._gone(visitor, "no_show")
        else:
            self._claim(visitor)

    def _jitter(self, share: float) -> float:
        return 1 - share + 2 * share * self._random.random()

    def _later(self, delay_s: float, visitor: Visitor) -> None:
        asyncio.get_running_loop().call_later(delay_s, self._look, visitor)

    def _claim(self, visitor: Visitor) -> None:
        if self._closed:
            return
        self._visits.claims += 1
        body = msgspec.json.encode({"ticket": visitor.ticket, "secret": visitor.secret})
        self._dispatch(Step(self._post("/admissions", body), perf_counter(), visitor, self._on_claimed), ahead=True)

    def _on_claimed(self, step: Step, reply: Reply) -> None:
        visitor = step.visitor
        assert visitor is not None
        if reply.status == 202:
            self._visits.early += 1
            again_s = _read_wait(reply.body).retry_after_s
            asyncio.get_running_loop().call_later(again_s, self._claim, visitor)
        elif reply.status == 200:
            self._admitted(visitor, _read_admission(reply.body))
        else:
            self._refused(step, reply)

    def _admitted(self, visitor: Visitor, found: AdmissionView) -> None:
        visitor.admitted_at = perf_counter()
        self._visits.admitted += 1
        self._waited.add(visitor.admitted_at - visitor.joined_at)
        self._ends[str(int(datetime.fromisoformat(found.expires_at).timestamp()))] += 1
        head, _, body = visitor.order.partition(b"\r\n\r\n")
        visitor.order = b"%b\r\nAuthorization: Bearer %b\r\n\r\n%b" % (head, found.admission.encode(), body)
        self._dispatch(Step(visitor.order, visitor.admitted_at, visitor, self._on_ordered), ahead=True)

    def _on_ordered(self, step: Step, reply: Reply) -> None:
        visitor = step.visitor
        assert visitor is not None
        accepted = 200 <= reply.status < 300
        if accepted and not visitor.admitted_at:
            self._visits.unadmitted += 1
        if accepted and self._random.random() < self._way.impatient:
            self._outstanding += 1
            self._dispatch(Step(visitor.order, perf_counter(), visitor, self._on_repeated), ahead=True)
        super()._answered(step, reply)

    def _on_repeated(self, _step: Step, reply: Reply) -> None:
        """Count an order sent again; it was counted as accepted already."""
        self._visits.replayed += reply.replayed
        self._done()

    def _refused(self, step: Step, reply: Reply) -> None:
        super()._answered(step, reply)

    def _gone(self, visitor: Visitor, code: str) -> None:
        now = perf_counter()
        self.tally.ended(code, now - visitor.due, now - self._start)
        self._done()
