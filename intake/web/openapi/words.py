"""The words of `/openapi.json`: tags, descriptions, what parameters and headers mean. Owns text alone.

An operation without words of its own has its summary.
"""

from __future__ import annotations

TAGS = {
    "Orders": "For storefronts: take an order durably, show and follow it, cancel it.",
    "Waiting room": "For storefronts and browsers: take a place, watch the room, claim the admission.",
    "Pages": "For shoppers: pages that work without a script.",
    "Catalogue": "Products, listings and search, from copies and replicas; cacheable.",
    "Payments": "For the payment provider: its callbacks.",
    "Ops: sales": "Make, change, steer and pre-warm sales. Needs the ops key.",
    "Ops: products": "Products, prices and stock. Needs the ops key.",
    "Ops: orders": "Find orders, move them on, deal with dead letters. Needs the ops key.",
    "Ops: webhooks": "Endpoints that are told what happens, and what each was sent. Needs the ops key.",
    "Ops: system": "How everything is, and what ops changed. Needs the ops key.",
    "Process": "How a process is, and this contract.",
}
_BY_PREFIX = (
    ("/ops/sales", "Ops: sales"),
    ("/ops/products", "Ops: products"),
    ("/ops/orders", "Ops: orders"),
    ("/ops/dead-letters", "Ops: orders"),
    ("/ops/losses", "Ops: orders"),
    ("/ops/webhooks", "Ops: webhooks"),
    ("/ops/", "Ops: system"),
    ("/sales/{sale}/room", "Waiting room"),
    ("/sales/{sale}/wait", "Pages"),
    ("/shop/", "Pages"),
    ("/products", "Catalogue"),
    ("/search", "Catalogue"),
    ("/orders", "Orders"),
    ("/payments", "Payments"),
    ("/sales", "Orders"),
)

