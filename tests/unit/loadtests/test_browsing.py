"""The run of reads: what is looked at, that reads keep their times and are counted once, what the figures say."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from loadtests.check import read_report
from loadtests.check.read_figures import database_reads, grown, setbacks
from loadtests.check.read_outcome import Emptied, Outcome
from loadtests.generate.catalogue import generate
from loadtests.generate.looks import KINDS, QUERIES, SALE_SHARE, SHARES, draw
from loadtests.scene.stage import IN_SALE
from loadtests.scene.system import Audit
from loadtests.traffic.browsing import Browse, Browsed, browse
from loadtests.traffic.plan import Result
from tests.fixtures.turns import Watch

CATALOGUE = generate(count=2_000)


def test_looks_have_their_shares_and_their_skew() -> None:
    looks = draw(CATALOGUE, 40_000)
    shares = Counter(looks.kind_of(n) for n in range(len(looks.order)))
    for kind, share in enumerate(SHARES):
        assert shares[kind] / 40_000 == pytest.approx(share, rel=0.15), KINDS[kind]
    seen = Counter(looks.paths[place] for place in looks.order if looks.kinds[place] == 0)
    on_sale = sum(seen[f"/products/{product.product_id}"] for product in CATALOGUE[:IN_SALE])
    assert on_sale / shares[0] == pytest.approx(SALE_SHARE, rel=0.05)
    assert len(seen) > 1_000
    assert sum(looks.kinds[place] == 1 for place in range(len(looks.paths))) == QUERIES
    assert draw(CATALOGUE, 100) == draw(CATALOGUE, 100) != draw(CATALOGUE, 100, seed=2)


@asynccontextmanager
async def serving(seen: list[str]) -> AsyncIterator[str]:
    """Serve every path but `/gone`; `/cut` is answered by cutting the connection, `/slow` late."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := (await reader.readuntil(b"\r\n\r\n")).partition(b" HTTP")[0].decode():
            path = line.partition(" ")[2]
            seen.append(path)
            if path == "/cut":
                writer.close()
                return
            await asyncio.sleep(0.2 if path == "/slow" else 0)
            writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\nok" % (503 if path == "/gone" else 200))

    async def quietly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    writers: list[asyncio.StreamWriter] = []

    server = await asyncio.start_server(quietly, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in writers:  # whoever asked has gone, but this loop may not have heard of it yet
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()


async def test_reads_keep_their_times_and_are_asked_once() -> None:
    seen: list[str] = []
    order = array("I", [0, 1, 2, 3, 0, 0])
    arrivals = array("d", [0.0, 0.05, 0.1, 0.15, 0.16, 0.3])
    async with serving(seen) as base:
        began, watch = time.monotonic(), Watch()
        plan = Browse(
            base=base, paths=["/fine", "/gone", "/cut", "/slow"], order=order.tobytes(),
            arrivals=arrivals.tobytes(), connections=1, timeout_s=2,
        )  # fmt: skip
        browsed = await browse(plan)
        stood_still_s = time.monotonic() - began - watch.elapsed_s()
    assert Counter(seen) == {"/fine": 3, "/gone": 1, "/cut": 1, "/slow": 1}
    assert browsed.answers.tolist() == [200, 503, 0, 200, 200, 200]
    # The one connection is taken by the slow read: who came meanwhile has waited since they were due.
    assert 0.2 <= browsed.latencies[3] < 0.5 + stood_still_s
    assert browsed.latencies[4] >= 0.19
    assert browsed.late_s >= 0.15


def test_a_plan_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="a path for each arrival"):
        Browse(base="http://127.0.0.1:1", paths=["/"], order=array("I", [0]).tobytes(), arrivals=b"")


def test_the_second_of_an_answer_is_when_it_came() -> None:
    due, took = array("d", [0.1, 0.2, 1.5, 1.6]), array("d", [0.1, 0.9, 0.1, 0.0])
    assert read_report.achieved(due, took) == [(0, 2, 1), (1, 2, 2)]


def line(at: str, process: int, part: str, message: str = "read from the database") -> bytes:
    said = {"at": at, "process_id": process, "message": message, "subject": "product:p", "part": part, "why": "late"}
    return msgspec.json.encode(said) + b"\n"


def test_reads_of_the_database_are_counted_by_process_and_part(tmp_path: Path) -> None:
    log = tmp_path / "intake.log"
    log.write_bytes(
        b"".join(
            [
                line("2026-01-01T00:00:00.999Z", 1, "item"),
                line("2026-01-01T00:00:01.000Z", 1, "item"),
                line("2026-01-01T00:00:01.001Z", 1, "item"),
                line("2026-01-01T00:00:01.500Z", 2, "item"),
                line("2026-01-01T00:00:09.500Z", 2, "item"),
                line("2026-01-01T00:00:09.500Z", 2, "item", "replica 1 is left out"),
                b"not a line of ours\n",
            ]
        )
    )
    counted = database_reads(log, datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC))
    assert counted == {(1, "product:p", "item"): 1, (2, "product:p", "item"): 2}
    assert setbacks(log) == {"replica 1 is left out: late": 1}


def test_only_what_a_counter_has_grown_by_counts() -> None:
    before = {("reads", "primary"): 5.0, ("other", "primary"): 1.0}
    after = {("reads", "primary"): 5.0, ("reads", "replica 1"): 7.0, ("other", "primary"): 9.0}
    assert grown(before, after, "reads") == {("primary",): 0, ("replica 1",): 7}


GOOD = Outcome(
    browsed=msgspec.convert(
        {"began": 0.0, "took": b"", "statuses": array("H", [200, 200]).tobytes(), "late_s": 0.0},
        type=Browsed,
    ),
    looks=draw(CATALOGUE, 2), emptied=Emptied(datetime.now(UTC), 1.0),
    result=Result(outcomes={"accepted": 2}, offered=2),
    by_server={"primary": 0, "replica 1": 9}, by_place={}, refills={(1, "product:p", "item"): 1}, setbacks={},
    processor_s={}, states={"confirmed": 2}, missing=0, audit=Audit([], {}, 0),
)  # fmt: skip


def test_a_run_is_good_only_if_everything_is_as_it_must_be() -> None:
    assert GOOD.faults == []
    failed = msgspec.structs.replace(GOOD.browsed, statuses=array("H", [200, 503]).tobytes())
    for changes in (
        {"browsed": failed},
        {"by_server": {"primary": 1}},
        {"refills": {}},
        {"refills": {(1, "product:p", "item"): 2}},
        {"states": {"pending": 1}},
        {"missing": 1},
        {"result": Result(outcomes={"accepted": 1, "overloaded": 1}, offered=2)},
        {"audit": Audit([], {}, 1)},
    ):
        assert len(msgspec.structs.replace(GOOD, **changes).faults) == 1, changes
