"""What is watched beside the stages, as `/metrics` shows it: what shifts cost, the last audit, who stands by."""

from __future__ import annotations

import time

import pytest

from intake.monitoring import progress, watch
from tests.fixtures.intake import Serve
from tests.fixtures.shop import Shop


async def test_what_shifts_did_and_what_the_audit_found_is_told(
    shop: Shop, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "KEEP_S", 0.0)
    monkeypatch.setattr(watch, "KEEP_S", 0.0)
    intake = await serve()
    await shop.stock(lamp=1)
    await shop.open_sale("lamp", standby_max=10)
    await shop.stand_by("ada", "bob", "cyd", lamp=1)
    assert "doorbuster_audit_breaches{" not in (await intake.http.get("/metrics")).text
    began = time.monotonic()
    await shop.drain()
    drained_s = time.monotonic() - began
    await shop.settle()
    (await intake.ops.get("/ops/promises")).raise_for_status()
    page = (await intake.http.get("/metrics")).text
    assert 'doorbuster_shift_done_total{shift="drain"} 3.0' in page
    assert 'doorbuster_shift_done_total{shift="settle"} 1.0' in page
    _, _, took_s = page.partition('\ndoorbuster_shift_transaction_seconds_total{shift="drain"} ')
    assert 0 < float(took_s.partition("\n")[0]) < drained_s
    assert "doorbuster_standby_orders 2.0" in page
    assert "doorbuster_shifts_waiting 0.0" in page
    for promise in ("P1", "P2", "P3", "P4", "P5", "P6", "P11", "P12"):
        assert f'doorbuster_audit_breaches{{promise="{promise}"}} 0.0' in page
    assert "doorbuster_audit_age_seconds " in page
