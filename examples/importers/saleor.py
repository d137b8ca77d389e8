# /// script
# requires-python = ">=3.11"
# dependencies = ["falcon>=4.2,<5", "httpx>=0.28,<0.29", "standardwebhooks>=1.1,<2"]
# ///
"""Takes Doorbuster's orders into Saleor: `python saleor.py serve` or `python saleor.py import orders.jsonl`.

GraphQL API of Saleor 3.14 or newer, with SALEOR_URL (https://SHOP/graphql/), SALEOR_TOKEN of an app that may
MANAGE_ORDERS, MANAGE_ORDERS_IMPORT and HANDLE_PAYMENTS, SALEOR_CHANNEL (its slug) and SALEOR_WAREHOUSE (its id).
SALEOR_SHIPPING_METHOD (its id) is for orders that are shipped, SALEOR_BILLING_ADDRESS (JSON as in the orders' metadata)
for those without an address, SALEOR_MAIL (an address) for those without one, SALEOR_STOCK is SKIP, UPDATE or FORCE.

Exactly once by design: `orderBulkCreate` takes Doorbuster's id as the order's `externalReference`, which is unique in
Saleor's database, so that no second order can come to be, whoever sends it. Amounts paid and given back are set, not
added; parcels are counted against the units that Saleor has as fulfilled. Owns no state.

Limits: the channel's currency must be the sale's. Prices are taken as net and gross alike, without tax. `orderFulfill`
has no key, so that of two calls of which the first was answered too late, both may count, as far as units are open.
Orders made in bulk bind no stock in Saleor; fulfilling takes it, and goes on where there is none. Units taken off
before they left stay in the order; their money is given back. What else Saleor cannot take of an order (a telephone
number that is none) it leaves out, and the importer says so.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
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

FIND = """query Find($id: String!) {
  order(externalReference: $id) {
    id status
    lines { id quantity quantityFulfilled metadata { key value } }
    transactions { id pspReference
      authorizedAmount { amount } chargedAmount { amount } refundedAmount { amount } } } }"""
VARIANT = """query Variant($sku: String!) {
  productVariants(first: 2, filter: {sku: [$sku]}) { edges { node { id sku } } } }"""
CREATE = """mutation Create($order: OrderBulkCreateInput!, $stock: StockUpdatePolicyEnum) {
  orderBulkCreate(orders: [$order], errorPolicy: IGNORE_FAILED, stockUpdatePolicy: $stock) {
    count results { order { id } errors { path message code } } errors { path message code } } }"""
FULFIL = """mutation Fulfil($order: ID!, $input: OrderFulfillInput!) {
  orderFulfill(order: $order, input: $input) { fulfillments { id } errors { field message code } } }"""
CANCEL = """mutation Cancel($id: ID!) {
  orderCancel(id: $id) { order { id status } errors { field message code } } }"""
PAY = """mutation Pay($id: ID!, $transaction: TransactionUpdateInput) {
  transactionUpdate(id: $id, transaction: $transaction) { transaction { id } errors { field message code } } }"""
BOOK = """mutation Book($id: ID!, $transaction: TransactionCreateInput!) {
  transactionCreate(id: $id, transaction: $transaction) { transaction { id } errors { field message code } } }"""
ADDRESS = {"first_name": "firstName", "last_name": "lastName", "company": "companyName", "address1": "streetAddress1",
           "address2": "streetAddress2", "city": "city", "province": "countryArea", "postal_code": "postalCode",
           "country": "country", "phone": "phone"}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where in Saleor orders belong."""

    channel: str
    warehouse: str
    shipping_method: str = ""
    stock: str = "SKIP"
    mail: str = ""
    billing_address: dict[str, str] = field(default_factory=dict)


