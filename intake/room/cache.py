"""The rooms in use in this process: their state, read by one call a tick, and the document made of it.

Owns freshness and what happens when the room's store does not answer; never decides who is let in, but for the
bounded time in which a room that fails open gives emergency admissions.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from doorbuster.errors import DoorbusterError, StoreUnavailableError
from doorbuster.failures import STORE_FAILED
from doorbuster.log import shared_context
from doorbuster.values.shadows import is_shadow
from intake.room.rate_limit import Allowance
from intake.room.status_document import StatusDocument, document_of
from waitingroom.room import Mode, effective_phase
from waitingroom.room_store import Room
from waitingroom.sale_config import mode_of, room_config
from waitingroom.tickets import Ticket, TicketHolder

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio import Redis

    from db.sales import Sale
    from doorbuster.contract.room import ChallengeView
    from intake.sales.cache import CachedSale
    from intake.sales.offers import OfferCache
    from waitingroom.admissions import Admission
    from waitingroom.room import Phase, RoomConfig, RoomState

log = logging.getLogger("doorbuster.intake.room")

LOOK_S = 0.05
TICK_S = 1.0
IN_USE_S = 10.0
SHADOW_IN_USE_S = 2.0
"""Of a shadow's room: a tick after its end would write its keys again, which `db/rehearsals.py` waits for."""
STALE_S = 3.0
"""A state older than this is not decided by; with a store that failed meanwhile the room is down."""
OFFERS_S = 0.25
"""How long a document waits for the products of its sale; without them it shows those read before."""
MOST_ROOMS = 1_000
GIVEN_BACK_MAX = 20_000
"""Slots waiting for the next tick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomCacheTerms:
    """What holds for every room of the process."""

    timeout_s: float
    emergency_s: float
    """How long a room that fails open lets people in."""


class CachedRoom:
    """One sale's room as this process sees it."""

    def __init__(self, cached: CachedSale, redis: Redis, terms: RoomCacheTerms) -> None:
        self.cached = cached
        self._config_of, self._known_config = cached.sale, room_config(cached.sale)
        self.room = Room(redis, self._config, timeout_s=terms.timeout_s)
        self.state: RoomState | None = None
        self.document: StatusDocument | None = None
        self.offers: asyncio.Task[None] | None = None
        """Reads what the sale offers, for the document."""
        self.used_at = time.monotonic()
        self._terms = terms
        self._read_at = 0.0
        self._next_at = 0.0
        self._failed_at: float | None = None
        self._reading: asyncio.Task[None] | None = None
        self._allowance = Allowance()
        self._given_back: list[Admission] = []

    def _config(self) -> RoomConfig:
        if self._config_of is not (sale := self.cached.sale):
            self._config_of, self._known_config = sale, room_config(sale)
        return self._known_config

    def _in_force(self) -> RoomConfig:
        """Return what holds now, by the store's clock as far as it is known."""
        return self._config().at(int(self.now_s * 1000))

    @property
    def age_s(self) -> float:
        """How old the state is."""
        return time.monotonic() - self._read_at

    @property
    def is_down(self) -> bool:
        """Whether the store has been failing for as long as a state may be old."""
        return self._failed_at is not None and self.age_s > STALE_S

    @property
    def is_fresh(self) -> bool:
        """Whether the state may be decided by."""
        return self.state is not None and self.age_s <= STALE_S

    @property
    def epoch(self) -> int:
        """The room's epoch, as the sale or the store says: the later."""
        return max(self.cached.sale.room_epoch, self.state.config.epoch if self.state else 0)

    @property
    def now_s(self) -> float:
        """The store's clock, as far as it is known: never behind it, for the time that the asking took counts."""
        return time.time() if self.state is None else self.state.now_ms / 1000 + self.age_s

    @property
    def phase(self) -> Phase:
        """What the room does now, as far as the sale says."""
        return effective_phase(self._config(), int(self.now_s * 1000))

    @property
    def grace_s(self) -> int:
        """How long a place that is reached waits for its visitor."""
        return self._in_force().grace_ms // 1000

    @property
    def needs_admission(self) -> bool:
        """Whether an order needs an admission; a safety net that nobody can ask stays as it was, off at first."""
        mode = mode_of(self.cached.sale)
        return mode is Mode.ALWAYS or (mode is Mode.SAFETY_NET and self.state is not None and self.state.net)

    @property
    def is_emergency(self) -> bool:
        """Whether people are let in without the store: it is down, the room fails open, and not for too long."""
        if not self.is_down or self.cached.sale.room.get("on_store_failure") != "open":
            return False
        assert self._failed_at is not None
        return time.monotonic() - self._failed_at < self._terms.emergency_s

    def take_emergency(self) -> bool:
        """Take one of the admissions that the operator's rate allows this process while the store is down."""
        config = self._in_force()
        return self._allowance.take(config.rate_per_s, config.burst)

    def give_back(self, admission: Admission) -> None:
        """Give an admission's slot back with the next tick; one that is forgotten comes back when it runs out."""
        if len(self._given_back) < GIVEN_BACK_MAX:
            self._given_back.append(admission)

    def is_due(self, now: float) -> bool:
        """Whether it is time to tick."""
        in_use_s = SHADOW_IN_USE_S if is_shadow(self.cached.number) else IN_USE_S
        return now - self.used_at < in_use_s and now >= self._next_at

    async def read(self) -> None:
        """Tick once, whoever asks meanwhile; a failure is noted, not raised."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._read(), context=shared_context())
            self._reading.add_done_callback(self._finished)
        await asyncio.shield(self._reading)

    def _finished(self, _task: asyncio.Task[None]) -> None:
        self._reading = None

    async def read_anew(self) -> None:
        """Tick once, beginning now: a tick under way may have begun before what is to be seen."""
        if self._reading is not None:
            await asyncio.shield(self._reading)
        await self.read()

    async def _read(self) -> None:
        sale = self.cached.sale
        self._next_at = time.monotonic() + min(TICK_S, self._in_force().tick_s)
        given_back, self._given_back = self._given_back, []
        try:
            if given_back:
                await self.room.release(given_back)
            asked_at = time.monotonic()
            state = await self.room.follow(sale.version, sale.room_secret)
        except StoreUnavailableError as error:
            if self._failed_at is None:
                log.warning("the room does not answer", extra={"sale_id": sale.sale_id, "error": error.detail})
                self._failed_at = time.monotonic()
            return
        if self._failed_at is not None:
            log.warning("the room answers again", extra={"sale_id": sale.sale_id})
        self.state, self._read_at, self._failed_at = state, asked_at, None


class RoomCache:
    """Finds the room of a sale and keeps those in use fresh."""

    def __init__(
        self,
        redis: Redis,
        terms: RoomCacheTerms,
        challenge_of: Callable[[CachedSale], ChallengeView],
        offering: OfferCache,
    ) -> None:
        self._redis = redis
        self._offering = offering
        self._terms = terms
        self._challenge_of = challenge_of
        self._rooms: dict[int, CachedRoom] = {}

    def known(self, cached: CachedSale) -> CachedRoom | None:
        """Return the sale's room, None if it has none; costs no I/O. Its state may be missing or old."""
        if not cached.has_room:
            return None
        found = self._rooms.get(cached.number)
        if found is None:
            self._make_place()
            found = self._rooms[cached.number] = CachedRoom(cached, self._redis, self._terms)
        found.cached = cached
        found.used_at = time.monotonic()
        return found

    def give_back(self, cached: CachedSale, admission: Admission) -> None:
        """Give the slot of an admission back whose orders are placed."""
        if (room := self.known(cached)) is not None:
            room.give_back(admission)

    async def ready(self, cached: CachedSale) -> CachedRoom | None:
        """Return the sale's room with a fresh state if its store answers, None if the sale has no room."""
        found = self.known(cached)
        if found is not None and not found.is_fresh and not found.is_down:
            await found.read()
        if found is not None and found.document is None:
            await self._write(found)
        return found

    async def take_again(self, cached: CachedSale, admission: Admission) -> None:
        """Take the slot of an admission again of which a use came back; without the room's store it orders without."""
        found = self.known(cached)
        if found is None or admission.emergency:
            return
        visitor = TicketHolder(admission.visitor, b"", admission.customer)
        try:
            await found.room.reinstate(Ticket(cached.number, admission.number, visitor))
        except StoreUnavailableError as error:
            log.warning("an admission has no slot", extra=_about(cached.sale, error))

    async def configure(self, cached: CachedSale) -> None:
        """Put a sale's change before its room now; a store that is away hears of it when it is back."""
        if (found := self.known(cached)) is not None:
            try:
                await found.room.configure()
            except StoreUnavailableError as error:
                log.warning("the room hears of a change later", extra=_about(cached.sale, error))

    async def note_sold_out(self, sale: Sale, gone: set[str]) -> None:
        """Say what is sold out now; a store that is away hears of it from the scheduler."""
        room = Room(self._redis, lambda: room_config(sale), timeout_s=self._terms.timeout_s)
        try:
            await room.note_sold_out(whole=len(gone) == len(sale.products), products=sorted(gone))
        except StoreUnavailableError as error:
            log.warning("the room hears of units later", extra=_about(sale, error))

    async def renew(self, cached: CachedSale) -> None:
        """Read the sale's room anew, if this process has it open."""
        if (found := self._rooms.get(cached.number)) is not None and cached.has_room:
            await found.read_anew()
            await self._write(found)

    def forget(self, sale_id: str) -> None:
        """Tick a shadow's room no more, which is gone: a tick would write its keys again."""
        for number, room in list(self._rooms.items()):
            if is_shadow(number) and room.cached.sale.sale_id == sale_id:
                del self._rooms[number]

    async def keep_ticking(self) -> None:
        """Tick the rooms in use and renew their documents, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            now = time.monotonic()
            due = [room for room in self._rooms.values() if room.is_due(now)]
            await asyncio.gather(*map(self._renew, due))

    async def _renew(self, room: CachedRoom) -> None:
        try:
            await room.read()
            await self._write(room)
        except DoorbusterError as error:
            log.error("the room cannot be kept", extra={"sale_id": room.cached.sale.sale_id, "error": error.detail})

    async def _write(self, room: CachedRoom) -> None:
        if room.offers is None:
            room.offers = asyncio.create_task(self._read_offers(room), context=shared_context())
        # Without Postgres the room goes on: the document says of products what was known last.
        await asyncio.wait({room.offers}, timeout=OFFERS_S)
        if room.state is not None:
            challenge = self._challenge_of(room.cached)
            room.document = document_of(room.cached, room.state, challenge, degraded=room.is_down)

    async def _read_offers(self, room: CachedRoom) -> None:
        try:
            await self._offering.of(room.cached)
        except STORE_FAILED as error:
            about = {"sale_id": room.cached.sale.sale_id, "error": error}
            log.warning("the room does not know its sale's products", extra=about)
        finally:
            room.offers = None

    def _make_place(self) -> None:
        if len(self._rooms) >= MOST_ROOMS:
            del self._rooms[min(self._rooms, key=lambda number: self._rooms[number].used_at)]


def _about(sale: Sale, error: StoreUnavailableError) -> dict[str, str]:
    return {"sale_id": sale.sale_id, "error": error.detail}
