"""The migration that gives search one rule finds what was there before by the new rule."""

from __future__ import annotations

from pathlib import Path

import db as database
from db.connections import pool as pools

FOLDER = Path(database.__file__).with_name("migrations")
FOUND = (
    "select product_id from products where search @@ plainto_tsquery('catalogue_exact', search_words(search_fold($1)))"
)


async def test_products_of_before_are_found_by_the_new_rule(empty_database_url: str) -> None:
    connection = await pools.connect(empty_database_url)
    for path in sorted(path for path in FOLDER.glob("*.sql") if path.name < "0009"):
        await connection.execute(path.read_text())
    await connection.execute(
        "insert into products (product_id, name, brand, category, price, currency)"
        " values ('g', 'Ελληνικός', 'The The', 'Cameras & Bags', 1, 'EUR'), ('t', 'เสื้อยืดสีดำ', '', '', 1, 'EUR')"
    )
    await connection.execute((FOLDER / "0009_one_rule_of_search.sql").read_text())
    assert await connection.fetchval(FOUND, "ΕΛΛΗΝΙΚΟΣ") == "g"
    assert await connection.fetchval(FOUND, "เสื้อยืดสีดำ") == "t"
    assert await connection.fetchval(FOUND, "the") == "g"
    kinds = "select product_id from products where search @@ '''=camera'' & ''=bag'''::tsquery"
    assert await connection.fetchval(kinds) == "g"
    await connection.close()
