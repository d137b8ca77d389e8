"""One look at everything a sale needs: asks every store, judges every item. Owns the list of checks; changes nothing.

The scheduler looks by the clock and an intake when ops ask: both by this. A store that does not answer fails the checks
that stand on it and holds up no other.
"""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Any

from db.migrate import pending
from db.prewarm import measures, scaling
from db.status import doubtful_products
from doorbuster.errors import DoorbusterError
from doorbuster.failures import STORE_FAILED
from doorbuster.orderstore import server
from readiness import audited, capacity, durability, fleet_checks, signs
from readiness.expectation import expected
from readiness.processes import processes
from readiness.sale_checks import clock_check, failed, product_checks, sale_check, window_check
from readiness.stores import LOOK_S
from waitingroom.room import Mode
from waitingroom.room_store import Room
from waitingroom.sale_config import mode_of, room_config

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from catalogue.service import Catalogue
    from db.prewarm.measures import Measures
    from db.sales import Sale
    from doorbuster.settings import Settings
    from readiness.fleet_checks import IntakeSign
    from readiness.sale_checks import Check
    from readiness.stores import Reading, StoreChecks

    Checks = dict[str, Check]

MIB = 2**20


class ReadinessCheck:
    """Looks at what a sale needs."""

    def __init__(self, settings: Settings, stores: StoreChecks, reading: Reading, catalogue: Catalogue) -> None:
        self._settings, self._stores, self._reading = settings, stores, reading
        self._catalogue = catalogue

    async def look(self, sale: Sale) -> Checks:
        """Return every check of a sale, each with `ok`, its figures, and `reason` where it fails."""
        parts: tuple[Callable[[Sale], Awaitable[Checks]], ...] = (
            self._postgres, self._order_store, self._room, self._other_stores, self._fleet,
        )  # fmt: skip
        checks: Checks = {"sale": sale_check(sale), "window": window_check(sale)}
        for found in await asyncio.gather(*(part(sale) for part in parts)):
            checks |= found
        return checks | {"replicas": self._replicas()}

    async def lacks_processes(self, sale: Sale) -> bool:
        """Say whether fewer processes live than the sale wants, as far as anybody knows."""
        return not (await self._fleet(sale))["processes"]["ok"]

    async def _postgres(self, sale: Sale) -> Checks:
        """Judge what Postgres says, and what is judged by its figures."""
        try:
            async with asyncio.timeout(LOOK_S), self._reading() as connection:
                missing = await pending(connection)
                checks: Checks = {"postgres": {"ok": True}}
                if missing:
                    return {"postgres": failed(f"migrations are missing: {', '.join(missing)}")}
                checks |= product_checks(await doubtful_products(connection, sale.number))
                found = await measures.measure(connection, sale.number)
                checks["scaling"] = fleet_checks.scaling_check(
                    sale.prewarm.scale, await scaling.state(connection, self._settings.scaling)
                )
        except STORE_FAILED as error:
            return {"postgres": failed(f"Postgres does not answer: {type(error).__name__}")}
        return checks | await self._capacity(sale, found)

    async def _capacity(self, sale: Sale, found: Measures) -> Checks:
        """Judge what is expected of the sale against what is measured."""
        promise = expected(sale, found.units)
        checks: Checks = {
            "capacity": capacity.drain_check(promise, _pace(found)),
            "payments": capacity.payments_check(
                promise, capacity.PaymentState(per_s=found.payments_per_s, paused=found.payments_paused),
                mode=sale.payment, hold_s=sale.hold_s,
            ),
            "webhooks": fleet_checks.webhooks_check(found.webhooks_paused),
        }  # fmt: skip
        redis, free = self._stores.redis["orders_store"], self._free_space()
        try:
            async with asyncio.timeout(LOOK_S):
                used, most = await server.memory(redis)
                kept = await server.kept_data(redis)
        except STORE_FAILED:  # whether it answers is another check
            return checks | {"disk": capacity.disk_check(promise, free, store_problem=None)}
        told = self._settings.order_store_max_mb
        store = capacity.StoreRoom(
            used=used,
            most=min([bound for bound in (most, told and told * MIB) if bound], default=None),
            backlog_max=self._settings.backlog_max * sale.partitions,
        )
        return checks | {
            "memory": capacity.memory_check(promise, store),
            "disk": capacity.disk_check(
                promise, free, store_problem=next(filter(None, (_write_problem(one.info) for one in kept)), None)
            ),
        }

    def _free_space(self) -> int | None:
        folder = self._settings.data_folder
        try:
            return None if folder is None else shutil.disk_usage(folder).free
        except OSError:  # it is another machine's, or closed to this process
            return None

    async def _order_store(self, _sale: Sale) -> Checks:
        """Judge the order store: whether it answers, has room, and keeps what it takes."""
        store = await self._stores.check("orders_store")
        if not store["ok"]:
            return {"orders_store": store, "durability": failed("the order store cannot be asked")}
        try:
            async with asyncio.timeout(LOOK_S):
                faults, notes, _ = await durability.judge(self._stores.redis["orders_store"], self._settings.durability)
        except STORE_FAILED as error:
            faults, notes = [f"the order store cannot be asked: {type(error).__name__}"], []
        durable: Check = {"ok": not faults, "level": self._settings.durability}
        durable |= {"reason": "; ".join(faults)} if faults else {}
        durable |= {"notes": notes} if notes else {}
        return {"orders_store": store, "durability": durable}

    async def _room(self, sale: Sale) -> Checks:
        """Judge the room: its configuration, and whether its store answers."""
        store = await self._stores.check("room_store")
        mode = mode_of(sale)
        if mode is Mode.OFF:
            return {"room_store": store, "room": {"ok": True, "mode": mode}}
        try:
            config = room_config(sale)
            async with asyncio.timeout(LOOK_S):
                room = Room(self._stores.redis["room_store"], lambda: config, timeout_s=LOOK_S)
                state = await room.follow(sale.version, sale.room_secret)
        except STORE_FAILED:
            said = failed("the room's store does not answer", mode=mode)
        except (DoorbusterError, ValueError) as error:
            said = failed(f"the room's configuration cannot be used: {error}", mode=mode)
        else:
            said = {"ok": True, "mode": mode, "waiting": state.waiting, "rate_per_s": config.rate_per_s}
        return {"room_store": store, "room": said}

    async def _other_stores(self, _sale: Sale) -> Checks:
        """Judge the jobs store; the cache is judged by filling it."""
        return {"jobs_store": await self._stores.check("jobs_store")}

    async def _fleet(self, sale: Sale) -> Checks:
        """Judge the processes, their clocks and keys."""
        ahead_s = await self._stores.clocks()
        jobs = self._stores.redis["jobs_store"]
        try:
            async with asyncio.timeout(LOOK_S):
                intakes, others, last = await signs.alive(jobs), await processes(jobs), await audited.read(jobs)
        except STORE_FAILED:  # told by the check of the jobs store
            unknown: Check = {"ok": True, "notes": ["the jobs store, which knows them, does not answer"]}
            return {"clock": clock_check(ahead_s), "processes": unknown, "keys": unknown, "audit": unknown}
        lives = [view for view in others if view.ok]
        alive = {
            "intake": len(intakes),
            "workers": sum(view.role == "worker" for view in lives),
            "schedulers": sum(view.role == "scheduler" for view in lives),
        }
        return {
            "clock": clock_check(ahead_s | _intake_clock(intakes, ahead_s)),
            "processes": fleet_checks.processes_check(alive, sale.prewarm.scale),
            "keys": {"ok": True} if mode_of(sale) is Mode.OFF else fleet_checks.keys_check(intakes),
            "audit": fleet_checks.audit_check(last),
        }

    def _replicas(self) -> Check:
        replicas = self._catalogue.replicas
        servers = [
            {"name": replica.name, "usable": replica.usable, "lag_ms": _milliseconds(replicas.lag_s(replica))}
            for replica in replicas.replicas
        ]
        out = [replica["name"] for replica in servers if not replica["usable"]]
        check: dict[str, Any] = {"ok": not out, "configured": len(servers), "servers": servers}
        return check | ({"reason": f"not read from: {', '.join(map(str, out))}"} if out else {})


def _pace(found: Measures) -> capacity.DrainPace:
    if found.knee_per_s is not None:
        return capacity.DrainPace(per_s=found.knee_per_s, source="rehearsal")
    if found.drained_per_s is not None:
        return capacity.DrainPace(per_s=found.drained_per_s, source="past drains")
    return capacity.DrainPace(per_s=None, source="not known: no rehearsal, and no drain was at its limit for long")


def _intake_clock(intakes: list[IntakeSign], ahead_s: dict[str, float]) -> dict[str, float]:
    worst = fleet_checks.worst_ahead_s(intakes, ahead_s.get("orders_store"))
    return {} if worst is None else {"intake": worst}


def _write_problem(info: dict[str, str]) -> str | None:
    wrong = [name for name in ("aof_last_write_status", "rdb_last_bgsave_status") if info.get(name, "ok") != "ok"]
    return ", ".join(f"{name} is {info[name]}" for name in wrong) or None


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
