"""The state machine says what the design says, and only that."""

from __future__ import annotations

import itertools

import pytest

from db.orders.states import ALLOWED, FINAL, INITIAL, Status, is_legal_step, sources_of

P, C, W, S, D, X, R = (
    Status.PENDING, Status.CONFIRMED, Status.PROCESSING, Status.SHIPPED, Status.DELIVERED, Status.CANCELLED,
    Status.REFUNDED,
)  # fmt: skip

LEGAL = {(P, C), (P, X), (C, W), (C, X), (W, S), (W, X), (S, D), (D, R)}


@pytest.mark.parametrize(("was", "to"), list(itertools.product(Status, Status)))
def test_only_the_steps_of_the_design_are_allowed(was: Status, to: Status) -> None:
    assert (to in ALLOWED[was]) == ((was, to) in LEGAL)
    assert (was in sources_of(to)) == ((was, to) in LEGAL)


def test_final_states_lead_nowhere() -> None:
    assert {X, R} == FINAL


@pytest.mark.parametrize(("was", "became"), list(itertools.product([None, *Status], Status)))
def test_a_step_is_legal_by_the_design_and_a_history_begins_pending_or_cancelled(
    was: Status | None, became: Status
) -> None:
    assert is_legal_step(was, became) == ((was, became) in LEGAL | {(None, P), (None, X)})


def test_every_first_step_is_pending_or_cancelled() -> None:
    assert {P, X} == INITIAL
