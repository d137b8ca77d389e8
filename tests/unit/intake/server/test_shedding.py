"""What is refused first: searches, category pages, product pages, the room, and orders last."""

from __future__ import annotations

import pytest

from intake.server.shedding import (
    BUSY_PER_S,
    KEEP_S,
    LATE_TIMES,
    PRODUCT_LATE_S,
    SAMPLE_S,
    SHARES,
    WINDOW_S,
    Lateness,
    RequestClass,
    Shedding,
    class_of,
)

SEARCH, LISTING, PRODUCT, ROOM, ORDER = RequestClass


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def late_for(shedding: Shedding, clock: Clock, seconds: float, late_s: float, *, per_s: float = 1_000) -> None:
    ends = clock.now + seconds
    while clock.now < ends:
        clock.now += SAMPLE_S + late_s
        shedding.seen += round(per_s * (SAMPLE_S + late_s))
        shedding.judge(late_s)


def taken(shedding: Shedding, in_flight: int = 0) -> list[RequestClass]:
    if not shedding.is_pressed(in_flight):
        return list(RequestClass)
    return [one for one in RequestClass if shedding.takes(one, in_flight)]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/search", SEARCH),
        ("/search/suggest", SEARCH),
        ("/products", LISTING),
        ("/products/lamp", PRODUCT),
        ("/sales/spring/room", ROOM),
        ("/sales/spring/room/tickets", ROOM),
        ("/sales/spring/room/admissions", ROOM),
        ("/sales/spring/wait", ROOM),
        ("/sales/spring/orders", ORDER),
        ("/sales/room", ORDER),
        ("/sales/room/orders", ORDER),
        ("/sales/spring/roomy", ORDER),
        ("/orders/1", ORDER),
        ("/payments/stripe/events", ORDER),
        ("/shop/spring", ORDER),
        ("/", ORDER),
    ],
)
def test_what_a_request_is_for(path: str, wanted: RequestClass) -> None:
    assert class_of(path) is wanted


def test_the_order_of_refusals_is_the_promised_one() -> None:
    assert [one.name for one in RequestClass] == ["SEARCH", "LISTING", "PRODUCT", "ROOM", "ORDER"]
    assert sorted(SHARES, key=SHARES.__getitem__) == list(RequestClass)
    assert len(set(SHARES.values())) == len(SHARES)
    assert list(LATE_TIMES) == [SEARCH, LISTING]
    assert LATE_TIMES[SEARCH] < LATE_TIMES[LISTING]


def test_the_more_is_in_work_the_more_is_refused_and_orders_last() -> None:
    shedding = Shedding(in_flight_max=100, lag_ms=40)
    assert taken(shedding, 24) == [SEARCH, LISTING, PRODUCT, ROOM, ORDER]
    assert taken(shedding, 25) == [LISTING, PRODUCT, ROOM, ORDER]
    assert taken(shedding, 40) == [PRODUCT, ROOM, ORDER]
    assert taken(shedding, 60) == [ROOM, ORDER]
    assert taken(shedding, 80) == [ORDER]
    assert taken(shedding, 99) == [ORDER]
    assert taken(shedding, 100) == []


@pytest.mark.parametrize("most", [1, 2, 3])
def test_of_few_places_each_class_has_one(most: int) -> None:
    assert taken(Shedding(in_flight_max=most, lag_ms=40)) == list(RequestClass)


def test_a_loop_that_stays_late_refuses_searches_then_category_pages_and_nothing_else() -> None:
    clock = Clock()
    shedding = Shedding(in_flight_max=100, lag_ms=40, clock=clock)
    late_for(shedding, clock, 1, 0.039)
    assert not shedding.is_pressed(0)
    late_for(shedding, clock, 1, 0.045)
    assert taken(shedding) == [LISTING, PRODUCT, ROOM, ORDER]
    late_for(shedding, clock, 1, 0.085)
    assert taken(shedding) == [PRODUCT, ROOM, ORDER]
    late_for(shedding, clock, 2, 3.0)
    assert taken(shedding) == [PRODUCT, ROOM, ORDER]


def test_a_process_that_has_little_to_do_refuses_nothing_for_being_late() -> None:
    clock = Clock()
    shedding = Shedding(in_flight_max=100, lag_ms=40, clock=clock)
    late_for(shedding, clock, 3, 0.2, per_s=BUSY_PER_S * 0.8)
    assert not shedding.is_pressed(0)
    late_for(shedding, clock, 1, 0.2, per_s=BUSY_PER_S * 1.5)
    assert taken(shedding) == [PRODUCT, ROOM, ORDER]


def test_a_stall_refuses_nobody() -> None:
    clock = Clock()
    shedding = Shedding(in_flight_max=100, lag_ms=40, clock=clock)
    late_for(shedding, clock, WINDOW_S, 0.0)
    clock.now += 0.2
    shedding.judge(0.2)
    assert not shedding.is_pressed(0)


def test_what_was_refused_is_taken_again_once_the_loop_is_in_time_for_as_long_as_callers_were_sent_away() -> None:
    clock = Clock()
    shedding = Shedding(in_flight_max=100, lag_ms=40, clock=clock)
    late_for(shedding, clock, 1, 0.1)
    late_for(shedding, clock, KEEP_S - 2 * SAMPLE_S, 0.0)
    assert taken(shedding) == [PRODUCT, ROOM, ORDER]
    late_for(shedding, clock, WINDOW_S, 0.0)
    assert not shedding.is_pressed(0)


def test_with_no_bound_on_lateness_only_what_is_in_work_counts() -> None:
    clock = Clock()
    shedding = Shedding(in_flight_max=100, lag_ms=0, clock=clock)
    late_for(shedding, clock, 2, 5.0)
    assert not shedding.is_pressed(0)
    assert SEARCH not in taken(shedding, 25)


def test_lateness_is_the_median_of_its_window() -> None:
    clock = Clock()
    lateness = Lateness(clock)
    for late_s in (0.5, 0.2, 0.7):
        clock.now += 0.1
        lateness.take(late_s)
    assert lateness.standing_s == 0.5
    lateness.take(0.1)
    assert lateness.standing_s == 0.2, "of two in the middle the lower"
    clock.now += WINDOW_S * 2
    lateness.take(0.8)
    assert lateness.standing_s == 0.8, "what is older than the window is forgotten"


def test_refusals_are_counted_by_class_and_told_once() -> None:
    shedding = Shedding(in_flight_max=100, lag_ms=40)
    assert "Searches" in shedding.note_refused(SEARCH)
    assert "Category pages" in shedding.note_refused(LISTING)
    assert (
        shedding.note_refused(ORDER) == shedding.note_refused(ROOM) == "Too many requests are in work; try again soon"
    )
    assert dict(shedding.pop_refused()) == {"search": 1, "listing": 1, "order": 1, "room": 1}
    assert shedding.pop_refused() == []


@pytest.mark.parametrize("lag_ms", [0, 40])
def test_while_products_wait_for_the_database_searches_and_category_pages_are_refused(lag_ms: int) -> None:
    clock = Clock()
    shedding = Shedding(in_flight_max=100, lag_ms=lag_ms, clock=clock)
    shedding.note_late_product()
    assert taken(shedding) == [PRODUCT, ROOM, ORDER]
    late_for(shedding, clock, PRODUCT_LATE_S - 2 * SAMPLE_S, 0.0)
    assert taken(shedding) == [PRODUCT, ROOM, ORDER]
    late_for(shedding, clock, 4 * SAMPLE_S, 0.0)
    assert not shedding.is_pressed(0)
