"""Storefront keys: which requests come from a storefront's server. Owns their comparison, not what they allow."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from falcon.asgi import Request

HEADER, LINE = "X-Storefront-Key", b"x-storefront-key"


class StorefrontKeys:
    """The keys that are configured; there may be none."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = tuple(key.encode() for key in keys)

    def __bool__(self) -> bool:
        """Say whether any is configured."""
        return bool(self._keys)

    def is_storefront(self, req: Request) -> bool:
        """Say whether the request carries one of them."""
        header = (req.get_header(HEADER) or "").encode()
        # All keys are compared, so that the time says nothing about which one was near.
        return sum(hmac.compare_digest(header, key) for key in self._keys) > 0
