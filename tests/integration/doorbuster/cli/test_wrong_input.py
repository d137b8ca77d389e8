"""Wrong input of every kind: one line that names what is wrong, exit code 2, and nothing is done by halves."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from doorbuster.cli.sale.spec import FILE_MAX
from tests.fixtures.commands import Command
from tests.fixtures.intake import Intake

LATIN = os.fsdecode(b"caf\xe9")
"""As a shell hands over what is no UTF-8."""
ONE = ("--product", "hot")
FILES: dict[str, bytes] = {
    "empty.json": b"",
    "latin.json": b'{"sale_id": "caf\xe9"}',
    "latin.toml": b'sale_id = "caf\xe9"',
    "list.json": b"[]",
    "deep.json": b'{"a": ' + b"[" * 100_000,
    "deep.toml": b"a = " + b"[" * 100_000,
    "nan.json": b'{"sale_id": "s", "products": [{"product_id": "hot"}], "room": {"rate_per_s": NaN}}',
    "inf.toml": b'sale_id = "s"\nproducts = [{product_id = "hot"}]\n[room]\nrate_per_s = inf\n',
    "digits.json": b'{"hold_s": ' + b"9" * 5_000 + b"}",
    "digits.toml": b"hold_s = " + b"9" * 5_000,
    "twice.json": b'{"sale_id": "s", "sale_id": "t", "products": [{"product_id": "hot"}]}',
    "half.json": b'{"sale_id": "s", "name": "\\ud800", "products": [{"product_id": "hot"}]}',
    "room.json": b'{"sale_id": "s", "products": [{"product_id": "hot"}], "room": "always"}',
    "unknown.json": b'{"sale_id": "s", "products": [{"product_id": "hot"}], "colour": "red"}',
    "disorder.json": b'{"sale_id": "s", "products": [{"product_id": "hot"}], "timeline": ['
    b'{"at": "2030-01-02T00:00:00Z", "phase": "hold"}, {"at": "2030-01-01T00:00:00Z", "phase": "open"}]}',
}
MADE: list[tuple[tuple[str, ...], str]] = [
    (("sale", "create", "sale", *ONE), "there is a sale 'sale' already"),
    (("sale", "create", "s", "--product", "none"), "products[0].product_id: is unknown"),
    (("sale", "create", "s", "--product", "hot:limit=1,limit=2"), "limit stands twice"),
    (("sale", "create", "s", "--product", "hot:limit=1,limit_per_customer=2"), "limit_per_customer stands twice"),
    (("sale", "create", "s", *ONE, "--rate", "nan"), "'nan' is no number"),
    (("sale", "create", "s", *ONE, "--rate", "inf"), "'inf' is no number"),
    (("sale", "create", LATIN, *ONE), "sale_id: is no UTF-8"),
    (("sale", "create", "s", "--product", LATIN), "products[0].product_id: is no UTF-8"),
    (("sale", "create", "s", *ONE, "--ends-at", "2020-01-01T00:00:00Z"), "ends_at: must be after starts_at"),
    (("sale", "create", "s", *ONE, "--starts-at", "2030-01-01T00:00:00"), "has no time zone"),
    (("sale", "create", "--file", "missing.json"), "there is no file missing.json"),
    (("sale", "create", "--file", "empty.json"), "no JSON"),
    (("sale", "create", "--file", "latin.json"), "cannot read latin.json"),
    (("sale", "create", "--file", "latin.toml"), "cannot read latin.toml"),
    (("sale", "create", "--file", "list.json"), "must be a JSON object"),
    (("sale", "create", "--file", "deep.json"), "nested too deep"),
    (("sale", "create", "--file", "deep.toml"), "nested too deep"),
    (("sale", "create", "--file", "nan.json"), "NaN is no number of JSON"),
    (("sale", "create", "--file", "inf.toml"), "room.rate_per_s: must be a number"),
    (("sale", "create", "--file", "digits.json"), "no JSON"),
    (("sale", "create", "--file", "digits.toml"), "no TOML"),
    (("sale", "create", "--file", "twice.json"), "'sale_id' stands twice"),
    (("sale", "create", "--file", "half.json"), "name: is no UTF-8"),
    (("sale", "create", "--file", "room.json", "--rate", "5"), "room: must be an object"),
    (("sale", "create", "--file", "unknown.json"), "colour: is not known here"),
    (("sale", "create", "--file", "disorder.json"), "timeline[1].at: must be after that of timeline[0]"),
    (("sale", "create", "--file", "/dev/zero"), f"has more than {FILE_MAX:,} characters"),
    (("ops-keys", "create", LATIN, "--role", "view"), "name: is no UTF-8"),
    (("webhooks", "create", LATIN), "url: is no UTF-8"),
    (("stock", "receive", LATIN, "1"), "'caf?' is no UTF-8"),
]
ASKED: list[tuple[tuple[str, ...], str]] = [
    (("sale", "show", LATIN), "there is no sale"),
    (("sale", "log", "none"), "There is no sale 'none'"),
    (("sale", "close", "sale"), "Close sale for good? It is open"),
    (("sale", "report", "sale", "--preview", "--html", "none/x.html"), "--html: cannot write none/x.html"),
    (("sale", "verify-shuffle", "sale", "--url", "nonsense"), "--url: "),
    (("wait", "sale", "--timeout-s", "nan"), "'nan' is no number"),
    (("watch", "a/b", "--once"), "there is no sale 'a/b'"),
    (("rehearse", "a/b"), "there is no sale 'a/b'"),
    (("rehearse", "sale", "--scale", "nan"), "'nan' is no number"),
    (("rehearse", "sale", "--p99-ms", "nan"), "'nan' is no number"),
    (("audit", "--provider", "--hours", "nan"), "'nan' is no number"),
    (("orders", "list", "--sale", ""), "--sale: is empty"),
    (("orders", "list", "--customer", LATIN), "customer: is no UTF-8"),
    (("orders", "show", LATIN), "'caf?' is no UTF-8"),
    (("orders", "export", "--sale", LATIN, "-o", "x.csv"), "sale: is no UTF-8"),
    (("dead-letters", "show", LATIN), "'caf?' is no UTF-8"),
    (("dead-letters", "list", "--sale", LATIN), "sale: is no UTF-8"),
]


def _there() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


@pytest.fixture
def files(command: Command) -> list[str]:
    """Write the files where commands run; return what is there."""
    for name, content in FILES.items():
        Path(name).write_bytes(content)
    return _there()


async def test_wrong_input_is_a_line_and_exit_code_2_and_changes_nothing(
    command: Command, intake: Intake, files: list[str], subtests: pytest.Subtests
) -> None:
    await intake.open_sale("sale")
    for arguments, said in MADE + ASKED:
        with subtests.test(ascii(arguments)):
            code, out, err = await command(*arguments)
            assert (code, out, err.count("\n")) == (2, "", 1), err
            assert said in err
    assert [one["sale_id"] for one in json.loads((await command("sale", "list", "--json"))[1])] == ["sale"]
    assert json.loads((await command("ops-keys", "list", "--json"))[1]) == []
    assert json.loads((await command("webhooks", "list", "--json"))[1]) == []
    assert _there() == files


async def test_headers_that_cannot_be_sent(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPS_KEY", "OPS_SECOND_KEY"):
        for wrong in ("a\nb", LATIN):
            with monkeypatch.context() as patched:
                patched.setitem(os.environ, name, wrong)
                code, _, err = await command("sale", "list")
                assert (code, err) == (2, f"doorbuster: {name}: has characters that are not printable, or no UTF-8\n")
    monkeypatch.setitem(os.environ, "OPS_URL", "nonsense")
    code, _, err = await command("sale", "list")
    assert (code, err[:20]) == (2, "doorbuster: OPS_URL:")


async def test_a_replay_from_the_future_is_refused(command: Command, intake: Intake) -> None:
    made = await intake.ops.post("/ops/webhooks", json={"url": "https://shop.example/e"})
    number = str(made.json()["webhook_id"])
    code, _, err = await command("webhooks", "replay", number, "--since", "2100-01-01T00:00:00Z")
    assert (code, err) == (2, "doorbuster: since: must be past, where there is no until\n")
    log = (await intake.ops.get("/ops/audit")).json()["items"]
    assert [one["action"] for one in log] == ["create"], "nothing is noted of what was not done"
