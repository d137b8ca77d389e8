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
    assert intake.guard.pop_fast_order_count() >= 2, "those without a trace take the fast path"
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
