# /// script
# requires-python = ">=3.11"
# dependencies = ["falcon>=4.2,<5", "httpx>=0.28,<0.29", "standardwebhooks>=1.1,<2"]
# ///
"""Takes Doorbuster's orders into WooCommerce: `python woocommerce.py serve` or `... import orders.jsonl`.

REST API v3, with WOOCOMMERCE_URL (https://SHOP.example), WOOCOMMERCE_KEY and WOOCOMMERCE_SECRET, a key that may read
and write.

Exactly once, although WooCommerce has no key for that: an order carries Doorbuster's id as its `transaction_id`, by
which it is searched, and as `_doorbuster_order_id` in its metadata, by which it is known. It is made as `pending`,
which moves no stock and sends no mail; then it is searched once more, copies that a lost answer left behind are put in
the bin, and only the oldest goes on. Refunds and parcels carry their ids in metadata and notes. Owns no state.

Limits: two processes that make the same order in the same instant may both go on: run one. The search must find orders
by transaction id: High-Performance Order Storage does; for the old storage the README has a filter. Where it does not,
the importer says so and lets no order go on. WooCommerce has no parcels: they become notes, `completed` when all left.
Tax that the shop's own rules add is taken out of the prices, which the shopper paid with tax; where the shop comes to
another total all the same (its decimals do not fit the currency), the order stays `pending` and is refused. The shop's
own mails are sent when an order goes on. A cancelled order whose money is all given back is `refunded` there.
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

API = "/wp-json/wc/v3"
MARK, REFUND_MARK = "_doorbuster_order_id", "_doorbuster_refund_id"
RANK = {"pending": 0, "on-hold": 1, "processing": 2, "completed": 3, "cancelled": 4, "refunded": 4}
"""How far an order is: it never goes back. In a state that a person gave it, it stays."""
ADDRESS = {"first_name": "first_name", "last_name": "last_name", "company": "company", "address1": "address_1",
           "address2": "address_2", "city": "city", "province": "state", "postal_code": "postcode",
           "country": "country", "phone": "phone"}  # fmt: skip


class WooCommerce:
    """Orders of a WooCommerce shop."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def bring(self, order: Order) -> None:
        """Bring an order, its parcels, refunds and state into the shop, as far as they lack."""
        found = self._find(order)
        if not found:
            made = self._ask("POST", "/orders", self._body(order))
            found = self._find(order)
            if not found:
                self._ask("DELETE", f"/orders/{made['id']}", force=False)
                raise Refused("the shop's search does not find orders by transaction id, see the README")
        there = self._elect(found)
        if there["status"] == "pending" and Decimal(there["total_tax"]):
            there = self._take_tax_out(order, there)
        if Decimal(there["total"]) != Decimal(order.major(order.total)):
            raise Refused(f"order {there['id']}: the shop comes to {there['total']}, not {order.major(order.total)}")
        if RANK.get(there["status"]) == 0:
            there = self._go_on(there, "processing" if order.paid else "on-hold")
        self._note_parcels(order, there)
        self._refund(order, there)
        self._go_on(there, goal(order))

    def _find(self, order: Order) -> list[dict[str, Any]]:
        """Return the order as often as the shop has it: once, or with copies of calls whose answers were lost."""
        found = self._ask("GET", "/orders", search=order.order_id, per_page=100, status="any")
        return [one for one in found if marks(one).get(MARK) == order.order_id]

    def _elect(self, found: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the one that counts, the first that went on, else the oldest; put the others in the bin."""
        first, *copies = sorted(found, key=lambda one: (one["status"] == "pending", one["id"]))
        for copy in copies:
            if copy["status"] != "pending":
                raise Refused(f"the shop has this order twice: {first['id']} and {copy['id']}")
            self._ask("DELETE", f"/orders/{copy['id']}", force=False)
        return first

    def _body(self, order: Order) -> dict[str, Any]:
        body: dict[str, Any] = {
            "status": "pending",
            "currency": order.currency,
            "payment_method": "doorbuster",
            "payment_method_title": "Doorbuster",
            "transaction_id": order.order_id,
            "line_items": [self._line(order, line) for line in order.lines],
            "meta_data": [{"key": MARK, "value": order.order_id},
                          {"key": "_doorbuster_sale_id", "value": order.sale_id},
                          {"key": "_doorbuster_customer_id", "value": order.customer_id}],
        }  # fmt: skip
        for kind, field in (("billing_address", "billing"), ("shipping_address", "shipping")):
            body[field] = {ADDRESS[key]: value for key, value in order.address(kind).items() if key in ADDRESS}
        for key in ("email", "phone"):
            if text := order.text(key):
                body["billing"][key] = text
        return body

    def _line(self, order: Order, line: dict[str, Any]) -> dict[str, Any]:
        """Return a line; where no product has the SKU, WooCommerce makes it one of the name alone."""
        costs = order.major(line["unit_price"] * line["quantity"])
        return {"sku": line["product_id"], "name": line["product_id"], "quantity": line["quantity"],
                "subtotal": costs, "total": costs,
                "meta_data": [{"key": "_doorbuster_line", "value": str(line["line"])}]}  # fmt: skip

    def _take_tax_out(self, order: Order, there: dict[str, Any]) -> dict[str, Any]:
        """Make the lines cost with the shop's tax what the shopper paid: WooCommerce has added it on top."""
        if Decimal(there["total"]) == Decimal(order.major(order.total)):
            return there
        lines = []
        for item in there["line_items"]:
            line = order.lines[int(marks(item)["_doorbuster_line"]) - 1]
            costs, total = Decimal(order.major(line["unit_price"] * line["quantity"])), Decimal(item["total"])
            net = costs * total / (total + Decimal(item["total_tax"])) if total else total
            lines.append({"id": item["id"], "subtotal": f"{net:.8f}", "total": f"{net:.8f}"})
        less: dict[str, Any] = self._ask("PUT", f"/orders/{there['id']}", {"line_items": lines})
        return less

    def _note_parcels(self, order: Order, there: dict[str, Any]) -> None:
        if not order.shipments:
            return
        path = f"/orders/{there['id']}/notes"
        noted = " ".join(one["note"] for one in self._ask("GET", path, type="internal"))
        for parcel in order.shipments:
            if parcel["shipment_id"] not in noted:
                units = ", ".join(f"{part['quantity']} of line {part['line']}" for part in parcel["lines"])
                by = " ".join(filter(None, (" by", parcel.get("carrier"), parcel.get("tracking"))))
                self._ask("POST", path, {"note": f"Left{by}: {units} (Doorbuster {parcel['shipment_id']})"})

    def _refund(self, order: Order, there: dict[str, Any]) -> None:
        if not order.refunds:
            return
        path = f"/orders/{there['id']}/refunds"
        booked = {marks(one).get(REFUND_MARK) for one in self._ask("GET", path, per_page=100)}
        for refund in order.refunds:
            if refund["refund_id"] not in booked:
                body = {"amount": order.major(refund["amount"]), "reason": refund["reason"],
                        "api_refund": False, "api_restock": False,
                        "meta_data": [{"key": REFUND_MARK, "value": refund["refund_id"]}]}  # fmt: skip
                self._ask("POST", path, body)

    def _go_on(self, there: dict[str, Any], status: str) -> dict[str, Any]:
        rank = RANK.get(there["status"])
        if rank is None or rank >= RANK[status]:
            return there
        went: dict[str, Any] = self._ask("PUT", f"/orders/{there['id']}", {"status": status})
        return went

    def _ask(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        return ask(self._http, method, API + path, body, **params)


def goal(order: Order) -> str:
    """Return how far the shop's order should be."""
    if order.cancelled:
        return "cancelled"
    if order.all_gone:
        return "completed"
    return "processing" if order.paid else "on-hold"


def marks(one: dict[str, Any]) -> dict[str, Any]:
    """Return an object's metadata by their keys."""
    return {meta["key"]: meta["value"] for meta in one["meta_data"]}


def make() -> System:
    """Return the shop that the environment names."""
    auth = (os.environ["WOOCOMMERCE_KEY"], os.environ["WOOCOMMERCE_SECRET"])
    return WooCommerce(httpx.Client(base_url=os.environ["WOOCOMMERCE_URL"], auth=auth, timeout=30))


if __name__ == "__main__":
    sys.exit(main(make))
