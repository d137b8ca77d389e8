"""The past of a sale as its watchers see it, from the room's store: written by one intake in turn, read by all.

Owns what a store that is away means: nothing is written, and nothing is known.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from doorbuster.contract.night.live import LiveMoment
from doorbuster.failures import STORE_FAILED
from intake.ops.live.samples import Sample, is_near
from waitingroom.records import history

if TYPE_CHECKING:
    from redis.asyncio import Redis

WITHIN_S = 1.0
LOOKED_AT = 4
"""Samples among which one is far enough back: the newest may be of this very moment."""
HISTORY_MAX_S = 900
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Sample).decode


class LiveHistory:
    """Reads and writes samples."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._writer = f"{os.getpid()}-{secrets.token_hex(4)}"

    async def takes_turn(self, number: int) -> bool:
        """Say whether this process writes the sale's samples now."""
        try:
            async with asyncio.timeout(WITHIN_S):
                return await history.take_turn(self._redis, number, self._writer)
        except STORE_FAILED:  # told by the look at the room's store
            return False

    async def add(self, number: int, sample: Sample) -> None:
        """Write a sample down; without its store it is a gap."""
        try:
            async with asyncio.timeout(WITHIN_S):
                await history.add(self._redis, number, _encode(sample))
        except STORE_FAILED:  # told by the look at the room's store
            return

    async def last_near(self, number: int, now_ms: int) -> Sample | None:
        """Return the newest sample of any process from which a rate can be told now, None if there is none."""
        found = await self._read(number, LOOKED_AT) or []
        return next((one for one in reversed(found) if is_near(one, now_ms)), None)

    async def of(self, number: int, seconds: int) -> list[LiveMoment] | None:
        """Return the last seconds, oldest first; a second that nobody looked at is left out. None: nobody can say."""
        found = await self._read(number, seconds)
        since_ms = (time.time() - seconds) * 1000
        return None if found is None else [_moment(one) for one in found if one.at_ms >= since_ms]

    async def _read(self, number: int, count: int) -> list[Sample] | None:
        try:
            async with asyncio.timeout(WITHIN_S):
                return [_sample(one) for one in await history.newest(self._redis, number, count)]
        except STORE_FAILED:  # told by the look at the room's store
            return None


def _sample(written: bytes) -> Sample:
    return _decode(written)


def _moment(sample: Sample) -> LiveMoment:
    return LiveMoment(
        at=datetime.fromtimestamp(sample.at_ms / 1000, UTC),
        waiting=sample.waiting,
        admitted_per_s=sample.admitted_per_s,
        accepted_per_s=sample.accepted_per_s,
        confirmed_per_s=sample.confirmed_per_s,
        backlog=sample.backlog,
        backlog_s=sample.backlog_s,
        rate_per_s=sample.rate_per_s,
    )
