"""The room when processes race, stores die, and crowds are large."""

from __future__ import annotations

import asyncio
import hashlib
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from doorbuster import keys
from doorbuster.errors import ConflictError, StoreUnavailableError
from doorbuster.redis_clients import plain_client
from tests.fixtures.rooms import SALE, SECRET, START_MS, Clockwork, room_store, visitor
from tests.fixtures.stores import serving
from tests.fixtures.turns import Watch
from waitingroom.results import Admitted, Joined, No, Wait
from waitingroom.room import Phase, RoomConfig, RoomState, effective_phase
from waitingroom.room_store import Room
from waitingroom.script_loader import FOLDER, source_of
from waitingroom.shuffle import commitment, place_of, seed_of
from waitingroom.simulator.clock import VIRTUAL
from waitingroom.tickets import Ticket, TicketHolder

Make = Callable[..., Awaitable[Clockwork]]
BYTES_MAX = 100


def open_room(redis: Redis, **config: float) -> Room:
    """A room on the store's own clock."""
    made = RoomConfig(sale_number=SALE, version=1, **config)  # type: ignore[arg-type]
    return Room(redis, lambda: made)


# Processes.


async def test_two_processes_ticking_release_what_one_would(clockwork: Make) -> None:
    room = await clockwork(rate_per_s=10, burst=10)
    await room.join_many(300)
    processes = [room.process() for _ in range(2)]
    for _ in range(100):
        await room.at(room.now_ms + 100)
        await asyncio.gather(*(process.tick() for process in processes for _ in range(3)))
    assert (await room.room.tick()).frontier == 10 + 100


_TICKER = """
import asyncio, sys
from doorbuster.redis_clients import plain_client
from waitingroom.room import RoomConfig
from waitingroom.room_store import Room

async def main():
    room = Room(plain_client(sys.argv[1]), lambda: RoomConfig(sale_number=int(sys.argv[2]), version=0))
    while True:
        print((await room.tick()).now_ms, flush=True)
        await asyncio.sleep(0.02)

asyncio.run(main())
"""


