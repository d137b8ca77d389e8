"""The life of an order, drawn step by step (Hypothesis), against real Postgres and a provider that does its worst.

Whatever is interleaved, after every step the ledger, histories, prices and money are right, by the audit and by checks
that compute them anew; and when nothing goes wrong any more, everything comes to rest.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.integration.workers.payments.life_machine import LifeOfAnOrder, Stores


def run(stores: Stores, *, examples: int, steps: int) -> None:
    """Run the machine; so many examples of so many steps each."""
    machine = type("Life", (LifeOfAnOrder,), {"stores": stores})
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


def test_any_interleaving_keeps_the_promises(stores: Stores) -> None:
    run(stores, examples=15, steps=25)


@pytest.mark.soak
def test_any_interleaving_keeps_the_promises_for_long(stores: Stores) -> None:
    run(stores, examples=1_000, steps=50)
