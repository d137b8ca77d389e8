"""How many machines a sale needs and what they cost, computed from service times. Owns the assumptions and the tables.

docs/scaling.md has the tables as they come from here; a test compares them. Measures nothing.
"""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

import msgspec

from loadtests.fleet.costs import Company, Costs
from loadtests.fleet.tables import Table

BUSY = 0.6
"""How much of a core may be used at the peak: what is more waits too long."""
SERVED_S = 20.0
"""In so many seconds everybody has ordered, where no room slows them down."""
JOINED_S = 60.0
"""In so many seconds everybody has come, where there is a room."""
CORES_MACHINE = 4
"""Of the machines for intake and workers."""
STORE_CORES = 2
"""Of a machine for a node of the order store or of the room: one for its thread, one for its log and the network."""
POSTGRES_CORES = (2, 4, 8, 16, 32, 64)
USD_CORE_HOUR = 0.0408
"""Assumed: list price of a core with 4 GiB for an hour (m7g, on demand, Linux, us-east-1, as of June 2026)."""
USD_GB_MONTH = 0.08
"""Assumed: list price of a GB of network disk for a month; 100 GB for each store with a log."""
NIGHT_H = 3.0
"""Hours that a sale's machines are there: pre-warm, sale, the rest."""
DISK_GB, MONTH_H = 100, 730


class Sale(msgspec.Struct, frozen=True):
    """What is to be served."""

    shoppers: int
    room_per_s: float = 0.0
    """Orders a second that the room lets through; 0: there is no room."""

    @property
    def orders_per_s(self) -> float:
        """At the peak."""
        return self.room_per_s or self.shoppers / SERVED_S


SALES = (
    Sale(1_000), Sale(10_000), Sale(100_000, 1_000), Sale(100_000), Sale(500_000), Sale(1_000_000, 5_000),
    Sale(1_000_000, 20_000), Sale(1_000_000),
)  # fmt: skip


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes."""

    sale: Sale
    databases: int
    """Each with a sale of its own, of a part of the units."""
    partitions: int
    """Of each of them."""
    intakes: int
    """Processes."""
    intake_machines: int
    nodes: int
    """Primaries of the order store; each has a replica."""
    workers: int
    """Processes: a drain a partition, a relay a database, one to spare."""
    worker_machines: int
    cores_in_all: float
    """That all parts together keep busy at the peak, `BUSY` of each, in company: of one machine that has everything."""
    postgres_cores: int
    """Of each primary; each has a standby."""
    usd_hour: float

    @property
    def machines(self) -> int:
        """All of them; two for the room's store, two for cache and jobs."""
        return self.intake_machines + 2 * self.nodes + self.worker_machines + 2 * self.databases + 4


def drain_per_s(costs: Costs) -> float:
    """Return the orders a second that one drain takes whose batches are full; also what one hot product can."""
    own_us = costs.drain_order_us * (1 - costs.drain_overlap) + costs.drain_pg_order_us
    log_us = costs.wal_bytes_order / costs.wal_bytes_per_s * 1e6
    return 1e6 / (own_us + log_us + (costs.drain_batch_us + costs.drain_pg_batch_us + costs.commit_s * 1e6) / 2_000)


def relay_per_s(costs: Costs) -> float:
    """Return the orders a second whose events one relay tells, in full batches."""
    return 1e6 / (
        costs.relay_order_us + costs.relay_pg_order_us
        + (costs.relay_batch_us + costs.relay_pg_batch_us + costs.commit_s * 1e6) / 1_000
    )  # fmt: skip


def store_us(costs: Costs, orders_a_call: float) -> float:
    """Return the order store's microseconds an order, with what drains and relay ask of it."""
    return (
        costs.store_order_us + costs.store_call_us / orders_a_call
        + costs.store_after_order_us + costs.store_after_batch_us / 500
    )  # fmt: skip


class Cores(NamedTuple):
    """That each part keeps busy at a sale's peak, `BUSY` of each core."""

    intake: float
    store: float
    workers: float
    postgres: float


def cores_of(costs: Costs, sale: Sale) -> Cores:
    """Return how many cores a sale keeps busy."""
    rate, orders_a_call = sale.orders_per_s, 20.0
    joins = sale.shoppers / JOINED_S if sale.room_per_s else 0.0
    claims = rate if sale.room_per_s else 0.0
    intake_us = costs.intake_order_us + costs.intake_call_us / orders_a_call
    worker_us = costs.drain_order_us + costs.drain_batch_us / 500 + costs.relay_order_us + costs.relay_batch_us / 500
    postgres_us = (
        costs.drain_pg_order_us + costs.drain_pg_batch_us / 500
        + costs.relay_pg_order_us + costs.relay_pg_batch_us / 500 + costs.pg_rest_order_us
    )  # fmt: skip
    used_us = (
        rate * intake_us + joins * costs.join_intake_us + claims * costs.claim_us,
        rate * store_us(costs, orders_a_call),
        rate * worker_us,
        rate * postgres_us,
    )
    return Cores(*(microseconds / 1e6 / BUSY for microseconds in used_us))