DESCRIPTIONS = {
    "post /payments/{provider}/events": (
        "For the provider of `PAYMENT_PROVIDER` alone, which signs its callbacks: `stripe` with `Stripe-Signature`, "
        "`simulated` as Standard Webhooks 1.0 says. A callback is a hint: the provider is asked what it has of the "
        "order, so one that comes twice, late or out of order does no harm, and 200 is also the answer to what is "
        "unknown or old news. 503: send it again."
    ),
    "post /sales/{sale}/orders": (
        "202 once the order lies durably in the order store: from there on nothing loses it. Whether it gets its units "
        "is decided in its turn, first accepted first served. Repeat a call whose answer is unknown with the same "
        "`Idempotency-Key` and body: it never makes a second order. Where a waiting room stands before the sale, send "
        "the admission as bearer token; a browser on the same host sends it by cookie. With `Prefer: wait=5` the "
        "answer waits for the decision: 201 with the order, or 409 with why not."
    ),
    "post /sales/{sale}/orders:batch": (
        "For a storefront's server: JSON Lines, an order a line, as the post of one takes it, with its "
        "`idempotency_key`, and its `admission` where a waiting room asks for one. 200 once every line is decided: a "
        "verdict a line, in their order, with the status that the order alone would have been answered; 202 is as "
        "durable as there. What is wrong with a line is told in its verdict, and the others go on. Send the same lines "
        "again after anything that went wrong: they never make a second order."
    ),
    "get /orders/{order}": "`status` is `accepted` until the order was decided in its turn; then it is its state.",
    "get /orders/{order}/events": (
        "Server-sent events, from the first or behind `Last-Event-ID`: `transition`, or `line_cancelled`, `shipment`, "
        "`refund`, `action_required`, `served`. Ends after a final state, after five minutes, or when the server "
        "stops. 204: all was told already."
    ),
    "post /orders/{order}/cancel": (
        "Takes off what `lines` name, or all that has not left, gives the units back and the money that was taken for "
        "them. What has left already is 409. Not safe to repeat blindly: read the order after an unknown outcome. An "
        "order that is only accepted cannot be cancelled yet: try again in a moment."
    ),
    "post /sales/{sale}/room/tickets": (
        "Make `visitor_id` and a secret once a visitor and keep both; send the secret's SHA-256. Again gives the same "
        "place. With an access code that has quota left the admission comes at once."
    ),
    "get /sales/{sale}/room": (
        "One small document, the same for everyone and cacheable for a second. A visitor's position is its place minus "
        "`frontier`; ask again as `poll` says."
    ),
    "post /sales/{sale}/room/admissions": (
        "200 with the admission when the place is reached; 202 with position and `Retry-After` when not yet; 410 when "
        "there is nothing to wait for, and the code says why."
    ),
    "delete /sales/{sale}/room/tickets/{ticket}": (
        "204: place or slot is free for others. 200 with how many orders were accepted before: it was faster."
    ),
    "get /search": "Words in any order; categories and brands may be given several times; prices are regular ones.",
    "post /ops/sales": (
        "Without a window it is open at once and never ends. `quantity` is the allotment, `limits` the most units "
        "that one customer, e-mail, card, address or device may have, `price` the price in this sale. `payment` says "
        "when money is taken: at the confirmation, at shipping, or never. Partitions never change afterwards."
    ),
    "patch /ops/sales/{sale}": "What is left out stays; `products` replaces the list; null is the default again.",
    "post /ops/sales/{sale}/close": "For good: a closed sale never opens again. What was accepted is worked off.",
    "post /ops/sales/{sale}/prewarm": (
        "Publishes the gates, fills the caches, the buffers of Postgres and the CDN, and looks at everything that the "
        "sale needs, as the clock does ahead of its start; the answer is a report too."
    ),
    "get /ops/sales/{sale}/prewarm": "Newest first, the last 200: of the clock, and of ops by hand.",
    "post /ops/sales/{sale}/room/revoke": (
        "Begins a new epoch of the room. `revoked` is how many admissions were out, null if the room's store does not "
        "say."
    ),
    "get /ops/sales": "With `shadows=true` the shadows that rehearsals sell, and no sale.",
    "post /ops/sales/{sale}/rehearsals": (
        "Makes a shadow of the sale: its products, terms and room, own stream, own units, the simulated payment "
        "provider. It is in no list, search, webhook or report, and is removed when the rehearsal ends or nobody "
        "renews its lease, 30 s. One at a time; beside a sale that is on only with `beside_live`."
    ),
    "patch /ops/sales/{sale}/rehearsals/{rehearsal}": "`{}` renews the lease. The result is left once.",
    "delete /ops/sales/{sale}/rehearsals/{rehearsal}": (
        "202: the workers are still at it; it goes on by itself. Its result stays."
    ),
    "post /ops/keys": (
        "The answer shows the key, this once: only its digest is kept. A key of the role `view` reads everything, "
        "`operate` works with sales, rooms, products and orders too, `admin` does what cannot be undone, and keys."
    ),
    "delete /ops/keys/{key}": "Every process refuses it within a second. Again changes nothing.",
    "get /ops/sales/{sale}/report": (
        "JSON; with `Accept: text/html` a page to print, with `text/csv` the minutes. The scheduler writes it once "
        "when the sale is over and settled; before that, and with `fresh`, it is as of now. Money is as of "
        "`written_at`."
    ),
    "get /ops/promises": (
        "What `doorbuster audit` prints: of all sales together. Reads nearly everything there is, in up to a minute: "
        "one at a time, who asks meanwhile gets the same answer or a 503."
    ),
    "get /ops/sales/{sale}/live": "With `Accept: text/event-stream` a stream: an event a second, its data this JSON; "
    "`history` in the first alone. What nobody can know now is null, and `troubles` says why.",
    "get /ops/status": "200 also when something is amiss: `ok` says so, `troubles` names each in a line.",
    "post /ops/products/{product}/stock": (
        "`receive` adds units, `adjust` corrects the count up or down with a reason. Not safe to repeat: read the "
        "ledger after an unknown outcome."
    ),
    "post /ops/products:import": "JSON Lines, a product a line. Bad lines are named, the others are taken.",
    "post /ops/orders/{order}/transitions": (
        "As the state machine allows: `shipped` sends all that is open as one parcel, `cancelled` takes all off that "
        "is open, `refunded` gives back all that was taken; `restock` gives units back when refunding."
    ),
    "post /ops/orders:transition": (
        "JSON Lines, an order a line: `{order_id, to, reason?, restock?, carrier?, tracking?}`, at most 4 KiB each. "
        "Each line is done by itself, in their order, and answered by a line: `{line, order_id, status, changed}`, or "
        "`{line, order_id, code, problem, allowed?}`. Safe to send again: an order that is there already has "
        "`changed: false`."
    ),
    "post /ops/orders/{order}/shipments": (
        "Without `lines`, or without a body: all that is open, else all that was lost on the way. The last open unit "
        "makes the order `shipped`. Where money is taken at shipping, what the parcel costs is taken. Not safe to "
        "repeat blindly."
    ),
    "patch /ops/orders/{order}/shipments/{shipment}": (
        "`delivered` or `lost`, which are for good; carrier and tracking may be corrected at any time. When nothing is "
        "on its way and nothing is missing, the order is `delivered`."
    ),
    "post /ops/orders/{order}/refunds": (
        "For `lines`, or as an `amount`, or an amount for lines. Units that have not left are taken off by it and go "
        "back to stock; units that left do with `restock`. Safe to repeat with the same `Idempotency-Key`. 422 "
        "`refund_too_large`: more than was taken and is not given back, refunds under way counted."
    ),
    "get /ops/dead-letters": (
        "Accepted entries that could not become orders (`order`), deliveries that an endpoint did not take "
        "for too long "
        "(`delivery`), what the payment provider will not do (`payment`); newest first."
    ),
    "post /ops/dead-letters/{letter}/retry": (
        "An order's entry goes to the end of its stream; a delivery is sent again, a payment's step asked for again. "
        "What fails again stays the one dead letter."
    ),
    "get /ops/losses": (
        "Times that the order store came back without the last it had accepted, partition by partition, newest first: "
        "those `open`, where orders are lost or nobody knows, unless `state` says otherwise."
    ),
    "post /ops/losses/{loss}/acknowledge": (
        "Alert, readiness and status are silent about it from then on; the audit counts it for ever. What is found "
        "lost later is a loss of its own."
    ),
    "post /ops/webhooks": (
        "The secret is shown here and never again. Without `events` the endpoint gets all types; it is told what "
        "happens from now on, earlier events come by a replay. A URL with a private address is refused unless "
        "`WEBHOOK_ALLOW_PRIVATE` is set."
    ),
    "post /ops/webhooks/{webhook}/rotate": "The new secret is shown here alone. For 24 hours both sign.",
    "post /ops/webhooks/{webhook}/resume": "Also one that is paused, disabled or backs off: what waits goes at once.",
    "post /ops/webhooks/{webhook}/test": (
        "Sent once, before all else, also to an endpoint that is paused or disabled; `deliveries` says what came of it."
    ),
    "post /ops/webhooks/{webhook}/replay": (
        "Events from `since` until before `until` (now), of one order with `order_id`, under the ids that they had. "
        "Changes of products are not among them."
    ),
    "get /ops/orders:export": (
        "In the order of acceptance, a line an order: `csv` for spreadsheets, or `jsonl`, each line as "
        "`GET /orders/{order}` shows the order. The file is whole only if the answer ends as chunked answers do "
        "(to HTTP/1.0: if no reset ends it)."
    ),
    "get /readyz": "503 names the check that fails. Use `/healthz` to restart, this one to route.",
}

