"""A whole sale through PgBouncer in transaction mode: room, orders, payments, reads, an import, the audit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.accounting import assert_every_202_is_accounted_for
from tests.fixtures.bouncer import bouncer
from tests.fixtures.facts import open_sale
from tests.fixtures.load import Load
from tests.fixtures.up import Up, doorbuster_here


@pytest.fixture
def through(database_url: str) -> Iterator[str]:
    with bouncer(database_url, sessions=12) as made:
        yield made.url


@pytest.mark.soak
def test_a_whole_sale_goes_through_it(up: Up, through: str, database_url: str) -> None:
    running = up(env={"DATABASE_URL": through, "STORE_TIMEOUT_S": "5"})
    running.ready["urls"]["database"] = database_url  # what the test itself asks, it asks past it
    sale = open_sale(running, 100_000, 100_000, 60)
    with Load(running.base, sale.sale_id, sale.products) as load:
        load.wait_for(150)
        assert running.http.get(f"/products/{sale.products[0]}").json()["product_id"] == sale.products[0]
        assert running.http.get("/search", params={"q": sale.products[0]}).status_code == 200
        promises = running.ops.get("/ops/promises").json()
        assert {one["verdict"] for one in promises["figures"]} == {"holds"}
        _import(running.data)
    load.assert_well_answered()
    assert_every_202_is_accounted_for(running, load.accepted)
    logs = "".join(path.read_text() for path in (running.data / "logs").glob("*.log"))
    for mistake in ("prepared statement", "unsupported startup parameter", "Traceback"):
        assert mistake not in logs


def _import(folder: Path) -> None:
    """Import more than a chunk, one product twice: where it stood before is known though no session remembers."""
    lines = [
        {"product_id": f"p{n}", "name": "A", "brand": "B", "category": "C", "price": 100, "currency": "EUR"}
        for n in [*range(1_500), 3]
    ]
    file = folder / "catalogue.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    done = doorbuster_here("import", str(file), "--data", folder)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1,500 products" in done.stdout + done.stderr or "1500 products" in done.stdout + done.stderr
