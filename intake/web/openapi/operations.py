"""Every operation of the contract, as a table. Owns what `/openapi.json` says there is; never answers it."""

from __future__ import annotations

from typing import Any, NamedTuple

from doorbuster.contract import (
    catalogue,
    fulfilment,
    offers,
    ops,
    ops_keys,
    orders,
    payments,
    problems,
    products,
    room,
    sales,
    webhooks,
)  # fmt: skip
from doorbuster.contract.night import live, prewarm, promises, rehearsal, report, schedule


class Operation(NamedTuple):
    """One method of one path."""

    method: str
    path: str
    summary: str
    answers: dict[int, Any]
    problems: tuple[str, ...] = ()
    body: Any = None
    query: tuple[str, ...] = ()
    """Names of parameters; one with a star may be given several times."""
    headers: tuple[str, ...] = ()
    body_required: bool = True
    """False: without a body it means something, too."""


class PageOf(NamedTuple):
    """Marks an answer that is a page of a list."""

    item: Any


class LinesOf(NamedTuple):
    """Marks JSON Lines, and what each line is."""

    item: Any


class Media(NamedTuple):
    """Marks a body that is not JSON."""

    name: str


EVENT_STREAM = Media("text/event-stream")
JSON_LINES = Media("application/x-ndjson")
PROVIDERS_OWN = Media("application/json")
"""A body whose form is not ours."""
_BODY = ("malformed", "too_large", "unsupported_media_type", "invalid")
_STORE = ("overloaded", "store_unavailable", "internal")
_OPS = ("ops_key_required", "csrf_invalid", "rate_limited", *_STORE)
_HTTP = ("request_timeout", "head_too_large", "coding_not_supported", "version_not_supported")
"""What any call may get before its place is looked at."""
_POST_ORDER = (
    *_BODY, *_HTTP, "idempotency_key_required", "admission_required", "admission_expired", "admission_invalid",
    "sale_not_found", "sale_not_open", "price_changed", "sold_out",
    "limit_exceeded", "rejected", "admission_spent", "idempotency_conflict", "rate_limited", *_STORE,
)  # fmt: skip

_STOREFRONT = (
    Operation(
        "get", "/sales/{sale}", "Show a sale and its products", {200: offers.OfferedSale, 304: None},
        ("sale_not_found", "invalid", *_STORE), None, (), ("If-None-Match",),
    ),
    Operation(
        "post", "/sales/{sale}/orders", "Accept an order durably", {202: orders.AcceptedOrder, 201: orders.OrderView},
        _POST_ORDER, orders.OrderRequest, (), ("Idempotency-Key", "Prefer", "X-Storefront-Key"),
    ),
    Operation(
        "post", "/sales/{sale}/orders:batch", "Accept many orders durably", {200: LinesOf(orders.BatchVerdict)},
        ("malformed", "too_large", "unsupported_media_type", "invalid", *_HTTP, "admission_required", "sale_not_found",
         *_STORE),
        LinesOf(orders.BatchOrder), (), ("X-Storefront-Key",),
    ),
    Operation(
        "get", "/orders/{order}", "Show an order", {200: orders.OrderView},
        ("admission_required", "order_not_found", *_STORE), None, (), ("X-Storefront-Key",),
    ),
    Operation(
        "get", "/orders/{order}/events", "Follow an order's transitions", {200: EVENT_STREAM, 204: None},
        ("admission_required", "order_not_found", *_STORE), None, (), ("Last-Event-ID", "X-Storefront-Key"),
    ),
    Operation(
        "post", "/orders/{order}/cancel", "Cancel what has not left of an order", {200: orders.OrderView},
        ("admission_required", "order_not_found", "illegal_transition", *_BODY, *_STORE), fulfilment.CancelRequest, (),
        ("X-Storefront-Key",), body_required=False,
    ),
    Operation(
        "post", "/payments/{provider}/events", "Take a payment provider's callback", {200: payments.CallbackTaken},
        ("signature_invalid", "malformed", "too_large", "invalid", "not_found", "rate_limited", *_STORE),
        PROVIDERS_OWN,
    ),
)  # fmt: skip