class Saleor:
    """Orders of a Saleor shop."""

    def __init__(self, http: httpx.Client, place: Place) -> None:
        self._http, self._place = http, place
        self._variants: dict[str, str] = {}

    def bring(self, order: Order) -> None:
        """Bring an order, its payment, parcels, refunds and its end into the shop, as far as they lack."""
        there = self._find(order) or self._create(order)
        self._pay(order, there)
        if there["status"] in ("CANCELED", "EXPIRED"):
            return
        if order.cancelled:
            self._do(CANCEL, "orderCancel", id=there["id"])
        elif order.shipments:
            self._send_parcels(order, there)

    def _find(self, order: Order) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._ask(FIND, id=order.order_id)["order"]
        return found

    def _create(self, order: Order) -> dict[str, Any]:
        try:
            made = self._ask(CREATE, order=self._body(order), stock=self._place.stock)["orderBulkCreate"]
            errors = made["errors"] or [error for one in made["results"] for error in one["errors"] or ()]
        except Refused as why:
            errors = [{"message": str(why)}]
        there = self._find(order)
        if there is None:  # Also where it is refused because another importer was faster, it is found by now.
            raise Refused(f"orderBulkCreate: {errors}")
        if left_out := [error for error in errors if error.get("code") not in ("NOT_FOUND", "UNIQUE")]:
            log(order.order_id, f"is in the shop, but not all of it: {left_out}")
        return there

    def _body(self, order: Order) -> dict[str, Any]:
        billing, shipping = self._address(order, "billing_address"), self._address(order, "shipping_address")
        email = order.text("email") or self._place.mail
        if not (billing and email):
            raise Refused("Saleor wants an address and an e-mail: metadata, SALEOR_BILLING_ADDRESS, SALEOR_MAIL")
        body: dict[str, Any] = {
            "externalReference": order.order_id,
            "channel": self._place.channel,
            "createdAt": order.accepted_at,
            "status": "UNFULFILLED",
            "user": {"email": email},
            "billingAddress": billing,
            "shippingAddress": shipping,
            "currency": order.currency,
            "languageCode": "EN",
            "metadata": [{"key": "doorbuster_sale_id", "value": order.sale_id},
                         {"key": "doorbuster_customer_id", "value": order.customer_id}],
            "lines": [self._line(order, line) for line in order.lines],
        }  # fmt: skip
        if self._place.shipping_method:
            free = {"gross": "0", "net": "0"}
            body["deliveryMethod"] = {"shippingMethodId": self._place.shipping_method, "shippingPrice": free}
        if order.captured or order.authorised:
            body["transactions"] = [payment(order)]
        return body

    def _address(self, order: Order, kind: str) -> dict[str, Any]:
        address = order.address(kind) or self._place.billing_address
        known = {ADDRESS[key]: value for key, value in address.items() if key in ADDRESS}
        return known | {"country": known.get("country", "").upper(), "skipValidation": True} if known else {}

    def _line(self, order: Order, line: dict[str, Any]) -> dict[str, Any]:
        """Return a line; where no variant has the SKU, Saleor makes it one of the name alone.

        The variant is named by its id: Saleor (3.22) finds none by `variantSku`.
        """
        variant = self._variant(line["product_id"])
        costs = order.major(line["unit_price"] * line["quantity"])
        price = {"gross": costs, "net": costs}
        return {"productName": line["product_id"], "productSku": line["product_id"],
                "createdAt": order.accepted_at, "quantity": line["quantity"], "totalPrice": price,
                "undiscountedTotalPrice": price, "isGiftCard": False, "warehouse": self._place.warehouse,
                "isShippingRequired": bool(self._place.shipping_method),
                "metadata": [{"key": "doorbuster_line", "value": str(line["line"])}],
                **({"variantId": variant} if variant else {})}  # fmt: skip

    def _variant(self, sku: str) -> str | None:
        """Return the variant whose SKU is the product's id."""
        if sku not in self._variants:
            found = self._ask(VARIANT, sku=sku)["productVariants"]["edges"]
            if len(found) != 1:
                return None
            self._variants[sku] = found[0]["node"]["id"]
        return self._variants[sku]

    def _pay(self, order: Order, there: dict[str, Any]) -> None:
        """Set what was taken and given back; amounts only grow, so that old news change nothing."""
        ours = [one for one in there["transactions"] if one["pspReference"] == reference(order)]
        if not ours and order.captured:
            self._do(BOOK, "transactionCreate", id=there["id"], transaction=payment(order))
            there = self._find(order) or there
            ours = [one for one in there["transactions"] if one["pspReference"] == reference(order)]
        for one in ours:
            charged, back = (Decimal(str(one[key]["amount"])) for key in ("chargedAmount", "refundedAmount"))
            is_held = bool(one["authorizedAmount"]["amount"])
            if charged < Decimal(order.major(order.captured)) or (order.cancelled and is_held):
                self._do(PAY, "transactionUpdate", id=one["id"], transaction=amounts(order, is_held=is_held))
            if back < Decimal(order.major(order.refunded)):
                money = {"currency": order.currency, "amount": order.major(order.refunded)}
                self._do(PAY, "transactionUpdate", id=one["id"], transaction={"amountRefunded": money})

    def _send_parcels(self, order: Order, there: dict[str, Any]) -> None:
        item_of = {int(one["value"]): item for item in there["lines"] for one in item["metadata"]
                   if one["key"] == "doorbuster_line"}  # fmt: skip
        for parcel, lacks in order.parcels({line: item["quantityFulfilled"] for line, item in item_of.items()}):
            lines = [{"orderLineId": item_of[line]["id"],
                      "stocks": [{"quantity": units, "warehouse": self._place.warehouse}]}
                     for line, units in lacks.items()]  # fmt: skip
            asked = {"lines": lines, "notifyCustomer": False, "allowStockToBeExceeded": True,
                     "trackingNumber": parcel.get("tracking") or ""}  # fmt: skip
            self._do(FULFIL, "orderFulfill", order=there["id"], input=asked)

    def _do(self, document: str, name: str, **variables: Any) -> None:
        if errors := self._ask(document, **variables)[name]["errors"]:
            raise Refused(f"{name}: {errors}")

    def _ask(self, document: str, **variables: Any) -> dict[str, Any]:
        answer = ask(self._http, "POST", "", {"query": document, "variables": variables})
        if answer.get("errors"):
            codes = {one.get("extensions", {}).get("exception", {}).get("code") for one in answer["errors"]}
            what = [one.get("message") for one in answer["errors"]]
            if codes & {"OperationalError", "InterfaceError", "IntegrityError"}:  # Of Saleor's database.
                raise TryAgain(f"Saleor: {what}")
            raise Refused(f"Saleor: {what}")
        data: dict[str, Any] = answer["data"]
        return data