PARAMETERS = {
    "provider": "The payment provider's name, as `PAYMENT_PROVIDER` has it.",
    "sale": "The sale's id.",
    "order": "The order's id, a UUID.",
    "product": "The product's id.",
    "preview": "`true`: of a sale that is not over, what there is so far.",
    "fresh": "`true`: as of now, and not as it was written.",
    "standalone": "`true`: a page that needs no other file.",
    "history_s": "Of how many seconds the past is wanted, too.",
    "shadows": "`true`: the shadows that rehearsals sell, and no sale.",
    "rehearsal": "The rehearsal's number.",
    "ticket": "The ticket that joining gave.",
    "verb": "What to do.",
    "shipment": "The parcel's id, a UUID.",
    "letter": "The dead letter's id: a number, or one like `delivery-7` or `payment-7`.",
    "loss": "The loss's number, `loss_id`.",
    "kind": "Of this kind alone: `order`, `delivery` or `payment`.",
    "key": "The key's number, `key_id`.",
    "webhook": "The webhook's number.",
    "cursor": "`next_cursor` of the page before.",
    "limit": "Most items of the page.",
    "q": "What is searched for.",
    "category": "Of this category.",
    "brand": "Of this brand.",
    "min_price": "Regular price at least, in minor units.",
    "max_price": "Regular price at most, in minor units.",
    "sort": "The order of what is found.",
    "reason": "Cancelled or waiting for this reason.",
    "from": "Accepted then or later.",
    "to": "Accepted before.",
    "format": "The form of the file; `csv` if nothing is said.",
    "customer": "Of this customer.",
    "status": "In this state.",
    "state": "In this state.",
    "price_unit": "Whether prices are in minor units (4900) or in major ones (49.00).",
    "target": (
        "Of this target alone: `sale:ID`, `product:ID`, `order:ID`, `webhook:N`, `dead_letter:N`, `loss:N`, "
        "`ops_key:N` or `catalogue`."
    ),
    "Idempotency-Key": (
        "The caller's name for one attempt to order, or for one refund: 1 to 255 visible ASCII characters."
    ),
    "Prefer": "`wait=S`: hold the answer back until the order is decided, at most S seconds (30).",
    "Last-Event-ID": "Resume behind this event.",
    "If-None-Match": "The `ETag` at hand: 304 if it is still that.",
    "X-Ticket-Secret": "Proof that the ticket is the visitor's.",
    "X-Operator": "Who makes the change, for the log; at most 128 printable characters, not checked.",
}