_PAGE = Media("text/html")
_ROOM = ("sale_not_found", "room_not_found", *_STORE)
_GONE = (
    "room_over", "room_sold_out", "place_unknown", "place_lapsed", "place_left", "admission_finished",
    "admission_revoked",
)  # fmt: skip
_WAITING = (
    Operation(
        "post", "/sales/{sale}/room/tickets", "Take a place in the queue", {201: room.TicketView},
        (
            *_BODY, "admission_required", "code_invalid", "challenge_failed", "room_not_open", "place_conflict",
            "code_spent", *_GONE, "rate_limited", "room_full", *_ROOM,
        ),
        room.JoinRequest, (), ("X-Storefront-Key",),
    ),
    Operation(
        "get", "/sales/{sale}/room", "Show the room, the same for everyone", {200: room.RoomStatus, 304: None}, _ROOM,
        None, (), ("If-None-Match",),
    ),
    Operation(
        "post", "/sales/{sale}/room/admissions", "Claim the admission of a place",
        {200: room.AdmissionView, 202: room.WaitView}, (*_BODY, "ticket_invalid", *_GONE, *_ROOM), room.ClaimRequest,
    ),
    Operation(
        "delete", "/sales/{sale}/room/tickets/{ticket}", "Leave: give place or slot back",
        {200: room.LeftView, 204: None},
        ("ticket_invalid", *_ROOM), None, (), ("X-Ticket-Secret",),
    ),
    Operation("get", "/sales/{sale}/wait", "Show the waiting page", {200: _PAGE}, _ROOM),
    Operation("get", "/shop/{sale}", "Show the demonstration's storefront", {200: _PAGE}, ("sale_not_found", *_STORE)),
)  # fmt: skip

_CATALOGUE = (
    Operation(
        "get", "/products/{product}", "Show a product", {200: catalogue.ShownProduct, 304: None},
        ("product_not_found", *_STORE), None, (), ("If-None-Match",),
    ),
    Operation(
        "get", "/products", "List products by category", {200: PageOf(catalogue.ShownProduct), 304: None},
        ("invalid", *_STORE), None, ("category", "cursor", "limit"), ("If-None-Match",),
    ),
    Operation(
        "get", "/search", "Search products", {200: catalogue.SearchPage, 304: None}, ("invalid", *_STORE), None,
        ("q", "category*", "brand*", "min_price", "max_price", "sort", "cursor", "limit"), ("If-None-Match",),
    ),
    Operation(
        "get", "/search/suggest", "Suggest what to search for", {200: catalogue.Suggestions, 304: None},
        ("invalid", *_STORE), None, ("q", "limit"), ("If-None-Match",),
    ),
)  # fmt: skip

