"""What a room remembers of visits: all of them, or an even sample, in bounded memory."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis

from doorbuster import keys
from tests.fixtures.rooms import SALE, START_MS, Clockwork, visitor
from waitingroom.records import visits
from waitingroom.results import Admitted
from waitingroom.script_loader import FOLDER
from waitingroom.shuffle import place_of
from waitingroom.tickets import Ticket

Make = Callable[..., Awaitable[Clockwork]]
TIMEOUT_S = 5.0


async def read(room: Clockwork) -> visits.VisitRecords:
    found = await visits.read(room.redis, SALE, timeout_s=TIMEOUT_S)
    assert found is not None
    return found


async def test_joinings_admissions_and_orders_are_told(clockwork: Make) -> None:
    room = await clockwork(rate_per_s=10, burst=1)
    first, second, third = await room.join_many(3)
    admitted = await room.room.claim(first)
    assert isinstance(admitted, Admitted)
    assert await room.room.release([admitted.admission]) == 1
    assert await room.room.release([admitted.admission]) == 0, "again changes nothing"
    await room.over(0.4, step_s=0.1)
    assert await room.admitted([third]) == [third]
    await room.over(0.4, step_s=0.1)
    assert await room.admitted([second]) == [second]
    await room.over(0.4, step_s=0.1)
    code = await room.room.bypass(visitor("vip"), code="c", quota=3)
    found = await read(room)
    assert (found.step, found.counts.joined, found.counts.admitted, found.counts.ordered) == (1, 4, 4, 1), code
    one, two, three = found.visits[:3]
    assert [visit.number for visit in (one, two, three)] == [1, 2, 3]
    assert one.joined_ms is not None
    assert one.admitted_ms is not None
    assert one.ordered_ms is not None
    assert one.joined_ms <= one.admitted_ms <= one.ordered_ms
    assert (two.ordered_ms, three.ordered_ms) == (None, None)
    assert one.turn < three.turn < two.turn, "in the order of admission"
    assert one.told is None or one.told.position <= 1
    assert three.told is not None
    assert (three.told.position, three.told.rate_per_s) == (2, 10.0)
    assert three.told.eta_s == pytest.approx(2 / three.told.pace_per_s)
    assert three.told.range_s is not None


async def test_what_an_access_code_does_is_told_apart(clockwork: Make) -> None:
    room = await clockwork(rate_per_s=10, burst=5)
    assert isinstance(await room.room.bypass(visitor("vip"), code="c", quota=3), Admitted)
    (vip,) = (await read(room)).visits
    assert (vip.bypassed, vip.joined_ms) == (True, None)


async def test_who_joins_in_the_lobby_was_told_nothing_and_has_the_shuffled_place(clockwork: Make) -> None:
    room = await clockwork(opens_ms=START_MS + 1000, lobby_opens_ms=START_MS, rate_per_s=100, burst=100)
    await room.join_many(20)
    await room.after(2)
    state = await room.room.open_lobby(b"secret")
    found = await read(room)
    assert [visit.told for visit in found.visits] == [None] * 20
    assert [visit.place for visit in found.visits] == [place_of(n, 20, state.seed) for n in range(1, 21)]
    assert sorted(visit.place for visit in found.visits) == list(range(1, 21))


async def test_beyond_the_bound_an_even_sample_is_noted(clockwork: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    small = (FOLDER / "shared" / "visits.lua").read_text().replace("EXACT = 32768", "EXACT = 8")
    monkeypatch.setattr(visits, "EXACT", 8)
    room = await clockwork(rate_per_s=1, burst=1)
    room.room = room.process(visits=small)
    await room.join_many(70)
    numbers = [visit.number for visit in (await read(room)).visits]
    assert await room.redis.llen(keys.room_visits(SALE)) == 1 + 8 + 4 + 4 + 4
    assert (await read(room)).step == 16
    assert numbers == [16, 32, 48, 64]
    assert [visits.step_of(number) for number in (1, 8, 9, 16, 17, 32, 33, 64, 65)] == [1, 1, 2, 2, 4, 4, 8, 8, 16]


async def test_a_waiting_claim_notes_nothing(clockwork: Make) -> None:
    room = await clockwork(rate_per_s=0, burst=1)
    tickets: list[Ticket] = await room.join_many(5)
    before = await room.redis.llen(keys.room_visits(SALE))
    assert await room.admitted(tickets[2:]) == []
    assert await room.redis.llen(keys.room_visits(SALE)) == before


async def test_a_room_that_the_store_does_not_know_has_none(room_redis: Redis) -> None:
    assert await visits.read(room_redis, 4711, timeout_s=TIMEOUT_S) is None


async def test_they_are_forgotten_in_a_month(clockwork: Make) -> None:
    room = await clockwork(rate_per_s=1, burst=1)
    await room.join_many(1)
    await visits.keep(room.redis, SALE, timeout_s=TIMEOUT_S)
    assert 0 < await room.redis.ttl(keys.room_visits(SALE)) <= visits.KEEP_S


async def test_times_are_told_to_the_millisecond_and_estimates_as_they_were(clockwork: Make) -> None:
    room = await clockwork(rate_per_s=10, burst=1)
    (first,) = await room.join_many(1)
    await room.after(1.234)
    await room.join("second")
    await room.change(rate_per_s=4)
    await room.at(room.now_ms + 321)
    await room.join("third")
    assert await room.admitted([first]) == [first]
    visits_told = (await read(room)).visits
    assert [visit.joined_ms for visit in visits_told] == [START_MS, START_MS + 1_234, START_MS + 1_555]
    assert visits_told[0].admitted_ms == START_MS + 1_555
    assert [visit.told.rate_per_s for visit in visits_told if visit.told] == [10.0, 10.0, 4.0][
        -sum(visit.told is not None for visit in visits_told) :
    ]


async def test_what_the_version_before_noted_is_told_first(clockwork: Make) -> None:
    room = await clockwork(rate_per_s=10, burst=5)
    (first,) = await room.join_many(1)
    await room.redis.delete(keys.room_visits(SALE))
    before = keys.room_visits_before(SALE)
    joined = b"j" + (1).to_bytes(5, "big") + struct.pack(">IffH", 7, 2.5, 10.0, 30)
    await room.redis.xadd(before, {"v": joined}, id=f"{START_MS}-0")
    await room.after(2)
    assert await room.admitted([first]) == [first]
    (visit,) = (await read(room)).visits
    assert (visit.joined_ms, visit.admitted_ms) == (START_MS, START_MS + 2_000)
    assert visit.told == visits.Told(7, 2.5, 10.0, 30)
    await visits.keep(room.redis, SALE, timeout_s=TIMEOUT_S)
    assert 0 < await room.redis.ttl(before) <= visits.KEEP_S


async def test_a_joining_takes_few_bytes(clockwork: Make) -> None:
    room = await clockwork(rate_per_s=0.001, burst=1)
    await room.join_many(100)
    before = await room.redis.memory_usage(keys.room_visits(SALE), samples=0)
    await room.join_many(1_000, prefix="more")
    after = await room.redis.memory_usage(keys.room_visits(SALE), samples=0)
    assert after - before <= 18 * 1_000
