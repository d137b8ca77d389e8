"""`doorbuster up` runs as many processes as a sale wants from its lead on, and after it as many as before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import pytest

from tests.fixtures.up import Running, instance
from tests.fixtures.waiting import wait_until


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with instance("--workers", "3") as one:
        yield one


def make_sale(running: Running, sale_id: str, **more: Any) -> None:
    product = {"name": "Lamp", "brand": "Lux", "category": "Light", "price": 100, "currency": "EUR"}
    assert running.ops.put("/ops/products/lamp", json=product).is_success
    assert running.ops.post("/ops/products/lamp/stock", json={"receive": 5}).is_success
    starts_at = (datetime.now(UTC) + timedelta(seconds=900)).isoformat()
    body = {"sale_id": sale_id, "products": [{"product_id": "lamp"}], "starts_at": starts_at} | more
    answer = running.ops.post("/ops/sales", json=body)
    assert answer.status_code == 201, answer.text


def counted(running: Running) -> tuple[int, int]:
    """Return how many intake processes and workers there are."""
    return len(running.pids("intake")), len(running.pids("worker"))


def reports(running: Running, sale_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = running.ops.get(f"/ops/sales/{sale_id}/prewarm").json()["reports"]
    return found


def test_it_scales_out_looks_says_go_and_scales_back(running: Running) -> None:
    assert counted(running) == (1, 3)
    first = {"intake": running.pids("intake"), "worker": running.pids("worker")}
    make_sale(running, "spring", prewarm={"lead_s": 1200, "scale": {"intake": 3, "workers": 5}, "checks_at_s": [1000]})
    wait_until(lambda: counted(running) == (3, 5), within_s=60, what="more processes")
    assert set(first["intake"]) <= set(running.pids("intake")), "those that were there go on"
    assert set(first["worker"]) <= set(running.pids("worker"))
    (found,) = wait_until(lambda: reports(running, "spring"), within_s=30, what="a report")
    assert found["go"], found["checks"]
    assert found["checks"]["processes"]["wanted"] == {"intake": 3, "workers": 5, "schedulers": 1}
    assert found["checks"]["disk"]["free_mb"] > 0

    wait_until(lambda: running.ops.post("/ops/sales/spring/prewarm").json()["go"], within_s=60, what="go")
    newest = reports(running, "spring")[0]
    assert newest["checks"]["processes"]["intake"] == 3
    assert newest["checks"]["scaling"] == {"ok": True, "adapter": "local", "wanted": {"intake": 3, "workers": 5}}
    (extra, *_) = set(running.pids("intake")) - set(first["intake"])
    psutil.Process(extra).kill()
    wait_until(lambda: extra not in running.pids("intake") and counted(running) == (3, 5), within_s=30, what="another")
    assert running.ops.post("/ops/sales/spring/close").is_success
    wait_until(lambda: counted(running) == (1, 3), within_s=60, what="fewer processes")
    assert set(first["worker"]) == set(running.pids("worker")), "the last to come are the first to go"
    assert running.http.get("/readyz").status_code == 200


def test_it_stops_cleanly_while_it_is_scaled_out() -> None:
    with instance("--workers", "1") as one:
        make_sale(one, "summer", prewarm={"lead_s": 1200, "scale": {"workers": 2}})
        wait_until(lambda: counted(one) == (1, 2), within_s=60, what="one worker more")
        pids = [pid for role in ("intake", "worker") for pid in one.pids(role)]
        assert one.stop() == 0
        assert not [pid for pid in pids if psutil.pid_exists(pid)]
