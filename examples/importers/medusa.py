# /// script
# requires-python = ">=3.11"
# dependencies = ["falcon>=4.2,<5", "httpx>=0.28,<0.29", "standardwebhooks>=1.1,<2"]
# ///
"""Takes Doorbuster's orders into Medusa: `python medusa.py serve` or `python medusa.py import orders.jsonl`.

Admin API of Medusa 2 (2.8.4 or newer), with MEDUSA_URL, MEDUSA_KEY (a secret API key), MEDUSA_REGION,
MEDUSA_SALES_CHANNEL and, for parcels, MEDUSA_SHIPPING_OPTION; MEDUSA_LOCATION is their stock location, if another.

Exactly once, although Medusa has no key for that: an order carries Doorbuster's id in its metadata, and is searched by
its e-mail address, since metadata cannot be; one without an address gets one made of its id under MEDUSA_MAIL_DOMAIN.
It is made as a draft, which binds no stock; then it is searched once more, copies that a lost answer left behind are
deleted, and only the oldest is converted to an order. Refunds and parcels carry their ids in notes and metadata. Owns
no state.

Limits: two processes that make the same order in the same instant may both go on: run one. The sales channel must have
the units in its stock. Prices have to include tax in the region: where Medusa comes to another total, the draft stays a
draft and is refused. Payments are booked by the provider `pp_system_default`, which moves no money, when all is paid.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
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

MARK, LINE_MARK, PARCEL_MARK = "doorbuster_order_id", "doorbuster_line", "doorbuster_shipment_id"
FIELDS = ",".join([
    "id", "status", "total", "created_at", "metadata", "*items", "*items.detail", "*payment_collections",
    "*payment_collections.payments", "*payment_collections.payments.refunds", "*fulfillments", "*fulfillments.items",
])  # fmt: skip
PAGE = 50
ADDRESS = {"first_name": "first_name", "last_name": "last_name", "company": "company", "address1": "address_1",
           "address2": "address_2", "city": "city", "province": "province", "postal_code": "postal_code",
           "country": "country_code", "phone": "phone"}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where in Medusa orders belong."""

    region: str
    sales_channel: str
    shipping_option: str = ""
    location: str = ""
    mail_domain: str = "doorbuster.invalid"


