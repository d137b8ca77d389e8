"""The state machine says what the design says, and only that."""

from __future__ import annotations

import itertools

import pytest

from db.orders.states import ALLOWED, FINAL, INITIAL, TAKES, OrderCall, Status

P, C, W, S, D, X, R = (
    Status.PENDING, Status.CONFIRMED, Status.PROCESSING, Status.SHIPPED, Status.DELIVERED, Status.CANCELLED,
    Status.REFUNDED,
)  # fmt: skip

LEGAL = {(P, C), (P, X), (C, W), (C, X), (W, S), (W, X), (S, D), (D, R)}


@pytest.mark.parametrize(("was", "to"), list(itertools.product(Status, Status)))
def test_only_the_steps_of_the_design_are_allowed(was: Status, to: Status) -> None:
    assert (to in ALLOWED[was]) == ((was, to) in LEGAL)


def test_final_states_lead_nowhere_and_take_nothing() -> None:
    assert {X, R} == FINAL
    assert not any(states & FINAL for states in TAKES.values())


def test_every_first_step_is_pending_or_cancelled() -> None:
    assert {P, X} == INITIAL


@pytest.mark.parametrize(
    ("call", "states"),
    [
        (OrderCall.CANCEL, {P, C, W}),
        (OrderCall.SHIP, {C, W, S}),
        (OrderCall.PARCEL, {C, W, S}),
        (OrderCall.REFUND, {C, W, S, D}),
    ],
)
def test_a_call_is_taken_in_the_states_of_the_design(call: OrderCall, states: set[Status]) -> None:
    assert TAKES[call] == states
    assert len(TAKES) == len(OrderCall)
