"""The read path: this process's copy, the shared cache, a replica, the primary. Owns the order and the guards.

Promise P8 lives here: whatever is shown has at least the version its floor demands, wherever the floor was heard of.
At most one fill a part at a time in a process; who comes meanwhile waits for it. Knows nothing of products or HTTP.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from catalogue.cache.subjects import NO_FLOOR, MinVersion
from db.connections.replicas import LateReadError, NotShownError
from doorbuster.errors import StoreUnavailableError
from doorbuster.gathering import Gathering
from doorbuster.log import shared_context

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from catalogue.cache.floors import MinVersions
    from catalogue.cache.shared import CacheLook, SharedCache
    from db.connections.pool import Connection
    from db.connections.read_server import Work
    from db.connections.replicas import Replicas

EARLY, EARLIEST = 0.8, 0.4
"""Part of its life after which a copy in use is read anew behind the answer; the sooner, the longer reads take."""
FILLS_EARLY = 4
"""So many times as long as reads take lately a copy is read anew before its end: late answers cost all who wait."""
ATTEMPTS = 4
BETA = 1.0
READS_OUT, READS_MAX = 2, 64
"""Reads of several products that are out at a time, and products in one: so they need few of the connections."""
COPY_BYTES, BYTES_PER_BODY = 2_000, 3
"""What a copy takes: itself, and its body as read, as shown and as sent, about."""
SEEN_S = 10.0
"""How long after a copy's life it is remembered which version was shown."""

log = logging.getLogger("doorbuster.catalogue")


PATIENCE_S, TRIES = 5.0, 4
"""How long and how often, at least, products are asked for where servers have too much to do: a process that is late
itself has no time for a second try in so long. After the first late answer searches and listings are refused."""


T = TypeVar("T")


def _not_told() -> None:
    pass


class Loaded(NamedTuple):
    """What a load found: nothing is an empty body, which is kept and shown like any other."""

    version: int
    body: bytes


Key = tuple[str, str]
Units = tuple[int | None, ...]
"""Units left of the products of a copy, as far as told; empty if nobody could be asked."""


class ReadSource(NamedTuple):
    """What to read: a part of a subject, and how Postgres is asked for it; the load is given the log position shown."""

    subject: str
    part: str
    load: Callable[[Connection, int], Awaitable[Loaded]]
    product_id: str | None = None
    listed: Callable[[bytes], list[str]] | None = None
    """Tells the products of a body that has several."""
    load_many: Callable[[Connection, Sequence[str]], Awaitable[list[Loaded]]] | None = None
    """How Postgres is asked for several of the kind at once, by product."""

    @property
    def key(self) -> Key:
        """What the copy is found by."""
        return self.subject, self.part


class CopyBounds(NamedTuple):
    """How many copies a process keeps, and how many bytes they may take, about."""

    copies: int
    bytes: int


WantedProduct = tuple[str, Callable[["Connection", "Sequence[str]"], Awaitable[list[Loaded]]]]
"""A product that is to be read, and how several are."""


class Copy:
    """What this process holds of a part."""

    __slots__ = ("body", "fresh_until", "refresh_at", "refreshing", "shown", "source", "units", "version")

    def __init__(self, source: ReadSource, loaded: Loaded, units: Units) -> None:
        self.source = source
        self.version, self.body = loaded
        self.units = units
        self.fresh_until = self.refresh_at = 0.0
        self.refreshing = False
        self.shown: Any = None
        """Whatever the reader's user made of it."""

    @property
    def weight(self) -> int:
        """How many bytes it takes, about."""
        return COPY_BYTES + BYTES_PER_BODY * len(self.body)


