"""Who a browser is to the room. Owns what is made of its one random value; keeps it nowhere, see `cookies.py`."""

from __future__ import annotations

import hashlib
import hmac
from typing import NamedTuple

from waitingroom.keyring import encode


class Browser(NamedTuple):
    """Who a browser is to the room: all of it from one random value, which its cookie alone holds."""

    value: str

    @property
    def visitor_id(self) -> str:
        """The id it joins with; may be shown."""
        return hashlib.sha256(b"visitor:" + self.value.encode()).hexdigest()[:32]

    @property
    def customer_id(self) -> str:
        """Who it buys as on the demonstration's storefront."""
        return f"guest-{self.visitor_id[:12]}"

    def secret(self, key: bytes, sale_number: int) -> str:
        """Return the secret of its place in a sale: the same again if the cookie of the place was lost."""
        return encode(hmac.digest(key, b"place:%d:%b" % (sale_number, self.value.encode()), "sha256"))
