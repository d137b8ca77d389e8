"""Statements see shadows only where they work for one: what lists, searches or reports reads the `real` views."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import db
from db.query_files import load
from doorbuster.values import shadows
from tests.fixtures.files import files_under

QUERIES = Path(db.__file__).with_name("queries")
_READS = re.compile(r"\b(?:from|join) (products|order_events)\b")
SHADOWS_TOO = {
    "loadtests": "of a sale that is named",
    "rivals": "of a load test alone",
    "baseline": "tables of its own",
    "audit": "in a transaction whose tables are the views",
    "rehearsals": "makes shadows and removes them",
    "drain_batch": "works for one sale, whichever",
    "standby": "works for one sale, whichever",
    "offers": "what a sale that is named offers",
    "status": "what a sale that is named cannot sell",
    "products": "a product that is named, or is imported",
    "orders": "events of orders that are named",
    "live": "products of a sale that is named",
    "report": "of a sale that is named",
    "prewarm_measures": "of a sale that is named",
}
"""File -> why its statements may read these tables as they are."""


@pytest.mark.parametrize("file", sorted(path.stem for path in files_under(QUERIES, "*.sql")))
def test_what_tells_of_products_and_events_reads_the_views(file: str) -> None:
    read = {name: _READS.findall(text) for name, text in load(file).items()}
    found = {name: tables for name, tables in read.items() if tables}
    if file in SHADOWS_TOO:
        return
    if file == "outbox":
        named = {"place_of_event"}  # an event of the stream, which has none of shadows
        assert set(found) == {"unpublished_of_shadows", "newest_of_shadows"} | named
        return
    if file == "sales":
        assert set(found) <= {"unknown_products", "lock_currencies"}  # products that are named
        return
    assert found == {}


def test_the_database_has_the_same_rule() -> None:
    schema = Path(db.__file__).with_name("schema.sql").read_text()
    assert f"select sale_number >= {shadows.SHADOWS_FROM}\n" in schema
    assert f"minvalue {shadows.SHADOWS_FROM} " in schema
    assert f"starts_with(p.product_id, ''{shadows.PRODUCT_PREFIX}''" in schema
    assert f"'{shadows.SALE_PREFIX}' || n.number" in load("rehearsals")["make_shadow"]
    assert f"{shadows.SHADOWS_FROM << 8:08x}-0000" in schema
