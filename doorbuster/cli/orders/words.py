"""What is said of orders: a table of many, a page of one. Owns the words; asks nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from doorbuster.cli.answer import plain, table
from doorbuster.cli.times import show_time
from doorbuster.values.currencies import EXPONENTS

_LIST = ("order", "sale", "customer", "status", "reason", "accepted", "total")
_LINES = ("line", "product", "units", "price", "cancelled", "shipped", "refunded")


def amount(minor: int | None, currency: str | None) -> str:
    """Return an amount as people write it, like `49.00 EUR`."""
    if minor is None or currency is None:
        return "-"
    exponent = EXPONENTS.get(currency, 2)
    whole, rest = divmod(abs(minor), 10**exponent)
    sign = "-" if minor < 0 else ""
    return f"{sign}{whole:,}{f'.{rest:0{exponent}}' if exponent else ''} {currency}"


def listed(orders: Iterable[dict[str, Any]]) -> str:
    """Return orders in a table."""
    rows = [
        (
            one["order_id"], one["sale_id"], one["customer_id"], one["status"], one["reason"] or "-",
            show_time(one["accepted_at"]), amount(one["total"], one["currency"]),
        )
        for one in orders
    ]  # fmt: skip
    return table(_LIST, rows) if rows else "no such orders"


def page(order: dict[str, Any]) -> str:
    """Return an order with all there is to it."""
    currency = order["currency"]
    facts = {
        "order": order["order_id"],
        "sale": order["sale_id"],
        "customer": order["customer_id"],
        "status": order["status"] + (f" ({order['reason']})" if order.get("reason") else ""),
        "accepted": show_time(order["accepted_at"]),
        "total": amount(order["total"], currency),
        "payment": _payment(order["payment"], currency),
    }
    if order.get("reservation_expires_at"):
        facts["held until"] = show_time(order["reservation_expires_at"])
    if order.get("refusal"):
        facts["refused for"] = ", ".join(f"{name} {value}" for name, value in order["refusal"].items())
    width = max(map(len, facts))
    parts = ["\n".join(f"{name:<{width}}  {plain(value)}" for name, value in facts.items()), _lines(order)]
    parts += [_table("parcels", _parcels(order)), _table("refunds", _refunds(order))]
    steps: list[tuple[object, ...]] = [(show_time(step["at"]), step["status"]) for step in order["history"]]
    parts.append(_table("history", steps))
    return "\n\n".join(part for part in parts if part)


def _payment(payment: dict[str, Any], currency: str | None) -> str:
    said = [
        f"{name} {amount(payment[name], currency)}"
        for name in ("authorised", "captured", "refunded")
        if payment.get(name)
    ]
    return ", ".join([payment["status"], *said])


def _lines(order: dict[str, Any]) -> str:
    currency = order["currency"]
    rows = [
        (
            one["line"], one["product_id"], one["quantity"], amount(one.get("unit_price"), currency), one["cancelled"],
            one["shipped"], one["refunded"],
        )
        for one in order["lines"]
    ]  # fmt: skip
    return table(_LINES, rows)


def _parcels(order: dict[str, Any]) -> list[tuple[object, ...]]:
    return [
        (
            show_time(one["at"]), one["status"], _units(one["lines"]), one.get("carrier") or "-",
            one.get("tracking") or "-", one["shipment_id"],
        )
        for one in order["shipments"]
    ]  # fmt: skip


def _refunds(order: dict[str, Any]) -> list[tuple[object, ...]]:
    return [
        (
            show_time(one["at"]), one["status"], amount(one["amount"], order["currency"]),
            _units(one.get("lines") or []), one["reason"], one["refund_id"],
        )
        for one in order["refunds"]
    ]  # fmt: skip


def _units(lines: Iterable[dict[str, Any]]) -> str:
    return ", ".join(f"{one['quantity']} of line {one['line']}" for one in lines) or "-"


def _table(name: str, rows: list[tuple[object, ...]]) -> str:
    if not rows:
        return ""
    head = (name, *[""] * (len(rows[0]) - 1))
    return table(head, rows)
