"""The state machine says what the design says, and only that."""

from __future__ import annotations

import itertools

import pytest

from db.states import ALLOWED, FINAL, INITIAL, Status, is_legal_path, sources_of

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


@pytest.mark.parametrize("path", [[P], [X], [P, C, W, S, D, R], [P, C, W, X], [P, C, X], [P, X]])
def test_legal_paths(path: list[Status]) -> None:
    assert is_legal_path(path)


@pytest.mark.parametrize("path", [[], [C], [P, W], [X, P], [P, C, C], [P, C, W, S, X], [P, C, W, S, D, R, P]])
def test_illegal_paths(path: list[Status]) -> None:
    assert not is_legal_path(path)


def test_every_first_step_is_pending_or_cancelled() -> None:
    assert {P, X} == INITIAL
