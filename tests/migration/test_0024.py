"""The migration that finds people by a hash keeps what they have."""

from __future__ import annotations

from pathlib import Path

import db as database
from db.connections import pool as pools
from db.work import drain_batch

FOLDER = Path(database.__file__).with_name("migrations")


async def test_what_people_had_is_found_and_counted_on(empty_database_url: str) -> None:
    connection = await pools.connect(empty_database_url)
    for path in sorted(path for path in FOLDER.glob("*.sql") if path.name < "0024"):
        await connection.execute(path.read_text())
    ada, bob = b"a" * 16, b"b" * 16
    await connection.execute("insert into identity_purchases values (1, $1, 'lamp', 2), (1, $1, 'rug', 1)", ada)
    await connection.execute((FOLDER / "0024_people_by_hash_and_paid_elsewhere.sql").read_text())
    known = await drain_batch.read_identities(connection, 1, [ada, bob])
    assert known == {"lamp": {ada: 2}, "rug": {ada: 1}}
    await drain_batch.count_identities(connection, 1, {"lamp": {ada: 3, bob: 4}}, known)
    assert await drain_batch.read_identities(connection, 1, [ada, bob]) == {"lamp": {ada: 5, bob: 4}, "rug": {ada: 1}}
    assert await drain_batch.read_identities(connection, 2, [ada, bob]) == {}
    await connection.close()
