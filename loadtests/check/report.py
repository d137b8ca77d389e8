"""Prints what a run was: tables for people. Owns the layout; computes nothing but sums and shares."""

from __future__ import annotations

from collections.abc import Iterable

import asyncpg
from rich import box
from rich.console import Console
from rich.table import Table

from loadtests.scene.system import Audit
from loadtests.traffic.plan import Result
from loadtests.traffic.samples import Samples

_ENDED = {"no_show": "never sent: no-show", "unanswered": "unanswered when the run ended"}


def console() -> Console:
    """Return the console of a run; wide enough for its tables when it is no terminal."""
    made = Console()
    return made if made.is_terminal else Console(width=110)


def orders(result: Result, outcomes: dict[str, int], missing: int) -> Table:
    """Return what became of the orders: offered, accepted, refused by code, their final states."""
    table = new_table("orders", "", "count", "share")
    _count(table, "offered", result.offered, result.offered)
    _count(table, "accepted (202)", result.accepted_count, result.offered)
    for code, count in sorted(result.outcomes.items()):
        if code != "accepted":
            _count(table, f"  {_ENDED.get(code, f'refused: {code}')}", count, result.offered)
    if result.retries:
        _count(table, "  sent again with the same key", result.retries, result.offered)
    for state, count in outcomes.items():
        _count(table, f"final: {state}", count, result.offered)
    _count(table, "accepted, but nowhere to be found", missing, result.offered)
    return table


def stories(found: dict[str, int]) -> Table:
    """Return how many orders went another way than straight."""
    table = new_table("not the straight way", "", "count")
    for what, name in (
        ("payment declined", "declined"),
        ("the shopper had to act for the payment", "acted"),
        ("hold ended without a payment", "expired"),
        ("stood by, and was served with units that came back", "served"),
        ("stood by in vain until the close", "unserved"),
        ("parcels", "parcels"),
        ("refunds", "refunds"),
    ):
        table.add_row(what, f"{found[name]:,}")
    return table


def visits(result: Result) -> Table:
    """Return what became of the visitors of the waiting room."""
    found = result.visits
    assert found is not None
    table = new_table("waiting room", "", "count", "share")
    _count(table, "came", result.offered, result.offered)
    _count(table, "joined", found.joined, result.offered)
    _count(table, "admitted", found.admitted, result.offered)
    _count(table, "  claims answered not yet (202)", found.early, found.claims)
    _count(table, "gone when their turn came (no-shows)", found.no_shows, result.offered)
    _count(table, "looks at the status document", found.looks, found.looks)
    _count(table, "  of these asked the server, the others its copy", found.fetches, found.looks)
    _count(table, "accepted orders sent once more", found.replayed, result.offered)
    return table


def latencies(named: dict[str, Samples]) -> Table:
    """Return percentiles in milliseconds, a row a kind of latency."""
    table = new_table("latency, ms", "", "count", "p50", "p90", "p99", "p99.9", "max")
    for name, samples in named.items():
        table.add_row(name, f"{len(samples):,}", *(f"{value:,.1f}" for value in samples.summary_ms().values()))
    return table


def stock(rows: Iterable[asyncpg.Record], names: dict[str, str]) -> Table:
    """Return the stock ledger of the sale's products."""
    table = new_table("stock", "product", "received", "stock", "reserved", "sold")
    for row in rows:
        name = names.get(row["product_id"], "")
        table.add_row(
            f"{row['product_id']} {name}",
            *(f"{row[column]:,}" for column in ("received", "stock", "reserved", "sold")),
        )
    return table


def invariants(audit: Audit) -> Table:
    """Return the audit's figures."""
    table = new_table("invariants", "promise", "what", "figure", "verdict")
    for figure in audit.figures:
        verdict = f"[red]BROKEN ({figure.breaches:,})" if figure.breaches else "[green]holds"
        table.add_row(figure.promise, figure.what, f"{figure.value:,}", verdict)
    return table


def new_table(title: str, *columns: str) -> Table:
    """Return an empty table."""
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place == 0 or column in ("what", "verdict") else "right")
    return table


def _count(table: Table, name: str, count: int, of: int) -> None:
    table.add_row(name, f"{count:,}", f"{count / of:.1%}" if of else "")


def offered_and_achieved(by_second: Iterable[tuple[int, int, int]]) -> Table:
    """Return orders offered and sent, a row a second."""
    table = new_table("arrivals", "second", "offered", "achieved")
    for second, offered, achieved in by_second:
        table.add_row(str(second), f"{offered:,}", f"{achieved:,}")
    return table
