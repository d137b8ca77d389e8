"""A second program that tells of a sale: from the rows, the room's list and the player's log, in plain loops.

It shares no code with the report, and is slow on purpose: what is counted here can be followed with a finger.
"""

from __future__ import annotations

import math
import struct
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Row = dict[str, Any]


@dataclass
class Raw:
    """All rows of each table, the room's list as it lies there, and what the player counted."""

    tables: dict[str, list[Row]]
    visited: list[bytes]
    now_ms: int
    """Of entries, which have the low bytes of their time alone."""
    cohort: int
    posts: int
    joined: int
    admitted: int
    answers: Counter[str]

    def of(self, table: str) -> list[Row]:
        return self.tables[table]


def recount(raw: Raw) -> dict[str, Any]:
    """Return the figures in the shape of the report."""
    (sale,) = raw.of("sales")
    orders = {row["order_id"]: row for row in raw.of("orders")}
    events: defaultdict[Any, list[Row]] = defaultdict(list)
    for event in sorted(raw.of("order_events"), key=lambda row: row["seq"]):
        events[event["order_id"]].append(event)
    steps = {order_id: [one for one in happened if one["kind"] is None] for order_id, happened in events.items()}
    return {
        "sale": {"sale_id": "night", "over_at": sale["closed_at"], "payment": sale["payment"], "currency": "EUR"},
        "totals": _totals(raw, orders, steps),
        "minutes": _minutes(raw, orders, steps),
        "products": [_product(raw, row, orders, steps) for row in _in_the_sales_order(raw)],
        "waits": _waits(raw, orders, steps),
        "estimates": _estimates(raw),
        "fairness": _fairness(raw, orders, steps),
        "room": {
            "mode": "always", "rate_per_s": 200.0, "joined": raw.joined, "admitted": raw.admitted, "by_code": 0,
            "no_shows": 0, "ordered": raw.answers["202"], "sampled": 1,
        },
        "limits": {"at_post": raw.answers["limit_exceeded"], "at_turn": _limits(orders)},
        "standby": _standby(raw, orders, steps),
        "money": _money(raw, orders),
        "promises": _promises(raw, orders, steps),
        "timeline": _timeline(raw, sale),
        "restarts": _restarts(raw, sale),
        "acts": [
            [row["action"], row["target"], row["operator"]]
            for row in raw.of("ops_log")
            if row["target"] == "sale:night"
        ],
    }  # fmt: skip


def _timeline(raw: Raw, sale: Row) -> list[list[Any]]:
    """What the plan was to change before the sale closed: when, when it was seen, how late, what."""
    (plan,) = [row for row in raw.of("sale_plans") if row["sale_number"] == sale["sale_number"]]
    marks = {row["at"]: row["seen_at"] for row in raw.of("timeline_marks")}
    found = []
    for entry in plan["timeline"]:
        at = datetime.fromisoformat(entry["at"])
        if at > sale["closed_at"]:
            continue
        seen = marks.get(at)
        late_s = None if seen is None else round((seen - at).total_seconds(), 3)
        found.append([at, seen, late_s, entry.get("phase"), sorted(entry.get("room", {}))])
    return found


def _restarts(raw: Raw, sale: Row) -> list[list[Any]]:
    """Processes that were started between the sale's start and an hour after its end."""
    return [
        [row["role"], row["name"], row["began_at"]]
        for row in sorted(raw.of("process_starts"), key=lambda row: row["began_at"])
        if sale["starts_at"] < row["began_at"]
    ]


def _in_the_sales_order(raw: Raw) -> list[Row]:
    return sorted(raw.of("sale_products"), key=lambda row: row["list_position"])


def _totals(raw: Raw, orders: dict[Any, Row], steps: dict[Any, list[Row]]) -> dict[str, Any]:
    refused = {code: count for code, count in raw.answers.items() if code != "202"}
    cancelled = Counter(row["reason"] for row in orders.values() if row["status"] == "cancelled")
    return {
        "offered": raw.posts,
        "joined": raw.joined,
        "admitted": raw.admitted,
        "refused": refused,
        "accepted": raw.answers["202"],
        "confirmed": sum(any(step["status"] == "confirmed" for step in steps[order]) for order in orders),
        "states": dict(Counter(row["status"] for row in orders.values())),
        "cancelled": dict(cancelled),
    }


