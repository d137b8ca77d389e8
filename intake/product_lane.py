"""The short way of a product's page that is at hand: around the application, for it is most of a sale's requests.

Owns nothing but the shortcut. Whatever is not at hand, or not a plain read, goes the long way and gets the same answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from catalogue.catalogue import Catalogue
    from intake.limits import Application, Receive, Scope, Send

PATH = "/products/"


class ProductLane:
    """ASGI application between the guard and the application."""

    def __init__(self, application: Application, catalogue: Catalogue) -> None:
        self._application, self._at_hand = application, catalogue.product_at_hand

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from this process's copy, or hand the request on."""
        if scope["type"] == "http" and scope["method"] == "GET" and scope["path"].startswith(PATH):
            shown = self._at_hand(scope["path"][len(PATH) :])
            if shown is not None and shown.messages is not None:
                start, content, unchanged = shown.messages
                if _has(scope, shown.etag):
                    start, content = unchanged, _NOTHING
                await send(start)
                await send(content)
                return
        await self._application(scope, receive, send)


_NOTHING = {"type": "http.response.body", "body": b""}


def _has(scope: Scope, etag: str) -> bool:
    for name, value in scope["headers"]:
        if name == b"if-none-match":
            return etag.encode() in value or value.strip() == b"*"
    return False
