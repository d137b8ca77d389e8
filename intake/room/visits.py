"""Joining, claiming and leaving, whoever asks: JSON or the page. Owns the order of the checks; draws nothing.

What can be refused or answered without the room's store is: a wrong ticket, a visitor still clearly behind.
"""

from __future__ import annotations

import hmac
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from doorbuster.contract.room import AdmissionView, TicketView, WaitView
from doorbuster.errors import StoreUnavailableError
from doorbuster.values.timestamps import rfc3339_ms
from intake.room.challenge import ChallengeAsked
from intake.web.client_address import counted
from intake.web.problems import RefusedError
from intake.web.rate_limit import RateLimit
from intake.web.urls import order_url, page_of
from waitingroom.admissions import spend_id_of
from waitingroom.polling import eta_s, poll_for, retry_after_s
from waitingroom.records.minutes import ADMITTED, JOINED
from waitingroom.results import Admitted, Holding, Joined, No, Wait
from waitingroom.room import Phase
from waitingroom.tickets import Ticket, TicketHolder, possesses, visitor_of

if TYPE_CHECKING:
    from doorbuster.contract.room import JoinRequest
    from doorbuster.settings import Settings
    from intake.room.cache import CachedRoom
    from intake.room.challenge import Challenges
    from intake.room.end_admission import AdmissionEnder
    from intake.room.return_uses import Uses
    from waitingroom.admissions import Admission, AdmissionSigner
    from waitingroom.room import RoomState
    from waitingroom.tickets import TicketSigner

WRONG_CODE_COST = 10.0
"""A wrong access code counts as so many joins of the address; it is counted by sale as well, from any address."""
DOWN_RETRY_S = 5.0

_NO = {
    No.CLOSED: ("room_not_open", "The lobby is not open yet; the status document says when it opens"),
    No.OVER: ("room_over", "The sale is over"),
    No.SOLD_OUT: ("room_sold_out", "Everything is sold out"),
    No.CONFLICT: ("place_conflict", "The visitor or customer has a place under another secret; show its ticket"),
    No.FULL: ("room_full", "As many wait as the room takes; try again later"),
    No.UNKNOWN: ("place_unknown", "The room knows no such place; join again"),
    No.LAPSED: ("place_lapsed", "The place was released and not claimed in time; join again"),
    No.LEFT: ("place_left", "The place was given up; join again"),
    No.FINISHED: ("admission_finished", "The admission ran out or its order is placed; join again"),
    No.REVOKED: ("admission_revoked", "The admission was revoked; join again"),
    No.QUOTA: ("code_spent", "The access code has no admissions left; join without it"),
}


def refusal_of(no: No) -> RefusedError:
    """Return what a verb's refusal is over HTTP."""
    return RefusedError(*_NO[no])


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    address: str
    """Empty: it stands for many and is not counted."""
    vouched: bool
    """A storefront's server, by its key: it answers for its customers, and has checked them."""


class Spending(NamedTuple):
    """What the order store is asked about admissions: to end them, and what of them came back."""

    endings: AdmissionEnder
    uses: Uses


