# /// script
# requires-python = ">=3.11"
# dependencies = ["falcon>=4.2,<5", "httpx>=0.28,<0.29", "standardwebhooks>=1.1,<2"]
# ///
"""Takes Doorbuster's orders into Shopify: `python shopify.py serve` or `python shopify.py import orders.jsonl`.

GraphQL Admin API 2026-10, with SHOPIFY_URL (https://SHOP.myshopify.com) and SHOPIFY_TOKEN (scopes write_orders,
read_products, write_merchant_managed_fulfillment_orders); SHOPIFY_INVENTORY is BYPASS, or DECREMENT_IGNORING_POLICY
where Shopify counts the same units.

Exactly once, because an order's id is its metafield `doorbuster.order_id` of the type `id`: Shopify keeps its values
unique and finds an order by it. Each delivery looks first what is there and does only what is missing; refunds carry
`@idempotent` with their own id. Owns no state, never calls Shopify without having looked.

Limits: `fulfillmentCreate` has no key, so that of two calls of which the first was answered too late, both may count,
as far as Shopify has units open. Cancelling is a job of Shopify's; what it refunds itself is not asked for twice. The
shop's currency must be the sale's. Shopify lets through no more than five orders a minute in development stores.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any, Protocol
from wsgiref.simple_server import WSGIServer, make_server

import falcon
import httpx
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook, WebhookVerificationError

# ---- The same in each importer: the order that Doorbuster tells of, the calls, the receiver. -------------------------

SOLD = {"confirmed", "processing", "shipped", "delivered", "refunded"}
"""States of an order that was sold; one that is cancelled was sold if its history has one of them."""
BODY_MAX = 1024 * 1024
BUDGET_S, BUDGET_OF_FILE_S = 8.0, 300.0
"""How long one order may take: while a webhook's sender waits, and when a file is read."""
LOCKS = [threading.Lock() for _ in range(256)]
_BY_DECIMALS = {0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
                3: "BHD IQD JOD KWD LYD OMR TND", 4: "CLF UYW"}  # fmt: skip
DECIMALS = {code: decimals for decimals, codes in _BY_DECIMALS.items() for code in codes.split()}
"""Digits behind the point by ISO 4217, where they are not two."""


class TryAgain(Exception):  # noqa: N818
    """The shop does not answer now, or nobody knows what became of a call: begin anew, with a look, later."""

    def __init__(self, what: str, after_s: float = 0) -> None:
        super().__init__(what)
        self.after_s = after_s


class Refused(Exception):  # noqa: N818
    """The order cannot be taken in as things are; a person has to look at it."""