HEADERS = {
    "Location": "Where the order is.",
    "Idempotency-Replayed": "`true`: this key was accepted before, and this is its answer again.",
    "Preference-Applied": "The wait that was granted.",
    "Retry-After": "Seconds until it is worth to ask again.",
    "ETag": "The version; send it as `If-None-Match`.",
    "Cache-Control": "How long caches may keep it.",
    "Link": '`rel="waiting-room"`: where to wait for leave to order.',
    "WWW-Authenticate": "Which scheme is asked for.",
}

SCHEMES = {
    "ops_key": {"type": "http", "scheme": "bearer", "description": "`OPS_KEY`, as `Authorization: Bearer KEY`."},
    "storefront_key": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Storefront-Key",
        "description": "One of `STOREFRONT_KEYS`; needed for orders without an admission where any are set.",
    },
    "admission": {
        "type": "http",
        "scheme": "bearer",
        "description": (
            "The `admission` that the waiting room gave, as `Authorization: Bearer ADMISSION`; good for one sale until "
            "`expires_at`."
        ),
    },
    "admission_cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "doorbuster_admission_N",
        "description": "The same for browsers, set by the waiting page; N is the sale's number.",
    },
}


def tag_of(path: str) -> str:
    """Return the tag of a path's operations."""
    return next((tag for prefix, tag in _BY_PREFIX if path.startswith(prefix)), "Process")