_SALE = ("sale_not_found", *_OPS)
_STEER = ("second_key_required", *_SALE)
_SALES = (
    Operation(
        "post", "/ops/sales", "Make a sale", {201: sales.SaleView}, ("conflict", *_BODY, *_OPS), sales.SaleRequest
    ),
    Operation(
        "get", "/ops/sales", "List sales", {200: PageOf(sales.SaleView)}, ("invalid", *_OPS), None,
        ("cursor", "limit", "shadows"),
    ),
    Operation("get", "/ops/sales/{sale}", "Show a sale", {200: sales.SaleView}, _SALE),
    Operation(
        "patch", "/ops/sales/{sale}", "Change a sale", {200: sales.SaleView}, ("conflict", *_BODY, *_STEER),
        sales.SaleChange
    ),
    Operation(
        "post", "/ops/sales/{sale}/clone", "Make a sale like it, at another time", {201: sales.SaleView},
        ("conflict", *_BODY, *_SALE), schedule.CloneRequest,
    ),
    Operation("post", "/ops/sales/{sale}/open", "Open it now", {200: sales.SaleView}, ("conflict", *_STEER)),
    Operation("post", "/ops/sales/{sale}/hold", "Take no orders for now", {200: sales.SaleView}, ("conflict", *_STEER)),
    Operation("post", "/ops/sales/{sale}/resume", "Go on after a hold", {200: sales.SaleView}, ("conflict", *_STEER)),
    Operation(
        "post", "/ops/sales/{sale}/drain", "Take no more, work off", {200: sales.SaleView}, ("conflict", *_STEER)
    ),
    Operation("post", "/ops/sales/{sale}/close", "Close it for good", {200: sales.SaleView}, _STEER),
    Operation("post", "/ops/sales/{sale}/prewarm", "Check go or no-go", {200: ops.Prewarmed}, _SALE),
    Operation(
        "get", "/ops/sales/{sale}/prewarm", "List the reports of go or no-go", {200: prewarm.PrewarmReports},
        ("invalid", *_SALE),
    ),
    Operation("post", "/ops/sales/{sale}/room/revoke", "Revoke every admission out", {200: sales.RevokedView}, _STEER),
    Operation(
        "get", "/ops/sales/{sale}/live", "Show how a sale goes now", {200: live.LiveView}, ("invalid", *_SALE),
        None, ("history_s",),
    ),
    Operation(
        "post", "/ops/sales/{sale}/rehearsals", "Rehearse it: make its shadow", {201: rehearsal.RehearsalView},
        ("conflict", *_BODY, *_SALE), rehearsal.RehearsalRequest, body_required=False,
    ),
    Operation(
        "get", "/ops/sales/{sale}/rehearsals", "List its rehearsals", {200: PageOf(rehearsal.RehearsalView)},
        ("invalid", *_SALE), None, ("cursor", "limit"),
    ),
    Operation(
        "get", "/ops/sales/{sale}/rehearsals/{rehearsal}", "Show a rehearsal", {200: rehearsal.RehearsalView},
        ("invalid", "not_found", *_SALE),
    ),
    Operation(
        "patch", "/ops/sales/{sale}/rehearsals/{rehearsal}", "Keep it going, or leave its result",
        {200: rehearsal.RehearsalView}, ("conflict", "not_found", *_BODY, *_SALE), rehearsal.RehearsalChange,
    ),
    Operation(
        "delete", "/ops/sales/{sale}/rehearsals/{rehearsal}", "End it: remove its shadow",
        {200: rehearsal.RehearsalView, 202: rehearsal.RehearsalView}, ("invalid", "not_found", *_SALE),
    ),
    Operation(
        "get", "/ops/status", "Show how stores, workers and sales are", {200: ops.StatusView}, ("invalid", *_OPS)
    ),
    Operation(
        "get", "/ops/sales/{sale}/report", "Show what is told of a sale that is over", {200: report.SaleReport},
        ("malformed", "sale_not_over", "invalid", *_SALE), None, ("preview", "fresh", "standalone"),
    ),
    Operation(
        "get", "/ops/promises", "Hold the stores against the promises", {200: promises.PromisesView},
        ("invalid", *_OPS),
    ),
    Operation(
        "post", "/ops/keys", "Make an ops key", {201: ops_keys.MadeKeyView},
        ("conflict", "role_required", *_BODY, *_OPS), ops_keys.KeyRequest,
    ),
    Operation(
        "get", "/ops/keys", "List ops keys", {200: PageOf(ops_keys.OpsKeyView)}, ("invalid", *_OPS), None,
        ("cursor", "limit"),
    ),
    Operation("delete", "/ops/keys/{key}", "Revoke an ops key", {204: None}, ("not_found", "role_required", *_OPS)),
    Operation(
        "post", "/ops/keys/{key}/totp", "Give an ops key a second factor", {201: ops_keys.TotpView},
        ("not_found", "role_required", *_OPS),
    ),
    Operation(
        "post", "/ops/keys/{key}/totp/confirm", "Confirm a second factor by its first code", {204: None},
        ("not_found", "totp_invalid", "role_required", *_BODY, *_OPS), ops_keys.TotpConfirmation,
    ),
    Operation(
        "delete", "/ops/keys/{key}/totp", "Take the second factor off an ops key", {204: None},
        ("role_required", *_OPS),
    ),
    Operation(
        "post", "/ops/session", "Sign in to the page of ops", {201: ops_keys.SessionView},
        ("totp_required", "totp_invalid", "csrf_invalid", *_BODY, *_OPS), ops_keys.SessionRequest,
    ),
    Operation("get", "/ops/runbook", "Show the runbook", {200: Media("text/markdown")}, _OPS),
    Operation("get", "/ops/session", "Say who is signed in", {200: ops_keys.SessionView}, _OPS),
    Operation("delete", "/ops/session", "Sign out", {204: None}, ("csrf_invalid", *_OPS)),
    Operation(
        "get", "/ops/audit", "List what ops changed", {200: PageOf(ops.LogEntryView)}, ("invalid", *_OPS), None,
        ("target", "cursor", "limit"),
    ),
)  # fmt: skip

