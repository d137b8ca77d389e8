"""A safety net under a real spike: it closes when the drain falls behind, and opens when it has caught up."""

from __future__ import annotations

import os
import signal

import httpx

from tests.fixtures.up import Running, Up
from tests.fixtures.waiting import wait_until

BACKLOG = 50
ROOM = {"mode": "safety_net", "rate_per_s": 100, "thresholds": {"backlog": BACKLOG, "lag_ms": 60_000}}


def make_sale(running: Running) -> None:
    lamp = {"name": "Lamp", "brand": "Lux", "category": "Light", "price": 4900, "currency": "EUR"}
    assert running.ops.put("/ops/products/lamp", json=lamp).is_success
    assert running.ops.post("/ops/products/lamp/stock", json={"receive": 100_000}).is_success
    made = running.ops.post("/ops/sales", json={"sale_id": "sale", "products": [{"product_id": "lamp"}], "room": ROOM})
    assert made.status_code == 201, made.text


def order(running: Running, key: str) -> httpx.Response:
    body = {"customer_id": key, "lines": [{"product_id": "lamp", "quantity": 1}]}
    return running.http.post("/sales/sale/orders", json=body, headers={"Idempotency-Key": key})


def signal_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        os.kill(pid, number)


def test_it_closes_while_the_drain_is_behind_and_opens_again(up: Up) -> None:
    running = up("--workers", "2")
    make_sale(running)
    assert order(running, "before").status_code == 202, "nobody waits while all is well"
    workers = running.pids("worker")
    # A shift runs in a work-horse of its worker: both stand still, the workers first, or they fork another meanwhile.
    signal_all(workers, signal.SIGSTOP)
    horses = [child for pid in workers for child in children(pid)]
    try:
        signal_all(horses, signal.SIGSTOP)
        spike = [order(running, f"spike-{n}") for n in range(3 * BACKLOG)]
        taken = [answer for answer in spike if answer.status_code == 202]
        assert len(taken) > BACKLOG
        refused = wait_until(
            lambda: (answer := order(running, "late")).status_code == 401 and answer,
            within_s=20,
            what="the net to close",
        )
        assert refused.json()["code"] == "admission_required"
    finally:
        signal_all(horses + workers, signal.SIGCONT)
    wait_until(lambda: order(running, "after").status_code == 202, within_s=60, what="the net to open")
    for answer in taken:
        order_id = answer.json()["order_id"]
        wait_until(
            lambda order_id=order_id: running.http.get(f"/orders/{order_id}").json()["status"] == "confirmed",
            what="what was accepted to be confirmed",
        )


def children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:  # noqa: PTH123  a file of the kernel's
        return [int(child) for child in file.read().split()]
