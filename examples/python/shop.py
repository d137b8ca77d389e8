"""A storefront on a server, in Python: `python examples/python/shop.py --sale spring --product lamp`.

Owns its customers and what they try to buy; Doorbuster owns orders and stock. Never makes a second key for one attempt.
The attempts are in memory here: a real shop keeps them in its database, for they must outlive its process.
"""

from __future__ import annotations

import argparse
import html
import uuid
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIServer, make_server

import falcon
import httpx

WAIT_S = 5
"""How long Doorbuster may hold its answer back until the order is decided."""
TRIES = 3
KNOWN = {"sold_out": "Sold out.", "limit_exceeded": "You have as many as one customer may have.",
         "sale_not_open": "The sale takes no orders now."}  # fmt: skip
STATUS = {"accepted": "We have your order.", "pending": "It is reserved for you.",
          "confirmed": "It is yours. Thank you!", "cancelled": "Your order was cancelled."}  # fmt: skip
ADMITTED = """<script>
  // The room leads back here with the admission behind the #, which browsers send to nobody: hand it to this shop.
  const form = document.forms[0];
  form.admission.value = new URLSearchParams(location.hash.slice(1)).get("doorbuster_admission") ?? "";
  form.submit();
</script>"""


@dataclass
class Attempt:
    """One attempt of a customer to buy: its key is made once, and sent until there is an answer."""

    key: str
    customer: str
    order_id: str | None = None
    refused: str | None = None


class Doorbuster:
    """The calls that a storefront makes."""

    def __init__(self, http: httpx.Client, sale: str) -> None:
        self._http, self.sale = http, sale

    def product(self, product_id: str) -> dict[str, Any]:
        """Return a product with its price and what is left."""
        answer = self._http.get(f"/products/{product_id}")
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def order(self, order_id: str) -> dict[str, Any]:
        """Return an order as it stands."""
        answer = self._http.get(f"/orders/{order_id}")
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def send(self, attempt: Attempt, product_id: str, admission: str) -> dict[str, Any] | None:
        """Send an attempt, again while nobody knows what became of it; return the answer, None if there is none."""
        body = {"customer_id": attempt.customer, "lines": [{"product_id": product_id, "quantity": 1}]}
        headers = {"Idempotency-Key": attempt.key, "Prefer": f"wait={WAIT_S}"}
        if admission:
            headers["Authorization"] = f"Bearer {admission}"
        for _ in range(TRIES):
            try:
                answer = self._http.post(f"/sales/{self.sale}/orders", json=body, headers=headers)
            except httpx.TransportError:
                continue
            if answer.status_code < 500 and answer.status_code != 429:
                told: dict[str, Any] = answer.json()
                return told | {"location": answer.headers.get("Location", "")}
        return None


