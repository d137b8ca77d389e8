"""The accept script against a plain model of it (Hypothesis): whatever comes in whatever batches, the same verdicts.

The negative control takes the spending out of the script; the model must then find the breach.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis
from redis.exceptions import RedisError

from doorbuster import keys
from doorbuster.lua_script import Script
from doorbuster.orderstore import accept
from doorbuster.orderstore.accept import AcceptScript, Candidate, Link, SpendArgs, Terms, pack_spend
from doorbuster.orderstore.gate import Gate, publish
from doorbuster.orderstore.spent import _return_uses
from doorbuster.redis_clients import accept_client
from intake.accepting import verdicts

SALE, PARTITION, EPOCH, BACKLOG = 7, 0, 3, 12
TERMS = Terms(
    ttl_ms=60_000, backlog_max=BACKLOG, backlog_max_bytes=2**20, batch_max=100, replicas=0, replica_wait_ms=0,
    timeout_s=5,
)  # fmt: skip
NEVER_MS = 1 << 42
NAMES = keys.gate(SALE, PARTITION), keys.stream(SALE, PARTITION)


@dataclass(frozen=True)
class Posted:
    """An order: under which key and body, whether sold out, with which admission of which epoch, whether that ended."""

    key: int
    body: int
    gone: bool
    admission: int | None
    epoch: int
    ended: bool = False

    def candidate(self) -> Candidate:
        spend = None
        if self.admission is not None:
            ends_ms = 0 if self.ended else NEVER_MS
            terms = pack_spend(epoch=self.epoch, allowed=1 + self.admission % 2, ttl_ms=60_000, ends_ms=ends_ms)
            spend = SpendArgs(keys.spent(SALE, PARTITION, str(self.admission)), terms)
        entry = b"" if self.gone else b"entry of %d" % self.key
        return Candidate(_key(self.key), bytes([self.body]) * 16, entry, spend, lambda _order, _verdict: None)


@dataclass
class Model:
    """What the script is to decide."""

    phase: str
    known: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    spent: dict[int, list[int]] = field(default_factory=dict)
    """By admission, the keys of the orders that were placed with it."""
    returned: dict[int, set[int]] = field(default_factory=dict)
    """Of these, whose use came back."""
    backlog: int = 0

    def verdict(self, one: Posted) -> bytes:
        """Return the first byte of the verdict; an order that is appended is noted by `appended`."""
        if one.key in self.known:
            return verdicts.REPLAY if self.known[one.key][0] == one.body else verdicts.CONFLICT
        if self.phase != "open":
            return verdicts.HOLD
        if one.gone:
            return verdicts.SOLD_OUT
        if one.admission is not None and one.ended:
            return verdicts.EXPIRED
        if self.backlog >= BACKLOG:
            return verdicts.BACKLOG
        if one.admission is not None:
            if one.epoch < EPOCH:
                return verdicts.REVOKED
            uses = len(self.spent.get(one.admission, ())) - len(self.returned.get(one.admission, ()))
            if uses > one.admission % 2:
                return verdicts.SPENT
        return verdicts.NEW

    def appended(self, one: Posted, entry_id: bytes) -> None:
        self.known[one.key] = one.body, entry_id
        self.backlog += 1
        if one.admission is not None:
            self.spent.setdefault(one.admission, []).append(one.key)

    def give_back(self, keys_ended: set[int]) -> None:
        """Note that orders ended without units."""
        for admission, placed in self.spent.items():
            self.returned.setdefault(admission, set()).update(keys_ended & set(placed))

    def counted(self, admission: int) -> bytes:
        """Return what the store is to have of an admission."""
        placed, returned = self.spent[admission], self.returned.get(admission, set())
        ids = "".join(f"{key:032x}" for key in placed if key not in returned)
        return f"{len(placed)},{len(returned)},{ids}".encode()


POSTED = st.builds(
    Posted,
    key=st.integers(0, 15),
    body=st.integers(0, 1),
    gone=st.integers(0, 9).map(lambda drawn: drawn == 0),
    admission=st.none() | st.integers(0, 5),
    epoch=st.sampled_from((EPOCH, EPOCH, EPOCH, EPOCH - 1, EPOCH + 1)),
    ended=st.integers(0, 4).map(lambda drawn: drawn == 0),
)
ENDED = st.sets(st.integers(0, 15), max_size=6)
BATCHES = st.lists(st.tuples(st.booleans(), st.lists(POSTED, min_size=1, max_size=8), ENDED), min_size=1, max_size=5)
Batches = list[tuple[bool, list[Posted], set[int]]]
CHECKED = settings(max_examples=60, deadline=None)
CONTROL = settings(CHECKED, max_examples=3_000, phases=[Phase.generate], report_multiple_bugs=False)
"""Until a breach is found, which need not be made small; as few as are enough for the check do not always find one."""


def _key(number: int) -> str:
    return keys.accepted(SALE, PARTITION, f"{number:032x}")


async def holds(url: str, batches: Batches) -> None:
    """Run the batches, each on an open sale or one on hold, let orders end, and hold the store against the model."""
    async with linked(url) as (redis, link):
        await redis.flushall()
        await decide_alike(redis, link, batches)


@asynccontextmanager
async def linked(url: str) -> AsyncIterator[tuple[Redis, Link]]:
    async with accept_client(url, timeout_s=5) as redis:
        link = Link(AcceptScript(redis, TERMS), NAMES)
        try:
            yield redis, link
        finally:
            await link.close()


async def decide_alike(redis: Redis, link: Link, batches: Batches) -> None:
    model = Model("open")
    for version, (is_open, batch, ended) in enumerate(batches, 1):
        model.phase = "open" if is_open else "hold"
        await publish(redis, _gate(version, model.phase))
        half = len(batch) // 2  # two calls that overlap are decided in the order in which they were begun
        calls = [[one.candidate() for one in part] for part in (batch[:half], batch[half:])]
        first, second = await asyncio.gather(*(link.run(call) for call in calls))
        for one, verdict in zip(batch, first + second, strict=True):
            assert verdict[:1] == model.verdict(one), one
            if verdict[:1] == verdicts.NEW:
                model.appended(one, verdict[1:])
            elif verdict[:1] == verdicts.REPLAY:
                assert verdict[1:] == model.known[one.key][1]
        model.give_back(ended)
        for admission in model.spent:
            name = keys.spent(SALE, PARTITION, str(admission))
            await _return_uses.run(redis, [name], *(f"{key:032x}" for key in sorted(ended)))
    await _same(redis, model)


def _gate(version: int, phase: str) -> Gate:
    return Gate(
        sale_number=SALE, partition=PARTITION, version=version, phase=phase, opens_ms=0, closes_ms=0, epoch=EPOCH
    )


async def _same(redis: Redis, model: Model) -> None:
    entries = [(entry_id, fields[b"e"]) for entry_id, fields in await redis.xrange(NAMES[1])]
    assert entries == [(entry_id, b"entry of %d" % key) for key, (_, entry_id) in model.known.items()]
    assert int(await redis.hget(NAMES[0], "accepted") or 0) == model.backlog
    for key, (body, entry_id) in model.known.items():
        assert await redis.get(_key(key)) == bytes([body]) * 16 + entry_id
        assert 0 < await redis.pttl(_key(key)) <= TERMS.ttl_ms
    for admission in model.spent:
        counted = keys.spent(SALE, PARTITION, str(admission))
        assert await redis.get(counted) == model.counted(admission)
        assert 0 < await redis.pttl(counted) <= 60_000


def check(url: str, how: settings) -> None:
    @how
    @given(BATCHES)
    def decides_alike(batches: Batches) -> None:
        asyncio.run(holds(url, batches))

    decides_alike()


def test_the_script_decides_as_the_model(orders_redis_url: str) -> None:
    check(orders_redis_url, CHECKED)


def test_a_server_without_the_newest_command_keeps_the_same(
    orders_redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert accept._accept.source.count("'MSETEX'") == 1
    monkeypatch.setattr(accept, "_accept", Script(accept._accept.source.replace("'MSETEX'", "'MSETNOTHERE'")))
    check(orders_redis_url, settings(CHECKED, max_examples=20))


async def test_how_long_what_is_kept_lives_is_told_as_a_time(orders_redis: Redis, orders_redis_url: str) -> None:
    """A replica that lags, or a server that starts anew, must not begin to count at what it reads."""
    await publish(orders_redis, _gate(1, "open"))
    async with linked(orders_redis_url) as (_, link), orders_redis.monitor() as monitor:
        assert [said[:1] for said in await link.run([Posted(1, 1, False, 0, EPOCH).candidate()])] == [b"+"]
        told: list[str] = []
        while len(told) < 2:
            command = (await asyncio.wait_for(anext(monitor.listen()), 5))["command"]
            told += [command] if command.startswith(("SET", "MSETEX")) else []
    assert all(" PXAT " in command for command in told), told


@pytest.mark.parametrize(
    "guard",
    [
        "uses.placed = uses.placed + 1\n",
        "known[key] = value\n",
        "appended = appended + 1\n",
    ],
)
def test_the_model_finds_a_guard_that_is_gone(
    orders_redis_url: str, monkeypatch: pytest.MonkeyPatch, guard: str
) -> None:
    assert guard in accept._accept.source
    monkeypatch.setattr(accept, "_accept", Script(accept._accept.source.replace(guard, "")))
    with pytest.raises((AssertionError, RedisError, ExceptionGroup)):  # the store's own refusal counts as found
        check(orders_redis_url, CONTROL)


async def test_an_answer_that_was_given_up_is_nobodys(orders_redis: Redis, orders_redis_url: str) -> None:
    """Two calls overlap and the store keeps silent: both are unknown, and what comes late answers no other."""
    await publish(orders_redis, _gate(1, "open"))
    posted = [Posted(key, 0, False, None, EPOCH).candidate() for key in range(6)]
    async with accept_client(orders_redis_url, timeout_s=5) as redis:
        link = Link(AcceptScript(redis, TERMS), NAMES)
        assert await link.run(posted[:1])
        await orders_redis.client_pause(60_000, all=False)
        link._terms = replace(TERMS, timeout_s=0.2)  # only for these: the others are to be answered
        lost = await asyncio.gather(link.run(posted[1:3]), link.run(posted[3:5]), return_exceptions=True)
        assert all(isinstance(failure, TimeoutError | RedisError | OSError) for failure in lost), lost
        await orders_redis.client_unpause()
        link._terms = TERMS
        again = [await link.run([one]) for one in (posted[5], posted[1])]
        assert [[verdict[:1] for verdict in said] for said in again] in ([[b"+"], [b"="]], [[b"+"], [b"+"]])
        await link.close()


async def test_a_script_that_is_gone_is_sent_again_by_each_of_two_calls(
    orders_redis: Redis, orders_redis_url: str
) -> None:
    await publish(orders_redis, _gate(1, "open"))
    posted = [Posted(key, 0, False, None, EPOCH).candidate() for key in range(4)]
    async with linked(orders_redis_url) as (redis, link):
        await redis.script_flush()
        said = await asyncio.gather(link.run(posted[:2]), link.run(posted[2:]))
        assert [[verdict[:1] for verdict in verdicts] for verdicts in said] == [[b"+", b"+"], [b"+", b"+"]]


async def test_what_the_version_before_stored_is_known(orders_redis: Redis, orders_redis_url: str) -> None:
    await publish(orders_redis, _gate(1, "open"))
    await orders_redis.set(_key(1), b"\x01" * 16 + b"17-0", px=60_000)
    await orders_redis.set(keys.spent(SALE, PARTITION, "0"), 1, px=60_000)
    batch = [Posted(1, 1, False, 0, EPOCH), Posted(1, 0, False, None, EPOCH), Posted(2, 1, False, 0, EPOCH)]
    async with linked(orders_redis_url) as (_, link):
        assert await link.run([one.candidate() for one in batch]) == [b"=17-0", b"!", b"s"]
