"""The sale's own report against what the load generator saw of it. Owns that comparison; pure."""

from __future__ import annotations

from typing import Any


def differences(report: dict[str, Any], *, accepted: int, admitted: int, states: dict[str, int]) -> list[str]:
    """Return in words where the report tells otherwise: orders answered 202, visitors let in, how orders ended."""
    totals = report["totals"]
    ended: dict[str, int] = {}
    for state, count in states.items():
        name = state.partition(" ")[0]
        ended[name] = ended.get(name, 0) + count
    pairs = (
        ("orders answered 202", accepted, totals["accepted"]),
        ("visitors let in", admitted, report["room"]["admitted"]),
        ("orders by state", ended, totals["states"]),
    )
    said = [f"{what}: {seen} seen, {told} in the report" for what, seen, told in pairs if seen != told]
    said += [f"{one['promise']} is {one['verdict']}" for one in report["promises"] if one["verdict"] == "broken"]
    said += [f"units of {one['product_id']}" for one in report["products"] if not one["in_sale"]["balances"]]
    return said + ([] if report["money"]["balances"] else ["the money does not balance"])


def alerts(report: dict[str, Any]) -> list[str]:
    """Return the alerts that fired around the sale, in the report's words."""
    return [one["what"] for one in report["incidents"] if one["kind"] == "alert"]