def _minutes(raw: Raw, orders: dict[Any, Row], steps: dict[Any, list[Row]]) -> dict[datetime, list[int]]:
    """Accepted, confirmed and cancelled by minute."""
    found: defaultdict[datetime, list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in orders.values():
        found[row["accepted_at"].replace(second=0, microsecond=0)][0] += 1
    for place, status in ((1, "confirmed"), (2, "cancelled")):
        for taken in steps.values():
            for step in taken:
                if step["status"] == status:
                    found[step["at"].replace(second=0, microsecond=0)][place] += 1
    return dict(found)


def _product(raw: Raw, row: Row, orders: dict[Any, Row], steps: dict[Any, list[Row]]) -> dict[str, Any]:
    product = row["product_id"]
    (stock,) = [one for one in raw.of("stock") if one["product_id"] == product]
    served = {one["order_id"] for one in raw.of("standby") if one["served"] is not None}
    held = {one["order_id"] for one in raw.of("reservations")}
    units: Counter[str] = Counter()
    for line in raw.of("order_lines"):
        if line["product_id"] != product:
            continue
        order, first = orders[line["order_id"]], steps[line["order_id"]][0]
        quantity, off = line["quantity"], line["cancelled"] or 0
        ever_had = first["status"] != "cancelled" and (first["reason"] != "standby" or order["order_id"] in served)
        waits = order["status"] == "pending" and order["reason"] == "standby"
        has = order["status"] != "cancelled" and not waits
        has = has and (order["status"] != "pending" or order["order_id"] in held)
        units["wanted"] += quantity
        for name in ("shipped", "returned", "restocked"):
            units[name] += line[name] or 0
        if waits:
            units["standing_by"] += quantity - off
            units["refused"] += off
        elif has:
            units["kept"] += quantity - off
            units["given_up"] += off
        else:
            units["given_up" if ever_had else "refused"] += quantity
    spells = _spells(raw, product)
    return {
        "product_id": product,
        "sold_out_at": spells[0][0],
        "reopened": sum(until is not None for _, until in spells),
        "spells": spells,
        "ledger": {
            "received": sum(one["quantity"] for one in raw.of("stock_movements") if one["product_id"] == product),
            "left": stock["stock"],
            "reserved": stock["reserved"],
            "sold": stock["sold"],
        },
        "in_sale": {"allotment": row["quantity"], "taken": row["taken"]}
        | {
            name: units[name]
            for name in ("wanted", "kept", "refused", "given_up", "standing_by", "shipped", "returned", "restocked")
        },
    }


def _spells(raw: Raw, product: str) -> list[tuple[datetime, datetime | None]]:
    """Go through the turns of the product: what a transaction turns to and fro is as it leaves it."""
    (sale,) = raw.of("sales")
    last: dict[tuple[str, int], Row] = {}
    for turn in sorted(raw.of("shelf_turns"), key=lambda one: one["turn"]):
        if turn["product_id"] == product and turn["at"] >= sale["starts_at"]:
            last[str(turn["sale_number"]), turn["tx"]] = turn
    gone: dict[str, bool] = {}
    spells: list[tuple[datetime, datetime | None]] = []
    for turn in sorted(last.values(), key=lambda one: one["at"]):
        was_gone = any(gone.values())
        gone[str(turn["sale_number"])] = turn["sold_out"]
        if any(gone.values()) and not was_gone:
            spells.append((turn["at"], None))
        elif was_gone and not any(gone.values()):
            spells[-1] = spells[-1][0], turn["at"]
    return spells


def _visits(raw: Raw) -> dict[int, dict[str, Any]]:
    visits: defaultdict[int, dict[str, Any]] = defaultdict(dict)
    paced: tuple[float, float, int] = (0.0, 0.0, 0)
    for turn, packed in enumerate(raw.visited):
        if packed[:1] == b"p":
            paced = struct.unpack(">ffH", packed[1:])
            continue
        number = int.from_bytes(packed[1:5], "big")
        assert number > raw.cohort, "who joined before the start has another place"
        what = {b"j": "joined", b"a": "admitted", b"o": "ordered"}[packed[:1]]
        visits[number][what] = raw.now_ms // 2**40 * 2**40 + int.from_bytes(packed[5:10], "big")
        if what == "joined":
            position = int.from_bytes(packed[10:], "big")
            visits[number]["told"] = (position, *paced) if position else None
        if what == "admitted":
            visits[number]["turn"] = turn
    return visits


def _waits(raw: Raw, orders: dict[Any, Row], steps: dict[Any, list[Row]]) -> dict[str, Any]:
    visits = _visits(raw).values()
    decided, confirmed = [], []
    for order_id, row in orders.items():
        decided.append((steps[order_id][0]["at"] - row["accepted_at"]).total_seconds())
        confirmed += [
            (step["at"] - row["accepted_at"]).total_seconds()
            for step in steps[order_id]
            if step["status"] == "confirmed"
        ]
    return {
        "join_to_admission": _spread([(v["admitted"] - v["joined"]) / 1000 for v in visits if "admitted" in v]),
        "join_to_order": _spread([(v["ordered"] - v["joined"]) / 1000 for v in visits if "ordered" in v]),
        "accepted_to_decided": _spread([max(0.0, one) for one in decided]),
        "accepted_to_confirmed": _spread([max(0.0, one) for one in confirmed]),
    }


def _spread(values: list[float]) -> dict[str, Any]:
    """Nearest rank: the first value at or below which there are so many."""
    ordered = sorted(values)

    def rank(percent: int) -> float:
        wanted = math.ceil(len(ordered) * percent / 100)
        return round(ordered[wanted - 1], 3)

    if not ordered:
        return {"count": 0, "p50": None, "p90": None, "p99": None, "max": None}
    return {"count": len(ordered), "p50": rank(50), "p90": rank(90), "p99": rank(99), "max": round(ordered[-1], 3)}


def _estimates(raw: Raw) -> dict[str, Any]:
    differences, within, longer, shorter, silent = [], 0, 0, 0, 0
    for visit in _visits(raw).values():
        if "admitted" not in visit:
            continue
        if visit["told"] is None or visit["told"][1] <= 0:
            silent += 1
            continue
        position, pace, rate, samples = visit["told"]
        doubt = 1 + max(0.1, 1 / math.sqrt(1 + samples))
        slow, quick = pace / doubt, pace * doubt
        if samples < 10:
            slow, quick = min(pace, rate) / doubt, max(pace, rate)
        took = (visit["admitted"] - visit["joined"]) / 1000
        differences.append(took - position / pace)
        most = position / slow
        most += 1.2 * min(30.0, max(1.0, most / 10))  # until who waits looks again
        longer += took > most
        shorter += took < position / quick
        within += position / quick <= took <= most
    ordered = sorted(differences)
    return {
        "told": len(ordered), "not_told": silent, "within": within, "longer": longer, "shorter": shorter,
        "error_s": _spread([abs(one) for one in ordered]),
        "lean_s": round(ordered[math.ceil(len(ordered) / 2) - 1], 3) if ordered else None,
    }  # fmt: skip


def _tau(ranks: list[Any]) -> float | None:
    """Compare each pair with each."""
    agreeing = disagreeing = 0
    for at, one in enumerate(ranks):
        for other in ranks[at + 1 :]:
            agreeing += one < other
            disagreeing += one > other
    pairs = agreeing + disagreeing
    return round((agreeing - disagreeing) / pairs, 6) if pairs else None


def _fairness(raw: Raw, orders: dict[Any, Row], steps: dict[Any, list[Row]]) -> dict[str, Any]:
    admitted = sorted((visit["turn"], number) for number, visit in _visits(raw).items() if "turn" in visit)
    in_order = sorted(orders.values(), key=lambda row: (row["accepted_at"], row["entry_seq"]))
    firsts = [steps[row["order_id"]][0] for row in in_order]
    units = [one["position"] for one in firsts if one["status"] != "cancelled" and one["reason"] != "standby"]
    agreeing, pairs, alone = _standby_pairs(raw, in_order)
    return {
        "admission": _tau([number for _, number in admitted]), "admissions": len(admitted),
        "stock": _tau(units), "orders": len(units), "step": 1, "standbys": alone,
        "standby": round((2 * agreeing - pairs) / pairs, 6) if pairs else None,
    }  # fmt: skip


def _standby_pairs(raw: Raw, in_order: list[Row]) -> tuple[int, int, int]:
    """Compare those served that wanted as many of the same product, and nothing else."""
    wanted: defaultdict[Any, list[Row]] = defaultdict(list)
    for one in raw.of("standby"):
        wanted[one["order_id"]].append(one)
    alone = [rows[0] for row in in_order if len(rows := wanted[row["order_id"]]) == 1 and rows[0]["served"] is not None]
    agreeing = pairs = 0
    for at, one in enumerate(alone):
        for other in alone[at + 1 :]:
            if (one["product_id"], one["quantity"]) == (other["product_id"], other["quantity"]):
                pairs += 1
                agreeing += one["served"] < other["served"]
    return agreeing, pairs, len(alone)


def _limits(orders: dict[Any, Row]) -> dict[str, int]:
    over = [row["refusal"]["by"] for row in orders.values() if row["reason"] == "limit_exceeded"]
    return dict(Counter(over))


def _standby(raw: Raw, orders: dict[Any, Row], steps: dict[Any, list[Row]]) -> dict[str, int]:
    stood = {order_id for order_id, taken in steps.items() if taken[0]["reason"] == "standby"}
    served = {one["order_id"] for one in raw.of("standby") if one["served"] is not None}
    ended = {order_id for order_id in stood if orders[order_id]["reason"] == "standby_ended"}
    waiting = {order_id for order_id in stood if orders[order_id]["reason"] == "standby"}
    return {
        "stood_by": len(stood), "served": len(served), "in_vain": len(ended), "waiting": len(waiting),
        "gone": len(stood - served - ended - waiting),
    }  # fmt: skip


def _money(raw: Raw, orders: dict[Any, Row]) -> dict[str, Any]:
    goods = 0
    for order_id, row in orders.items():
        if row["status"] in ("pending", "cancelled", "refunded") or row["payment"] is None:
            continue
        price = {line["line"]: line["unit_price"] for line in raw.of("order_lines") if line["order_id"] == order_id}
        for line in raw.of("order_lines"):
            if line["order_id"] == order_id:
                units = line["quantity"] - (line["cancelled"] or 0) - (line["returned"] or 0)
                goods += units * line["unit_price"]
        for refund in raw.of("refunds"):
            if refund["order_id"] == order_id and refund["status"] == "succeeded":
                for_lines = sum(one["quantity"] * price[one["line"]] for one in refund["lines"] or [])
                goods -= refund["amount"] - for_lines
    captured = sum(row["captured"] or 0 for row in orders.values())
    refunded = sum(row["refunded"] or 0 for row in orders.values())
    back = [row["amount"] for row in raw.of("payment_operations") if row["kind"] == "refund" and row["state"] == "done"]
    return {
        "authorised": 0, "captured": captured, "refunded": refunded, "net": captured - refunded, "goods": goods,
        "payments": dict(Counter(row["payment"] or "none" for row in orders.values())),
        "declined": sum(row["reason"] == "payment_declined" for row in orders.values()),
        "differing": 0, "balances": captured - refunded == goods and refunded == sum(back),
        "refund_operations": [len(back), sum(back)],
    }  # fmt: skip


def _promises(raw: Raw, orders: dict[Any, Row], steps: dict[Any, list[Row]]) -> dict[str, list[Any]]:
    accepted = raw.answers["202"]
    return {
        "P1": ["holds", accepted],
        "P2": ["holds", len(raw.of("stock"))],
        "P3": ["holds", len(orders)],
        "P4": ["holds", 0],
        "P5": ["holds", sum(map(len, steps.values()))],
        "P6": ["holds", len(raw.of("order_events"))],
        "P7": ["holds", accepted],
        "P8": ["not_checked", None],
        "P9": ["not_checked", 0],
        "P10": ["not_checked", None],
        "P11": ["holds", len(orders)],
        "P12": ["holds", sum(row["payment"] is not None for row in orders.values())],
    }