_PRODUCT = ("product_not_found", *_OPS)
_PRODUCTS = (
    Operation(
        "get", "/ops/products", "Search products", {200: catalogue.SearchPage}, ("invalid", *_OPS), None,
        ("q", "category*", "brand*", "min_price", "max_price", "sort", "cursor", "limit"),
    ),
    Operation(
        "put", "/ops/products/{product}", "Write a product", {200: products.ProductView}, ("conflict", *_BODY, *_OPS),
        products.ProductRequest,
    ),
    Operation("get", "/ops/products/{product}", "Show a product and its ledger", {200: products.ProductView}, _PRODUCT),
    Operation(
        "post", "/ops/products/{product}/stock", "Receive or adjust units", {200: products.StockView},
        ("conflict", *_BODY, *_PRODUCT), products.StockRequest,
    ),
    Operation("get", "/ops/products/{product}/prices", "Show price windows", {200: catalogue.PricesBody}, _PRODUCT),
    Operation(
        "put", "/ops/products/{product}/prices", "Replace price windows", {200: catalogue.PricesBody},
        (*_BODY, *_PRODUCT), catalogue.PricesBody,
    ),
    Operation(
        "post", "/ops/products:import", "Import products, one JSON object a line", {200: ops.ImportReport},
        (*_BODY, *_OPS), JSON_LINES, ("price_unit",),
    ),
)  # fmt: skip

_ORDERS = (
    Operation(
        "get", "/ops/orders", "List orders", {200: PageOf(orders.OrderSummaryView)}, ("invalid", *_OPS), None,
        ("sale", "customer", "status", "reason", "from", "to", "cursor", "limit"),
    ),
    Operation(
        "get", "/ops/orders:export", "Export orders as a file", {200: Media("text/csv")},
        ("invalid", "sale_not_found", *_OPS), None, ("sale", "status", "reason", "from", "to", "format"),
    ),
    Operation("get", "/ops/orders/{order}", "Show an order", {200: orders.OrderView}, ("order_not_found", *_OPS)),
    Operation(
        "post", "/ops/orders/{order}/transitions", "Move an order on", {200: orders.OrderView},
        ("order_not_found", "illegal_transition", "payment_open", *_BODY, *_OPS), ops.TransitionRequest,
    ),
    Operation(
        "post", "/ops/orders:transition", "Move many orders on", {200: JSON_LINES},
        ("too_large", "unsupported_media_type", *_OPS), JSON_LINES,
    ),
    Operation(
        "post", "/ops/orders/{order}/shipments", "Send a parcel", {201: fulfilment.ShipmentAnswer},
        ("order_not_found", "illegal_transition", "sold_out", *_BODY, *_OPS), fulfilment.ShipmentRequest,
        body_required=False,
    ),
    Operation(
        "patch", "/ops/orders/{order}/shipments/{shipment}", "Say what became of a parcel",
        {200: fulfilment.ShipmentAnswer}, ("order_not_found", "not_found", "illegal_transition", *_BODY, *_OPS),
        fulfilment.ShipmentChange,
    ),
    Operation(
        "post", "/ops/orders/{order}/refunds", "Give money back", {201: fulfilment.RefundAnswer},
        ("order_not_found", "idempotency_key_required", "illegal_transition", "idempotency_conflict",
         "refund_too_large", *_BODY, *_OPS),
        fulfilment.RefundRequest, (), ("Idempotency-Key",),
    ),
    Operation(
        "get", "/ops/dead-letters", "List dead letters", {200: PageOf(ops.DeadLetterView)},
        ("invalid", *_OPS), None, ("kind", "sale", "customer", "state", "cursor", "limit"),
    ),
    Operation(
        "get", "/ops/dead-letters/{letter}", "Show a dead letter", {200: ops.DeadLetterView}, ("not_found", *_OPS)
    ),
    Operation(
        "post", "/ops/dead-letters/{letter}/retry", "Try a dead letter again", {200: ops.Retried},
        ("not_found", "conflict", *_OPS),
    ),
    Operation(
        "post", "/ops/dead-letters/{letter}/discard", "Give a dead letter up", {200: ops.DeadLetterView},
        ("not_found", "conflict", *_BODY, *_OPS), ops.DiscardRequest,
    ),
    Operation(
        "get", "/ops/losses", "List losses of the order store", {200: PageOf(ops.LossView)},
        ("invalid", *_OPS), None, ("sale", "state", "cursor", "limit"),
    ),
    Operation("get", "/ops/losses/{loss}", "Show a loss", {200: ops.LossView}, ("not_found", *_OPS)),
    Operation(
        "post", "/ops/losses/{loss}/acknowledge", "Acknowledge a loss", {200: ops.LossView},
        ("not_found", "conflict", *_BODY, *_OPS), ops.AcknowledgeRequest,
    ),
)  # fmt: skip

