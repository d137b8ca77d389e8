"""Small decisions of the intake: preferences, ids in paths, moments, cursors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from falcon.asgi import Request
from falcon.testing import create_asgi_req
from hypothesis import given
from hypothesis import strategies as st

from doorbuster.errors import InvalidError
from doorbuster.orderstore.ids import OrderIds
from doorbuster.values.timestamps import rfc3339_ms, rfc3339_of
from intake.orders.lookup import parse_order_id
from intake.orders.prefer_wait import wait_of
from intake.web.openapi.operations import OPERATIONS
from intake.web.paging import limit_of, order_cursor, order_cursor_of


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (None, 0), ("", 0), ("wait=5", 5), ("wait=99", 30), ("wait=0", 0), ("respond-async, wait=10", 10),
        ('Wait = "7"; x', 7), ("wait", 0), ("wait=-1", 0), ("await=3", 0), ("wait=1e3", 0), ("wait=99999999999", 30),
        ("wait=" + "9" * 5000, 30), ("wait=0007", 7), ("wait=000", 0),
    ],
)  # fmt: skip
def test_preferences(prefer: str | None, seconds: int) -> None:
    assert wait_of(prefer) == seconds


def test_an_order_id_has_one_form_in_small_letters_or_capitals() -> None:
    order_id = UUID(bytes=OrderIds(b"a-key-for-tests!").derive(7, 3, customer_id="c", key="k"))
    text = str(order_id)
    assert parse_order_id(text) == order_id
    assert parse_order_id(text.upper()) == order_id
    for other in (order_id.hex, "{" + text + "}", text + "\n", "urn:uuid:" + text):
        assert parse_order_id(other) is None


@given(st.integers(0, 4_000_000_000_000))
def test_a_moment_is_the_same_from_both_stores(unix_ms: int) -> None:
    text = rfc3339_ms(unix_ms)
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=unix_ms)
    assert rfc3339_of(at) == text
    assert datetime.fromisoformat(text) == at


def asked(query: str) -> Request:
    return create_asgi_req(query_string=query)


def test_a_cursor_comes_back() -> None:
    order_id = UUID(bytes=OrderIds(b"a-key-for-tests!").derive(7, 3, customer_id="c", key="k"))
    at = datetime(2026, 1, 2, 3, 4, 5, 6789, tzinfo=UTC)
    assert order_cursor_of(asked(f"cursor={order_cursor(at, order_id)}")) == (at, order_id)
    for wrong in ("x", "====", "YWJj", "%00"):
        with pytest.raises(InvalidError):
            order_cursor_of(asked(f"cursor={wrong}"))


@pytest.mark.parametrize("limit", ["0", "501", "-1", "x", "1e2", "٣", "99999999999"])
def test_limits_are_bounded(limit: str) -> None:
    with pytest.raises(InvalidError):
        limit_of(asked(f"limit={limit}"))


def test_operations_stand_once() -> None:
    assert len({(operation.method, operation.path) for operation in OPERATIONS}) == len(OPERATIONS)
