"""The waiting room against a constant answer: status, claims of who still waits; joins, and what waiting costs.

The floor answers bodies of the same length from memory, on the same server. Of the store only statistics are read.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import msgspec
from redis.asyncio import Redis

from doorbuster.contract.room import AdmissionView, RoomRequest, TicketView
from loadtests.bench.row import Row
from loadtests.bench.scale import Scale
from loadtests.bench.shop import open_sale
from loadtests.rivals.floor import COUNTED, COUNTING_URL
from loadtests.scene.servers import serving
from loadtests.scene.system import System
from loadtests.traffic.readers import ReadPlan, ReadResult, read

SALE = "waiting"
BARELY = RoomRequest(mode="always", rate_per_s=0.001, burst=1)
"""Nobody moves: who waits goes on waiting."""
BYTES_MAX = 100.0
"""Of a waiting visitor."""
TICKS_PER_S = 2.5
"""What the shared document and the controller of the outflow cost, whoever asks."""

_read_ticket = msgspec.json.Decoder(TicketView).decode
_read_admission = msgspec.json.Decoder(AdmissionView).decode


class Waiting(msgspec.Struct):
    """One repetition."""

    joins_per_s: float
    joins_counted_per_s: float
    """The floor's: a request, a script that counts it, a constant answer."""
    status_per_s: float
    status_constant_per_s: float
    claims_per_s: float
    claims_constant_per_s: float
    bytes_a_visitor: float
    """The room's own keys and all else that is fixed included."""
    bytes_of_later: float
    """Of each of the second half, when most of what is fixed is there."""
    commands_a_claim: float
    """Calls of the room's store while claims were answered, beyond the shared ticks, for each claim."""