def size(costs: Costs, sale: Sale) -> Size:
    """Return what a sale of one hot product needs, at its peak."""
    rate, cores = sale.orders_per_s, cores_of(costs, sale)
    databases = ceil(rate / (BUSY * min(drain_per_s(costs), relay_per_s(costs))))
    partitions = ceil(rate / databases / (BUSY * drain_per_s(costs)))
    intakes = max(ceil(cores.intake), 2)
    nodes = max(ceil(cores.store), databases)
    postgres_cores = next(some for some in POSTGRES_CORES if some >= cores.postgres / databases)
    intake_machines = max(ceil(intakes / CORES_MACHINE), 2)
    worker_machines = max(ceil(cores.workers / CORES_MACHINE), 2)
    paid = CORES_MACHINE * (intake_machines + worker_machines) + 2 * STORE_CORES * nodes
    paid += 2 * databases * postgres_cores + 4 * STORE_CORES
    disks = (2 * nodes + 2 * databases) * DISK_GB * USD_GB_MONTH / MONTH_H
    return Size(
        sale=sale, databases=databases, partitions=partitions, intakes=intakes, intake_machines=intake_machines,
        nodes=nodes, workers=databases * (partitions + 2), worker_machines=worker_machines,
        cores_in_all=sum(cores_of(costs.in_company(), sale)), postgres_cores=postgres_cores,
        usd_hour=paid * USD_CORE_HOUR + disks,
    )  # fmt: skip


def tables(costs: Costs) -> dict[str, Table]:
    """Return the tables of docs/scaling.md that follow from costs alone, by the names of their places there."""
    return {"order": order_table(costs), "visitor": visitor_table(costs), "size": size_table(costs)}


def about(costs: Costs) -> str:
    """Return how the costs were measured, as the document has it."""
    company = "" if costs.company != Company() else " What they are in company was not measured: all of it is 1."
    return f"The present figures: measured {costs.about.get('measured', 'nobody knows when')}.{company}"


def order_table(costs: Costs) -> Table:
    """Return what an order takes by part, and how many times as much in company."""
    company = costs.company
    parts = [
        ("intake process", costs.intake_order_us, (costs.intake_call_us, "call of the accept script"), company.intake),
        ("order store, accepting", costs.store_order_us, (costs.store_call_us, "call"), company.store),
        (
            "order store, for drain and relay",
            costs.store_after_order_us, (costs.store_after_batch_us, "batch"), company.store,
        ),
        ("drain, its process", costs.drain_order_us, (costs.drain_batch_us, "batch"), company.drain),
        (
            "drain, its session in Postgres",
            costs.drain_pg_order_us, (costs.drain_pg_batch_us, "batch"), company.drain_pg,
        ),
        ("relay, its process", costs.relay_order_us, (costs.relay_batch_us, "batch"), company.relay),
        (
            "relay, its session in Postgres",
            costs.relay_pg_order_us, (costs.relay_pg_batch_us, "batch"), company.relay_pg,
        ),
    ]  # fmt: skip
    rows = [[part, f"{order:.1f}", f"{each:,.0f} a {of}", f"{dearer:.2f}"] for part, order, (each, of), dearer in parts]
    rows.append(["the rest of Postgres", f"{costs.pg_rest_order_us:.1f}", "", f"{company.pg_rest:.2f}"])
    rows.append(["load generator", f"{costs.generator_order_us:.1f}", "", f"{company.generator:.2f}"])
    server_us = sum(order for _, order, _, _ in parts) + costs.pg_rest_order_us
    rows.append(["together, without the generator", f"{server_us:.1f}", "", ""])
    return Table("an order", ["part", "an order, µs", "besides, µs", "in company, times"], rows)


def visitor_table(costs: Costs) -> Table:
    """Return what a waiting visitor takes by part."""
    rows = [
        ["joining", f"{costs.join_intake_us:.0f}", f"{costs.join_store_us:.0f}", "once"],
        ["waiting, where a cache answers", "0", "0", "one document a second for all who wait"],
        ["waiting, each look asked of the intake", f"{costs.status_us:.0f}", "0", "a look"],
        ["claiming", f"{costs.claim_us:.0f}", "not measured", "once or twice"],
    ]
    return Table("a waiting visitor", ["a visitor", "intake, µs", "room's store, µs", "how often"], rows)


def size_table(costs: Costs) -> Table:
    """Return machines and money by shoppers and orders a second."""
    head = [
        "shoppers", "room", "orders/s", "databases", "partitions of each", "intake processes", "order store", "workers",
        "cores of Postgres", "machines", "$ an hour", "$ a night", "cores, if all were one machine",
    ]  # fmt: skip
    rows = []
    for sale in SALES:
        one = size(costs, sale)
        rows.append([
            f"{sale.shoppers:,}", "yes" if sale.room_per_s else "no", f"{sale.orders_per_s:,.0f}", str(one.databases),
            str(one.partitions), str(one.intakes), f"{one.nodes} + {one.nodes}", str(one.workers),
            f"{one.postgres_cores} + {one.postgres_cores}", str(one.machines), f"{one.usd_hour:.2f}",
            f"{one.usd_hour * NIGHT_H:.2f}", f"{one.cores_in_all:.1f}",
        ])  # fmt: skip
    return Table("sizes", head, rows)
