"""A rolling upgrade: processes of the version before and of this one, at work on the same stores.

Where the history does not reach back, recorded entries stand for the version before; the head of the output says so.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from doorbuster.ports import reserve
from doorbuster.settings import Settings
from tests.fixtures import pausing
from tests.fixtures.before import ROOT, unpack_version_before
from tests.fixtures.recorded import RECORDED
from tests.fixtures.up import clean_environment
from tests.fixtures.waiting import eventually, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.shop import Shop

LINES = [{"product_id": "lamp", "quantity": 1}]
BODIES: dict[str, dict[str, Any]] = {
    "plain": {"customer_id": "ann", "lines": LINES},
    "paid": {"customer_id": "bob", "lines": LINES, "payment": {"token": "tok_1"}, "metadata": {"gift": [1, None]}},
    "priced": {"customer_id": "cyd", "lines": LINES, "expected_total": 100},
}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """Where the version before lies; None: the history does not reach there."""
    folder = tmp_path_factory.mktemp("before")
    return folder if unpack_version_before(folder) else None


@contextmanager
def process(tree: Path, settings: Settings, *module: str, **changes: str) -> Iterator[None]:
    """Run a module of a version; whatever of it still lives at the end is killed."""
    stores = ("database_url", "orders_redis_url", "room_redis_url", "jobs_redis_url", "cache_redis_url")
    told = {name.upper(): getattr(settings, name).get_secret_value() for name in (*stores, "order_id_key", "ops_key")}
    env = clean_environment(
        **told, SHIFT_S="5", LEASE_S="1", PYTHONPATH=str(tree), PYTHONDONTWRITEBYTECODE="1", **changes
    )
    with subprocess.Popen([sys.executable, "-m", *module], cwd=tree, env=env, stderr=subprocess.DEVNULL) as running:
        try:
            yield
        finally:
            pausing.kill(running.pid)


@contextmanager
def intake(tree: Path, settings: Settings) -> Iterator[httpx.Client]:
    """Serve an intake of a version."""
    bind = f"127.0.0.1:{reserve()}"
    command = ("gunicorn", "--config", "python:intake.gunicorn_conf")
    with (
        process(tree, settings, *command, INTAKE_BIND=bind),
        httpx.Client(base_url=f"http://{bind}", trust_env=False, timeout=20) as client,
    ):
        wait_until(lambda: _is_ready(client), within_s=30, what=f"the intake of {tree} to be ready")
        yield client


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").is_success
    except httpx.TransportError:
        return False


@contextmanager
def workers(tree: Path, settings: Settings) -> Iterator[None]:
    """Run the workers of a version."""
    with ExitStack() as stack:
        for module in ("workers", "workers.scheduler"):
            stack.enter_context(process(tree, settings, module))
        yield


def post(client: httpx.Client, which: str, **changes: Any) -> httpx.Response:
    return client.post(
        "/sales/sale-1/orders", json=BODIES[which] | changes, headers={"Idempotency-Key": f"key-{which}"}
    )


def accept_all(client: httpx.Client) -> dict[str, str]:
    """Place every order; return their ids."""
    answers = {which: post(client, which) for which in BODIES}
    assert {which: answer.status_code for which, answer in answers.items()} == dict.fromkeys(BODIES, 202)
    return {which: answer.json()["order_id"] for which, answer in answers.items()}


@pytest.fixture
async def sale(shop: Shop) -> Shop:
    await shop.stock(lamp=9)
    await shop.open_sale("lamp")
    return shop


async def confirmed(sale: Shop) -> int:
    count: int = await sale.db.fetchval("select count(*) from orders where status = 'confirmed'")
    return count


async def test_what_the_version_before_accepted_drains_after_the_upgrade(sale: Shop, before: Path | None) -> None:
    accepted: dict[str, str] = {}
    if before is None:
        await sale.accept(*(bytes.fromhex(payload) for payload, _ in RECORDED.values()))
        orders = 1  # they are one order's, redelivered
    else:
        with intake(before, sale.settings) as old:
            accepted = accept_all(old)
        orders = len(accepted)
    with workers(ROOT, sale.settings):
        await eventually(lambda: _is(sale, orders), within_s=40, what="the orders to be confirmed")
    assert await sale.db.fetchval("select count(*) from dead_letters") == 0
    with intake(ROOT, sale.settings) as new:
        for which, order_id in accepted.items():
            again = post(new, which)
            assert (again.status_code, again.headers.get("idempotency-replayed")) == (202, "true"), again.text
            assert again.json()["order_id"] == order_id
            other = post(new, which, lines=[{"product_id": "lamp", "quantity": 2}])
            assert (other.status_code, other.json()["code"]) == (422, "idempotency_conflict")


async def _is(sale: Shop, orders: int) -> bool:
    return await confirmed(sale) == orders


async def test_what_this_version_accepts_the_one_before_drains(sale: Shop, before: Path | None) -> None:
    """While workers are still old, or are put back: true of orders that use no field which is new."""
    tree = before or ROOT  # without a history it is this version's way through processes alone
    with intake(ROOT, sale.settings) as new, workers(tree, sale.settings):
        accepted = accept_all(new)
        await eventually(lambda: _is(sale, len(accepted)), within_s=40, what="the orders to be confirmed")
        assert {new.get(f"/orders/{order_id}").json()["status"] for order_id in accepted.values()} == {"confirmed"}
    assert await sale.db.fetchval("select count(*) from dead_letters") == 0


async def test_recorded_entries_drain(sale: Shop) -> None:
    for number, (payload, order) in enumerate(RECORDED.values()):
        own = bytes([*order.order_id[:15], number])
        await sale.accept(bytes.fromhex(payload).replace(order.order_id, own))
    await sale.drain()
    rows = await sale.db.fetch("select payment_token, metadata::text, status::text from orders order by order_id")
    # The third and fourth expect another price than the sale has; the last expects none.
    assert [tuple(row) for row in rows] == [
        ("tok_1", "{}", "pending"), (None, None, "pending"), *[("tok_1", "{}", "cancelled")] * 2,
        (None, None, "pending"),
    ]  # fmt: skip
