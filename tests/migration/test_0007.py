"""The migration that bounds times mends what was stored before, and keeps the rest as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

import db as database
from db.connections import pool as pools

FOLDER = Path(database.__file__).with_name("migrations")


@pytest.mark.parametrize(
    ("starts", "ends", "then"),
    [
        ("-infinity", None, ("1970-01-01", None)),
        ("0001-01-01", "1500-01-01", ("1970-01-01", None)),
        ("0001-01-01", "2030-01-01", ("1970-01-01", "2030-01-01")),
        ("infinity", None, ("9999-12-30", None)),
        ("2026-01-01", "infinity", ("2026-01-01", None)),
        ("2026-01-01", "2027-01-01", ("2026-01-01", "2027-01-01")),
    ],
)
async def test_times_are_mended(
    empty_database_url: str, starts: str, ends: str | None, then: tuple[str, str | None]
) -> None:
    connection = await pools.connect(empty_database_url)
    before = sorted(path for path in FOLDER.glob("*.sql") if path.name < "0007")
    for path in [*before, None, *FOLDER.glob("0007*.sql")]:
        if path is not None:
            await connection.execute(path.read_text())
            continue
        values = f"'{starts}', {'null' if ends is None else repr(ends)}"
        await connection.execute(
            "insert into products (product_id, name, brand, category, price, currency)"
            " values ('a', 'a', '', '', 1, 'EUR');"
            f"insert into sales (sale_id, starts_at, ends_at) values ('s', {values});"
            f"insert into product_prices (product_id, starts_at, ends_at, price) values ('a', {values}, 1)"
        )
    sale = await connection.fetchrow("select starts_at::date::text as starts, ends_at::date::text as ends from sales")
    assert sale is not None
    assert tuple(sale.values()) == then
    kept = await connection.fetchval("select count(*) from product_prices")
    assert kept == (1 if starts.startswith("2026") else 0)
    await connection.close()
