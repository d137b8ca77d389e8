"""`doorbuster keys rotate` on a running instance: who waits keeps the place, who is in orders, nobody sees it."""

from __future__ import annotations

import hashlib
import threading

import httpx

from tests.fixtures.up import Up, doorbuster
from tests.fixtures.waiting import wait_until

SECRET = "secret-of-ann"
LAMP = {"name": "Lamp", "brand": "Lux", "category": "Light", "price": 100, "currency": "EUR"}


def test_tickets_and_admissions_outlive_the_key_that_signed_them(up: Up) -> None:
    running = up("--intake", "2", "--workers", "1")
    room = {"mode": "always", "rate_per_s": 1000, "burst": 1000, "orders_allowed": 9}
    assert running.ops.put("/ops/products/lamp", json=LAMP).is_success
    assert running.ops.post("/ops/products/lamp/stock", json={"receive": 9}).is_success
    sale = {"sale_id": "s", "products": [{"product_id": "lamp"}], "room": room}
    assert running.ops.post("/ops/sales", json=sale).is_success
    visitor = {"visitor_id": "visitor-ann", "secret_hash": hashlib.sha256(SECRET.encode()).hexdigest()}

    def join() -> str:
        answer = running.http.post("/sales/s/room/tickets", json=visitor)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["ticket"])

    def claim(ticket: str) -> str:
        answer = running.http.post("/sales/s/room/admissions", json={"ticket": ticket, "secret": SECRET})
        assert answer.status_code in (200, 202), answer.text
        return str(answer.json().get("admission", ""))

    def order(admission: str, key: str) -> httpx.Response:
        body = {"customer_id": "ann", "lines": [{"product_id": "lamp", "quantity": 1}]}
        headers = {"Idempotency-Key": key, "Authorization": f"Bearer {admission}"}
        return running.http.post("/sales/s/orders", json=body, headers=headers)

    ticket = join()
    admission = wait_until(lambda: claim(ticket), what="an admission")
    over = threading.Event()
    refused: list[str] = []

    def keep_asking() -> None:
        with httpx.Client(base_url=running.base) as client:
            while not over.is_set():
                answer = client.post("/sales/s/room/admissions", json={"ticket": join(), "secret": SECRET})
                if answer.status_code not in (200, 202):
                    refused.append(answer.text)

    asking = threading.Thread(target=keep_asking)
    asking.start()
    rotated = doorbuster("keys", "rotate", "--data", running.data)
    assert rotated.returncode == 0, rotated.stderr
    kid = rotated.stdout.split()[1]
    wait_until(lambda: join().split(".")[1] == kid, what="tickets under the new key")
    over.set()
    asking.join()
    assert refused == []
    assert ticket.split(".")[1] != kid
    assert order(admission, "one").status_code == 202
    assert order(claim(ticket) or admission, "two").status_code == 202
    assert running.document()["pids"]["intake"] == running.ready["pids"]["intake"]
