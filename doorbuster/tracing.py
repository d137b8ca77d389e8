"""Traces of orders, by OpenTelemetry: from the post through the stream to the transition; off, nothing is imported.

Owns when a trace is made, at the edge alone, and how it goes on elsewhere; what a span is about its callers say.
`begin` once a process; whoever is on the way of an order looks at `ON` first. Where spans go is told to
OpenTelemetry's SDK by its own variables, `OTEL_EXPORTER_OTLP_ENDPOINT` and others.
"""

from __future__ import annotations

import random
import re
import time
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from doorbuster.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span

    from doorbuster.settings import Settings

ON = False
"""Whether spans are made in this process."""
ASKED_FOR_MAX = 100
"""Traces a second that are made because callers say so: no more than the share would be a way to burden everybody."""
FLUSH_MS = 2_000
_PARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-([0-9a-f]{2})(-.*)?")
_share = 0.0
_tracer: Any = None
_provider: Any = None
_asked_for = (0, 0)
"""A second, and how many traces callers asked for in it."""


def begin(settings: Settings, service: str, exporter: SpanExporter | None = None) -> None:
    """Make spans from here on, if the settings say so; `exporter` takes them, else a collector does.

    Raises:
        SettingsError: the extra is not installed.
    """
    global ON, _share, _tracer, _provider
    if not settings.traces:
        return
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
    except ImportError as error:
        raise SettingsError("TRACES: needs the extra otel: pip install 'doorbuster[otel]'") from error
    _provider = TracerProvider(resource=Resource.create({"service.name": service}))
    if exporter is None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    else:
        _provider.add_span_processor(SimpleSpanProcessor(exporter))
    _tracer = _provider.get_tracer("doorbuster")
    _share, ON = settings.trace_share, True


def end() -> None:
    """Hand over what was made, within two seconds, and make no more."""
    global ON, _provider
    ON = False
    if _provider is not None:
        _provider.force_flush(FLUSH_MS)
        _provider.shutdown()
        _provider = None


def is_wanted(key: bytes, parent: str) -> bool:
    """Say whether a request gets a trace: its caller's word counts, else the share; one key is always one answer."""
    if match := _PARENT.fullmatch(parent):
        return bool(int(match[1], 16) & 1)
    return (zlib.crc32(key) / 2**32 if key else random.random()) < _share  # noqa: S311  hides nothing


def may_follow(parent: str) -> bool:
    """Count a trace that its caller asked for; False: there were enough this second."""
    global _asked_for
    if not _PARENT.fullmatch(parent):
        return True
    second = int(time.monotonic())
    count = _asked_for[1] + 1 if _asked_for[0] == second else 1
    _asked_for = second, count
    return count <= ASKED_FOR_MAX


@contextmanager
def serving(name: str, parent: str, attributes: Mapping[str, str | int]) -> Iterator[Span]:
    """Make the span of a request that is answered in the block; what is done there is its child."""
    from opentelemetry.trace import SpanKind

    context = _context_of(parent)
    with _tracer.start_as_current_span(name, context, kind=SpanKind.SERVER, attributes=attributes) as span:
        yield span


def current() -> str | None:
    """Return the span that is under way here as a `traceparent`, None if there is none."""
    from opentelemetry.propagate import inject

    carrier: dict[str, str] = {}
    inject(carrier)
    return carrier.get("traceparent")


def batch(name: str, began_ns: int, parents: Collection[str], attributes: Mapping[str, str | int]) -> None:
    """Make the span of what was done for many at once, from then until now, with a link to each of them."""
    from opentelemetry.trace import Link, SpanKind, get_current_span

    spans = [get_current_span(context) for parent in parents if (context := _context_of(parent)) is not None]
    links = [Link(span.get_span_context()) for span in spans]
    span = _tracer.start_span(name, kind=SpanKind.CONSUMER, links=links, start_time=began_ns, attributes=attributes)
    span.end()


def step(name: str, began_ns: int, parent: str, attributes: Mapping[str, str | int]) -> str:
    """Make the span of a step of one order, from then until now; return it as the parent of what follows from it."""
    from opentelemetry.propagate import inject
    from opentelemetry.trace import set_span_in_context

    span = _tracer.start_span(name, _context_of(parent), start_time=began_ns, attributes=attributes)
    span.end()
    carrier: dict[str, str] = {}
    inject(carrier, set_span_in_context(span))
    return carrier["traceparent"]


def _context_of(parent: str) -> Context | None:
    from opentelemetry.propagate import extract

    return extract({"traceparent": parent}) if _PARENT.fullmatch(parent) else None