_WEBHOOKS = (
    Operation(
        "post", "/ops/webhooks", "Make a webhook", {201: webhooks.WebhookSecret}, ("conflict", *_BODY, *_OPS),
        webhooks.WebhookRequest,
    ),
    Operation(
        "get", "/ops/webhooks", "List webhooks", {200: PageOf(webhooks.WebhookView)}, ("invalid", *_OPS), None,
        ("cursor", "limit"),
    ),
    Operation("get", "/ops/webhooks/{webhook}", "Show a webhook", {200: webhooks.WebhookView}, ("not_found", *_OPS)),
    Operation("delete", "/ops/webhooks/{webhook}", "Delete a webhook", {204: None}, ("not_found", *_OPS)),
    Operation(
        "post", "/ops/webhooks/{webhook}/rotate", "Rotate a webhook's secret", {200: webhooks.WebhookSecret},
        ("not_found", *_OPS),
    ),
    Operation(
        "post", "/ops/webhooks/{webhook}/resume", "Send to a webhook again", {200: webhooks.WebhookView},
        ("not_found", *_OPS),
    ),
    Operation(
        "post", "/ops/webhooks/{webhook}/test", "Send a test to a webhook", {202: webhooks.WebhookTest},
        ("not_found", *_OPS),
    ),
    Operation(
        "post", "/ops/webhooks/{webhook}/replay", "Send a webhook's events once more", {202: webhooks.ReplayView},
        ("not_found", *_BODY, *_OPS), webhooks.ReplayRequest,
    ),
    Operation(
        "get", "/ops/webhooks/{webhook}/deliveries", "List what a webhook was sent",
        {200: PageOf(webhooks.DeliveryView)}, ("not_found", "invalid", *_OPS), None, ("state", "cursor", "limit"),
    ),
)  # fmt: skip

_PROCESS = (
    Operation("get", "/healthz", "Say that the process is alive", {200: problems.Health}),
    Operation(
        "get",
        "/.well-known/doorbuster-loadtest",
        "Show the digest of LOADTEST_PROOF",
        {200: Media("text/plain")},
        ("not_found",),
    ),
    Operation(
        "get",
        "/readyz",
        "Say whether orders can be taken",
        {200: problems.Health, 503: problems.Health},
        ("not_found",),
    ),
    Operation("get", "/metrics", "Show metrics for Prometheus", {200: Media("text/plain")}, ("not_found",)),
    Operation("get", "/openapi.json", "Show this contract", {200: Media("application/json")}),
    Operation("get", "/docs", "Show this contract to people", {200: Media("text/html")}),
)

OPERATIONS = (*_STOREFRONT, *_WAITING, *_CATALOGUE, *_SALES, *_PRODUCTS, *_ORDERS, *_WEBHOOKS, *_PROCESS)
