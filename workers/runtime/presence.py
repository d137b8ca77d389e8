"""The scheduler's sign of life in the jobs store, for whoever asks how things are. Nothing is decided by it."""

from __future__ import annotations

import logging
import os
import socket
import time
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from doorbuster import keys

if TYPE_CHECKING:
    from redis import Redis

KEPT_S = 3_600
log = logging.getLogger("doorbuster.workers.presence")


class Presence:
    """Says that this process lives."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._name = f"{socket.gethostname()}-{os.getpid()}"
        self._began = time.time()

    def renew(self) -> None:
        """Say it now, and forget who has said nothing for an hour."""
        now = time.time()
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.hset(keys.SCHEDULERS, self._name, f"{self._began:.3f} {now:.3f}")
            pipe.expire(keys.SCHEDULERS, KEPT_S)
            pipe.hgetall(keys.SCHEDULERS)
            *_, told = pipe.execute()
        gone = [name for name, text in told.items() if float(text.split()[-1]) < now - KEPT_S]
        if gone:
            self._redis.hdel(keys.SCHEDULERS, *gone)

    def end(self) -> None:
        """Say that it ends; a store that is away learns it by the silence."""
        try:
            self._redis.hdel(keys.SCHEDULERS, self._name)
        except RedisError as error:
            log.debug("the end could not be told", extra={"error": error})