class Reader:
    """Reads parts of subjects."""

    def __init__(
        self, shared: SharedCache, replicas: Replicas, floors: MinVersions, *, fresh_s: float, bounds: CopyBounds
    ) -> None:
        self._shared, self._replicas, self._floors = shared, replicas, floors
        self._fresh_s, self._bounds = fresh_s, bounds
        self.weight = 0
        """Bytes that all copies take, about."""
        self._copies: OrderedDict[Key, Copy] = OrderedDict()
        self._parts: dict[str, set[str]] = {}
        self._filling: dict[Key, asyncio.Task[Copy]] = {}
        self._behind: set[asyncio.Task[Copy]] = set()
        self._many: Gathering[WantedProduct, Loaded] = Gathering(self._load_many, calls=READS_OUT, most=READS_MAX)
        self._fill_s = 0.0
        """What a fill takes, lately."""
        self.on_late_product: Callable[[], None] = _not_told
        """Called when a product has to be asked for again: what matters less is to be refused before its page is."""
        self.heard: list[Callable[[], None]] = []
        """Told whenever something is known to have changed."""
        self.answered: Counter[str] = Counter()
        """Reads from this process's copy (`process`), reads that waited for a fill under way (`coalesced`), and fills,
        those behind an answer too, by where they were answered (`shared`, `database`)."""

    def fresh(self, key: Key) -> Copy | None:
        """Return this process's copy if it is fresh; costs no I/O."""
        copy = self._copies.get(key)
        if copy is None:
            return None
        now = time.monotonic()
        if now >= copy.fresh_until:
            return None
        if now >= copy.refresh_at and not copy.refreshing:
            copy.refreshing = True
            self._refresh(copy.source)
        return copy

    async def get(self, source: ReadSource) -> Copy:
        """Return the part, from wherever it can be had soonest.

        Raises:
            StoreUnavailableError: nothing that may be shown can be had.
        """
        copy = self.fresh(source.key)
        if copy is not None:
            self.answered["process"] += 1
            return copy
        if source.key in self._filling:
            self.answered["coalesced"] += 1
        return await asyncio.shield(self._fill_once(source))

    def outdate(self, floors: Mapping[str, MinVersion]) -> None:
        """Take floors: copies below them are gone, fills under way are not waited for by those who come now."""
        risen = self._floors.put(floors)
        for subject in risen:
            version = floors[subject].version
            for part in list(self._parts.get(subject, ())):
                copy = self._copies.get((subject, part))
                if copy is None or copy.version < version:
                    self._filling.pop((subject, part), None)
                    self._drop((subject, part))
        if risen:
            self._tell()

    def outdate_everything(self) -> None:
        """Forget every copy and distrust every shared one: more changed than can be named."""
        self._floors.distrust()
        self._copies.clear()
        self.weight = 0
        self._parts.clear()
        self._filling.clear()
        self._tell()

    def _tell(self) -> None:
        for tell in self.heard:
            tell()

    def _refresh(self, source: ReadSource) -> None:
        task = self._fill_once(source)
        self._behind.add(task)
        task.add_done_callback(self._refreshed)

    def _refreshed(self, task: asyncio.Task[Copy]) -> None:
        self._behind.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.info("a copy could not be read anew in time", extra={"error": error})

    def _fill_once(self, source: ReadSource) -> asyncio.Task[Copy]:
        key = source.key
        task = self._filling.get(key)
        if task is None:
            self._parts.setdefault(source.subject, set()).add(source.part)
            task = self._filling[key] = asyncio.create_task(self._fill(source), context=shared_context())
            task.add_done_callback(lambda done: self._filled(key, done))
        return task

    def _filled(self, key: Key, task: asyncio.Task[Copy]) -> None:
        if self._filling.get(key) is task:
            del self._filling[key]
        if not task.cancelled() and task.exception() is None:
            self._keep(task.result())
        elif key not in self._copies and key not in self._filling:
            self._drop(key)

    async def _fill(self, source: ReadSource) -> Copy:
        floor = self._seen(source)
        for _ in range(ATTEMPTS):
            began = time.monotonic()
            look = await self._shared.look(source.subject, source.part, source.product_id)
            floor = max(floor, self._floors.of(source.subject), look.floor if look else floor)
            stored = self._showable(look, floor) if look else None
            if look and stored and not self._nearly_over(look):
                self.answered["shared"] += 1
                return self._copy(source, stored, await self._units(source, stored, look), began)
            try:
                loaded, floor = await self._load(source, floor, look)
            except StoreUnavailableError:
                if stored is None:
                    raise
                loaded = stored
            if loaded is not None:
                self.answered["database"] += 1
                return self._copy(source, loaded, await self._units(source, loaded, look), began)
        raise StoreUnavailableError("it changes faster than it can be read; try again")

    async def _units(self, source: ReadSource, loaded: Loaded, look: CacheLook | None) -> Units:
        if look is None:
            return ()
        return (look.units,) if source.listed is None else await self._shared.units(source.listed(loaded.body))

    def _seen(self, source: ReadSource) -> MinVersion:
        """Go not back behind what this process has just shown. Listings have log positions for versions: they may."""
        copy = self._copies.get(source.key)
        if source.product_id is None or copy is None or time.monotonic() > copy.fresh_until + SEEN_S:
            return NO_FLOOR
        return MinVersion(copy.version, 0)

    def _showable(self, look: CacheLook, floor: MinVersion) -> Loaded | None:
        stored = look.stored
        if stored is None or stored.version < floor.version or stored.expires_ms <= look.now_ms:
            return None
        if not self._floors.trusts((look.now_ms - stored.filled_ms) / 1000):
            return None
        return Loaded(stored.version, stored.body)

    def _nearly_over(self, look: CacheLook) -> bool:
        # Early, at random, the more likely the nearer the end (Vattani et al., "Optimal probabilistic cache stampede
        # prevention", 2015): so that the processes do not all read it anew when it ends.
        early_ms = -self._replicas.latency_s * 1000 * BETA * math.log(1 - random.random())  # noqa: S311 - no secret
        return look.stored is not None and look.now_ms + early_ms >= look.stored.expires_ms

    async def _load(
        self, source: ReadSource, floor: MinVersion, look: CacheLook | None
    ) -> tuple[Loaded | None, MinVersion]:
        async def work(connection: Connection, lsn: int) -> Loaded:
            loaded = await source.load(connection, lsn)
            if loaded.version < floor.version:
                raise NotShownError
            return loaded

        loaded = None
        if source.load_many is not None and source.product_id is not None:
            # Whatever server answers: a version below the floor is asked for by itself, where the floor can be read.
            loaded = await self._many.get((source.product_id, source.load_many))
        if loaded is None or loaded.version < floor.version:
            patience_s = 0.0 if source.product_id is None else PATIENCE_S
            loaded = await self._read(work, lsn=floor.lsn, patience_s=patience_s)
        log.debug("read from the database", extra={"subject": source.subject, "part": source.part})
        if look is not None:
            filled = await self._shared.fill(source.subject, source.part, look.now_ms, *loaded)
            if filled.floor.version > loaded.version:
                return None, filled.floor
        newer = self._floors.of(source.subject)
        return (None, newer) if newer.version > loaded.version else (loaded, floor)

    async def _load_many(self, wanted: Sequence[WantedProduct]) -> Sequence[Loaded]:
        """Read several products in one statement, of a server whose log position nobody asks."""
        load = wanted[0][1]

        async def work(connection: Connection, _lsn: int) -> list[Loaded]:
            return await load(connection, [product_id for product_id, _ in wanted])

        return await self._read(work, lsn=0, patience_s=PATIENCE_S)

    async def _read(self, work: Work[T], *, lsn: int, patience_s: float) -> T:
        """Ask the servers, and for a product's page again and again where they have too much to do."""
        due, tries = time.monotonic() + patience_s, 0
        while True:
            try:
                return await self._replicas.read(work, lsn=lsn)
            except LateReadError:
                if not patience_s:
                    raise
                self.on_late_product()
                tries += 1
                if tries >= TRIES and time.monotonic() >= due:
                    raise

    def _copy(self, source: ReadSource, loaded: Loaded, units: Units, began: float) -> Copy:
        """Make a copy whose age counts from before it was asked for."""
        copy = Copy(source, loaded, units)
        copy.fresh_until = began + self._fresh_s
        self._fill_s += (time.monotonic() - began - self._fill_s) * 0.1
        early = min(EARLY, max(EARLIEST, 1 - FILLS_EARLY * self._fill_s / self._fresh_s))
        copy.refresh_at = began + self._fresh_s * early * random.uniform(0.9, 1.1)  # noqa: S311 - no secret
        return copy

    def _keep(self, copy: Copy) -> None:
        key = copy.source.key
        subject, part = key
        if copy.version < self._floors.of(subject).version:
            return
        former = self._copies.get(key)
        if former is not None and former.body == copy.body and former.units == copy.units:
            copy.shown = former.shown
        if former is not None:
            self.weight -= former.weight
        self.weight += copy.weight
        self._copies[key] = copy
        self._copies.move_to_end(key)
        self._parts.setdefault(subject, set()).add(part)
        while len(self._copies) > self._bounds.copies or (self.weight > self._bounds.bytes and self._copies):
            self._drop(next(iter(self._copies)))

    def _drop(self, key: Key) -> None:
        if (copy := self._copies.pop(key, None)) is not None:
            self.weight -= copy.weight
        subject, part = key
        parts = self._parts.get(subject)
        if parts is not None:
            parts.discard(part)
            if not parts:
                del self._parts[subject]
