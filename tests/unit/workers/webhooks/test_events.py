"""Every event of an order has a type that one can subscribe to."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

import db
from db.orders.states import Status
from db.work.outbox import OutboxEvent
from doorbuster.contract.webhooks import EVENT_TYPES
from workers.webhooks.events import of_order

SCHEMA = Path(db.__file__).with_name("schema.sql").read_text()
(_KINDS,) = re.findall(r"^  kind +text check \(kind in \((.*?)\)\)", SCHEMA, re.MULTILINE)
KINDS = re.findall(r"'(\w+)'", _KINDS)


def event(status: str, kind: str | None) -> OutboxEvent:
    return OutboxEvent(UUID(int=7), 3, status, datetime.now(UTC), None, kind, 1, 1)


@pytest.mark.parametrize("status", list(Status))
def test_every_state_has_a_type(status: Status) -> None:
    found = of_order(event(status.value, None))
    assert found.type == f"order.{status.value}"
    assert found.type in EVENT_TYPES
    assert (found.event_id, found.position) == (f"{UUID(int=7)}:3", 3)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_type(kind: str) -> None:
    assert len(KINDS) >= 4
    assert of_order(event("confirmed", kind)).type in EVENT_TYPES