def reference(order: Order) -> str:
    """Return the name of an order's payment, unique in Saleor."""
    return f"doorbuster:{order.order_id}"


def payment(order: Order) -> dict[str, Any]:
    """Return an order's payment as it is booked at first."""
    return {"name": "Doorbuster", "pspReference": reference(order), **amounts(order, is_held=order.authorised > 0)}


def amounts(order: Order, *, is_held: bool) -> dict[str, Any]:
    """Return what was taken in all, whatever was given back of it, and what is still held beside it."""
    held = 0 if order.cancelled else max(0, order.authorised - order.captured)
    told = {"amountCharged": order.captured} | ({"amountAuthorized": held} if is_held else {})
    return {key: {"currency": order.currency, "amount": order.major(amount)} for key, amount in told.items()}


def make() -> System:
    """Return the shop that the environment names."""
    get = os.environ.get
    # Saleor's Dashboard shows ids of the type ShippingMethodType, which this call does not take.
    method = base64.b64decode(get("SALEOR_SHIPPING_METHOD", "")).replace(b"ShippingMethodType:", b"ShippingMethod:")
    place = Place(os.environ["SALEOR_CHANNEL"], os.environ["SALEOR_WAREHOUSE"], base64.b64encode(method).decode(),
                  get("SALEOR_STOCK", "SKIP"), get("SALEOR_MAIL", ""),
                  json.loads(get("SALEOR_BILLING_ADDRESS", "{}")))  # fmt: skip
    headers = {"Authorization": f"Bearer {os.environ['SALEOR_TOKEN']}"}
    return Saleor(httpx.Client(base_url=os.environ["SALEOR_URL"], headers=headers, timeout=30), place)


if __name__ == "__main__":
    sys.exit(main(make))
