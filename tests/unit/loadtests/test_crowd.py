"""The people of a Locust run: the same ones however they are shared out, and what each of them does."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from time import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from loadtests.crowd.notes import Notes, merged
from loadtests.crowd.people import ACTS, Crowd, Person
from loadtests.crowd.visit import Visit
from loadtests.generate.shapes import herd
from loadtests.generate.timetable import Timetable
from loadtests.scene.storms import NAMES, storm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOM = {
    "phase": "open", "frontier": 10, "rate_per_s": 100.0, "sold_out": {"whole": False, "products": []},
    "poll": {"share": 0.5, "min_s": 1.0, "max_s": 5.0},
}  # fmt: skip


class Answer:
    def __init__(self, status_code: int, body: Any = None, **headers: str) -> None:
        self.status_code, self._body = status_code, body
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.failed = False

    def json(self) -> Any:
        if self._body is None:
            raise ValueError("no JSON")
        return self._body

    def success(self) -> None:
        self.failed = False

    def failure(self, _: str) -> None:
        self.failed = True


class Client:
    """Answers calls by their name, and keeps what was asked."""

    def __init__(self, **answers: Callable[[int], Answer]) -> None:
        self._answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    @contextmanager
    def _call(self, name: str, **sent: Any) -> Iterator[Answer]:
        times = sum(1 for one, _ in self.asked if one == name)
        self.asked.append((name, sent))
        yield self._answers[name.replace(" ", "_")](times)

    def get(self, path: str, *, name: str, catch_response: bool) -> Any:
        return self._call(name, path=path)

    def post(
        self, path: str, *, name: str, catch_response: bool, json: Any = None, headers: dict[str, str] | None = None
    ) -> Any:
        return self._call(name, path=path, json=json, headers=headers or {})


def accepted(_: int) -> Answer:
    return Answer(202, {"order_id": "one"})


def confirmed(_: int) -> Answer:
    return Answer(200, {"status": "confirmed"})


def act(kind: str, client: Client, *, has_room: bool = False, number: int = 7) -> tuple[Notes, list[float]]:
    """Let one person of a kind act; return what was noted and how long it waited each time."""
    notes, waits = Notes(), []
    crowd = Crowd(sale="s", products={"lamp": 1.0}, kinds={kind: 1.0}, has_room=has_room)
    Person(crowd, Visit(client, notes, "s", number, sleep=waits.append), notes).act()
    return notes, waits


def test_people_are_the_same_however_the_arrivals_are_shared_out() -> None:
    crowd = Crowd(sale="s", products={"a": 1.0, "b": 2.0}, kinds={"bot": 0.5, "shopper": 0.5})
    shape = herd(people=100)

    def people(processes: int) -> list[tuple[int, str, str]]:
        found = []
        for place in range(processes):
            table = Timetable(shape, seconds_per_order=1, users_max=9, share=(place, processes), begins=time())
            while (taken := table.take()) is not None:
                person = Person(crowd, Visit(None, Notes(), "s", taken[0]), Notes())
                found.append((taken[0], person.kind, person.product))
        return sorted(found)

    alone = people(1)
    assert len(alone) >= 100
    assert {kind for _, kind, _ in alone} == {"bot", "shopper"}
    assert people(3) == alone


def test_a_shopper_waits_for_its_turn_and_watches_its_order() -> None:
    client = Client(
        product_page=lambda _: Answer(200, {}),
        join=lambda _: Answer(201, {"ticket": "t", "number": 60}),
        room=lambda times: Answer(200, ROOM | {"frontier": 60 if times else 10}),
        claim=lambda times: Answer(200, {"admission": "let-in"}) if times else Answer(202, {"retry_after_s": 0.4}),
        order=accepted,
        watch=confirmed,
    )
    notes, waits = act("shopper", client, has_room=True)
    (_, order), *_ = [one for one in client.asked if one[0] == "order"]
    assert order["headers"]["Authorization"] == "Bearer let-in"
    assert waits == [1.0, 0.4], "as long as the room says, then as long as the claim says"
    assert notes.outcomes == {"confirmed": 1}
    assert set(notes.ids) == {"one"}


def test_who_was_drawn_by_lot_claims_whatever_its_number_says() -> None:
    client = Client(
        product_page=lambda _: Answer(200, {}),
        join=lambda _: Answer(201, {"ticket": "t", "number": 5_000}),
        room=lambda times: Answer(200, ROOM | {"phase": "open" if times else "lobby"}),
        claim=lambda _: Answer(200, {"admission": "let-in"}),
        order=accepted, watch=confirmed,
    )  # fmt: skip
    notes, waits = act("shopper", client, has_room=True)
    assert waits == [1.0]
    assert notes.outcomes == {"confirmed": 1}


@pytest.mark.parametrize(("kind", "pauses"), [("shopper", [3.0]), ("insisting", [])])
def test_who_insists_does_not_wait_when_told_to(kind: str, pauses: list[float]) -> None:
    client = Client(
        product_page=lambda _: Answer(200, {}),
        order=lambda times: accepted(0) if times else Answer(503, {"code": "overloaded"}, Retry_After="3"),
        watch=confirmed,
    )
    notes, waits = act(kind, client)
    assert waits == pauses
    assert notes.outcomes == {"confirmed": 1}


def test_another_order_for_the_same_key_is_seen() -> None:
    client = Client(order=lambda times: Answer(202, {"order_id": f"order {times}"}), watch=confirmed)
    notes, _ = act("insisting", client)
    assert (notes.replays, notes.replays_differ) == (2, 2)


@pytest.mark.parametrize("has_room", [True, False])
def test_a_bot_that_gets_in_unadmitted_is_seen(*, has_room: bool) -> None:
    client = Client(bot=lambda times: Answer(403, {"code": "admission_required"}) if times else accepted(0))
    notes, _ = act("bot", client, has_room=has_room)
    assert notes.unadmitted == int(has_room)
    assert notes.outcomes == {"bot: accepted": 1, "bot: admission_required": 4}
    cards = {sent["json"]["identities"]["card"] for name, sent in client.asked if name == "bot"}
    assert len(cards) == 1


def test_an_answer_that_is_no_problem_is_counted_by_its_status() -> None:
    notes, _ = act("shopper", Client(product_page=lambda _: Answer(200), order=lambda _: Answer(500)))
    assert notes.outcomes == {"http_500": 1}


def test_the_notes_of_all_processes_add_up() -> None:
    one = Notes(ids=["a"], outcomes={"confirmed": 1}, people={"bot": 2}, late_s=0.5, offered=3, by_second=[(0, 2, 1)])
    other = Notes(
        ids=["b"], outcomes={"confirmed": 2, "sold_out": 1}, late_s=0.2, offered=4, by_second=[(0, 1, 2), (1, 3, 3)]
    )
    both = merged([one, other])
    assert both.outcomes == {"confirmed": 3, "sold_out": 1}
    assert both.by_second == [(0, 3, 3), (1, 3, 3)]
    assert (both.ids, both.offered, both.late_s, both.people) == (["a", "b"], 7, 0.5, {"bot": 2})
    for field in msgspec.structs.fields(Notes):
        assert getattr(merged([one]), field.name) == getattr(one, field.name)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "real"])
def test_every_scene_has_people_that_there_are(name: str) -> None:
    scene = storm(name)
    assert set(scene.kinds) <= set(ACTS)
    assert 100 < scene.shape.total < 10_000
    assert Counter(scene.kinds).total() == pytest.approx(1.0)


def test_the_herd_comes_at_once() -> None:
    arrivals = herd(people=600, calm_s=4.0).arrivals()
    assert sum(1 for at in arrivals if 4.0 <= at <= 5.0) >= 599


def test_a_scene_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="no scene 'flood'"):
        storm("flood")