async def ticker(url: str) -> asyncio.subprocess.Process:
    """Start a process that ticks, and wait for its first tick."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _TICKER, url, str(SALE), stdout=pipe)
    assert process.stdout is not None
    assert await process.stdout.readline()
    return process


async def test_processes_ticking_for_themselves_keep_the_rate_and_one_may_die(
    room_redis: Redis, room_redis_url: str
) -> None:
    rate, burst = 200.0, 20
    room = open_room(room_redis, rate_per_s=rate, burst=burst)
    await room.configure()
    began = await room.tick()
    for who in range(400):
        await room.join(visitor(str(who)))
    tickers = [await ticker(room_redis_url) for _ in range(2)]
    try:
        tickers[0].kill()
        before = await room.tick()
        read = tickers[1].stdout
        assert read is not None
        told = 0
        while told < 10:  # it may have told of ticks from before, that nobody has read yet
            line = await read.readline()
            assert line, "the other ended"
            told += int(line) > before.now_ms
        after = await room.tick()
    finally:
        for one in tickers:
            if one.returncode is None and one is not tickers[0]:
                one.kill()
            await one.communicate()
    assert before.frontier < after.frontier or after.frontier == after.tail, "the other went on"
    elapsed_s = (after.now_ms - began.now_ms) / 1000
    assert after.frontier <= burst + rate * elapsed_s


async def test_two_processes_claiming_the_same_ticket_admit_once(clockwork: Make) -> None:
    room = await clockwork()
    ticket = await room.join("ann")
    processes = [room.process() for _ in range(2)]
    answers = await asyncio.gather(*(process.claim(ticket) for process in processes for _ in range(5)))
    assert all(isinstance(answer, Admitted) for answer in answers)
    assert len({answer.admission for answer in answers if isinstance(answer, Admitted)}) == 1
    assert (await room.room.tick()).counts.admitted == 1


async def test_an_older_configuration_never_replaces_a_newer_one(clockwork: Make) -> None:
    room = await clockwork(version=5, rate_per_s=10)
    stale = RoomConfig(sale_number=SALE, version=4, rate_per_s=99, opens_ms=START_MS)
    assert not await room.room.configure(stale)
    assert (await room.room.tick()).config == room.config


async def test_a_store_that_does_not_answer_is_an_error_within_the_bound() -> None:
    redis = plain_client("redis://127.0.0.1:1/0", timeout_s=0.2)
    room = open_room(redis)
    with pytest.raises(StoreUnavailableError):
        await room.tick()
    await redis.aclose()


async def test_the_real_clock_lets_people_in(room_redis: Redis) -> None:
    room = open_room(room_redis, rate_per_s=1_000.0, burst=1_000)
    joined = await room.join(visitor("ann"))
    assert isinstance(joined, Joined)
    deadline = time.monotonic() + 5
    while not isinstance(answer := await room.claim(joined.ticket), Admitted):
        assert isinstance(answer, Wait)
        assert time.monotonic() < deadline
    state = await room.tick()
    assert abs(state.now_ms / 1000 - time.time()) < 5
    assert answer.admission.issued_s == pytest.approx(time.time(), abs=5)


async def test_the_scripts_and_python_agree_on_the_phase(clockwork: Make) -> None:
    room = await clockwork(opens_ms=START_MS + 20_000, lobby_opens_ms=START_MS + 10_000, closes_ms=START_MS + 40_000)
    for phase in ("open", "hold", "drain", "closed", "open"):
        await room.change(phase=phase)
        for second in (0, 9, 10, 19, 20, 39, 40):
            await room.at(START_MS + second * 1_000)
            state = await room.process().tick()
            assert state.phase is effective_phase(room.config, max(state.now_ms, room.now_ms)), (phase, second)
        await room.at(START_MS - 60_000)


# The store.


@asynccontextmanager
async def mortal_store(folder: Path) -> AsyncIterator[tuple[Clockwork, Callable[[], Awaitable[None]]]]:
    """A room on a store of its own, and what kills and restarts that."""
    store = room_store(folder)
    config = RoomConfig(sale_number=SALE, version=1, opens_ms=START_MS, rate_per_s=10, burst=10)
    running = serving(store)
    process = running.__enter__()
    redis = plain_client(store.url)

    async def kill_and_restart() -> None:
        nonlocal running, process
        await redis.execute_command("WAITAOF", 1, 0, 10_000)
        process.kill()
        process.wait()
        running = serving(store)
        process = running.__enter__()

    try:
        room = Clockwork(redis, config)
        await room.at(START_MS - 1)
        await room.room.configure()
        await room.at(START_MS)
        yield room, kill_and_restart
    finally:
        await redis.aclose()
        running.__exit__(None, None, None)


async def ticked(room: Clockwork) -> RoomState:
    """Tick on connections that may have died with the store; the first call on each finds out."""
    for _ in range(20):
        try:
            return await room.room.tick()
        except StoreUnavailableError:
            continue
    return await room.room.tick()


async def test_places_and_admissions_survive_a_killed_store(tmp_path: Path) -> None:
    async with mortal_store(tmp_path / "room") as (room, kill_and_restart):
        tickets = await room.join_many(100)
        let_in = await room.admitted(tickets[:5])
        before = await room.room.tick()
        await kill_and_restart()
        after = await ticked(room)
        assert (after.tail, after.frontier, after.active) == (before.tail, before.frontier, 5)
        again = await room.room.join(visitor("visitor-50"))
        assert again == Joined(tickets[50], again=True)
        for ticket in let_in:
            answer = await room.room.claim(ticket)
            assert isinstance(answer, Admitted)
            assert answer.again
        for _ in range(10):
            await room.after(1)
            await room.admitted(tickets[5:])
        assert (await room.room.tick()).counts.admitted == 100, "the queue went on"


async def test_who_comes_late_all_at_once_is_let_in_at_the_caps_pace_and_nobody_lapses(clockwork: Make) -> None:
    room = await clockwork(rate_per_s=10, burst=10, grace_ms=20_000)
    tickets = await room.join_many(100)
    await room.over(19)
    admitted = 0
    for _ in range(12):
        now = len(await room.admitted(tickets)) - admitted
        assert now <= 10
        admitted += now
        await room.after(1)
    state = await room.room.tick()
    assert (state.counts.admitted, state.counts.lapsed) == (100, 0)


async def test_a_minute_without_the_store_neither_bunches_nor_lapses_anyone(clockwork: Make) -> None:
    room = await clockwork(rate_per_s=10, burst=10, grace_ms=20_000)
    tickets = await room.join_many(200)
    assert (await room.room.tick()).frontier == 10
    state = await room.after(60)
    assert state.frontier == 20, "the burst, not a minute's worth"
    assert state.counts.lapsed == 0, "who was released before could not claim"
    assert len(await room.admitted(tickets[:20])) == 10
    await room.after(1)
    assert len(await room.admitted(tickets[10:20])) == 10


async def test_a_clock_set_back_an_hour_does_not_stop_the_room(clockwork: Make) -> None:
    room = await clockwork(rate_per_s=10, burst=10, opens_ms=START_MS - 7_200_000)
    await room.over(2)
    await room.join_many(100)
    before = await room.room.tick()
    state = await room.after(-3_600)
    assert state.frontier == before.frontier, "no tokens from the jump"
    assert (await room.over(3)).frontier == before.frontier + 30


# Crowds.


def digests(count: int) -> list[bytes]:
    return [hashlib.blake2b(b"%d" % who, digest_size=8).digest() for who in range(count)]


async def register(room: Clockwork, visitors: list[bytes]) -> None:
    """Join many in pipelines."""
    source = source_of("join", VIRTUAL)
    sha = await room.redis.script_load(source)
    base = room.room._keys
    for start in range(0, len(visitors), 5_000):
        pipeline = room.redis.pipeline(transaction=False)
        for digest in visitors[start : start + 5_000]:
            bucket = keys.room_places(SALE, digest)
            pipeline.evalsha(sha, 7, *base, bucket, keys.room_visits(SALE), digest, b"8 bytes.", b"", 0, 0, -1)
        await pipeline.execute()


async def lobby(clockwork: Make, **config: object) -> Clockwork:
    room = await clockwork(opens_ms=START_MS + 60_000, lobby_opens_ms=START_MS, commitment=commitment(SECRET), **config)
    assert (await room.room.tick()).phase is Phase.LOBBY
    return room


async def test_a_waiting_visitor_costs_at_most_a_hundred_bytes(clockwork: Make) -> None:
    room = await lobby(clockwork)
    before = (await room.redis.info("memory"))["used_memory"]
    await register(room, digests(100_000))
    each = ((await room.redis.info("memory"))["used_memory"] - before) / 100_000
    assert (await room.room.tick()).waiting == 100_000
    assert each <= BYTES_MAX, f"{each:.1f} bytes a visitor"


async def test_the_lobby_is_shuffled_once_and_provably(clockwork: Make) -> None:
    room = await lobby(clockwork, beacon="drand 4242", rate_per_s=50, burst=50)
    tickets = await room.join_many(200)
    await room.at(START_MS + 60_000)
    processes = [room.process() for _ in range(3)]
    states = await asyncio.gather(*(process.open_lobby(SECRET) for process in processes))
    assert len({state.seed for state in states}) == 1
    state = states[0]
    assert state.cohort == 200
    assert state.config.commitment == commitment(SECRET)
    assert state.seed == seed_of(SECRET, 200, "drand 4242")
    by_place = sorted(tickets, key=lambda ticket: place_of(ticket.number, 200, state.seed))
    assert by_place != tickets
    late = await room.join("late")
    assert state.place(late.number) == 201
    assert await room.admitted([*tickets, late]) == [ticket for ticket in tickets if ticket in by_place[:50]]
    await room.after(1)
    assert set(await room.admitted(by_place[50:])) == set(by_place[50:100])


async def test_nobody_can_change_seed_or_beacon_after_the_start(clockwork: Make) -> None:
    room = await lobby(clockwork, beacon="early")
    await room.join_many(10)
    await room.change(beacon="announced")
    await room.at(START_MS + 60_000)
    assert (await room.room.tick()).shuffling
    await room.change(beacon="too late")
    with pytest.raises(ConflictError):
        await room.room.open_lobby(b"x" * 32)
    state = await room.room.open_lobby(SECRET)
    assert state.config.beacon == "announced"
    assert (await room.room.open_lobby(SECRET)).seed == state.seed


async def test_leaving_the_lobby_is_taken_back_by_joining_again(clockwork: Make) -> None:
    room = await lobby(clockwork, rate_per_s=1_000, burst=1_000)
    tickets = await room.join_many(10)
    await room.room.leave(tickets[3])
    await room.room.leave(tickets[4])
    assert await room.join("visitor-3") == tickets[3]
    await room.at(START_MS + 60_000)
    await room.room.open_lobby(SECRET)
    assert len(await room.admitted(tickets)) == 9
    assert await room.room.claim(tickets[4]) is No.LEFT
    assert (await room.join("visitor-4")).number == 11


async def test_a_process_that_does_not_know_the_shuffle_yet_learns_it(clockwork: Make) -> None:
    room = await lobby(clockwork, rate_per_s=1_000, burst=1_000)
    tickets = await room.join_many(20)
    asleep, rejoining, leaving = room.process(), room.process(), room.process()
    await room.at(START_MS + 60_000)
    await room.room.open_lobby(SECRET)
    await room.room.tick()
    assert await rejoining.join(visitor("visitor-7")) == Joined(tickets[7], again=True)
    assert isinstance(await asleep.claim(tickets[7]), Admitted)
    await leaving.leave(tickets[8])
    assert await room.room.claim(tickets[8]) is No.LEFT


_SET_TAIL = (
    (FOLDER / "shared" / "state.lua").read_text()
    + """
local room = open_room()
room.tail = tonumber(ARGV[1])
save(room)
"""
)


async def test_a_million_registrants_open_in_one_step(clockwork: Make) -> None:
    """The cohort alone matters to the scripts: a tail is set instead of a million joins, which the report makes."""
    room = await lobby(clockwork, rate_per_s=100, burst=100)
    await room.redis.eval(_SET_TAIL, 1, keys.room(SALE), 1_000_000)
    me = visitor("me")
    await room.join("me")
    ticket = Ticket(SALE, 1_000_001, TicketHolder(me.digest, me.secret_hash))
    await room.at(START_MS + 60_000)
    before = await calls(room.redis)
    watch = Watch()
    state = await room.room.open_lobby(SECRET)
    took = watch.elapsed_s()
    assert state.cohort == 1_000_001
    assert state.frontier == 100
    assert await calls(room.redis) - before <= 5
    assert took < 1, f"{took:.3f} s"
    assert isinstance(await room.room.claim(ticket), Wait | Admitted)


async def calls(redis: Redis) -> int:
    stats = await redis.info("commandstats")
    return int(stats.get("cmdstat_evalsha", {}).get("calls", 0))
