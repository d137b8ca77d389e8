"""Tells every intake process of a change, and waits until all of them act by it. Owns the messages; decides nothing.

A process that is told of a change reads anew what it has copies of, then says that it has heard. So the call that made
the change answers when no process can act by what was before. Copies end by themselves within about a second: a process
that says nothing, because it hangs or has lost its connection, is waited for no longer than that.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING

import msgspec

from doorbuster.failures import STORE_FAILED
from doorbuster.orderstore import changes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from redis.asyncio import Redis

WITHIN_S = 1.5
"""How long processes are waited for: longer than a copy lives."""

log = logging.getLogger("doorbuster.intake.announcing")


class Announcement(msgspec.Struct, frozen=True, array_like=True):
    """A change as it is told."""

    id: bytes
    sale_id: str = ""
    """The sale that changed; empty: none."""
    version: int = 0
    """Of the sale's row: what is older no longer counts."""
    products: tuple[str, ...] = ()
    """Of which units may be had again."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Announcement).decode


class _Heard:
    """How many processes have heard, and how many there are."""

    def __init__(self) -> None:
        self._count, self._wanted = 0, -1
        self._all = asyncio.Event()

    def one_more(self) -> None:
        self._count += 1
        self._look()

    async def by(self, processes: int) -> None:
        self._wanted = processes
        self._look()
        await self._all.wait()

    def _look(self) -> None:
        if 0 <= self._wanted <= self._count:
            self._all.set()


class Announcements:
    """Announces changes, and takes those of others."""

    def __init__(self, redis: Redis, act_by: Callable[[Announcement], Awaitable[None]]) -> None:
        """Take the order store, and what is done about a change before it counts as heard."""
        self._redis = redis
        self._act_by = act_by
        self._open: dict[bytes, _Heard] = {}
        self._acting: set[asyncio.Task[None]] = set()

    async def tell(self, *, sale_id: str = "", version: int = 0, products: Iterable[str] = ()) -> None:
        """Tell every process of a change that is stored already; return when all act by it.

        Raises:
            RedisError, OSError, TimeoutError: the order store does not answer.
        """
        told = Announcement(os.urandom(8), sale_id, version, tuple(products))
        heard = self._open[told.id] = _Heard()
        try:
            processes = await changes.publish_sale(self._redis, _encode(told))
            try:
                async with asyncio.timeout(WITHIN_S):
                    await heard.by(processes)
            except TimeoutError:
                log.warning("not every process has heard of a change", extra={"processes": processes})
        finally:
            del self._open[told.id]

    def take(self, message: bytes) -> None:
        """Act by a change that was announced, and say so then."""
        try:
            told = _decode(message)
        except msgspec.DecodeError:
            log.warning("an announcement cannot be read", extra={"bytes": len(message)})
            return
        task = asyncio.ensure_future(self._take(told))
        self._acting.add(task)
        task.add_done_callback(self._acting.discard)

    def heard(self, message: bytes) -> None:
        """Count a process that has heard of a change that this one announced."""
        if (heard := self._open.get(message)) is not None:
            heard.one_more()

    async def _take(self, told: Announcement) -> None:
        try:
            await self._act_by(told)
            await changes.publish_heard(self._redis, told.id)
        except STORE_FAILED as error:
            log.warning("a change was heard too late", extra={"sale_id": told.sale_id, "error": error})
