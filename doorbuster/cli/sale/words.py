"""What is said of a sale: its window in words, what changed, and what is allowed but probably not meant."""

from __future__ import annotations

from typing import Any

from doorbuster.cli.answer import plain, table
from doorbuster.cli.sale import plan
from doorbuster.cli.times import relative, seconds_until, show_time, span

_PHASES = {
    "hold": "on hold: takes no orders until resumed",
    "drain": "draining: takes no more orders",
    "closed": "closed for good",
}
_SHOWN = (
    "name", "starts_at", "ends_at", "hold_s", "prewarm", "timeline", "payment", "hold_extension_s", "standby_max",
    "room",
)  # fmt: skip


def window(sale: dict[str, Any]) -> str:
    """Return how a sale stands to its window, like `starts in 2 d 9 h (Sun 2026-03-01 10:00:00 UTC)`."""
    phase = sale["effective_phase"]
    starts = f"{relative(sale['starts_at'], 'starts', 'started')} ({show_time(sale['starts_at'])})"
    ends = "has no end"
    if sale["ends_at"] is not None:
        ends = f"{relative(sale['ends_at'], 'ends', 'ended')} ({show_time(sale['ends_at'])})"
    said = f"{starts}, {ends}"
    return f"{_PHASES[phase]}; {said}" if phase in _PHASES else f"{phase}; {said}"


def sentence(sale: dict[str, Any], what: str) -> str:
    """Return what was done with a sale and how it stands now."""
    count = len(sale["products"])
    return f"{plain(sale['sale_id'])} {what}: {count:,} product{'s' * (count != 1)}; {window(sale)}"


def page(sale: dict[str, Any]) -> str:
    """Return a sale in full."""
    room = sale["room"]
    facts = {
        "sale": sale["sale_id"],
        "name": sale["name"],
        "state": window(sale),
        "hold": span(sale["hold_s"]),
        "payment": sale["payment"],
        "standby": f"at most {sale['standby_max']:,} orders",
        "partitions": sale["partitions"],
        "prewarm": plan.prewarm_words(sale["prewarm"]),
        "room": ", ".join(f"{name} {plain(value)}" for name, value in room.items() if name != "access_codes"),
    }
    width = max(map(len, facts))
    lines = [f"{name:<{width}}  {plain(value)}" for name, value in facts.items()]
    rows = [(one["product_id"], one["quantity"], _limits(one["limits"]), one["price"]) for one in sale["products"]]
    names = ["timeline", *[""] * len(sale["timeline"])]
    lines += [f"{name:<{width}}  {one}" for name, one in zip(names, plan.lines(sale["timeline"]), strict=False)]
    return "\n".join([*lines, "", table(("product", "allotment", "limits", "price (minor units)"), rows)])


def _limits(limits: dict[str, int] | None) -> str | None:
    return ", ".join(f"{units:,} a {name}" for name, units in limits.items()) if limits else None


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return what differs between two states of a sale, a line each."""
    found = [
        f"{name}: {_value(name, before[name])} -> {_value(name, after[name])}"
        for name in _SHOWN
        if name != "room" and before[name] != after[name]
    ]
    rooms = before["room"], after["room"]
    found += [
        f"room {name}: {_value(name, rooms[0].get(name))} -> {_value(name, rooms[1].get(name))}"
        for name in sorted(rooms[0].keys() | rooms[1].keys())
        if rooms[0].get(name) != rooms[1].get(name)
    ]
    old, new = ({one["product_id"]: one for one in sale["products"]} for sale in (before, after))
    found += [f"product {plain(one)}: taken out" for one in old.keys() - new.keys()]
    for product_id, one in new.items():
        was = old.get(product_id)
        if was is None:
            found.append(f"product {plain(product_id)}: added")
            continue
        flat, before_flat = _flat(one), _flat(was)
        terms = [
            f"{name} {plain(before_flat.get(name))} -> {plain(flat.get(name))}"
            for name in dict.fromkeys((*flat, *before_flat))
            if flat.get(name) != before_flat.get(name)
        ]
        found += [f"product {plain(product_id)}: {', '.join(terms)}"] if terms else []
    return found


def _flat(product: dict[str, Any]) -> dict[str, Any]:
    """Return a product's terms with each limit by its own name."""
    limits = {f"limit {name}": units for name, units in (product["limits"] or {}).items() if name != "customer"}
    return {name: value for name, value in product.items() if name != "limits"} | limits


def _value(name: str, value: Any) -> str:
    if name.endswith("_at"):
        return show_time(value) if value is None or isinstance(value, str) else plain(value)
    if name == "timeline":
        return plan.summary(value)
    if name == "prewarm":
        return plan.prewarm_words(value)
    return plain(value)


def doubts(sale: dict[str, Any], *, asked_start: bool, is_new: bool = False) -> list[str]:
    """Return what is allowed for a sale's window and probably not meant."""
    found = []
    if asked_start and (ago := -seconds_until(sale["starts_at"])) > 0:
        found.append(f"the start was {span(ago)} ago: the sale takes orders now")
    if sale["ends_at"] is not None and (ago := -seconds_until(sale["ends_at"])) > 0:
        found.append(f"the end was {span(ago)} ago: the sale takes no orders")
    if sale["room"].get("mode") == "off" and len(sale["room"]) > 1:
        found.append("the room is off, whatever else is said of it: --room-mode always turns it on")
    lobby = sale["room"].get("lobby_opens_at")
    if lobby is not None and seconds_until(lobby) >= seconds_until(sale["starts_at"]):
        found.append("the lobby opens after the start: nobody can register before it")
    return found + plan.doubts(sale, is_new=is_new)


def units_of(product: dict[str, Any]) -> int:
    """Return how many units of a product there are, those sold already included."""
    ledger = product["stock"]
    return int(ledger["stock"] + ledger["reserved"] + ledger["sold"]) if ledger else 0


def product_doubts(terms: dict[str, Any], product: dict[str, Any]) -> list[str]:
    """Return what is amiss with a product of a sale: switched off, no stock, allotted more than there is."""
    name, ledger = plain(product["product_id"]), product["stock"]
    free = ledger["stock"] if ledger else 0
    found = [] if product["active"] else [f"{name} is switched off: nobody can order it"]
    if free == 0:
        found.append(f"{name} has no units in stock: doorbuster stock receive {name} N")
    elif terms["quantity"] is not None and terms["quantity"] > (room := units_of(product)):
        found.append(f"{name}: the allotment of {terms['quantity']:,} is more than its {room:,} units")
    return found