class Visits:
    """Lets visitors join, claim and leave."""

    def __init__(
        self,
        settings: Settings,
        office: TicketSigner,
        admissions: AdmissionSigner,
        challenges: Challenges,
        spending: Spending,
    ) -> None:
        self._office = office
        self._endings, self._uses = spending
        self._admissions = admissions
        self._challenges = challenges
        self._by_address = RateLimit(settings.room_joins_per_address)
        self._by_customer = RateLimit(settings.room_joins_per_customer)
        self._wrong_codes = RateLimit(settings.room_wrong_codes_per_sale)
        self._needs_key = bool(settings.storefront_keys)
        self._emergency_life_s = settings.room_emergency_admission_s

    async def join(self, room: CachedRoom, wanted: JoinRequest, caller: Caller) -> TicketView:
        """Give the visitor a place, or the one it has; with an access code an admission too, if the caps allow.

        Raises:
            RefusedError: why not.
        """
        quota = self._quota(room, wanted, caller)
        if quota is None and not caller.vouched:
            await self._defend(room, wanted, caller)
        visitor = self._visitor(room, wanted, caller)
        if room.is_down:
            self._must_be_emergency(room)
            return self._ticket(room, Ticket(room.cached.number, 0, visitor))
        if quota is not None and wanted.access_code is not None:
            passed = await room.room.bypass(visitor, code=wanted.access_code, quota=quota)
            if isinstance(passed, Admitted):
                self._count_admitted(room, passed, joined=True)
                ticket = Ticket(room.cached.number, passed.admission.number, visitor)
                return self._ticket(room, ticket, passed.admission)
            if isinstance(passed, No):
                raise refusal_of(passed)
        return await self.place(room, visitor)

    def asks_more(self, room: CachedRoom) -> bool:
        """Say whether who joins has to solve something first."""
        return not self._challenges.is_none(room.cached.sale.room.get("challenge"))

    def let_ask(self, room: CachedRoom, wanted: JoinRequest, caller: Caller) -> TicketHolder:
        """Count a join without code or challenge, and return who may ask for a place.

        Raises:
            RefusedError: why not.
        """
        self._count_caller(wanted, caller)
        return self._visitor(room, wanted, caller)

    async def place(self, room: CachedRoom, visitor: TicketHolder) -> TicketView:
        """Give a visitor a place, or the one it has, or raise what `ticket_of` does."""
        return self.ticket_of(room, await room.room.join(visitor))

    def ticket_of(self, room: CachedRoom, joined: Joined | No) -> TicketView:
        """Return the ticket of a place that the store gave.

        Raises:
            RefusedError: it gave none.
        """
        if not isinstance(joined, Joined):
            raise refusal_of(joined)
        room.cached.counts[JOINED] += not joined.again
        return self._ticket(room, joined.ticket)

    async def claim(self, room: CachedRoom, token: str, secret: str, *, sure: bool = False) -> AdmissionView | WaitView:
        """Admit the visitor of a ticket, or say how long it waits; `sure`: the store is asked also who clearly waits.

        The state at hand does not say who has left: a page that is loaded must not show a place that was given up.

        Raises:
            RefusedError: the ticket is not the visitor's, or there is nothing to wait for any more.
        """
        ticket = self.ticket(room, token, secret)
        if room.is_down:
            return self._emergency(room, ticket)
        if ticket.number == 0:
            raise refusal_of(No.UNKNOWN)
        waiting = self.behind(room, ticket)
        if waiting is not None and not sure:
            return waiting
        try:
            return await self.admit(room, ticket)
        except StoreUnavailableError:
            if waiting is None:
                raise
            return waiting

    async def admit(self, room: CachedRoom, ticket: Ticket) -> AdmissionView | WaitView:
        """Have the store admit a ticket's visitor, also again whose order ended; raise what `admission_of` does."""
        found = await room.room.claim(ticket)
        if found is No.FINISHED and (again := await self._again(room, ticket)) is not None:
            return self._shown(room, again)
        return self.admission_of(room, ticket, found)

    def admission_of(self, room: CachedRoom, ticket: Ticket, found: Admitted | Wait | No) -> AdmissionView | WaitView:
        """Return what the store said to a claim.

        Raises:
            RefusedError: there is nothing to wait for any more.
        """
        if isinstance(found, No):
            raise refusal_of(found)
        if isinstance(found, Admitted):
            self._count_admitted(room, found)
            return self._shown(room, found.admission)
        return self._wait(room, ticket, found)

    @staticmethod
    def _count_admitted(room: CachedRoom, admitted: Admitted, *, joined: bool = False) -> None:
        if not admitted.again:
            room.cached.counts[ADMITTED] += 1
            room.cached.counts[JOINED] += joined

    async def _again(self, room: CachedRoom, ticket: Ticket) -> Admission | None:
        """Return the visitor's admission if a use of it came back: its order ended without units."""
        spend_id = spend_id_of(room.epoch, ticket.number, ticket.visitor.digest)
        allowed = room.state.config.orders_allowed if room.state else 1
        if not await self._uses.is_left(room.cached, spend_id, allowed=allowed):
            return None
        return await room.room.reinstate(ticket)

    def verified(self, sale_number: int, token: str, secret: str) -> Ticket | None:
        """Return the ticket of a place in the room's store, None if it is not the visitor's or there is none."""
        found = self._office.read(token, sale_number=sale_number)
        return found if found is not None and found.number and possesses(found, secret) else None

    async def leave(self, room: CachedRoom, token: str, secret: str) -> int:
        """Give the place or slot of a ticket back; return how many orders its admission has bought. Again is safe.

        The admission ends in the order store first. If that does not answer, the slot is kept.

        Raises:
            RefusedError: the ticket is not the visitor's.
            StoreUnavailableError: a store does not answer.
        """
        ticket = self.ticket(room, token, secret)
        if not ticket.number:
            return 0
        found = await room.room.leave(ticket)
        if not isinstance(found, Holding):
            return 0
        placed = await self._endings.end(room.cached, found.admission, now_s=room.now_s)
        if placed:
            await room.room.release([found.admission])
        else:
            await room.room.leave(ticket, ended=found.admission)
        return placed

    def ticket(self, room: CachedRoom, token: str, secret: str) -> Ticket:
        """Return a visitor's ticket.

        Raises:
            RefusedError: it is forged or another sale's, or the secret is not its.
        """
        found = self._office.read(token, sale_number=room.cached.number)
        if found is None or not possesses(found, secret):
            raise RefusedError("ticket_invalid", "The ticket is not of this sale, or the secret is not the ticket's")
        return found

    def behind(self, room: CachedRoom, ticket: Ticket) -> WaitView | None:
        """Return the answer to a visitor whom the state at hand shows to be waiting; None: ask the store."""
        state = room.state
        if state is None or not room.is_fresh or ticket.number > state.tail:
            return None
        if state.sold_out or state.phase in (Phase.DRAIN, Phase.OVER):
            return None
        position = state.position(ticket.number)
        if position == 0:
            return None
        return self._view(state, position, state.place(ticket.number), state.pace_per_s)

    def _wait(self, room: CachedRoom, ticket: Ticket, found: Wait) -> WaitView:
        state = room.state
        if state is None:
            return WaitView(position=found.position, place=None, eta_s=None, retry_after_s=1.0, phase="open")
        seen = self._view(state, found.position, state.place(ticket.number), found.pace_per_s)
        if found.retry_after_s is not None:
            seen.retry_after_s = found.retry_after_s
        return seen

    @staticmethod
    def _view(state: RoomState, position: int | None, place: int | None, pace_per_s: float) -> WaitView:
        poll = poll_for(state.config.grace_ms / 1000)
        eta = None if position is None else eta_s(position, pace_per_s)
        away = retry_after_s(position or 0, pace_per_s, poll, random.random())  # noqa: S311  # spreads, hides nothing
        if position is None:  # in the lobby: rarely at first, often towards the start
            left = max(0.0, (state.config.opens_ms - state.now_ms) / 1000)
            away = min(max(left * poll.share, poll.min_s), poll.max_s)
        return WaitView(
            position=position,
            place=place,
            eta_s=None if eta is None else round(eta, 1),
            retry_after_s=round(away, 2),
            phase=state.phase.value,
        )

    def _quota(self, room: CachedRoom, wanted: JoinRequest, caller: Caller) -> int | None:
        """Return the quota of the access code, None without one.

        The limits are asked before any code is compared: who has used them up learns nothing of a code, right or wrong.
        """
        if wanted.access_code is None:
            return None
        sale = room.cached.sale
        if not caller.vouched:
            self._count_address(caller.address, 0.0)
            self._count(self._wrong_codes, sale.sale_id, 0.0)
        given, quota = wanted.access_code.encode(), None
        for known in sale.room.get("access_codes") or ():
            if hmac.compare_digest(given, known["code"].encode()):
                quota = int(known["quota"])
        if quota is None:
            if not caller.vouched:
                self._wrong_codes.wait_s(sale.sale_id)
                self._count_address(caller.address, WRONG_CODE_COST)
            raise RefusedError("code_invalid", "There is no such access code")
        if not caller.vouched:
            self._count_address(caller.address)
        return quota

    async def _defend(self, room: CachedRoom, wanted: JoinRequest, caller: Caller) -> None:
        self._count_caller(wanted, caller)
        terms = room.cached.sale.room
        challenge = self._challenges.of(terms.get("challenge"))
        # One solution is for one place: where a customer has the place, also from other visitor ids, it is the
        # customer's.
        holder = wanted.customer_id if terms.get("one_per_customer") else None
        asked = ChallengeAsked(room.cached.number, wanted.visitor_id, holder, caller.address)
        if not await challenge.passed(asked, wanted.challenge):
            raise RefusedError("challenge_failed", "Solve the challenge of the status document and send its answer")

    def _count_caller(self, wanted: JoinRequest, caller: Caller) -> None:
        self._count_address(caller.address)
        self._count(self._by_customer, wanted.customer_id or "")

    def _count_address(self, address: str, cost: float = 1.0) -> None:
        for name, homes in counted(address):
            self._count(self._by_address, name, cost, homes=homes)

    @staticmethod
    def _count(limit: RateLimit, name: str, cost: float = 1.0, *, homes: int = 1) -> None:
        if wait_s := limit.wait_s(name, cost, homes=homes):
            raise RefusedError("rate_limited", "Too many joins; try again later", retry_after_s=wait_s)

    def _visitor(self, room: CachedRoom, wanted: JoinRequest, caller: Caller) -> TicketHolder:
        sale = room.cached.sale
        single = bool(sale.room.get("one_per_customer"))
        if wanted.customer_id is not None and self._needs_key and not caller.vouched:
            raise RefusedError("admission_required", "Only a storefront's server may name a customer")
        if wanted.customer_id is None and (single or sale.partitions > 1):
            raise RefusedError(
                "invalid", "This sale's places are bound to customers", [("customer_id", "is required in this sale")]
            )
        visitor = visitor_of(
            sale.number, wanted.visitor_id, wanted.secret_hash,
            customer_id=wanted.customer_id, one_per_customer=single,
        )  # fmt: skip
        if visitor is None:
            raise RefusedError("invalid", "secret_hash: must be SHA-256 in hexadecimal digits")
        return visitor

    def _ticket(self, room: CachedRoom, ticket: Ticket, admission: Admission | None = None) -> TicketView:
        sale_id = room.cached.sale.sale_id
        view = TicketView(
            ticket=self._office.issue(ticket),
            number=ticket.number,
            sale_id=sale_id,
            status_url=f"/sales/{sale_id}/room",
            admissions_url=f"/sales/{sale_id}/room/admissions",
            page_url=page_of(sale_id),
        )
        if admission is not None:
            shown = self._shown(room, admission)
            view.admission, view.expires_at = shown.admission, shown.expires_at
            view.orders_allowed = shown.orders_allowed
        return view

    def _shown(self, room: CachedRoom, admission: Admission) -> AdmissionView:
        view = AdmissionView(
            admission=self._admissions.sign(admission),
            expires_at=rfc3339_ms(admission.expires_s * 1000),
            orders_allowed=admission.orders_allowed,
            order_url=order_url(room.cached.sale),
        )
        if admission.emergency:
            view.emergency = True
        return view

    def _emergency(self, room: CachedRoom, ticket: Ticket) -> AdmissionView | WaitView:
        self._must_be_emergency(room)
        if room.phase in (Phase.DRAIN, Phase.OVER):
            raise refusal_of(No.OVER)
        if not room.take_emergency():
            return WaitView(position=None, place=None, eta_s=None, retry_after_s=DOWN_RETRY_S, phase="open")
        made = self._admissions.emergency(
            sale_number=room.cached.number,
            epoch=room.epoch,
            visitor=ticket.visitor.digest,
            customer=ticket.visitor.customer,
            now_s=int(room.now_s),
            life_s=self._emergency_life_s,
        )
        room.cached.counts[ADMITTED] += 1
        return self._shown(room, made)

    @staticmethod
    def _must_be_emergency(room: CachedRoom) -> None:
        if not room.is_emergency:
            raise StoreUnavailableError("The room's store does not answer; places are kept")
