"""Every process of deploy/compose.yaml, run as it says: its command and environment, secrets as files, SIGTERM."""

from __future__ import annotations

from pathlib import Path

import pytest

from doorbuster.ports import reserve
from tests.fixtures.composed import Composed, see_an_order_confirmed
from tests.fixtures.waiting import wait_until


@pytest.fixture
def composed(tmp_path: Path, empty_database_url: str, orders_redis_url: str, jobs_redis_url: str) -> Composed:
    others = {f"{role}_REDIS_URL": jobs_redis_url for role in ("ROOM", "JOBS", "CACHE")}
    return Composed(tmp_path, {"DATABASE_URL": empty_database_url, "ORDERS_REDIS_URL": orders_redis_url, **others})


@pytest.mark.timeout(300)  # a dozen starts of Python, which a busy machine takes its time for
def test_an_order_is_confirmed_and_all_end_when_they_are_told_to(composed: Composed) -> None:
    see_an_order_confirmed(composed)


def test_a_worker_that_waits_for_its_store_ends_when_it_is_told_to(tmp_path: Path) -> None:
    """As the first process of a container it would not, without a handler of its own: SIGTERM would pass it by."""
    away = f"redis://127.0.0.1:{reserve()}/0"
    urls = {f"{role}_REDIS_URL": away for role in ("ORDERS", "ROOM", "JOBS", "CACHE")}
    composed = Composed(tmp_path, {"DATABASE_URL": "postgresql://127.0.0.1:1/none", **urls})
    with composed.serving("worker"):
        log = composed.tmp / "worker.log"
        wait_until(lambda: "the jobs store does not answer" in log.read_text(), within_s=30, what="it to wait")
        assert composed.probe("worker") == 1
