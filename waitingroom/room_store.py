"""The room's verbs over its store. Owns every call to it; never decides what a script decides.

It never repeats a verb whose outcome is unknown; every call ends within `timeout_s`. Every verb is safe to send again
by the caller: joining, claiming, leaving and releasing again change nothing, and a tick only moves time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from doorbuster import keys
from doorbuster.errors import ConflictError
from doorbuster.gathering import Gathering
from waitingroom.admissions import Admission
from waitingroom.results import Admitted, Holding, Joined, Left, No, Wait
from waitingroom.room import RoomConfig, RoomState, state_from
from waitingroom.script_loader import Argument, Scripts
from waitingroom.shuffle import commitment, place_of, seed_of
from waitingroom.tickets import Ticket, TicketHolder

if TYPE_CHECKING:
    import asyncio

    from redis.asyncio import Redis

_NO_ROOM, _STALE, _PLACE, _HOLDING = b"no_room", b"stale", b"place", b"holding"
_UNKNOWN_COHORT = -1
_RELEASE_MAX = 500
_ATTEMPTS = 3
CALLS_OUT, VISITORS_MAX, PACE_S = 1, 16, 0.01
"""Calls of joining, and of claiming, out at a time, visitors in one, seconds from one to the next in a rush."""


class Asking(NamedTuple):
    """What a verb is told of a visitor: the key and the arguments that are its own."""

    bucket: str
    named: tuple[Argument, ...]


class Visiting(Gathering[Asking, list[Any]]):
    """Gathers visitors who do the same."""


def keys_of(sale_number: int) -> tuple[str, ...]:
    """Return the keys that every verb is given first, in the order in which scripts count them."""
    return (
        keys.room(sale_number),
        keys.room_done(sale_number),
        keys.room_releases(sale_number),
        keys.room_active(sale_number),
        keys.room_ends(sale_number),
    )


class Room:
    """One sale's room. Make one a process and sale; it remembers cohort and seed, nothing else."""

    def __init__(
        self,
        redis: Redis,
        config: Callable[[], RoomConfig],
        *,
        timeout_s: float = 1.0,
        replaced: Mapping[str, str] | None = None,
    ) -> None:
        """Take the store, and what says the sale's present configuration: a store that lost it is told it again.

        `replaced` is the simulator's, see `waitingroom.script_loader`.
        """
        self._scripts = Scripts(redis, timeout_s=timeout_s, replaced=replaced)
        self._config = config
        self.sale_number = config().sale_number
        self._keys = keys_of(self.sale_number)
        self._visits = keys.room_visits(self.sale_number)
        self._joining = Visiting(self._join_several, calls=CALLS_OUT, most=VISITORS_MAX, pace_s=PACE_S)
        self._claiming = Visiting(self._claim_several, calls=CALLS_OUT, most=VISITORS_MAX, pace_s=PACE_S)
        self._cohort: int = _UNKNOWN_COHORT
        self._seed = b""

    async def configure(self, config: RoomConfig | None = None) -> bool:
        """Set the configuration unless a newer one stands; say whether it was set.

        A higher epoch in it revokes every admission out and takes their slots back. What the bucket earned until now
        was earned at the old rate.
        """
        fields = (config or self._config()).as_fields()
        return bool(await self._scripts.run("configure", self._keys, fields))

    async def tick(self) -> RoomState:
        """Advance the frontier to now and return all there is to know. Any process, at any time."""
        state = state_from(self.sale_number, await self._run("tick", [], []))
        self._remember(state)
        return state

    async def follow(self, version: int, secret: bytes) -> RoomState:
        """Do whatever is due now: advance the frontier, take over a sale's newer version, draw a lobby's order.

        Raises:
            ConflictError: the secret is not the one committed to.
        """
        state = await self.tick()
        if state.config.version < version and await self.configure():
            state = await self.tick()
        return await self.open_lobby(secret) if state.shuffling else state

    async def open_lobby(self, secret: bytes) -> RoomState:
        """Set the shuffle's seed once the cohort is fixed; again is safe. One step, whatever the cohort's size.

        Raises:
            ConflictError: the secret is not the one committed to.
        """
        state = await self.tick()
        if not state.shuffling or state.cohort is None:
            return state
        if state.config.commitment and commitment(secret) != state.config.commitment:
            raise ConflictError("the secret is not the one that the sale committed to")
        seed = seed_of(secret, state.cohort, state.config.beacon)
        await self._run("open_lobby", [], [state.cohort, seed])
        return await self.tick()

    async def join(self, visitor: TicketHolder) -> Joined | No:
        """Give the visitor a place at the tail, or the one it has."""
        reply = await self._placed(self._joining.get, visitor)
        return reply if isinstance(reply, No) else self._joined(reply, visitor)

    def begin_join(self, visitor: TicketHolder) -> asyncio.Future[list[Any]]:
        """Ask for a visitor's place by one question; `join_of` reads what is answered."""
        return self._joining.ask(self._first(visitor, 0, 0))

    def join_of(self, reply: list[Any], visitor: TicketHolder) -> Joined | No | None:
        """Return what was answered, None where that is not all: `join` asks on."""
        if reply[0] in (_STALE, _PLACE):
            return None
        return self._joined(reply, visitor) if len(reply) > 1 else No(reply[0].decode())

    def begin_claim(self, ticket: Ticket) -> asyncio.Future[list[Any]]:
        """Claim by one question; `claim_of` reads what is answered."""
        return self._claiming.ask(self._asking(ticket))

    def claim_of(self, reply: list[Any], ticket: Ticket) -> Admitted | Wait | No | None:
        """Return what was answered, None where that is not all: `claim` asks on."""
        return None if reply[0] == _STALE else self._answer(reply, ticket)

    async def claim(self, ticket: Ticket) -> Admitted | Wait | No:
        """Admit the ticket's visitor if the frontier has reached it and both caps allow.

        The caller has checked the ticket's signature and its secret; `RoomState.position` spares the call while the
        visitor is clearly behind.
        """
        for _ in range(_ATTEMPTS):
            found = self.claim_of(await self._claiming.get(self._asking(ticket)), ticket)
            if found is not None:
                return found
            await self.tick()
        return Wait(None, 0.0, 1.0)

    async def bypass(self, visitor: TicketHolder, *, code: str, quota: int) -> Admitted | Wait | No:
        """Admit a visitor with an access code at once, inside both caps, up to the code's quota of admissions."""
        keys_of_codes = [keys.room_codes(self.sale_number), self._visits]

        async def ask(asking: Asking) -> list[Any]:
            reply: list[Any] = await self._run("bypass", [asking.bucket, *keys_of_codes], [*asking.named, code, quota])
            return reply

        reply = await self._placed(ask, visitor)
        return reply if isinstance(reply, No) else self._answer(reply, self._bypassed(reply, visitor))

    async def leave(self, ticket: Ticket, *, ended: Admission | None = None) -> Left | Holding | No:
        """Give the visitor's place back, or the slot of the admission that the caller has ended.

        An admission that is not `ended` keeps its slot, and is returned: nobody else is let in while it still buys.
        """
        for _ in range(_ATTEMPTS):
            named = [*self._named(ticket), ended.epoch if ended else 0]
            reply = await self._run("leave", [self._bucket(ticket.visitor)], named)
            if reply[0] == _HOLDING:
                return Holding(self._admission(reply, ticket))
            if reply[0] != _STALE:
                return Left(reply[1].decode()) if reply[0] == b"left" else No(reply[0].decode())
            await self.tick()
        return No.UNKNOWN

    async def release(self, admissions: Sequence[Admission]) -> int:
        """Give back the slots of admissions whose orders are placed; return how many were still held. Again is safe."""
        released = 0
        held = [admission for admission in admissions if not admission.emergency]
        for start in range(0, len(held), _RELEASE_MAX):
            batch = held[start : start + _RELEASE_MAX]
            arguments: list[Argument] = []
            for admission in batch:
                arguments += (admission.visitor, admission.number, admission.epoch)
            buckets = [keys.room_places(self.sale_number, admission.visitor) for admission in batch]
            released += int(await self._run("release", [*buckets, self._visits], arguments))
        return released

    async def reinstate(self, ticket: Ticket) -> Admission | None:
        """Take the slot of a visitor's admission again, whose order ended without units; None: it is good no more."""
        reply = await self._run("reinstate", [self._bucket(ticket.visitor)], [ticket.visitor.digest, ticket.number])
        return self._admission(reply, ticket) if reply[0] == b"again" else None

    async def set_rate(self, rate_per_s: float | None, decision: str = "") -> None:
        """Set the controller's rate, under the operator's cap, and why; None: the operator's alone holds."""
        await self._run("set_rate", [], ["" if rate_per_s is None else rate_per_s, decision])

    async def set_net(self, on: bool) -> None:
        """Switch the safety net of a room in that mode."""
        await self._run("set_net", [], [int(on)])

    async def note_sold_out(self, *, whole: bool, products: Sequence[str] = ()) -> None:
        """Say what is sold out: `whole` ends the waiting until it is said otherwise (stock came back)."""
        await self._run("note_sold_out", [], [int(whole), "\n".join(sorted(products))])

    async def _placed(self, ask: Callable[[Asking], Awaitable[list[Any]]], visitor: TicketHolder) -> list[Any] | No:
        """Run a verb that may need the place of a number that the store alone knows."""
        number = place = 0
        for _ in range(_ATTEMPTS):
            reply = await ask(self._first(visitor, number, place))
            if reply[0] == _STALE:
                await self.tick()
            elif reply[0] == _PLACE:
                number = int(reply[1])
                place = place_of(number, max(self._cohort, 0), self._seed)
            else:
                return reply if len(reply) > 1 else No(reply[0].decode())
        return No.UNKNOWN

    async def _join_several(self, asking: Sequence[Asking]) -> list[list[Any]]:
        """Let several join in one call."""
        return await self._several("join", asking)

    async def _claim_several(self, asking: Sequence[Asking]) -> list[list[Any]]:
        """Let several claim in one call."""
        return await self._several("claim", asking)

    async def _several(self, verb: str, asking: Sequence[Asking]) -> list[list[Any]]:
        buckets = [one.bucket for one in asking]
        named = [argument for one in asking for argument in one.named]
        reply: list[Any] = await self._run(verb, [*buckets, self._visits], named)
        return [reply] if len(asking) == 1 else reply

    async def _run(self, verb: str, more_keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        reply = await self._scripts.run(verb, [*self._keys, *more_keys], arguments)
        if not isinstance(reply, list) or reply[0] != _NO_ROOM:
            return reply
        await self.configure()  # nothing was run for want of a room, so running it now is no repetition
        return await self._scripts.run(verb, [*self._keys, *more_keys], arguments)

    def _first(self, visitor: TicketHolder, number: int, place: int) -> Asking:
        named = (visitor.digest, visitor.secret_hash[:8], visitor.customer or b"", number, place, self._cohort)
        return Asking(self._bucket(visitor), named)

    def _joined(self, reply: list[Any], visitor: TicketHolder) -> Joined:
        return Joined(Ticket(self.sale_number, int(reply[1]), visitor), again=reply[0] == b"again")

    def _asking(self, ticket: Ticket) -> Asking:
        return Asking(self._bucket(ticket.visitor), tuple(self._named(ticket)))

    def _named(self, ticket: Ticket) -> list[Argument]:
        place = place_of(ticket.number, max(self._cohort, 0), self._seed)
        return [ticket.visitor.digest, ticket.number, place, self._cohort]

    def _bucket(self, visitor: TicketHolder) -> str:
        return keys.room_places(self.sale_number, visitor.digest)

    def _bypassed(self, reply: list[Any], visitor: TicketHolder) -> Ticket:
        return Ticket(self.sale_number, int(reply[1]) if reply[0] in (b"admitted", b"again") else 0, visitor)

    def _answer(self, reply: list[Any], ticket: Ticket) -> Admitted | Wait | No:
        kind = reply[0]
        if kind == b"wait":
            position, pace, retry_ms = int(reply[1]), float(reply[2]), int(reply[3])
            return Wait(None if position < 0 else position, pace, retry_ms / 1000 if retry_ms else None)
        if kind not in (b"admitted", b"again"):
            return No(kind.decode())
        return Admitted(self._admission(reply, ticket), again=kind == b"again")

    def _admission(self, reply: list[Any], ticket: Ticket) -> Admission:
        _, number, issued_s, expires_s, epoch, allowed = reply
        return Admission(
            sale_number=self.sale_number,
            epoch=int(epoch),
            number=int(number),
            visitor=ticket.visitor.digest,
            customer=ticket.visitor.customer,
            issued_s=int(issued_s),
            expires_s=int(expires_s),
            orders_allowed=int(allowed),
        )

    def _remember(self, state: RoomState) -> None:
        self._cohort = state.cohort if state.places_known and state.cohort is not None else _UNKNOWN_COHORT
        self._seed = state.seed
