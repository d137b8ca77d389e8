"""A dump of the database is restored whole by Postgres' own tools, and goes on from there."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

from db.connections import pool as pools
from tests.fixtures.runbook import BINARIES
from tests.fixtures.shop import Shop
from tests.migration.test_schema import picture

_ADD = """
insert into products (product_id, name, brand, category, price, currency, attributes)
select $1, 'Red lamp', 'Glow', 'home > lamps & lights', 100, 'EUR', '{"shade": "linen"}'
"""


def _run(program: str, *arguments: str) -> None:
    done = subprocess.run([BINARIES / program, *arguments], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


async def test_a_dump_is_restored_whole(shop: Shop, database_url: str, empty_database_url: str, tmp_path: Path) -> None:
    await shop.stock(lamp=5)
    await shop.open_sale("lamp")
    await shop.buy("ada", lamp=1)
    await shop.drain()
    await shop.settle()
    file = str(tmp_path / "dump")
    await asyncio.to_thread(_run, "pg_dump", "--format=custom", f"--file={file}", database_url)
    await asyncio.to_thread(_run, "pg_restore", "--exit-on-error", f"--dbname={empty_database_url}", file)
    # Names of all that is in it: what Postgres reads from its own words it writes in others (`between`).
    named = [[what[:3] for what in await picture(url)] for url in (database_url, empty_database_url)]
    assert named[0] == named[1]
    before, after = await pools.connect(database_url), await pools.connect(empty_database_url)
    try:
        for table in await before.fetch("select quote_ident(relname) as name from pg_stat_user_tables order by 1"):
            count = f"select count(*) from {table['name']}"
            assert await after.fetchval(count) == await before.fetchval(count), table["name"]
        found = []
        for connection in (before, after):
            await connection.execute(_ADD, "another-lamp")
            found.append(await connection.fetch("select product_id, search, search_weights from products order by 1"))
        assert found[0] == found[1]
    finally:
        await before.close()
        await after.close()
