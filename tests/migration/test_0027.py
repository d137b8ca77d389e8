"""The migrations that keep people by a hash, and then many in a row, keep what they have."""

from __future__ import annotations

from pathlib import Path

import db as database
from db.connections import pool as pools
from db.work import people_counts

FOLDER = Path(database.__file__).with_name("migrations")


async def test_what_people_had_is_found_and_counted_on(empty_database_url: str) -> None:
    connection = await pools.connect(empty_database_url)
    paths = sorted(FOLDER.glob("*.sql"))
    for path in (path for path in paths if path.name < "0024"):
        await connection.execute(path.read_text())
    ada, bob, cy = b"a" * 16, b"b" * 16, b"a" * 15 + b"z"
    await connection.execute(
        "insert into products (product_id, name, brand, category, price, currency)"
        " select one, one, 'b', 'c', 1, 'EUR' from unnest(array['lamp', 'rug']) one"
    )
    await connection.execute("insert into sales (sale_id, starts_at) values ('s', now())")
    await connection.execute("insert into sale_products (sale_number, product_id) values (1, 'lamp'), (1, 'rug')")
    await connection.execute(
        "insert into identity_purchases"
        " values (1, $1, 'lamp', 2), (1, $1, 'rug', 1), (1, $2, 'lamp', 2), (1, $3, 'rug', 0)",
        ada, cy, bob,
    )  # fmt: skip
    for path in (path for path in paths if "0024" <= path.name < "0028"):
        await connection.execute(path.read_text())
    known = {"lamp": {ada: 2, cy: 2}, "rug": {ada: 1}}
    assert await people_counts.read(connection, 1, [ada, bob, cy]) == known
    heard = await people_counts.since(connection, 1, {"lamp": 0, "rug": 0})
    assert sorted((one.product_id, one.units, one.identities) for one in heard) == [
        ("lamp", 2, ada + cy),
        ("rug", 1, ada),
    ]
    await people_counts.add(connection, 1, {"lamp": {ada: 3, bob: 4}})
    assert await people_counts.read(connection, 1, [ada, bob]) == {"lamp": {ada: 5, bob: 4}, "rug": {ada: 1}}
    assert await people_counts.read(connection, 2, [ada, bob]) == {}
    last = max(one.number for one in heard)
    assert {one.identities for one in await people_counts.since(connection, 1, {"lamp": last})} == {ada, bob}
    await connection.close()