class Shop:
    """The pages."""

    def __init__(self, doorbuster: Doorbuster, product_id: str, room: str, *, decimals: int) -> None:
        self._doorbuster, self._product_id, self._room, self._decimals = doorbuster, product_id, room, decimals
        self._attempts: dict[str, Attempt] = {}

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show the product; the form carries the key, so that pressing twice is one attempt."""
        try:
            product = self._doorbuster.product(self._product_id)
        except httpx.HTTPError:
            page(resp, "The shop is busy", "One moment, please.", again_s=2)
            return
        self._customer(req, resp)
        name, left = html.escape(product["name"]), product["availability"].replace("_", " ")
        price = f"{product['price'] / 10**self._decimals:.{self._decimals}f} {product['currency']}"
        key = uuid.uuid4().hex
        form = f'<form method="post" action="/buy"><button name="key" value="{key}">Buy {name}</button></form>'
        page(resp, name, f"{price}, {left}", form)

    def on_post_buy(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Keep the attempt before it is sent for the first time, then lead to it."""
        key = req.get_media().get("key", "")
        if not (len(key) == 32 and key.isalnum()):
            raise falcon.HTTPBadRequest(title="no key")
        self._attempts.setdefault(key, Attempt(key, self._customer(req, resp)))
        resp.status, resp.location = falcon.HTTP_SEE_OTHER, f"/attempts/{key}"

    def on_get_attempt(self, req: falcon.Request, resp: falcon.Response, key: str) -> None:
        """Show what became of an attempt; while nobody knows, this page comes again and sends it again."""
        attempt = self._attempts.get(key)
        if attempt is None or attempt.customer != cookie(req, "customer"):
            raise falcon.HTTPNotFound
        if attempt.order_id is None and attempt.refused is None and not self._send(req, resp, attempt):
            return
        if attempt.refused is not None:
            page(resp, "Not this time", KNOWN.get(attempt.refused, f"This did not work ({attempt.refused})."))
            return
        try:
            order = self._doorbuster.order(attempt.order_id or "")
        except httpx.HTTPError:
            order = {"status": "accepted"}
        open_still = order["status"] in ("accepted", "pending")
        page(resp, "Your order", STATUS.get(order["status"], order["status"]), again_s=2 if open_still else None)

    def _send(self, req: falcon.Request, resp: falcon.Response, attempt: Attempt) -> bool:
        """Send an attempt; False: the page says already what is to be done."""
        told = self._doorbuster.send(attempt, self._product_id, cookie(req, "admission"))
        if told is None:
            page(resp, "One moment", "We are placing your order. It is placed once, however often we try.", again_s=3)
            return False
        code = told.get("code", "")
        if code.startswith("admission_"):
            resp.unset_cookie("admission")
            page(resp, "There is a queue", "", f'<p><a href="{html.escape(self._room)}">To the waiting room</a></p>')
            return False
        if order_id := told.get("order_id") or told["location"].rpartition("/")[2]:
            attempt.order_id = order_id
        else:
            attempt.refused = code
        return True

    def on_get_admitted(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Take the admission out of the address that the room leads to: its `order_url` is this page."""
        form = '<form method="post" action="/admitted"><input type="hidden" name="admission"></form>'
        page(resp, "It is your turn", "", form + ADMITTED)

    def on_post_admitted(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Keep the admission where no script reads it, and go on."""
        resp.set_cookie("admission", req.get_media().get("admission", "")[:2048], secure=False, same_site="Lax")
        resp.status, resp.location = falcon.HTTP_SEE_OTHER, "/"

    def _customer(self, req: falcon.Request, resp: falcon.Response) -> str:
        """Return who asks; a real shop knows it from its log-in."""
        known = cookie(req, "customer")
        if not known:
            known = uuid.uuid4().hex
            resp.set_cookie("customer", known, secure=False, same_site="Lax")
        return known


def cookie(req: falcon.Request, name: str) -> str:
    """Return a cookie, empty if there is none."""
    return (req.get_cookie_values(name) or [""])[0]


def page(resp: falcon.Response, title: str, text: str, more: str = "", *, again_s: int | None = None) -> None:
    """Write a page."""
    again = "" if again_s is None else f'<meta http-equiv="refresh" content="{again_s}">'
    resp.content_type = falcon.MEDIA_HTML
    head = f'<!doctype html><html lang="en">{again}<title>{title}</title>'
    resp.text = f"{head}<h1>{title}</h1><p>{text}</p>{more}</html>"
    resp.set_header("Cache-Control", "no-store")


def make_app(http: httpx.Client, sale: str, product_id: str, *, decimals: int = 2) -> falcon.App[Any, Any]:
    """Put the shop together; `decimals` are those of its currency: 2 for EUR, 0 for JPY, 3 for KWD."""
    app = falcon.App()
    room = str(http.base_url.join(f"/sales/{sale}/wait"))
    shop = Shop(Doorbuster(http, sale), product_id, room, decimals=decimals)
    app.add_route("/", shop)
    app.add_route("/buy", shop, suffix="buy")
    app.add_route("/attempts/{key}", shop, suffix="attempt")
    app.add_route("/admitted", shop, suffix="admitted")
    return app


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


def main() -> None:
    """Serve the shop until it is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--api", default="http://127.0.0.1:8000")
    parser.add_argument("--sale", required=True)
    parser.add_argument("--product", required=True)
    parser.add_argument("--decimals", type=int, default=2, help="of the currency: 2 for EUR, 0 for JPY, 3 for KWD")
    parser.add_argument("--port", type=int, default=9001)
    told = parser.parse_args()
    with httpx.Client(base_url=told.api, timeout=WAIT_S + 10) as http:
        app = make_app(http, told.sale, told.product, decimals=told.decimals)
        with make_server("127.0.0.1", told.port, app, _Server) as server:
            print(f"http://127.0.0.1:{server.server_port}/", flush=True)
            server.serve_forever()


if __name__ == "__main__":
    main()
