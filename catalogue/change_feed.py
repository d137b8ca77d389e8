"""How a process hears of changes: at once by a channel, and for certain from the outbox. Owns both; decides nothing.

The channel may lose a message. The outbox cannot: each look sees exactly what was committed since the look before,
whatever other transactions are open. So an invalidation that never reached the cache is still heard of here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

import msgspec

from catalogue.cache import subjects
from catalogue.cache.shared import decode
from db.connections.pool import Connection, connect
from db.products import catalogue_changes
from doorbuster import keys
from doorbuster.failures import POSTGRES_FAILED, REDIS_FAILED
from doorbuster.redis_roles.subscription import subscribed

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from catalogue.cache.read_through import Reader

EVERY_S = 0.25
NAMED_MAX = 5_000
"""Changes of one look that are told one by one; more make all copies outdated."""
BACK_S = 120.0
"""How far back a process looks that begins to follow: longer than any transaction that writes products takes."""
AGAIN_S = 0.5

log = logging.getLogger("doorbuster.catalogue")


class ChangeFeed:
    """Tells a reader what changes."""

    def __init__(self, reader: Reader, redis: Redis, database_url: str, *, look_back_s: float = BACK_S) -> None:
        self._reader, self._redis, self._database_url = reader, redis, database_url
        self._look_back_s = look_back_s
        self._connection: Connection | None = None
        self._snapshot: str | None = None

    async def hear(self) -> None:
        """Hear the channel until cancelled; a broken subscription is made again."""
        while True:
            try:
                async with subscribed(self._redis, keys.CHANGES) as next_message:
                    while True:
                        message = await next_message(1.0)
                        if message is not None:
                            self.take(message[1])
            except REDIS_FAILED as error:
                log.info("changes cannot be heard; the outbox is read meanwhile", extra={"error": error})
                await asyncio.sleep(AGAIN_S)

    def take(self, message: bytes) -> None:
        """Take a message of the channel."""
        try:
            self._reader.outdate(decode(message))
        except msgspec.DecodeError as error:
            log.warning("a message of the channel cannot be read", extra={"error": error})

    async def look_on(self) -> None:
        """Look into the outbox until cancelled."""
        try:
            while True:
                began = time.monotonic()
                await self.look()
                await asyncio.sleep(max(0.0, began + EVERY_S - time.monotonic()))
        finally:
            self._break_off()

    async def look(self) -> None:
        """Look into the outbox once. A database that does not answer commits nothing either: the next look sees all."""
        try:
            connection = await self._connected()
            if self._snapshot is None:
                news = await catalogue_changes.recent(connection, within_s=self._look_back_s, limit=NAMED_MAX + 1)
            else:
                news = await catalogue_changes.appeared(connection, self._snapshot, limit=NAMED_MAX + 1)
        except POSTGRES_FAILED as error:
            log.info("the outbox cannot be read", extra={"error": error})
            self._break_off()
            return
        self._snapshot = news.snapshot
        if len(news.changes) > NAMED_MAX:
            self._reader.outdate_everything()
        elif news.changes:
            self._reader.outdate(subjects.floors(news.changes, news.lsn))

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            # Behind a new connection may be another primary, whose transactions are numbered on their own.
            self._snapshot = None
            self._connection = await connect(
                self._database_url, command_timeout_s=1.0, application="doorbuster-catalogue-following"
            )
        return self._connection

    def _break_off(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