async def measure(system: System, scale: Scale, *, floor_first: bool) -> Waiting:
    """Let visitors join a room that stands still, then ask as they would."""
    await open_sale(system, SALE, BARELY)
    base = system.ready.base
    async with Redis.from_url(system.ready.urls["room_redis"]) as store:
        await _status(base, SALE)
        before = await _memory(store)
        half = await read(_joins(base, SALE, range(scale.visitors // 2)))
        at_half = await _memory(store)
        joined = await read(_joins(base, SALE, range(scale.visitors // 2, scale.visitors)))
        tickets = [_read_ticket(body) for one in (half, joined) for body in _only(201, one).answers]
        held, later = await _memory(store) - before, await _memory(store) - at_half
        with tempfile.TemporaryDirectory(prefix="doorbuster-bench-") as folder:
            counting = {COUNTING_URL: system.ready.urls["room_redis"]}
            async with serving("loadtests.rivals.floor:create_app()", Path(folder, "log"), **counting) as floor:
                counted = await _counted(floor, len(joined.answers[0]), scale.visitors // 2)
                await store.delete(COUNTED)
                length = len((await _status(base, SALE)).content)
                status = ReadPlan(base=base, paths=[_room(SALE)], seconds=scale.floor_s)
                constant = ReadPlan(base=floor, paths=[f"/constant/{length}"], seconds=scale.floor_s)
                seen, floor_seen = await _by_turns(status, constant, 200, floor_first=floor_first)
                claims = _claims(base, tickets[len(tickets) // 2 :], scale)
                one = msgspec.structs.replace(claims, bodies=claims.bodies[:1], once=True, keep=True)
                length = len(_only(202, await read(one)).answers[0])
                rival = _at(claims, floor, f"/constant/{length}")
                before = await _calls(store)
                answered = _only(200, await read(rival)) if floor_first else None
                claimed = _only(202, await read(claims))
                answered = answered or _only(200, await read(rival))
                seconds = claimed.seconds + answered.seconds + 1
                spent = await _calls(store) - before - TICKS_PER_S * seconds
    return Waiting(
        joins_per_s=joined.rate,
        joins_counted_per_s=counted.rate,
        status_per_s=seen.rate,
        status_constant_per_s=floor_seen.rate,
        claims_per_s=claimed.rate,
        claims_constant_per_s=answered.rate,
        bytes_a_visitor=held / scale.visitors,
        bytes_of_later=later / (scale.visitors - scale.visitors // 2),
        commands_a_claim=max(0.0, spent) / sum(claimed.statuses.values()),
    )


async def admissions(base: str, sale: str, count: int) -> list[str]:
    """Join a room that is wide open and return so many admissions.

    Raises:
        RuntimeError: it does not let all of them in at once.
    """
    await _status(base, sale)
    joined = _only(201, await read(_joins(base, sale, range(count))))
    bodies = [_claim(_read_ticket(body)) for body in joined.answers]
    path = f"{_room(sale)}/admissions"
    for _ in range(50):
        answers = await read(ReadPlan(base=base, paths=[path], bodies=bodies, once=True, keep=True))
        if set(answers.statuses) == {200}:
            return [_read_admission(body).admission for body in answers.answers]
    raise RuntimeError(f"the room lets not everyone in: {answers.statuses}")


def rows(measured: list[Waiting]) -> list[Row]:
    """Return the table's lines from the medians."""
    return [
        Row(
            what="waiting-room status, 64 clients",
            ours=median(one.status_per_s for one in measured),
            rival_name="a constant answer",
            rival=median(one.status_constant_per_s for one in measured),
            bar=0.80,
        ),
        Row(
            what="claim of who still waits, 202",
            ours=median(one.claims_per_s for one in measured),
            rival_name="a constant answer",
            rival=median(one.claims_constant_per_s for one in measured),
            bar=0.80,
        ),
        Row(
            what="joins of the room, 64 clients",
            ours=median(one.joins_per_s for one in measured),
            rival_name="a script that counts",
            rival=median(one.joins_counted_per_s for one in measured),
            bar=0.90,
        ),
        Row(
            what="a waiting visitor's memory",
            ours=median(one.bytes_a_visitor for one in measured),
            rival_name="the most allowed",
            rival=BYTES_MAX,
            bar=1.0,
            unit=" bytes",
            at_most=True,
        ),
    ]


def said(one: Waiting) -> str:
    """Return a line about one repetition."""
    return (
        f"room status {one.status_per_s:,.0f}/s of {one.status_constant_per_s:,.0f}/s, waiting claims "
        f"{one.claims_per_s:,.0f}/s of {one.claims_constant_per_s:,.0f}/s with {one.commands_a_claim:.4f} calls of the "
        f"store each, {one.joins_per_s:,.0f} joins/s of {one.joins_counted_per_s:,.0f}/s counted, "
        f"{one.bytes_a_visitor:.0f} bytes a waiting visitor, "
        f"{one.bytes_of_later:.0f} of the second half"
    )


async def _by_turns(
    ours: ReadPlan, rival: ReadPlan, status: int, *, floor_first: bool
) -> tuple[ReadResult, ReadResult]:
    found = {}
    for plan in (rival, ours) if floor_first else (ours, rival):
        found[plan.base] = _only(status, await read(plan))
    return found[ours.base], found[rival.base]


async def _counted(floor: str, length: int, count: int) -> ReadResult:
    """Send as many joins to the floor, which has each counted by a script and answers as many bytes."""
    return _only(201, await read(_at(_joins(floor, SALE, range(count)), floor, f"/counting/{length}")))


def _at(plan: ReadPlan, base: str, path: str) -> ReadPlan:
    """Return a plan that sends the same elsewhere."""
    return msgspec.structs.replace(plan, base=base, paths=[path])


def _joins(base: str, sale: str, who: range) -> ReadPlan:
    bodies = [
        msgspec.json.encode({"visitor_id": f"visitor-{n}", "secret_hash": hashlib.sha256(_SECRET).hexdigest()})
        for n in who
    ]
    return ReadPlan(base=base, paths=[f"{_room(sale)}/tickets"], bodies=bodies, seconds=120, once=True, keep=True)


_SECRET = b"secret of the benchmark"


def _claim(ticket: TicketView) -> bytes:
    return msgspec.json.encode({"ticket": ticket.ticket, "secret": _SECRET.decode()})


def _claims(base: str, tickets: list[TicketView], scale: Scale) -> ReadPlan:
    bodies = [_claim(ticket) for ticket in tickets]
    return ReadPlan(base=base, paths=[f"{_room(SALE)}/admissions"], bodies=bodies, seconds=scale.floor_s)


def _room(sale: str) -> str:
    return f"/sales/{sale}/room"


async def _status(base: str, sale: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(base + _room(sale))).raise_for_status()


async def _memory(store: Redis) -> int:
    """Return what the keys of rooms take, whatever else the store keeps of a sale by the second and minute."""
    names = [name async for name in store.scan_iter(match="doorbuster:{room.*", count=1_000)]
    taken = 0
    for start in range(0, len(names), 1_000):
        async with store.pipeline(transaction=False) as pipe:
            for name in names[start : start + 1_000]:
                pipe.memory_usage(name, samples=0)
            taken += sum(size or 0 for size in await pipe.execute())
    return taken


async def _calls(store: Redis) -> int:
    found: dict[str, Any] = await store.info("commandstats")
    return sum(int(stat["calls"]) for name, stat in found.items() if name in ("cmdstat_evalsha", "cmdstat_eval"))


def _only(status: int, result: ReadResult) -> ReadResult:
    if set(result.statuses) != {status}:
        raise RuntimeError(f"not every answer was {status}, the figures would mislead: {result.statuses}")
    return result
