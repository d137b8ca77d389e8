"""The fast path of a product's page that is at hand: before the application, for it is most of a sale's requests.

Owns nothing but the shortcut. What is not at hand, or not a plain read, takes the full path and gets the same answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from catalogue.service import Catalogue
    from intake.server.asgi import Answer, Scope

PATH = "/products/"
_NOTHING = {"type": "http.response.body", "body": b""}


class FastProductRead:
    """Answers reads of products from this process's copy."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._at_hand = catalogue.product_at_hand
        self.answered = 0

    def __call__(self, scope: Scope) -> Answer | None:
        """Return the answer, None where the full path is to give it."""
        if scope["method"] != "GET" or not scope["path"].startswith(PATH):
            return None
        shown = self._at_hand(scope["path"][len(PATH) :])
        if shown is None or shown.messages is None:
            return None
        self.answered += 1
        start, content, unchanged = shown.messages
        return (unchanged, _NOTHING) if _has(scope, shown.etag) else (start, content)


def _has(scope: Scope, etag: str) -> bool:
    for name, value in scope["headers"]:
        if name == b"if-none-match" and (etag.encode() in value or value.strip() == b"*"):
            return True
    return False