class Medusa:
    """Orders of a Medusa shop."""

    def __init__(self, http: httpx.Client, place: Place) -> None:
        self._http, self._place = http, place
        self._variants: dict[str, str] = {}

    def bring(self, order: Order) -> None:
        """Bring an order, its payment, parcels, refunds and its end into the shop, as far as they lack."""
        there = self._converted(order)
        if there["status"] == "canceled":
            return
        if order.captured and order.paid:
            self._pay(order, there)
        if order.cancelled:
            self._ask("POST", f"/admin/orders/{there['id']}/cancel")
            return
        if order.shipments:
            self._send_parcels(order, there)
        if order.refunds:
            self._refund(order, self._again(there))

    def _converted(self, order: Order) -> dict[str, Any]:
        """Return the order as Medusa has it, after it was made, and converted from the oldest draft."""
        orders, drafts = self._find(order, "orders"), self._find(order, "draft_orders")
        if not orders and not drafts:
            made = self._ask("POST", "/admin/draft-orders", self._body(order))["draft_order"]
            orders, drafts = self._find(order, "orders"), self._find(order, "draft_orders")
            if not orders and not drafts:
                self._ask("DELETE", f"/admin/draft-orders/{made['id']}")
                raise Refused("the draft that was made is not found by its e-mail address")
        if len(orders) > 1:
            raise Refused(f"the shop has this order twice: {orders[0]['id']} and {orders[1]['id']}")
        for copy in drafts if orders else drafts[1:]:
            self._ask("DELETE", f"/admin/draft-orders/{copy['id']}")
        if orders:
            return orders[0]
        if Decimal(str(drafts[0]["total"])) != Decimal(order.major(order.total)):
            comes_to = drafts[0]["total"]
            raise Refused(f"draft {drafts[0]['id']}: the shop comes to {comes_to}, not {order.major(order.total)}")
        self._ask("POST", f"/admin/draft-orders/{drafts[0]['id']}/convert-to-order")
        return self._again(drafts[0])

    def _find(self, order: Order, kind: str) -> list[dict[str, Any]]:
        """Return the order as often as the shop has it among its orders or drafts, oldest first."""
        found: list[dict[str, Any]] = []
        for offset in itertools.count(0, PAGE):
            page = self._ask("GET", f"/admin/{kind.replace('_', '-')}", q=self._email(order), limit=PAGE, offset=offset,
                             order="created_at", fields=FIELDS)  # fmt: skip
            found += [one for one in page[kind] if (one["metadata"] or {}).get(MARK) == order.order_id]
            if offset + PAGE >= page["count"]:
                return sorted(found, key=lambda one: (str(one["created_at"]), str(one["id"])))
        return found

    def _again(self, there: dict[str, Any]) -> dict[str, Any]:
        again: dict[str, Any] = self._ask("GET", f"/admin/orders/{there['id']}", fields=FIELDS)["order"]
        return again

    def _email(self, order: Order) -> str:
        return order.text("email") or f"{order.order_id}@{self._place.mail_domain}"

    def _body(self, order: Order) -> dict[str, Any]:
        body: dict[str, Any] = {
            "region_id": self._place.region,
            "sales_channel_id": self._place.sales_channel,
            "currency_code": order.currency.lower(),
            "email": self._email(order),
            "no_notification_order": True,
            "items": [self._item(order, line) for line in order.lines],
            "metadata": {MARK: order.order_id, "doorbuster_sale_id": order.sale_id,
                         "doorbuster_customer_id": order.customer_id},
        }  # fmt: skip
        for kind in ("shipping_address", "billing_address"):
            if address := order.address(kind):
                body[kind] = {ADDRESS[key]: value.lower() if key == "country" else value
                              for key, value in address.items() if key in ADDRESS}  # fmt: skip
        if self._place.shipping_option:
            body["shipping_methods"] = [
                {"name": "Doorbuster", "shipping_option_id": self._place.shipping_option, "amount": 0}
            ]
        return body

    def _item(self, order: Order, line: dict[str, Any]) -> dict[str, Any]:
        sku = line["product_id"]
        variant = self._variant(sku)
        return {"quantity": line["quantity"], "unit_price": order.major(line["unit_price"]),
                "metadata": {LINE_MARK: line["line"]},
                **({"variant_id": variant} if variant else {"title": sku, "variant_sku": sku})}  # fmt: skip

    def _variant(self, sku: str) -> str | None:
        """Return the variant whose SKU is the product's id; without one the item has no variant, but its SKU."""
        if sku not in self._variants:
            found = self._ask("GET", "/admin/product-variants", sku=sku, fields="id,sku", limit=2)["variants"]
            if len(found) != 1:
                return None
            self._variants[sku] = found[0]["id"]
        return self._variants[sku]

    def _pay(self, order: Order, there: dict[str, Any]) -> None:
        collections = there["payment_collections"] or []
        if any(one["payments"] for one in collections):
            return
        unpaid = [one["id"] for one in collections if one["status"] == "not_paid"]
        if not unpaid:
            body = {"order_id": there["id"], "amount": number(order, order.captured)}
            unpaid = [self._ask("POST", "/admin/payment-collections", body)["payment_collection"]["id"]]
        self._ask("POST", f"/admin/payment-collections/{unpaid[0]}/mark-as-paid", {"order_id": there["id"]})

    def _send_parcels(self, order: Order, there: dict[str, Any]) -> None:
        item_of = {int(item["metadata"][LINE_MARK]): item for item in there["items"] if item["metadata"]}
        gone = {line: int(item["detail"]["fulfilled_quantity"]) for line, item in item_of.items()}
        path = f"/admin/orders/{there['id']}/fulfillments"
        place = {"location_id": self._place.location} if self._place.location else {}
        for parcel, lacks in order.parcels(gone):
            for ships in (True, False):  # Medusa takes what needs shipping and what does not apart.
                units = {line: lacks[line] for line in lacks if item_of[line]["requires_shipping"] == ships}
                body = {
                    "items": [{"id": item_of[line]["id"], "quantity": quantity} for line, quantity in units.items()],
                    "no_notification": True,
                    "metadata": {PARCEL_MARK: parcel["shipment_id"]},
                }
                if units:
                    self._ask("POST", path, body | place)
        tracking_of = {parcel["shipment_id"]: parcel.get("tracking") for parcel in order.shipments}
        for one in self._again(there)["fulfillments"] or []:
            mark = (one["metadata"] or {}).get(PARCEL_MARK)
            if mark in tracking_of and not one["shipped_at"] and not one["canceled_at"]:
                tracking = tracking_of[mark]
                labels = [{"tracking_number": tracking, "tracking_url": "#", "label_url": "#"}] if tracking else []
                items = [{"id": item["line_item_id"], "quantity": item["quantity"]} for item in one["items"]]
                body = {"items": items, "labels": labels, "no_notification": True}
                self._ask("POST", f"{path}/{one['id']}/shipments", body)

    def _refund(self, order: Order, there: dict[str, Any]) -> None:
        payments = [one for collection in there["payment_collections"] or [] for one in collection["payments"] or []]
        noted = " ".join(refund["note"] or "" for one in payments for refund in one["refunds"] or [])
        for refund in order.refunds:
            if refund["refund_id"] in noted:
                continue
            if not payments:
                raise Refused(f"refund {refund['refund_id']}: the shop has no payment to give back")
            body = {"amount": number(order, refund["amount"]),
                    "note": f"{refund['reason'][:100]} (Doorbuster {refund['refund_id']})"}  # fmt: skip
            self._ask("POST", f"/admin/payments/{payments[0]['id']}/refund", body)

    def _ask(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        return ask(self._http, method, path, body, **params)


def number(order: Order, amount: int) -> float:
    """Return an amount as the number in JSON that these calls want."""
    return float(order.major(amount))


def make() -> System:
    """Return the shop that the environment names."""
    get = os.environ.get
    place = Place(os.environ["MEDUSA_REGION"], os.environ["MEDUSA_SALES_CHANNEL"], get("MEDUSA_SHIPPING_OPTION", ""),
                  get("MEDUSA_LOCATION", ""), get("MEDUSA_MAIL_DOMAIN", "doorbuster.invalid"))  # fmt: skip
    http = httpx.Client(base_url=os.environ["MEDUSA_URL"], auth=(os.environ["MEDUSA_KEY"], ""), timeout=30)
    return Medusa(http, place)


if __name__ == "__main__":
    sys.exit(main(make))
