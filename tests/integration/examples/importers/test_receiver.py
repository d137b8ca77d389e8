"""What every importer takes and answers: webhooks as Doorbuster signs them, its export as a file, what it refuses."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
import pytest
from standardwebhooks.webhooks import Webhook

from doorbuster.contract.orders import OrderView
from tests.fixtures.importers.orders import SECRET, View, confirmed, deliver, life, moved, shipped, webhook
from tests.fixtures.importers.serving import Fault
from tests.fixtures.importers.systems import IMPORTERS, SHOPS, bench, environment
from workers.webhooks.bodies import body_of
from workers.webhooks.signing import headers_of

each = pytest.mark.parametrize("name", SHOPS)


@pytest.mark.parametrize("view", [*life(), moved(confirmed(), "cancelled")])
def test_the_recorded_orders_are_of_the_contract(view: View) -> None:
    shown = msgspec.to_builtins(msgspec.convert(view, OrderView))
    for refund in view["refunds"]:  # What the contract has and the record has not, is of no matter to the importers.
        assert (
            refund.items() <= next(one for one in shown["refunds"] if one["refund_id"] == refund["refund_id"]).items()
        )
    assert {key: shown[key] for key in view if key not in ("refunds", "lines")} == {
        key: view[key] for key in view if key not in ("refunds", "lines")
    }


@each
def test_it_takes_what_doorbuster_signs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    view = confirmed()
    due: Any = SimpleNamespace(event_id=f"{view['order_id']}:2", type="order.confirmed", at=datetime.now(UTC))
    body = body_of(due, msgspec.convert(view, OrderView))
    former = "whsec_" + "b2xkLXNlY3JldC1vZi10aGUtaW1wb3J0ZXJzLXRlc3Q="
    for rotated in (None, former):
        receiver: Any = SimpleNamespace(secret=SECRET, former_secret=rotated)
        with bench(name, monkeypatch) as one:
            answer = one.client().simulate_post("/", body=body, headers=headers_of(receiver, due.event_id, body))
            assert answer.status_code == 204, answer.text
            assert list(one.shop.booked()) == [view["order_id"]]


def wrong_signatures() -> dict[str, dict[str, str]]:
    """Return headers that do not fit the body, by what is wrong with them."""
    _, good = webhook(confirmed())
    body, _ = webhook(confirmed())
    old = datetime(2026, 1, 1, tzinfo=UTC)
    other = Webhook("whsec_b3RoZXI=").sign(good["webhook-id"], datetime.now(UTC), body)
    return {
        "none": {},
        "of another secret": good | {"webhook-signature": other},
        "too old": good | {"webhook-timestamp": str(int(old.timestamp())),
                           "webhook-signature": Webhook(SECRET).sign(good["webhook-id"], old, body)},
        "of another id": good | {"webhook-id": "other"},
        "without a comma": good | {"webhook-signature": "nonsense"},
        "not base64": good | {"webhook-signature": "v1,="},
    }  # fmt: skip


@each
def test_a_wrong_signature_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with bench(name, monkeypatch) as one:
        for what, headers in wrong_signatures().items():
            body, _ = webhook(confirmed())
            answer = one.client().simulate_post("/", body=body, headers=headers)
            assert (answer.status_code, answer.json["title"]) == (400, "signature_invalid"), what
        assert one.client().simulate_post("/", body="x" * (1024 * 1024 + 1)).status_code == 413
        assert one.client().simulate_post("/", body=b"\xff\xfe", headers=webhook(confirmed())[1]).status_code == 400
        assert one.shop.calls == []


@each
def test_events_that_are_none_of_its_business_are_taken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with bench(name, monkeypatch) as one:
        for kind in ("sale.opened", "product.changed", "payment.action_required", "webhook.test"):
            assert deliver(one.client(), confirmed(), kind).status_code == 204
        pending = confirmed() | {"status": "pending", "history": []}
        assert deliver(one.client(), pending, "order.pending").status_code == 204
        assert one.shop.calls == []


@each
def test_while_the_shop_is_away_it_is_to_be_sent_again(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with bench(name, monkeypatch) as one:
        monkeypatch.setattr(one.module, "BUDGET_S", 0.0)
        one.shop.faults = [Fault("503", 0)]
        answer = deliver(one.client(), confirmed())
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        monkeypatch.undo()
        assert deliver(one.client(), confirmed()).status_code == 204
    view = confirmed(2)
    answer = deliver(one.client(), view)  # The stand-in is gone: no connection.
    assert answer.status_code in (500, 503)


def broken(view: View, **fields: Any) -> View:
    """Return an order of another shape."""
    return copy.deepcopy(view) | fields


@each
@pytest.mark.parametrize(
    "fields", [{"lines": None}, {"order_id": 7}, {"currency": None, "lines": [{}]}, {"lines": [{"quantity": "2"}]},
               {"metadata": {"shipping_address": "Lindenstraße 1"}}, {"lines": [{"quantity": 2, "unit_price": 5}]}],
)  # fmt: skip
def test_what_is_no_order_is_refused(name: str, fields: View, monkeypatch: pytest.MonkeyPatch) -> None:
    with bench(name, monkeypatch) as one:
        answer = deliver(one.client(), broken(confirmed(), **fields))
        assert (answer.status_code, answer.json["title"]) == (422, "refused")
        assert one.shop.booked() == {}


def run(name: str, shop_url: str, *arguments: str, **how: Any) -> subprocess.CompletedProcess[str]:
    """Run an importer as a process of its own."""
    env = os.environ | environment(name, shop_url) | {"NO_PROXY": "127.0.0.1"}
    command = [sys.executable, str(IMPORTERS / f"{name}.py"), *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False, **how)


@each
def test_it_reads_an_export_twice_over(name: str, tmp_path: Path) -> None:
    export = tmp_path / "orders.jsonl"
    rows = [*(confirmed(number) for number in range(3)), shipped(confirmed(0), {1: 2, 2: 1}, "shipped")]
    export.write_text("".join(json.dumps(row) + "\n" for row in rows) + "\n")
    with SHOPS[name]().served() as url:
        first = run(name, url, "import", str(export))
        assert (first.returncode, first.stdout) == (0, "4 orders are in the shop, 0 refused\n"), first.stderr
        again = run(name, url, "import", "-", input=export.read_text() + '{"order_id": 1}\n')
        assert (again.returncode, again.stdout) == (1, "4 orders are in the shop, 1 refused\n")
        assert "line 6: this is not an order" in again.stderr


@each
def test_it_says_what_is_not_set(name: str, tmp_path: Path) -> None:
    env = {key: value for key, value in os.environ.items() if not key.startswith(name.upper())}
    command = [sys.executable, str(IMPORTERS / f"{name}.py"), "import", str(tmp_path / "missing")]
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].endswith("is not set")
    with SHOPS[name]().served() as url:
        for secret in ("", "whsec_", "whsec_1"):
            env = os.environ | environment(name, url) | {"DOORBUSTER_WEBHOOK_SECRET": secret}
            ended = subprocess.run([*command[:2], "serve", "--port", "0"], env=env, capture_output=True, text=True,
                                   timeout=60, check=False)  # fmt: skip
            assert ended.returncode == 2
            assert "a setting is not well formed" in ended.stderr.splitlines()[-1]
        missing = run(name, url, "import", str(tmp_path / "missing"))
        assert (missing.returncode, missing.stderr.count("\n") <= 3) == (2, True), missing.stderr


def test_it_serves_as_a_process(tmp_path: Path) -> None:
    shop = SHOPS["saleor"]()
    with shop.served() as url:
        env = os.environ | environment("saleor", url) | {"DOORBUSTER_WEBHOOK_SECRET": SECRET, "NO_PROXY": "127.0.0.1"}
        command = [sys.executable, str(IMPORTERS / "saleor.py"), "serve", "--port", "0"]
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                address = process.stdout.readline().strip()
                assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
                body, headers = webhook(confirmed())
                answer = httpx.post(address, content=body, headers=headers, trust_env=False, timeout=20)
                assert answer.status_code == 204, answer.text
            finally:
                process.terminate()
    assert len(shop.booked()) == 1
