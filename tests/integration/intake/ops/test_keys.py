"""Keys of ops: made, shown once, stored hashed, with a role, an end, and a name in the log."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from db.connections.pool import Connection
from intake.web import ops_keys
from intake.web.openapi.operations import OPERATIONS
from intake.web.openapi.roles import CHANGING, OPEN
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.proxy import Proxy
from tests.fixtures.waiting import eventually
from tests.integration.intake.ops.test_ops import PRODUCT


async def made(intake: Intake, name: str, role: str, **more: Any) -> dict[str, Any]:
    answer = await intake.ops.post("/ops/keys", json={"name": name, "role": role} | more)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def bearer(key: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {key['key']}"}


def said(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "") if answer.content else ""


async def test_a_key_is_shown_once_and_stored_hashed(intake: Intake, db: Connection) -> None:
    answer = await intake.ops.post("/ops/keys", json={"name": "Night", "role": "operate"})
    assert answer.headers["cache-control"] == "no-store"
    key = answer.json()
    assert key["key"].startswith("dbops_")
    assert len(key["key"]) >= len("dbops_") + 43  # 256 bits
    assert (key["name"], key["role"], key["state"], key["created_by"]) == ("Night", "operate", "active", "OPS_KEY")
    [row] = await db.fetch("select * from ops_keys")
    assert row["digest"] == hashlib.sha256(key["key"].encode()).digest()
    assert key["key"] not in str(dict(row))
    [listed] = (await intake.ops.get("/ops/keys")).json()["items"]
    assert listed == {name: value for name, value in key.items() if name != "key"}
    log = (await intake.ops.get("/ops/audit", params={"target": f"ops_key:{key['key_id']}"})).text
    assert key["key"] not in log
    assert '"name":"Night"' in log


async def test_a_role_may_what_it_may(intake: Intake) -> None:
    view, operate, admin = [await made(intake, role, role) for role in ("view", "operate", "admin")]
    body = {"receive": 1}

    async def tried(key: dict[str, Any], method: str, path: str, sent: Any = None) -> httpx.Response:
        return await intake.http.request(method, path, json=sent, headers=bearer(key))

    for path in ("/ops/sales", "/ops/orders", "/ops/keys", "/ops/audit", "/ops/status", "/ops/dead-letters"):
        for key in (view, operate, admin):
            assert (await tried(key, "GET", path)).status_code == 200, path
    refused = await tried(view, "PUT", "/ops/products/lamp", PRODUCT)
    assert said(refused) == (403, "role_required")
    assert refused.json()["role"] == "operate"
    assert "operate" in refused.json()["detail"]
    assert (await tried(operate, "PUT", "/ops/products/lamp", PRODUCT)).status_code == 200
    assert (await tried(operate, "POST", "/ops/products/lamp/stock", body)).status_code == 200
    sale = {"sale_id": "one", "products": [{"product_id": "lamp"}]}
    assert (await tried(operate, "POST", "/ops/sales", sale)).status_code == 201
    assert (await tried(operate, "POST", "/ops/sales/one/hold")).status_code == 200
    for path in ("/ops/sales/one/close", "/ops/sales/one/room/revoke", "/ops/dead-letters/1/discard"):
        answer = await tried(operate, "POST", path, {"reason": "x"} if "discard" in path else None)
        assert said(answer) == (403, "role_required")
        assert answer.json()["role"] == "admin"
    assert said(await tried(operate, "POST", "/ops/keys", {"name": "x", "role": "view"})) == (403, "role_required")
    assert said(await tried(operate, "DELETE", f"/ops/keys/{view['key_id']}")) == (403, "role_required")
    assert (await tried(admin, "POST", "/ops/sales/one/close")).status_code == 200
    assert (await tried(admin, "POST", "/ops/keys", {"name": "x", "role": "view"})).status_code == 201
    assert (await tried(admin, "HEAD", "/ops/sales")).status_code == 200
    assert (await tried(view, "HEAD", "/ops/sales")).status_code == 200
    assert said(await tried(view, "GET", "/ops/nothing")) == (404, "not_found")


def test_every_operation_that_changes_names_its_role_and_nothing_else_does() -> None:
    changing = {
        f"{one.method} {one.path}"
        for one in OPERATIONS
        if one.path.startswith("/ops/") and one.path not in OPEN and one.method != "get"
    }
    assert changing == CHANGING.keys()


@pytest.mark.parametrize("operation", sorted(CHANGING))
async def test_no_operation_that_changes_is_open_to_a_key_that_only_views(intake: Intake, operation: str) -> None:
    key = await made(intake, "eyes", "view")
    method, _, path = operation.partition(" ")
    for part in ("sale", "product", "order", "letter", "loss", "key", "webhook", "shipment"):
        path = path.replace(f"{{{part}}}", "1")
    assert said(await intake.http.request(method, path, headers=bearer(key))) == (403, "role_required")


async def test_whose_key_it_was_stands_in_the_log(intake: Intake) -> None:
    night = await made(intake, "night desk", "operate")
    named = bearer(night) | {"X-Operator": "ada"}
    await intake.http.put("/ops/products/lamp", json=PRODUCT, headers=named)
    await intake.ops.post("/ops/products/lamp/stock", json={"receive": 1})
    lines = b'{"product_id":"a","name":"a","brand":"b","category":"c","price":1,"currency":"EUR"}'
    await intake.http.post("/ops/products:import", content=lines, headers=named)
    log = (await intake.ops.get("/ops/audit")).json()["items"]
    assert [(one["action"], one["operator"], one["key_name"]) for one in log] == [
        ("import", "ada", "night desk"),
        ("receive", "", "OPS_KEY"),
        ("put", "ada", "night desk"),
        ("make", "", "OPS_KEY"),
    ]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": " x"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "OPS_KEY"}, "name"),
        ({"role": "root"}, "role"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2030-01-01T00:00:00"}, "expires_at"),
        ({"scope": "x"}, "scope"),
    ],
)
async def test_wrong_keys_are_refused_by_field(intake: Intake, more: dict[str, Any], field: str) -> None:
    answer = await intake.ops.post("/ops/keys", json={"name": "x", "role": "view"} | more)
    assert said(answer) == (422, "invalid")
    assert field in {one["field"] for one in answer.json()["errors"]}


async def test_two_good_keys_have_two_names(intake: Intake) -> None:
    first = await made(intake, "one", "view")
    assert said(await intake.ops.post("/ops/keys", json={"name": "one", "role": "view"})) == (409, "conflict")
    await intake.ops.delete(f"/ops/keys/{first['key_id']}")
    await made(intake, "one", "view")


async def test_a_revoked_key_is_refused_in_every_process_within_its_bound(serve: Serve) -> None:
    here, there = await serve(), await serve()
    key = await made(here, "one", "view")
    for intake in (there, here):  # a new key is good at once, wherever it is shown first
        assert (await intake.http.get("/ops/sales", headers=bearer(key))).status_code == 200
    assert (await here.ops.delete(f"/ops/keys/{key['key_id']}")).status_code == 204

    async def refused() -> bool:
        return all(
            [(await one.http.get("/ops/sales", headers=bearer(key))).status_code == 401 for one in (here, there)]
        )

    await eventually(refused, within_s=10)
    assert ops_keys.KNOWN_S <= 1.0
    assert said(await here.http.get("/ops/sales", headers=bearer(key))) == (401, "ops_key_required")
    assert (await here.ops.delete(f"/ops/keys/{key['key_id']}")).status_code == 204  # again changes nothing
    log = (await here.ops.get("/ops/audit", params={"target": f"ops_key:{key['key_id']}"})).json()["items"]
    assert [one["action"] for one in log] == ["revoke", "make"]
    assert [one["state"] for one in (await here.ops.get("/ops/keys")).json()["items"]] == ["revoked"]
    for unknown in ("999", "x", "9" * 30):
        assert said(await here.ops.delete(f"/ops/keys/{unknown}")) == (404, "not_found")


async def test_a_key_ends_at_its_time(intake: Intake, db: Connection) -> None:
    key = await made(intake, "guest", "view", expires_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    assert (await intake.http.get("/ops/sales", headers=bearer(key))).status_code == 200
    await db.execute("update ops_keys set expires_at = clock_timestamp() + interval '1500 ms'")

    async def over() -> bool:
        return said(await intake.http.get("/ops/sales", headers=bearer(key))) == (401, "ops_key_required")

    await eventually(over, within_s=10)
    assert [one["state"] for one in (await intake.ops.get("/ops/keys")).json()["items"]] == ["expired"]


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    began: list[float] = []
    kept = ops_keys.KnownKeys._know_since

    async def noting(self: ops_keys.KnownKeys, moment: float) -> None:
        before = self._read_at
        await kept(self, moment)
        if self._read_at != before:
            began.append(self._read_at)

    monkeypatch.setattr(ops_keys.KnownKeys, "_know_since", noting)
    yield began


async def test_a_check_costs_no_query_a_request(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    key = await made(intake, "one", "view")
    with counted(monkeypatch) as reads:
        for _ in range(100):
            assert (await intake.http.get("/ops/nothing", headers=bearer(key))).status_code == 404
    spread = reads[-1] - reads[0]
    assert len(set(reads)) <= 2 + spread / ops_keys.KNOWN_S


@pytest.mark.usefixtures("no_try_earned")
async def test_who_guesses_makes_no_query_a_guess(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    intake = await serve(ops_tries_per_address=3)
    with counted(monkeypatch) as reads:
        guesses = [
            (await intake.http.get("/ops/sales", headers={"Authorization": f"Bearer dbops_{n}"})).status_code
            for n in range(60)
        ]
    assert guesses[:3] == [401] * 3
    assert set(guesses[3:]) == {429}
    assert len(set(reads)) <= 4 + (reads[-1] - reads[0]) / ops_keys.KNOWN_S


async def test_without_postgres_the_settings_key_passes_and_others_are_told_to_wait(
    serve: Serve, database_url: str
) -> None:
    with Proxy(database_url) as proxy:
        intake = await serve(database_url=proxy.url)
        key = await made(intake, "one", "view")
        assert (await intake.http.get("/ops/nothing", headers=bearer(key))).status_code == 404
        proxy.cut()

        async def away() -> bool:
            return said(await intake.http.get("/ops/nothing", headers=bearer(key))) == (503, "store_unavailable")

        await eventually(away, within_s=10)
        answer = await intake.http.get("/ops/nothing", headers=bearer(key))
        assert int(answer.headers["retry-after"]) >= 1
        assert (await intake.ops.get("/ops/nothing")).status_code == 404
        assert said(await intake.http.get("/ops/nothing", headers={"Authorization": "Bearer wrong"}))[0] == 401


async def test_the_inside_of_a_public_process_is_shown_to_any_good_key(serve: Serve) -> None:
    ops, public = await serve("ops"), await serve("public")
    key = await made(ops, "prometheus", "view")
    assert (await public.http.get("/metrics")).status_code == 404
    assert (await public.http.get("/metrics", headers=bearer(key))).status_code == 200
