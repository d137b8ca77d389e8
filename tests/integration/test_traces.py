"""One order's trace, from the post through the stream to the transition, on real stores; and nothing of it when off."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from doorbuster import keys, tracing
from doorbuster.settings import Settings
from tests.fixtures.callbacks import SIMULATED_SECRET, signed_as_standard, simulated_event
from tests.fixtures.intake import Serve
from tests.fixtures.shop import Shop

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, NOT_SAMPLED = f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00"


@pytest.fixture
def spans(settings: Settings) -> Iterator[InMemorySpanExporter]:
    """What is traced in the test; of requests that say nothing: none."""
    exporter = InMemorySpanExporter()
    tracing.begin(Settings(**(settings.model_dump() | {"traces": True, "trace_share": 0.0})), "test", exporter)
    yield exporter
    tracing.end()


def by_name(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    found = {span.name: span for span in exporter.get_finished_spans()}
    assert len(found) == len(exporter.get_finished_spans())
    return found


async def test_an_orders_trace_goes_from_the_post_to_the_transition(
    shop: Shop, serve: Serve, spans: InMemorySpanExporter
) -> None:
    intake = await serve()
    await shop.stock(hot=5)
    await shop.open_sale("hot")
    for headers in ({"traceparent": SAMPLED}, {"traceparent": NOT_SAMPLED}, {"traceparent": "broken"}, {}):
        assert (await intake.post("sale-1", headers=headers)).status_code == 202
    assert intake.fast_orders() >= 2, "those without a trace take the fast path"
    await shop.drain()
    await shop.settle()
    found = by_name(spans)
    post, batch = found["POST /sales/{id}/orders"], found["drain batch"]
    drained, settled, moved = found["drain order"], found["settle order"], found["pending > confirmed"]
    assert len(found) == 5
    assert {span.context.trace_id for span in (post, drained, settled, moved)} == {int(TRACE, 16)}
    assert post.parent is not None
    assert post.parent.span_id == int(SPAN, 16)
    assert drained.parent is not None
    assert settled.parent is not None
    assert drained.parent.span_id == settled.parent.span_id == post.context.span_id
    assert moved.parent is not None
    assert moved.parent.span_id == settled.context.span_id
    assert [link.context.span_id for link in batch.links] == [post.context.span_id]
    assert batch.context.trace_id != post.context.trace_id
    assert post.attributes is not None
    assert post.attributes["http.response.status_code"] == 202
    assert await shop.orders.exists(keys.traces(shop.sale_number, 0)) == 0, "nothing is kept of what is settled"


def late_spans(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    """Return the whole trace of one order by its spans' names, each the child of the one that it must follow."""
    found = by_name(exporter)
    post = found["POST /sales/{id}/orders"]
    assert {span.context.trace_id for name, span in found.items() if name != "drain batch"} == {int(TRACE, 16)}
    (moved,) = (span for name, span in found.items() if name.startswith("pending > "))
    parents = [
        span.parent.span_id if span.parent else None for span in (found["drain order"], found["settle order"], moved)
    ]
    assert parents == [post.context.span_id, post.context.span_id, found["settle order"].context.span_id]
    return found


async def test_a_payment_that_is_answered_late_is_in_the_trace(
    shop: Shop, serve: Serve, patient_shifts: None, spans: InMemorySpanExporter
) -> None:
    intake = await serve()
    await shop.stock(hot=5)
    await shop.open_sale("hot")
    late = {"token": "late:0"}
    assert (await intake.post("sale-1", headers={"traceparent": SAMPLED}, payment=late)).status_code == 202
    await shop.drain()
    await shop.settle(payment_retry_s=0.1)
    found = late_spans(spans)
    assert "pending > confirmed" in found
    settled = found["settle order"]
    assert settled.start_time is not None
    assert settled.end_time is not None
    assert settled.end_time - settled.start_time > 50_000_000, "since it was asked for first"
    assert await shop.orders.exists(keys.traces(shop.sale_number, 0)) == 0


async def test_a_payment_that_a_callback_tells_of_is_in_the_trace(
    shop: Shop, serve: Serve, spans: InMemorySpanExporter
) -> None:
    intake = await serve(payment_webhook_secret=SIMULATED_SECRET)
    await shop.stock(hot=5)
    await shop.open_sale("hot")
    action = {"token": "action"}
    accepted = await intake.post("sale-1", headers={"traceparent": SAMPLED}, payment=action)
    await shop.drain()
    await shop.settle()
    assert "settle order" not in by_name(spans), "the shopper must act"
    told = simulated_event(accepted.json()["order_id"], "action.succeeded")
    answer = await intake.http.post("/payments/simulated/events", content=told, headers=signed_as_standard(told))
    assert answer.status_code == 200
    await shop.money()
    assert "pending > confirmed" in late_spans(spans)
    assert await shop.orders.exists(keys.traces(shop.sale_number, 0)) == 0


async def test_an_order_that_lost_its_units_is_not_said_to_be_cancelled(
    shop: Shop, serve: Serve, spans: InMemorySpanExporter
) -> None:
    intake = await serve()
    await shop.stock(hot=5)
    await shop.open_sale("hot", hold_s=1)
    down = {"token": "down"}
    assert (await intake.post("sale-1", headers={"traceparent": SAMPLED}, payment=down)).status_code == 202
    await shop.drain()
    ended = "update reservations set expires_at = clock_timestamp() - interval '1 s', due_at = clock_timestamp()"
    await shop.db.execute(ended)
    await shop.settle()
    assert await shop.db.fetchval("select status::text from orders") == "pending"
    assert "settle order" not in by_name(spans)
    await shop.money()
    assert "pending > cancelled" in late_spans(spans)


async def test_a_share_of_the_keys_gets_a_trace_and_a_repeated_one_the_same(spans: InMemorySpanExporter) -> None:
    tracing._share = 0.25
    numbered = [b"key-%d" % number for number in range(2_000)]
    wanted = [key for key in numbered if tracing.is_wanted(key, "")]
    assert 400 < len(wanted) < 600
    assert all(tracing.is_wanted(key, "") for key in wanted)
    assert tracing.is_wanted(numbered[0], SAMPLED)
    assert not tracing.is_wanted(wanted[0], NOT_SAMPLED)


def test_callers_cannot_ask_for_any_number(spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing.time, "monotonic", lambda: 7.5)
    assert [tracing.may_follow(SAMPLED) for _ in range(120)].count(True) == tracing.ASKED_FOR_MAX
    assert tracing.may_follow(""), "the share is bounded by itself"
    monkeypatch.setattr(tracing.time, "monotonic", lambda: 8.5)
    assert tracing.may_follow(SAMPLED)


def test_nothing_is_imported_when_it_is_off() -> None:
    script = (
        "import sys, intake.app, workers.jobs, workers.scheduler\n"
        # The client of Redis looks by itself for the part for metrics.
        "ours = ('opentelemetry.sdk.trace', 'opentelemetry.exporter')\n"
        "print([name for name in sys.modules if name.startswith(ours)])"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