class Order:
    """An order as Doorbuster showed it at one moment. Later ones have more parcels and refunds, never fewer."""

    def __init__(self, view: dict[str, Any]) -> None:
        try:
            self.order_id, self.sale_id, self.customer_id = view["order_id"], view["sale_id"], view["customer_id"]
            self.status, self.accepted_at, self.currency = view["status"], view["accepted_at"], view["currency"]
            self.lines = [line | {"line": line.get("line", number)} for number, line in enumerate(view["lines"], 1)]
            if not isinstance(self.order_id, str):
                raise TypeError("order_id is not a text")
            history = [step["status"] for step in view.get("history") or ()]
            self.sold = bool(SOLD.intersection([self.status, *history]))
            if self.sold and not all(isinstance(line["unit_price"], int) for line in self.lines):
                raise ValueError("a price is not whole")
            self.total = sum(line["unit_price"] * line["quantity"] for line in self.lines) if self.sold else 0
            self.metadata: dict[str, Any] = view.get("metadata") or {}
            payment = view.get("payment") or {}
            self.captured = int(payment.get("captured") or 0)
            self.authorised = int(payment.get("authorised") or 0)
            kept = sum(line["unit_price"] * (line["quantity"] - self._off(line)) for line in self.lines if self.sold)
            self.paid = self.total == 0 or (self.captured > 0 and self.captured >= kept)
            self.refunds = [one for one in view.get("refunds") or () if one.get("status") != "failed"]
            self.refunded = sum(one["amount"] for one in self.refunds)
            self.shipments = list(view.get("shipments") or ())
        except (KeyError, TypeError, ValueError, AttributeError) as why:
            raise Refused(f"this is not an order as Doorbuster shows one: {why!r}") from why

    @property
    def cancelled(self) -> bool:
        """Return whether nothing of the order is wanted any more."""
        return bool(self.status == "cancelled")

    @staticmethod
    def _off(line: dict[str, Any]) -> int:
        return int(line.get("cancelled") or 0)

    def parcels(self, gone: dict[int, int]) -> list[tuple[dict[str, Any], dict[int, int]]]:
        """Return the parcels of which the shop lacks units, and which, given how many of each line it has as sent.

        Parcels are counted in the order in which Doorbuster lists them; units sent once more for lost ones count once.
        """
        has, open_units = dict(gone), {line["line"]: line["quantity"] - self._off(line) for line in self.lines}
        missing = []
        for parcel in self.shipments:
            lacks: dict[int, int] = {}
            for part in parcel["lines"]:
                line, units = part["line"], min(part["quantity"], open_units.get(part["line"], 0))
                open_units[line] = open_units.get(line, 0) - units
                known = min(units, has.get(line, 0))
                has[line] = has.get(line, 0) - known
                if units > known:
                    lacks[line] = lacks.get(line, 0) + units - known
            if lacks:
                missing.append((parcel, lacks))
        return missing

    @property
    def all_gone(self) -> bool:
        """Return whether every unit that is wanted has left."""
        return not self.cancelled and all(
            self._off(line) + int(line.get("shipped") or 0) >= line["quantity"] for line in self.lines
        )

    def major(self, amount: int) -> str:
        """Return an amount of minor units in the currency's own: 4900 EUR is 49.00, 4900 JPY 4900, 4900 KWD 4.900."""
        return f"{Decimal(amount).scaleb(-DECIMALS.get(self.currency, 2)):f}"

    def address(self, kind: str) -> dict[str, str]:
        """Return `shipping_address` or `billing_address` of the metadata, each of which stands in for the other."""
        other = "billing_address" if kind == "shipping_address" else "shipping_address"
        found = self.metadata.get(kind) or self.metadata.get(other) or {}
        if not isinstance(found, dict):
            raise Refused(f"metadata.{kind} is not an object")
        return {key: str(value) for key, value in found.items() if value not in (None, "")}

    def text(self, key: str) -> str:
        """Return a text of the metadata, empty if there is none."""
        return str(self.metadata.get(key) or "")


class System(Protocol):
    """The shop's order system."""

    def bring(self, order: Order) -> None:
        """Look what the shop has of an order that was sold, and do what is missing."""


