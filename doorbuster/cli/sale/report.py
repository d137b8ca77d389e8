"""What `doorbuster sale report` prints, or writes as a page. Owns the exit code: 1 where a promise is broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from doorbuster.cli.answer import plain, print_json, table
from doorbuster.cli.ops import call, streamed
from doorbuster.embedded.data.instance import Instance
from doorbuster.errors import InvalidError

WITHIN_S = 150.0
"""An audit goes into a report that is not written yet."""
_VERDICTS = {"holds": "holds", "broken": "BROKEN", "not_checked": "not checked"}
_WAITS = {
    "join_to_admission": "joining to admission",
    "join_to_order": "joining to order",
    "accepted_to_decided": "acceptance to decision",
    "accepted_to_confirmed": "acceptance to confirmation",
}


def write_page(instance: Instance, where: str, params: dict[str, str], file: Path) -> None:
    """Write a report's page to a file, which needs no other then."""
    asked = params | {"standalone": "true"}
    with streamed(instance, where, asked, accept="text/html", within_s=WITHIN_S) as parts:
        page = b"".join(parts)
    try:
        file.write_bytes(page)
    except OSError as error:
        raise InvalidError(f"--html: cannot write {file}: {error.strerror}") from error


def print_report(instance: Instance, where: str, params: dict[str, str], *, as_json: bool) -> int:
    """Print a report; return the exit code."""
    found = call(instance, "GET", where, params=params, within_s=WITHIN_S)
    print_json(found) if as_json else click.echo(_words(found))
    return 1 if any(one["verdict"] == "broken" for one in found["promises"]) else 0


def _words(found: dict[str, Any]) -> str:
    sale, totals, money = found["sale"], found["totals"], found["money"]
    head = f"{sale['sale_id']}: " + (f"{sale['phase']} since {sale['over_at']}" if sale["over_at"] else "a preview")
    parts = [
        plain(head),
        *(f"still under way: {what}" for what in found["unsettled"]),
        table(("posts", "joined", "admitted", "accepted", "confirmed"), [
            [totals[name] for name in ("offered", "joined", "admitted", "accepted", "confirmed")],
        ]),
        table(("product", "sold out after s", "wanted", "kept", "refused", "left in stock"), [
            (
                one["product_id"], one["sold_out_after_s"], one["in_sale"]["wanted"], one["in_sale"]["kept"],
                one["in_sale"]["refused"], one["ledger"]["left"],
            )
            for one in found["products"]
        ]),
        table(("seconds", "count", "p50", "p90", "p99", "longest"), [
            (name, *(found["waits"][key][each] for each in ("count", "p50", "p90", "p99", "max")))
            for key, name in _WAITS.items()
        ]),
        f"money in minor units of {sale['currency'] or 'no currency'}: captured {money['captured']:,}, refunded "
        f"{money['refunded']:,}; the sums {'balance' if money['balances'] else 'DO NOT BALANCE'}",
        table(("promise", "verdict", "figure", "of what"), [
            (one["promise"], _VERDICTS[one["verdict"]], one["value"], one["what"]) for one in found["promises"]
        ]),
        *(plain(f"{one['kind']}: {one['what']}") for one in found["incidents"]),
        *(plain(f"next time: {one['text']}") for one in found["advice"]),
    ]  # fmt: skip
    return "\n".join(parts)
