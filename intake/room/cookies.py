"""The cookies of the waiting room. Owns their names, lives and attributes; never decides what they allow.

| cookie                     | holds                              | lives                           |
|----------------------------|------------------------------------|---------------------------------|
| `doorbuster_visitor`       | a random value of the browser      | 30 days                         |
| `doorbuster_place_N`       | ticket and secret in sale number N | 7 days                          |
| `doorbuster_admission_N`   | the admission to it                | as long as it is good and a day |
| `doorbuster_orders_N`      | the latest orders in it            | 7 days                          |

An admission outlives its end, for with it a retry of its order is still known (docs/adr/0015), and a page can say that
the time ran out.

All are HttpOnly, SameSite=Lax, and Secure when the request came by https.

Only these names are looked for, and their values are read as they stand: none of ours needs the quoting of RFC 2109,
whose undoing costs the square of a value's length in Pythons without the fix of CVE-2024-7592.
"""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote

from intake.room.attempts import Placed, read_placed, write_placed
from intake.room.browser import Browser

if TYPE_CHECKING:
    from collections.abc import Iterable

    from falcon.asgi import Request, Response

    from doorbuster.contract.room import AdmissionView

VISITOR = "doorbuster_visitor"
_ORDERS = "doorbuster_orders_"
DAY_S = 86_400
_VISITOR_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_BETWEEN = "~"
_NUMBERED = re.compile(rb"\b" + _ORDERS.encode() + rb"([0-9]{1,10})=")
_VALUE = re.compile(rb"[!#-+\--:<-\[\]-~]{1,4096}")
"""A cookie's octets (RFC 6265 section 4.1.1): no quotes, backslashes, commas, semicolons or spaces."""


class RememberedPlace(NamedTuple):
    """A ticket and the proof that it is the visitor's."""

    ticket: str
    secret: str

    def text(self) -> str:
        """Return both as one word of plain characters, as the cookie and the link to another device carry them."""
        return f"{self.ticket}{_BETWEEN}{quote(self.secret, safe='')}"


def place_from(text: str | None) -> RememberedPlace | None:
    """Return the place of such a word."""
    ticket, between, secret = (text or "").strip().partition(_BETWEEN)
    return RememberedPlace(ticket, unquote(secret)) if between and ticket and secret else None


def browser_of(req: Request) -> Browser | None:
    """Return who the browser is, None if it has not been here or keeps no cookies."""
    found = _one(req, VISITOR)
    return Browser(found) if found and _VISITOR_ID.fullmatch(found) else None


def place_of(req: Request, sale_number: int) -> RememberedPlace | None:
    """Return the browser's place in a sale."""
    return place_from(_one(req, _place(sale_number)))


def admission_of(req: Request, sale_number: int) -> str | None:
    """Return the browser's admission to a sale."""
    return _one(req, _admission(sale_number))


def set_browser(req: Request, resp: Response) -> Browser:
    """Give the browser its value, or the same again for longer."""
    browser = browser_of(req) or Browser(secrets.token_urlsafe(24))
    _set(req, resp, VISITOR, browser.value, 30 * DAY_S)
    return browser


def set_place(req: Request, resp: Response, sale_number: int, place: RememberedPlace) -> None:
    """Keep a place in the browser."""
    _set(req, resp, _place(sale_number), place.text(), 7 * DAY_S)


def set_admission(req: Request, resp: Response, sale_number: int, token: str, life_s: float) -> None:
    """Keep an admission in the browser, for a day longer than it is good."""
    _set(req, resp, _admission(sale_number), token, max(1, int(life_s)) + DAY_S)


def keep_admission(req: Request, resp: Response, sale_number: int, found: AdmissionView, *, now_s: float) -> None:
    """Put an admission into the browser for as long as it is good, by the clock of the room's store."""
    ends = datetime.fromisoformat(found.expires_at).astimezone(UTC).timestamp()
    set_admission(req, resp, sale_number, found.admission, ends - now_s)


def orders_of(req: Request, sale_number: int) -> list[Placed]:
    """Return the browser's orders in a sale, the oldest first."""
    return read_placed(_one(req, _orders(sale_number)))


def sales_with_orders(req: Request) -> list[int]:
    """Return the numbers of the sales that the browser has orders in."""
    lines = (line for header, line in req.scope["headers"] if header == b"cookie")
    return [int(number) for line in lines for number in _NUMBERED.findall(line)]


def add_order(req: Request, resp: Response, sale_number: int, order: Placed) -> None:
    """Let the browser remember an order."""
    known = orders_of(req, sale_number)
    if all(one.order_id != order.order_id for one in known):
        _set(req, resp, _orders(sale_number), write_placed([*known, order]), 7 * DAY_S)


def saw_order(req: Request, resp: Response, sale_number: int, order_id: str) -> None:
    """Let the browser remember that it has shown one of its orders."""
    known = orders_of(req, sale_number)
    shown = [one._replace(seen=True) if one.order_id == order_id else one for one in known]
    if shown != known:
        _set(req, resp, _orders(sale_number), write_placed(shown), 7 * DAY_S)


def forget_place(resp: Response, sale_number: int) -> None:
    """Take place and admission out of the browser."""
    for name in (_place(sale_number), _admission(sale_number)):
        resp.unset_cookie(name, path="/")


def _place(sale_number: int) -> str:
    return f"doorbuster_place_{sale_number}"


def _admission(sale_number: int) -> str:
    return f"doorbuster_admission_{sale_number}"


def _orders(sale_number: int) -> str:
    return f"{_ORDERS}{sale_number}"


def _one(req: Request, name: str) -> str | None:
    return value_of(req.scope["headers"], name.encode())


def value_of(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    """Return the first value that cookie headers give a name; one that is not as we set it is none."""
    for header, line in headers:
        if header != b"cookie" or name not in line:
            continue
        for pair in line.split(b";"):
            found, equals, value = pair.strip(b" \t").partition(b"=")
            if equals and found == name:
                return value.decode() if _VALUE.fullmatch(value) else None
    return None


def _set(req: Request, resp: Response, name: str, value: str, life_s: int) -> None:
    secure = req.forwarded_scheme == "https"
    resp.set_cookie(name, value, max_age=life_s, path="/", secure=secure, http_only=True, same_site="Lax")
