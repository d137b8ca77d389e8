"""What people see of a problem: a page instead of JSON, with a way on. Owns these pages; never decides what is wrong.

Where trying again helps, the page does so by itself. It always asks with GET: what a form was sent for is not repeated.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from doorbuster.contract.problems import FAULTS
from intake.pages.render import HTML
from intake.web.problems import ACCEPT_MAX, RETRY_AFTER, accepts_page

if TYPE_CHECKING:
    from collections.abc import Iterable

    from falcon.asgi import Request, Response

    from intake.pages.locale import Tongue
    from intake.pages.render import Pages

AGAIN_S = 5
_ROOM = re.compile(r"(/sales/[A-Za-z0-9][A-Za-z0-9_.-]{0,63})/(?:room(?:/.*)?|wait)")
_SHOP = re.compile(r"(/shop/[A-Za-z0-9][A-Za-z0-9_.-]{0,63})(?:/.*)?")
_PLAIN = re.compile(r"/[A-Za-z0-9_.~/-]*")
_SAFE = frozenset({"GET", "HEAD"})


class ProblemPages:
    """Writes problems for people."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._busy: dict[Tongue, bytes] = {}

    def write(self, req: Request, resp: Response, code: str) -> None:
        """Make the response, whose status stands, a page."""
        again = code in RETRY_AFTER or code == "internal"
        has_form = req.method not in _SAFE
        back = way_back(req.path, has_form=has_form) if again or has_form else ""
        resp.data = None
        self._pages.render(req, resp, "problem.html", _values(code, back, again=again))

    def busy(self, headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, list[tuple[bytes, bytes]]] | None:
        """Return the page of a process that is overloaded, with its headers, to whoever wants a page."""
        given = dict(headers)
        if not accepts_page(given.get(b"accept", b"").decode("latin-1")[:ACCEPT_MAX]):
            return None
        tongue = self._pages.tongue(given.get(b"accept-language", b"").decode("latin-1"))
        language = tongue._replace(figures=tongue.words)
        if (page := self._busy.get(language)) is None:
            if len(self._busy) >= _BUSY_MAX:
                self._busy.clear()
            page = self._pages.written(language, "problem.html", _values("overloaded", "", again=True)).encode()
            self._busy[language] = page
        fixed = {
            "content-type": HTML, "cache-control": "no-store", "content-security-policy": self._pages.policy,
            "content-language": tongue.language, "x-content-type-options": "nosniff",
        }  # fmt: skip
        return page, [(name.encode(), value.encode()) for name, value in fixed.items()]


_BUSY_MAX = 200


def _values(code: str, back: str, *, again: bool) -> dict[str, Any]:
    return {
        "title": "",
        "code": code,
        "status": FAULTS[code].status,
        "again": again,
        "back": back,
        "refresh": AGAIN_S if again else None,
        "page_url": back,
    }


def way_back(path: str, *, has_form: bool) -> str:
    """Return the address of the page to go on with, empty for the page itself."""
    if found := _ROOM.fullmatch(path):
        return f"{found[1]}/wait"
    if has_form and (found := _SHOP.fullmatch(path)):
        return found[1]
    return path if not has_form and _PLAIN.fullmatch(path) and not path.startswith("//") else ""