def ask(http: httpx.Client, method: str, path: str, body: Any = None, **params: Any) -> Any:
    """Call the shop once. Whoever gets TryAgain knows nothing of what the call did."""
    try:
        answer = http.request(method, path, json=body, params=params or None)
    except httpx.TransportError as why:
        raise TryAgain(f"{method} {path}: {why!r}") from why
    if answer.status_code in (401, 403, 408, 409, 425, 429) or answer.status_code >= 500:
        asked = answer.headers.get("Retry-After", "")
        after_s = float(asked) if asked.replace(".", "", 1).isdigit() else 0
        raise TryAgain(f"{method} {path}: {answer.status_code} {answer.text[:200]}", after_s)
    if answer.status_code >= 400:
        raise Refused(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
    try:
        return answer.json()
    except ValueError as why:
        raise TryAgain(f"{method} {path}: not JSON: {answer.text[:200]}") from why


def take(system: System, view: Any, budget_s: float) -> bool:
    """Bring an order into the shop, with tries as long as the budget lasts; False: it was not sold, nothing to do."""
    order = Order(view)
    if not order.sold:
        return False
    until, tries = time.monotonic() + budget_s, 0
    lock = LOCKS[hash(order.order_id) % len(LOCKS)]
    if not lock.acquire(timeout=budget_s):
        raise TryAgain("another delivery of this order is at work", 1)
    try:
        while True:
            try:
                system.bring(order)
            except TryAgain as why:
                tries += 1
                wait_s = max(why.after_s, random.uniform(0.1, min(8.0, 0.2 * 2**tries)))  # noqa: S311
                if time.monotonic() + wait_s > until:
                    raise
                time.sleep(wait_s)
            except (KeyError, IndexError, TypeError, AttributeError, ArithmeticError) as why:
                raise Refused(f"the order or the shop's answer is not as expected: {why!r}") from why
            else:
                return True
    finally:
        lock.release()


class Receiver:
    """Takes webhooks after Standard Webhooks 1.0: 204 done or not ours, 422 refused, 503 to be sent again."""

    def __init__(self, system: System, secret: str) -> None:
        self._system, self._webhook = system, Webhook(secret)

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Take one; it is answered only when the shop has it."""
        body = req.bounded_stream.read(BODY_MAX + 1)
        if len(body) > BODY_MAX:
            raise falcon.HTTPContentTooLarge
        try:
            event = self._webhook.verify(body.decode(), dict(req.headers))
        except (WebhookVerificationError, ValueError) as why:
            raise falcon.HTTPBadRequest(title="signature_invalid") from why
        data = event.get("data") if isinstance(event, dict) else None
        view = data.get("order", data) if isinstance(data, dict) else None
        resp.status = falcon.HTTP_NO_CONTENT
        if not (isinstance(view, dict) and str(event.get("type", "")).startswith("order.")):
            return
        try:
            take(self._system, view, BUDGET_S)
        except Refused as why:
            log(event.get("id"), why)
            raise falcon.HTTPUnprocessableEntity(title="refused", description=str(why)) from why
        except TryAgain as why:
            log(event.get("id"), why)
            raise falcon.HTTPServiceUnavailable(title=str(why), retry_after=max(1, round(why.after_s))) from why


def log(what: object, why: object) -> None:
    """Say what went wrong with an order."""
    print(f"{what}: {why}", file=sys.stderr, flush=True)


def read_file(system: System, lines: Iterable[bytes]) -> int:
    """Take the orders of a JSON Lines file; return the exit code: 1 if one was refused or the shop is away."""
    done = refused = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            view = json.loads(line)
            done += take(system, view, BUDGET_OF_FILE_S)
        except (Refused, ValueError) as why:
            refused += 1
            log(f"line {number}", why)
        except TryAgain as why:
            log(f"line {number}", f"{why}; stopped here, begin again with the same file")
            return 1
    print(f"{done} orders are in the shop, {refused} refused", flush=True)
    return 1 if refused else 0


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


def main(make: Callable[[], System]) -> int:
    """Serve the receiver, or read a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    modes = parser.add_subparsers(dest="mode", required=True)
    serve = modes.add_parser("serve", help="receive webhooks, with the secret of DOORBUSTER_WEBHOOK_SECRET")
    serve.add_argument("--bind", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=9100)
    modes.add_parser("import", help="read an export").add_argument("file", help="JSON Lines; - is the standard input")
    told = parser.parse_args()
    try:
        system = make()
        receiver = Receiver(system, os.environ["DOORBUSTER_WEBHOOK_SECRET"]) if told.mode == "serve" else None
    except KeyError as why:
        parser.error(f"{why.args[0]} is not set")
    except (ValueError, EmptyWebhookSecretError) as why:
        parser.error(f"a setting is not well formed: {why}")
    if told.mode == "import":
        with contextlib.ExitStack() as stack:
            try:
                source = sys.stdin.buffer if told.file == "-" else stack.enter_context(Path(told.file).open("rb"))
            except OSError as why:
                parser.error(str(why))
            return read_file(system, source)
    app = falcon.App()
    app.add_route("/", receiver)
    with make_server(told.bind, told.port, app, _Server) as server:
        print(f"http://{told.bind}:{server.server_port}/", flush=True)
        server.serve_forever()
    return 0


# ---- Only here: the shop. --------------------------------------------------------------------------------------------

VERSION = "2026-10"
NAMESPACE, KEY = "doorbuster", "order_id"
DEFINED = """query Defined($namespace: String!, $key: String!) {
  metafieldDefinitions(first: 1, ownerType: ORDER, namespace: $namespace, key: $key) {
    nodes { id capabilities { uniqueValues { enabled } } } } }"""
DEFINE = """mutation Define($definition: MetafieldDefinitionInput!) {
  metafieldDefinitionCreate(definition: $definition) {
    createdDefinition { id } userErrors { code field message } } }"""
FIND = """query Find($id: UniqueMetafieldValueInput!) {
  orderByIdentifier(identifier: {customId: $id}) {
    id cancelledAt canMarkAsPaid
    lineItems(first: 50) { nodes { id customAttributes { key value } } }
    transactions(first: 20) { id kind status gateway }
    refunds(first: 50) { note } } }"""
SENT = """query Sent($id: ID!) {
  order(id: $id) {
    fulfillments(first: 20) { status fulfillmentLineItems(first: 20) { nodes { quantity lineItem { id } } } }
    fulfillmentOrders(first: 5) { nodes { id status lineItems(first: 20) {
      nodes { id remainingQuantity lineItem { id } } } } } } }"""
VARIANT = """query Variant($query: String!) {
  productVariants(first: 10, query: $query) { nodes { id sku } } }"""
CREATE = """mutation Create($order: OrderCreateOrderInput!, $options: OrderCreateOptionsInput) {
  orderCreate(order: $order, options: $options) { order { id } userErrors { code field message } } }"""
PAY = """mutation Pay($input: OrderMarkAsPaidInput!) {
  orderMarkAsPaid(input: $input) { order { id } userErrors { field message } } }"""
FULFIL = """mutation Fulfil($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) { fulfillment { id } userErrors { field message } } }"""
REFUND = """mutation Refund($input: RefundInput!, $key: String!) {
  refundCreate(input: $input) @idempotent(key: $key) { refund { id } userErrors { field message } } }"""
CANCEL = """mutation Cancel($id: ID!, $restock: Boolean!, $refund: OrderCancelRefundMethodInput, $note: String) {
  orderCancel(orderId: $id, reason: OTHER, restock: $restock, refundMethod: $refund, notifyCustomer: false,
    staffNote: $note) { job { id } orderCancelUserErrors { code field message } } }"""
ADDRESS = {"first_name": "firstName", "last_name": "lastName", "company": "company", "address1": "address1",
           "address2": "address2", "city": "city", "province": "provinceCode", "postal_code": "zip",
           "country": "countryCode", "phone": "phone"}  # fmt: skip


class Shopify:
    """Orders of a Shopify shop."""

    def __init__(self, http: httpx.Client, inventory: str = "BYPASS") -> None:
        self._http, self._inventory = http, inventory
        self._variants: dict[str, str] = {}
        self._is_defined = False

    def bring(self, order: Order) -> None:
        """Bring an order, its payment, parcels, refunds and its end into the shop, as far as they lack."""
        self._define()
        there = self._find(order) or self._create(order)
        if there["cancelledAt"]:
            return
        if order.cancelled:
            self._cancel(order, there)
            return
        if order.captured and order.paid and there["canMarkAsPaid"]:
            self._do(PAY, "orderMarkAsPaid", input={"id": there["id"]})
        if order.shipments:
            self._send_parcels(order, there)
        noted = " ".join(one["note"] or "" for one in there["refunds"])
        for refund in order.refunds:
            if refund["refund_id"] not in noted:
                self._refund(order, there, refund)

    def _define(self) -> None:
        """See to it that the shop keeps the ids of Doorbuster's orders unique, before the first order."""
        if self._is_defined:
            return
        known = self._ask(DEFINED, namespace=NAMESPACE, key=KEY)["metafieldDefinitions"]["nodes"]
        if not known:
            definition = {"name": "Doorbuster order", "namespace": NAMESPACE, "key": KEY, "type": "id",
                          "ownerType": "ORDER"}  # fmt: skip
            errors = self._ask(DEFINE, definition=definition)["metafieldDefinitionCreate"]["userErrors"]
            if any(error["code"] != "TAKEN" for error in errors):
                raise Refused(f"metafieldDefinitionCreate: {errors}")
        elif not known[0]["capabilities"]["uniqueValues"]["enabled"]:
            raise Refused(f"the metafield {NAMESPACE}.{KEY} of orders is not unique: make it anew with the type id")
        self._is_defined = True

    def _find(self, order: Order) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._ask(
            FIND, id={"namespace": NAMESPACE, "key": KEY, "value": order.order_id}
        )["orderByIdentifier"]
        return found

    def _create(self, order: Order) -> dict[str, Any]:
        made = self._ask(CREATE, order=self._body(order), options={"inventoryBehaviour": self._inventory})[
            "orderCreate"
        ]
        there = self._find(order)
        if there is None:  # Also where it is refused because another importer was faster, it is found by now.
            raise Refused(f"orderCreate: {made['userErrors'] or 'made, but not found by its id'}")
        return there

    def _body(self, order: Order) -> dict[str, Any]:
        body: dict[str, Any] = {
            "currency": order.currency,
            "processedAt": order.accepted_at,
            "sourceIdentifier": order.order_id,
            "tags": ["doorbuster"],
            "taxesIncluded": True,
            "metafields": [{"namespace": NAMESPACE, "key": KEY, "type": "id", "value": order.order_id}],
            "customAttributes": [{"key": "doorbuster_sale", "value": order.sale_id},
                                 {"key": "doorbuster_customer", "value": order.customer_id}],
            "lineItems": [self._line(order, line) for line in order.lines],
        }  # fmt: skip
        if order.captured:
            body["transactions"] = [
                {
                    "kind": "SALE",
                    "status": "SUCCESS",
                    "gateway": "doorbuster",
                    "amountSet": money(order, order.captured),
                }
            ]
        elif order.total:
            body["financialStatus"] = "PENDING"
        if email := order.text("email"):
            body |= {"email": email, "customer": {"toUpsert": {"email": email}}}
        if phone := order.text("phone"):
            body["phone"] = phone
        for kind, field in (("shipping_address", "shippingAddress"), ("billing_address", "billingAddress")):
            if address := order.address(kind):
                body[field] = {ADDRESS[key]: value for key, value in address.items() if key in ADDRESS}
        return body

    def _line(self, order: Order, line: dict[str, Any]) -> dict[str, Any]:
        sku = line["product_id"]
        body = {"title": sku, "sku": sku, "quantity": line["quantity"], "priceSet": money(order, line["unit_price"]),
                "requiresShipping": True,
                "properties": [{"name": "_doorbuster_line", "value": str(line["line"])}]}  # fmt: skip
        if variant := self._variant(sku):
            body["variantId"] = variant
        return body

    def _variant(self, sku: str) -> str | None:
        """Return the variant whose SKU is the product's id; without one the line has no variant, but its SKU."""
        if sku not in self._variants:
            quoted = sku.replace("\\", "\\\\").replace('"', '\\"')
            found = self._ask(VARIANT, query=f'sku:"{quoted}"')["productVariants"]["nodes"]
            fitting = [one["id"] for one in found if one["sku"] == sku]
            if len(fitting) != 1:
                return None
            self._variants[sku] = fitting[0]
        return self._variants[sku]

    def _send_parcels(self, order: Order, there: dict[str, Any]) -> None:
        sent = self._ask(SENT, id=there["id"])["order"]
        line_of = lines_of(there)
        gone: dict[int, int] = {}
        for one in sent["fulfillments"]:
            for part in one["fulfillmentLineItems"]["nodes"] if one["status"] != "CANCELLED" else ():
                line = line_of.get(part["lineItem"]["id"], 0)
                gone[line] = gone.get(line, 0) + (part["quantity"] or 0)
        for parcel, lacks in order.parcels(gone):
            for at in sent["fulfillmentOrders"]["nodes"]:
                parts = []
                for item in at["lineItems"]["nodes"] if at["status"] in ("OPEN", "IN_PROGRESS") else ():
                    line = line_of.get(item["lineItem"]["id"], 0)
                    units = min(lacks.get(line, 0), item["remainingQuantity"])
                    if units:
                        parts.append({"id": item["id"], "quantity": units})
                        lacks[line] -= units
                        item["remainingQuantity"] -= units
                if parts:
                    self._do(FULFIL, "fulfillmentCreate", fulfillment=fulfilment(at["id"], parts, parcel))
            if any(lacks.values()):
                raise Refused(f"shipment {parcel['shipment_id']}: the shop has not as many units open")

    def _refund(self, order: Order, there: dict[str, Any], refund: dict[str, Any]) -> None:
        item_of = {line: item for item, line in lines_of(there).items()}
        body: dict[str, Any] = {
            "orderId": there["id"],
            "notify": False,
            "note": f"{refund['reason'][:100]} (Doorbuster {refund['refund_id']})",
            "refundLineItems": [
                {"lineItemId": item_of[part["line"]], "quantity": part["quantity"], "restockType": "NO_RESTOCK"}
                for part in refund.get("lines") or ()
            ],
        }
        paid = [one for one in there["transactions"] if (one["kind"], one["status"]) == ("SALE", "SUCCESS")]
        if not paid:
            raise Refused(f"refund {refund['refund_id']}: the shop has no payment to give back")
        body["transactions"] = [{"orderId": there["id"], "parentId": paid[0]["id"], "gateway": paid[0]["gateway"],
                                 "kind": "REFUND", "amount": order.major(refund["amount"])}]  # fmt: skip
        self._do(REFUND, "refundCreate", input=body, key=refund["refund_id"])

    def _cancel(self, order: Order, there: dict[str, Any]) -> None:
        asked = {"id": there["id"], "restock": self._inventory != "BYPASS", "note": f"Doorbuster {order.order_id}",
                 "refund": {"originalPaymentMethodsRefund": True}}  # fmt: skip
        errors = self._ask(CANCEL, **asked)["orderCancel"]["orderCancelUserErrors"]
        if errors and not (self._find(order) or {}).get("cancelledAt"):
            raise Refused(f"orderCancel: {errors}")

    def _do(self, document: str, name: str, **variables: Any) -> None:
        if errors := self._ask(document, **variables)[name]["userErrors"]:
            raise Refused(f"{name}: {errors}")

    def _ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """Ask by GraphQL, where time-outs and throttling are told in the answer."""
        path = f"/admin/api/{VERSION}/graphql.json"
        answer = ask(self._http, "POST", path, {"query": document, "variables": variables})
        if errors := answer.get("errors"):
            codes = {one.get("extensions", {}).get("code") for one in errors} if isinstance(errors, list) else set()
            if codes & {"THROTTLED", "TIMEOUT", "INTERNAL_SERVER_ERROR", "IDEMPOTENCY_CONCURRENT_REQUEST"}:
                raise TryAgain(f"Shopify: {errors}", 1)
            raise Refused(f"Shopify: {errors}")
        data: dict[str, Any] = answer["data"]
        return data


def money(order: Order, amount: int) -> dict[str, Any]:
    """Return an amount in the shop's currency."""
    return {"shopMoney": {"amount": order.major(amount), "currencyCode": order.currency}}


def lines_of(there: dict[str, Any]) -> dict[str, int]:
    """Return the number of the line that each line item is."""
    marks = {item["id"]: {one["key"]: one["value"] for one in item["customAttributes"]}
             for item in there["lineItems"]["nodes"]}  # fmt: skip
    return {item: int(mark["_doorbuster_line"]) for item, mark in marks.items() if "_doorbuster_line" in mark}


def fulfilment(where: str, parts: list[dict[str, Any]], parcel: dict[str, Any]) -> dict[str, Any]:
    """Return what says that parts of a fulfilment order have left."""
    body: dict[str, Any] = {
        "lineItemsByFulfillmentOrder": [{"fulfillmentOrderId": where, "fulfillmentOrderLineItems": parts}],
        "notifyCustomer": False,
    }
    tracking = {"company": parcel.get("carrier"), "number": parcel.get("tracking")}
    if tracking := {key: value for key, value in tracking.items() if value}:
        body["trackingInfo"] = tracking
    return body


def make() -> System:
    """Return the shop that the environment names."""
    headers = {"X-Shopify-Access-Token": os.environ["SHOPIFY_TOKEN"]}
    http = httpx.Client(base_url=os.environ["SHOPIFY_URL"], headers=headers, timeout=20)
    return Shopify(http, os.environ.get("SHOPIFY_INVENTORY", "BYPASS"))


if __name__ == "__main__":
    sys.exit(main(make))
