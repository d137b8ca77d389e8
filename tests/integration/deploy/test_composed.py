"""Every process of deploy/compose.yaml, run as it says: its command and environment, secrets as files, SIGTERM."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from doorbuster.ports import reserve
from tests.fixtures.insisting import insist, make_sale, stock_up
from tests.fixtures.waiting import wait_until

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent


class Composed:
    """What the compose file says, with the stores of the test in place of its own."""

    def __init__(self, folder: Path, urls: dict[str, str]) -> None:
        self.services: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]
        self.secrets, self.work, self.tmp = folder / "secrets", folder / "work", folder / "tmp"
        subprocess.run([ROOT / "deploy" / "make-secrets", self.secrets], check=True, capture_output=True)
        for name, url in urls.items():
            (self.secrets / name).write_text(f"{url}\n")
        self.tmp.mkdir()
        self.work.mkdir(mode=0o500)
        self.ports = {name: reserve() for name in ("intake", "ops")}

    def environment(self, name: str) -> dict[str, str]:
        """Return what a service is told, paths and ports as they are here."""
        told: dict[str, str] = dict(self.services[name]["environment"])
        told |= {key: value.replace("/run/secrets", str(self.secrets)) for key, value in told.items()}
        if name in self.ports:
            told["INTAKE_BIND"] = f"127.0.0.1:{self.ports[name]}"
        own = {"PATH": f"{BIN}:{os.environ['PATH']}", "TMPDIR": str(self.tmp), "PYTHONSAFEPATH": "1"}
        return told | own | {"OPS_URL": f"http://127.0.0.1:{self.ports['ops']}", "XDG_STATE_HOME": str(self.tmp)}

    def run(self, name: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command of a service to its end; its own if none is named."""
        return subprocess.run(
            command or self.services[name]["command"], env=self.environment(name), cwd=self.work,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def probe(self, name: str) -> int:
        """Ask a service's own health check."""
        asked = self.services[name]["healthcheck"]["test"][1:]
        url = [f"http://127.0.0.1:{self.ports[name]}"] if name in self.ports else []
        return self.run(name, *asked, *url).returncode

    @contextmanager
    def serving(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a service; at the end it must end by itself, in time and well."""
        log = (self.tmp / f"{name}.log").open("ab")
        process = subprocess.Popen(
            self.services[name]["command"], env=self.environment(name), cwd=self.work, stderr=log, stdout=log
        )
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            assert process.wait(60) == 0, f"{name}: {(self.tmp / f'{name}.log').read_text()[-2000:]}"
            grace = self.services[name].get("stop_grace_period", "10s")
            assert time.monotonic() - began < int(grace.removesuffix("s")), name
        finally:
            process.kill()
            process.wait()
            log.close()

    def client(self, name: str) -> httpx.Client:
        """Return a client of an intake, with the ops key where it is ops'."""
        key = (self.secrets / "OPS_KEY").read_text().strip()
        headers = {"Authorization": f"Bearer {key}"} if name == "ops" else {}
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.ports[name]}", headers=headers, trust_env=False, timeout=30
        )


@pytest.fixture
def composed(tmp_path: Path, empty_database_url: str, orders_redis_url: str, jobs_redis_url: str) -> Composed:
    others = {f"{role}_REDIS_URL": jobs_redis_url for role in ("ROOM", "JOBS", "CACHE")}
    return Composed(tmp_path, {"DATABASE_URL": empty_database_url, "ORDERS_REDIS_URL": orders_redis_url, **others})


def test_an_order_is_confirmed_and_all_end_when_they_are_told_to(composed: Composed) -> None:
    waits = composed.run("migrate", "doorbuster", "migrate", "--check")
    assert (waits.returncode, waits.stderr[:24]) == (1, "migrations are missing: ")
    for _ in range(2):
        migrated = composed.run("migrate")
        assert (migrated.returncode, migrated.stderr) == (0, "")
    assert composed.run("migrate", "doorbuster", "migrate", "--check").returncode == 0
    assert composed.probe("intake") == composed.probe("worker") == 1  # nobody is there yet
    with ExitStack() as running:
        for name in ("intake", "ops", "worker", "scheduler"):
            running.enter_context(composed.serving(name))
        for name in ("intake", "ops", "worker", "scheduler"):
            wait_until(lambda name=name: composed.probe(name) == 0, within_s=60, what=f"{name} to be ready")
        with composed.client("intake") as shop, composed.client("ops") as ops:
            assert shop.get("/ops/sales").status_code == 404
            assert shop.get("/readyz").status_code == 404  # but to who has the key, as the probe does
            stock_up(ops, "lamp", 3)
            make_sale(ops, {"sale_id": "spring", "products": [{"product_id": "lamp"}], "room": {"mode": "off"}})
            body = {"customer_id": "ada", "lines": [{"product_id": "lamp", "quantity": 2}]}
            order = insist(shop, "POST", "/sales/spring/orders", json=body, headers={"Idempotency-Key": "cart-1"})

            def status() -> str:
                return str(shop.get(f"/orders/{order.json()['order_id']}").json()["status"])

            wait_until(lambda: status() == "confirmed", within_s=60, what="the order to be confirmed")
        assert composed.run("cli").returncode == 0, composed.run("cli").stdout
    assert list(composed.work.iterdir()) == []


def test_a_worker_that_waits_for_its_store_ends_when_it_is_told_to(tmp_path: Path) -> None:
    """As the first process of a container it would not, without a handler of its own: SIGTERM would pass it by."""
    away = f"redis://127.0.0.1:{reserve()}/0"
    urls = {f"{role}_REDIS_URL": away for role in ("ORDERS", "ROOM", "JOBS", "CACHE")}
    composed = Composed(tmp_path, {"DATABASE_URL": "postgresql://127.0.0.1:1/none", **urls})
    with composed.serving("worker"):
        log = composed.tmp / "worker.log"
        wait_until(lambda: "the jobs store does not answer" in log.read_text(), within_s=30, what="it to wait")
        assert composed.probe("worker") == 1
