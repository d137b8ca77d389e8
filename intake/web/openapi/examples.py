"""One example of each body that a newcomer meets, for the contract and its page. Owns values alone."""

from __future__ import annotations

from typing import Any

from doorbuster.contract import catalogue, fulfilment, ops, orders, problems, products, room, sales
from doorbuster.contract.night import schedule

_ORDER_ID = "00000100-783a-87a7-ac3d-28c5383a4d5d"
_AT, _LATER = "2026-03-01T10:00:00.123Z", "2026-03-01T10:10:00.123Z"
_START, _END = "2026-03-01T10:00:00Z", "2026-03-01T12:00:00Z"
_LINKS = {"self": f"/orders/{_ORDER_ID}", "events": f"/orders/{_ORDER_ID}/events"}
_LEDGER = {"product_id": "lamp", "stock": 97, "reserved": 1, "sold": 2, "received": 100}
_OFFER = {"product_id": "lamp", "quantity": 2000, "limits": {"customer": 2, "email": 2}, "price": None}
_SALE = {
    "sale_id": "spring",
    "name": "Spring drop",
    "products": [_OFFER],
    "starts_at": _START,
    "ends_at": _END,
    "hold_s": 300,
}
_LAMP = {"name": "Lamp", "brand": "Lux", "category": "Light", "price": 4900, "currency": "EUR"}

EXAMPLES: dict[type, Any] = {
    orders.OrderRequest: {
        "customer_id": "c-17",
        "lines": [{"product_id": "lamp", "quantity": 1}],
        "payment": {"token": "tok_visa"},
        "metadata": {"cart": "a1"},
    },
    orders.AcceptedOrder: {
        "order_id": _ORDER_ID,
        "sale_id": "spring",
        "status": "accepted",
        "accepted_at": _AT,
        "links": _LINKS,
    },
    orders.OrderView: {
        "order_id": _ORDER_ID,
        "sale_id": "spring",
        "customer_id": "c-17",
        "status": "pending",
        "accepted_at": _AT,
        "lines": [
            {
                "line": 1,
                "product_id": "lamp",
                "quantity": 1,
                "unit_price": 4900,
                "cancelled": 0,
                "shipped": 0,
                "refunded": 0,
            }
        ],
        "total": 4900,
        "currency": "EUR",
        "payment": {"status": "due"},
        "shipments": [],
        "refunds": [],
        "reservation_expires_at": _LATER,
        "history": [{"status": "pending", "at": _AT}],
        "links": _LINKS,
    },
    sales.SaleRequest: _SALE
    | {
        "room": {"mode": "always", "rate_per_s": 200, "burst": 100},
        "timeline": [{"at": "2026-03-01T10:05:00Z", "room": {"rate_per_s": 300}}],
        "prewarm": {"lead_s": 1800, "scale": {"intake": 4, "workers": 8}},
    },
    sales.SaleChange: {"ends_at": "2026-03-01T13:00:00Z", "room": {"rate_per_s": 300}},
    schedule.CloneRequest: {"sale_id": "summer", "starts_at": "2026-06-01T10:00:00Z"},
    sales.SaleView: _SALE
    | {
        "products": [_OFFER | {"limit_per_customer": 2}],
        "sale_number": 1,
        "partitions": 1,
        "prewarm_lead_s": 1800,
        "prewarm": {"lead_s": 1800, "scale": None, "checks_at_s": [1800, 600, 120]},
        "timeline": [{"at": "2026-03-01T10:05:00Z", "room": {"rate_per_s": 300}}],
        "payment": "capture",
        "hold_extension_s": 300,
        "standby_max": 10000,
        "phase": "open",
        "effective_phase": "scheduled",
        "room": {"mode": "always", "rate_per_s": 200},
        "room_epoch": 1,
        "version": 1,
        "created_at": "2026-02-20T09:00:00Z",
    },
    products.ProductRequest: _LAMP | {"attributes": {"colour": "red"}},
    products.ProductView: _LAMP
    | {
        "product_id": "lamp",
        "description": None,
        "active": True,
        "attributes": {"colour": "red"},
        "version": 3,
        "updated_at": "2026-02-20T09:00:00Z",
        "stock": _LEDGER,
    },
    products.StockRequest: {"receive": 100},
    products.StockView: _LEDGER,
    problems.Problem: {
        "type": "urn:doorbuster:problem:sold_out",
        "title": "Sold out",
        "status": 409,
        "detail": "lamp is sold out",
        "code": "sold_out",
    },
    room.JoinRequest: {"visitor_id": "visitor-8f2c", "secret_hash": "9b74c9897bac770ffc029102a200c5de" * 2},
    room.TicketView: {
        "ticket": "t1.k1.AAAB",
        "number": 17,
        "sale_id": "spring",
        "status_url": "/sales/spring/room",
        "admissions_url": "/sales/spring/room/admissions",
        "page_url": "/sales/spring/wait",
    },
    room.ClaimRequest: {"ticket": "t1.k1.AAAB", "secret": "kept-by-the-visitor"},
    room.AdmissionView: {
        "admission": "a1.k1.AAAC",
        "expires_at": _LATER,
        "orders_allowed": 1,
        "order_url": "/sales/spring/orders",
    },
    room.WaitView: {"position": 120, "place": 320, "eta_s": 0.6, "retry_after_s": 1.0, "phase": "open"},
    catalogue.PricesBody: {"windows": [{"price": 3900, "starts_at": _START, "ends_at": _END}]},
    fulfilment.CancelRequest: {"lines": [{"line": 1, "quantity": 1}]},
    fulfilment.ShipmentRequest: {"lines": [{"line": 1, "quantity": 1}], "carrier": "DHL", "tracking": "00340434161094"},
    fulfilment.ShipmentChange: {"status": "delivered"},
    fulfilment.RefundRequest: {"lines": [{"line": 1, "quantity": 1, "restock": True}], "reason": "came back unused"},
    ops.TransitionRequest: {"to": "shipped", "reason": "parcel 4711"},
    ops.Prewarmed: {
        "sale_id": "spring",
        "go": False,
        "checks": {
            "postgres": {"ok": True},
            "stock": {"ok": False, "reason": "no units in stock: lamp", "count": 1},
        },
    },
    ops.StatusView: {
        "ok": True,
        "troubles": [],
        "stores": [{"name": "postgres", "ok": True, "age_s": 86400, "took_ms": 1.2}],
        "processes": [{"role": "worker", "name": "host-17-a1b2c3", "ok": True, "age_s": 3600, "silent_s": 2.1}],
        "sales": [{"sale_id": "spring", "phase": "open", "starts_at": _START, "ends_at": _END, "backlog": 12}],
        "work": {"backlog": 12},
        "durability": {
            "level": "replicas:1",
            "notes": [
                "replicas:1 waits for every replica there is: "
                "while one is away, as after a failover, nothing is accepted"
            ],
            "switches": ["safe: CLUSTER FAILOVER on 10.0.0.2:6379, never with FORCE or TAKEOVER"],
        },
    },
}
"""Type of a body -> an example of it."""
