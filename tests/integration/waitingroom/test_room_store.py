"""The room's verbs on a real store, the clock in the test's hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from math import ceil

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fixtures.rooms import START_MS, Clockwork, visitor
from waitingroom.results import Admitted, Holding, Joined, Left, No, Wait
from waitingroom.room import Phase
from waitingroom.room_store import VISITORS_MAX

Make = Callable[..., Awaitable[Clockwork]]


async def test_the_frontier_follows_the_rate_and_never_passes_the_tail(clockwork: Make) -> None:
    room = await clockwork(rate_per_s=10, burst=10)
    await room.join_many(50)
    assert (await room.room.tick()).frontier == 10
    assert (await room.after(1)).frontier == 20
    assert (await room.over(60)).frontier == 50


async def test_idle_time_banks_no_more_than_the_burst(clockwork: Make) -> None:
    room = await clockwork(rate_per_s=10, burst=5)
    await room.over(600, step_s=60)
    await room.join_many(20)
    assert (await room.room.tick()).frontier == 5


async def test_joining_again_gives_the_same_place_and_another_secret_none(clockwork: Make) -> None:
    room = await clockwork()
    first = await room.join("ann")
    assert await room.room.join(visitor("ann")) == Joined(first, again=True)
    assert await room.room.join(visitor("ann", secret="another")) is No.CONFLICT
    assert (await room.room.tick()).tail == 1


async def test_one_place_per_customer_whatever_the_device(clockwork: Make) -> None:
    room = await clockwork(one_per_customer=True)
    mine = {"customer": "ann", "one_per_customer": True, "secret": "hers"}
    ticket = await room.join("laptop", **mine)
    assert (await room.join("phone", **mine)).number == ticket.number
    other = visitor("phone", customer="ann", one_per_customer=True, secret="another")
    assert await room.room.join(other) is No.CONFLICT


async def test_a_place_stays_bound_to_the_customer_it_was_taken_for(clockwork: Make) -> None:
    room = await clockwork()
    ticket = await room.join("laptop", customer="ann")
    assert await room.room.join(visitor("laptop", customer="eve")) is No.CONFLICT
    assert await room.room.join(visitor("laptop")) is No.CONFLICT
    answer = await room.room.claim(ticket)
    assert isinstance(answer, Admitted)
    assert answer.admission.customer == ticket.visitor.customer is not None


async def test_a_full_room_takes_nobody_more_until_somebody_is_released(clockwork: Make) -> None:
    room = await clockwork(rate_per_s=1, burst=1, waiting_max=3)
    await room.join_many(4)
    assert await room.room.join(visitor("late")) is No.FULL, "one is released, three wait"
    await room.after(1)
    assert (await room.join("late")).number == 5


async def test_claims_are_idempotent(clockwork: Make) -> None:
    room = await clockwork()
    ticket = await room.join("ann")
    first = await room.room.claim(ticket)
    assert isinstance(first, Admitted)
    await room.after(30)
    second = await room.process().claim(ticket)
    assert isinstance(second, Admitted)
    assert (first.again, second.again) == (False, True)
    assert first.admission == second.admission
    assert (await room.room.tick()).active == 1


async def test_who_is_behind_waits_and_is_told_where(clockwork: Make) -> None:
    room = await clockwork(rate_per_s=2, burst=1)
    tickets = await room.join_many(5)
    answer = await room.room.claim(tickets[4])
    assert isinstance(answer, Wait)
    assert answer.position == 4


async def test_unclaimed_places_lapse_and_come_back_to_the_bucket(clockwork: Make) -> None:
    room = await clockwork(rate_per_s=1, burst=5, grace_ms=10_000)
    tickets = await room.join_many(40)
    await room.room.tick()
    state = await room.over(11)
    assert (state.counts.lapsed, state.frontier) == (5, 5 + 11 + 5)
    assert await room.room.claim(tickets[0]) is No.LAPSED
    again = await room.join("visitor-0")
    assert again.number == 41


async def test_leaving_gives_the_place_back(clockwork: Make) -> None:
    room = await clockwork(rate_per_s=1, burst=1)
    tickets = await room.join_many(5)
    assert (await room.room.tick()).frontier == 1
    assert await room.room.leave(tickets[0]) == Left("place")
    assert await room.room.leave(tickets[0]) == Left("none")
    assert await room.room.leave(tickets[2]) == Left("place")
    assert (await room.room.tick()).frontier == 2
    state = await room.after(1)
    assert (state.frontier, state.waiting) == (4, 1), "the place that left costs nothing"
    assert await room.room.claim(tickets[0]) is No.LEFT
    assert (await room.join("visitor-0")).number == 6


async def test_slots_come_back_by_order_leaving_and_expiry(clockwork: Make) -> None:
    room = await clockwork(rate_per_s=100, burst=100, max_active=3, admission_ms=60_000)
    tickets = await room.join_many(10)
    let_in = await room.admitted(tickets)
    assert let_in == tickets[:3]
    ordered = await room.room.claim(tickets[0])
    assert isinstance(ordered, Admitted)
    assert await room.room.release([ordered.admission, ordered.admission]) == 1
    assert await room.room.release([ordered.admission]) == 0
    other = await room.room.claim(tickets[1])
    assert isinstance(other, Admitted)
    assert await room.room.leave(tickets[1]) == Holding(other.admission)
    assert (await room.room.tick()).active == 2, "it still buys: its slot is nobody else's"
    assert await room.room.leave(tickets[1], ended=other.admission) == Left("slot")
    assert await room.room.leave(tickets[1], ended=other.admission) == Left("none")
    assert await room.room.claim(tickets[1]) is No.LEFT
    assert await room.admitted(tickets[3:]) == tickets[3:5]
    state = await room.after(61)
    assert (state.active, state.counts.expired, state.frontier) == (0, 3, 8)


async def test_hold_stops_everything_and_resume_goes_on_with_grace_anew(clockwork: Make) -> None:
    room = await clockwork(rate_per_s=1, burst=1, grace_ms=10_000)
    tickets = await room.join_many(30)
    await room.room.tick()
    await room.change(phase="hold")
    state = await room.over(300)
    assert (state.phase, state.frontier, state.counts.lapsed) == (Phase.HOLD, 1, 0)
    assert isinstance(await room.room.claim(tickets[0]), Wait)
    await room.change(phase="open")
    state = await room.over(9)
    assert state.frontier == 10
    assert isinstance(await room.room.claim(tickets[0]), Admitted)


async def test_a_higher_epoch_revokes_the_wave_and_frees_its_slots(clockwork: Make) -> None:
    room = await clockwork(burst=4, max_active=4, rate_per_s=4)
    tickets = await room.join_many(8)
    assert len(await room.admitted(tickets)) == 4
    await room.change(epoch=2)
    assert await room.room.claim(tickets[0]) is No.REVOKED
    assert (await room.join("visitor-0")).number == 9
    await room.after(1)
    assert await room.admitted(tickets) == tickets[4:]


async def test_an_access_code_passes_the_queue_inside_both_caps(clockwork: Make) -> None:
    room = await clockwork(rate_per_s=1, burst=2, max_active=3)
    tickets = await room.join_many(5)
    state = await room.room.tick()
    assert state.frontier == 2
    first = await room.room.bypass(visitor("vip"), code="GOLD", quota=2)
    again = await room.room.bypass(visitor("vip"), code="GOLD", quota=2)
    assert isinstance(first, Admitted)
    assert isinstance(again, Admitted)
    assert (again.again, again.admission) == (True, first.admission)
    assert isinstance(await room.room.bypass(visitor("vip-2"), code="GOLD", quota=2), Admitted)
    assert await room.room.bypass(visitor("vip-3"), code="GOLD", quota=2) is No.QUOTA
    assert isinstance(await room.room.claim(tickets[0]), Wait), "the burst is spent"
    state = await room.after(1)
    assert (state.frontier, state.active, state.counts.bypassed) == (2, 2, 2)
    assert isinstance(await room.room.claim(tickets[0]), Admitted)
    await room.after(1)
    assert isinstance(await room.room.claim(tickets[1]), Wait), "three are out"


async def test_a_waiting_visitor_with_a_code_keeps_its_number(clockwork: Make) -> None:
    room = await clockwork(rate_per_s=1, burst=2)
    tickets = await room.join_many(6)
    passed = await room.room.bypass(visitor("visitor-4"), code="GOLD", quota=1)
    assert isinstance(passed, Admitted)
    assert passed.admission.number == tickets[4].number
    state = await room.over(5)
    assert (state.frontier, state.waiting, state.tail) == (6, 0, 6)


async def test_sold_out_ends_the_waiting_until_stock_comes_back(clockwork: Make) -> None:
    room = await clockwork(rate_per_s=1, burst=1)
    tickets = await room.join_many(5)
    await room.room.note_sold_out(whole=True, products=["b", "a"])
    state = await room.over(10)
    assert (state.sold_out, state.sold_out_products, state.frontier) == (True, ("a", "b"), 1)
    assert await room.room.claim(tickets[0]) is No.SOLD_OUT
    assert await room.room.join(visitor("late")) is No.SOLD_OUT
    await room.room.note_sold_out(whole=False)
    assert (await room.over(2)).frontier == 3


async def test_the_controllers_rate_stays_under_the_operators(clockwork: Make) -> None:
    room = await clockwork(rate_per_s=10, burst=10)
    await room.join_many(100)
    await room.room.tick()
    await room.room.set_rate(2)
    assert (await room.over(5)).frontier == 20
    await room.room.set_rate(1_000)
    assert (await room.over(3)).frontier == 50
    await room.room.set_rate(0)
    assert (await room.over(3)).frontier == 50


async def test_phases_follow_the_window(clockwork: Make) -> None:
    room = await clockwork(opens_ms=START_MS + 100_000, lobby_opens_ms=START_MS + 50_000, closes_ms=START_MS + 200_000)
    assert await room.room.join(visitor("early")) is No.CLOSED
    assert (await room.after(50)).phase is Phase.LOBBY
    ticket = await room.join("ann")
    assert await room.room.claim(ticket) == Wait(None, 0.0)
    assert (await room.after(50)).shuffling
    assert (await room.after(100)).phase is Phase.OVER
    assert await room.room.claim(ticket) is No.OVER
    assert await room.room.join(visitor("late")) is No.OVER


async def test_a_store_that_lost_everything_is_configured_again_and_knows_no_old_ticket(clockwork: Make) -> None:
    room = await clockwork()
    tickets = await room.join_many(3)
    await room.redis.flushall()
    await room.at(room.now_ms)
    assert await room.room.claim(tickets[0]) is No.UNKNOWN
    assert (await room.join("visitor-0")).number == 1
    state = await room.room.tick()
    assert state.frontier == 0, "its bucket may have been spent before the loss: it begins empty"


async def test_who_joins_while_others_do_goes_with_them_and_in_order(clockwork: Make) -> None:
    room = await clockwork(rate_per_s=1, burst=1, waiting_max=40)
    await room.redis.config_resetstat()
    names = ["first", *(f"visitor-{number}" for number in range(50)), "first", "visitor-3"]
    answers = await asyncio.gather(*(room.room.join(visitor(name)) for name in names))
    joined = [answer for answer in answers if isinstance(answer, Joined)]
    assert [answer.ticket.number for answer in joined[:41]] == list(range(1, 42)), "as they came"
    assert answers[41:51] == [No.FULL] * 10, "one was released behind the first call, 40 wait"
    assert joined[41:] == [Joined(joined[0].ticket, again=True), Joined(joined[4].ticket, again=True)]
    assert (await room.room.join(visitor("visitor-4", secret="another"))) is No.CONFLICT
    calls = (await room.redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
    assert calls == ceil(len(names) / VISITORS_MAX) + 1, "in as few calls as go"


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    burst=st.integers(1, 12),
    max_active=st.integers(0, 8),
    stays_s=st.integers(0, 4),
    claims=st.lists(st.integers(0, 14), min_size=2, max_size=VISITORS_MAX),
    left=st.sets(st.integers(0, 14), max_size=4),
)
async def test_who_claims_with_others_hears_what_it_would_hear_one_after_another(
    clockwork: Make, burst: int, max_active: int, stays_s: int, claims: list[int], left: set[int]
) -> None:
    """Caps, places given up, places not reached and claims sent twice among them."""
    heard = []
    for together in (True, False):
        room = await clockwork(rate_per_s=1, burst=burst, max_active=max_active)
        await room.redis.flushall()
        await room.at(room.now_ms)
        await room.room.configure()
        tickets = await room.join_many(15)
        for number in sorted(left):
            await room.room.leave(tickets[number])
        await room.after(stays_s)
        asked = [tickets[number] for number in claims]
        if together:
            await room.redis.config_resetstat()
            answers = list(await asyncio.gather(*map(room.room.claim, asked)))
            assert (await room.redis.info("commandstats"))["cmdstat_evalsha"]["calls"] == 1
        else:
            answers = [await room.room.claim(ticket) for ticket in asked]
        heard.append((answers, await room.room.tick()))
    assert heard[0] == heard[1]
