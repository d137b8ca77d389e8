"""What the system says of its reads: its metrics, and its log of reads of the database. Reads both; changes nothing."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from loadtests.scene.loopback import target_of

_SETBACKS = (b" is left out", b" did not answer a read in time", b"the cache does not answer")
_READ = b'"read from the database"'

Metrics = dict[tuple[str, ...], float]
"""Values by name and values of the labels, in the order of the labels' names."""


class _Setback(msgspec.Struct):
    message: str
    why: str = ""
    error: str = ""


class _Line(msgspec.Struct):
    at: str
    process_id: int
    subject: str
    part: str


async def metrics(base: str) -> Metrics:
    """Return what `/metrics` says."""
    target_of(base)
    async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=10) as client:
        text = (await client.get("/metrics")).raise_for_status().text
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def grown(before: Metrics, after: Metrics, name: str) -> dict[tuple[str, ...], int]:
    """Return by how much each series of a counter has grown."""
    return {key[1:]: int(value - before.get(key, 0)) for key, value in after.items() if key[0] == name}


def setbacks(log: Path) -> Counter[str]:
    """Return what processes noted against replicas and the cache, and how often."""
    lines = (line for line in log.read_bytes().splitlines() if any(one in line for one in _SETBACKS))
    noted = (msgspec.json.decode(line, type=_Setback) for line in lines)
    return Counter(f"{one.message.partition(';')[0]}: {one.why or one.error}"[:90] for one in noted)


def database_reads(log: Path, since: datetime) -> Counter[tuple[int, str, str]]:
    """Return how often each process read each part of each subject from the database after a moment.

    Exact: every such read writes its line (LOG_LEVEL=debug) before what it found is put into the cache.
    """
    moment = since.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    lines = log.read_bytes().splitlines()
    read = (msgspec.json.decode(line, type=_Line) for line in lines if _READ in line)
    return Counter((line.process_id, line.subject, line.part) for line in read if line.at > moment)
