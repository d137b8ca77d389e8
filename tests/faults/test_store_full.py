"""The order store out of memory, out of disk, unable to sync: refused in time, nothing is lost, it recovers."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from doorbuster.embedded.data.instance import URLS
from tests.fixtures.accounting import assert_every_202_is_accounted_for, wait_quiet
from tests.fixtures.facts import Facts, open_sale
from tests.fixtures.load import Accepted, Load, order_body, post_order, post_orders
from tests.fixtures.runbook import person
from tests.fixtures.up import Running, Up, clean_environment
from tests.fixtures.waiting import wait_until


def test_out_of_memory_it_refuses_drains_on_and_recovers(running: Running, facts: Facts) -> None:
    sale = open_sale(running, 1_000)
    product = sale.products[0]
    with facts.store() as store:
        with facts.locked(product):
            accepted = post_orders(running.base, sale.sale_id, product, range(50))
            horse = facts.wait_stuck(f"drain:{sale.number}:0")
            store.config_set("maxmemory", "1mb")
            os.kill(horse, signal.SIGKILL)
        try:
            for number in range(5):
                refused = post_order(running.base, sale.sale_id, f"full-{number}", order_body("someone", {product: 1}))
                assert refused is not None
                assert (refused.status, refused.retry_after) == (503, "1")
                assert refused.body["code"] in ("store_unavailable", "overloaded")
            # A shift that begins while nothing can be written there still drains all that is there.
            facts.wait_drained(sale, 49)
            wait_until(lambda: store.xlen(sale.stream) == 0, what="the drained entries to be trimmed")
        finally:
            store.config_set("maxmemory", "0")
    accepted |= post_orders(running.base, sale.sale_id, product, range(50, 60))
    assert_every_202_is_accounted_for(running, accepted)


@pytest.fixture
def small_disk(scratch: Path) -> Iterator[Callable[[str, int], Path]]:
    """Give a part of the data folder, to be made yet, a disk of its own of so many MiB."""
    mounted: list[Path] = []

    def mount(part: str, size_mib: int) -> Path:
        folder = scratch / "data" / part
        folder.mkdir(parents=True)
        options = f"size={size_mib}m,mode=0711"
        if os.geteuid() != 0 or shutil.which("mount") is None:
            pytest.skip("only root mounts a small disk")
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "doorbuster-test", str(folder)], check=False)
        if made.returncode:
            pytest.skip("this machine mounts no small disk")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize(("part", "size_mib"), [("redis/orders", 4), ("", 192)], ids=["the order store's", "all of it"])
def test_out_of_disk_it_refuses_and_recovers(
    small_disk: Callable[[str, int], Path], up: Up, part: str, size_mib: int, tmp_path: Path
) -> None:
    disk = small_disk(part, size_mib)
    running = up()
    facts, sale = Facts(running), open_sale(running, 100_000, 100_000, 150)
    urls = {variable: running.ready["urls"][name] for name, variable in URLS.items()}
    told = urls | {"OPS_URL": running.ready["ops_base"], "OPS_KEY": running.ready["ops_key"], "SALE": sale.sale_id}
    with (
        person(clean_environment(**told), tmp_path) as somebody,
        Load(running.base, sale.sale_id, sale.products) as load,
    ):
        load.wait_for(40)
        ballast = _fill(disk)
        # Under `appendfsync always` the server ends when it cannot write, rather than say yes; it is started again.
        wait_until(lambda: _starts(running) >= 3, what="the order store to be started again, in vain")
        wait_until(lambda: load.seen.put_off, what="a refusal")
        asyncio.run(somebody.walk("Disk full"))
        assert re.search(r" 100% .*/data", somebody.heard("df")), "the runbook finds the disk"
        accepted = len(load.accepted)
        ballast.unlink()
        load.wait_for(60, within_s=30)
    load.assert_well_answered()
    assert {answer.body["code"] for answer in load.seen.put_off} <= {"store_unavailable", "overloaded"}
    assert len(load.accepted) > accepted
    assert running.process.poll() is None
    assert_every_202_is_accounted_for(running, load.accepted)
    assert facts.value("select repeated from stream_cursors where sale_number = $1", sale.number) == 0


def _starts(running: Running) -> int:
    """Return how often the supervisor has started the order store."""
    lines = map(json.loads, running.log.read_text().splitlines())
    return sum(line["message"] == "started" and line.get("child") == "orders" for line in lines)


def _fill(folder: Path) -> Path:
    """Leave no byte free on the disk of a folder."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65_536, 4_096, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
    return ballast


@contextmanager
def _failing_syncs(pid: int, log: Path) -> Iterator[None]:
    """Let every sync of a process fail, as a broken disk does, until it ends or the block does."""
    calls = "fsync,fdatasync"
    strace = ["strace", "-f", "-qq", "-o", str(log), "-e", f"trace={calls}", "-e", f"inject={calls}:error=EIO"]
    with subprocess.Popen([*strace, "-p", str(pid)], stderr=subprocess.DEVNULL) as tracer:
        try:
            wait_until(lambda: tracer.poll() is not None or _is_traced(pid), what="strace to attach")
            if tracer.poll() is not None:
                pytest.skip("strace may not attach to other processes here")
            yield
        finally:
            tracer.terminate()


def _is_traced(pid: int) -> bool:
    return "TracerPid:\t0\n" not in Path(f"/proc/{pid}/status").read_text()


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_an_order_that_could_not_be_synced_gets_no_202(running: Running, facts: Facts, scratch: Path) -> None:
    sale = open_sale(running, 100)
    accepted = post_orders(running.base, sale.sale_id, sale.products[0], range(10))
    wait_quiet(facts)
    (store,) = running.pids("orders")
    log, body = scratch / "strace", order_body("customer-unsynced", {sale.products[0]: 1})
    with _failing_syncs(store, log):
        answer = post_order(running.base, sale.sale_id, "unsynced", body)
        assert "EIO" in log.read_text()
        assert answer is not None
        assert (answer.status, answer.body["code"], answer.retry_after) == (503, "store_unavailable", "1")
        running.wait_replaced("orders", [store])
    running.wait_ready()
    answer = post_order(running.base, sale.sale_id, "unsynced", body)
    assert answer is not None
    assert answer.status == 202
    order = Accepted(answer.body["order_id"], sale.sale_id, "unsynced", body, answer.body["accepted_at"])
    assert_every_202_is_accounted_for(running, accepted | {order.order_id: order})
