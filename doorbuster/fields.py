"""The scalar types of the HTTP contract, with their bounds. Owns nothing with parts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

# "(?!\n)$" and not "$" alone, which would let a closing line feed through.
PRINTABLE = r"^[^\x00-\x1f\x7f]+(?!\n)$"
PLAIN_ID = r"^[^\x00-\x1f\x7f/]+(?!\n)$"
SALE_ID = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}(?!\n)$"

BIGGEST = 2**53 - 1
"""Largest integer that every JSON reader keeps exact."""

ProductId = Annotated[str, Meta(min_length=1, max_length=64, pattern=PLAIN_ID)]
SaleId = Annotated[str, Meta(min_length=1, max_length=64, pattern=SALE_ID)]
Text = Annotated[str, Meta(max_length=10_000, pattern=r"^[^\x00]*(?!\n)$")]
Label = Annotated[str, Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*(?!\n)$")]
Name = Annotated[str, Meta(min_length=1, max_length=500, pattern=PRINTABLE)]
Reason = Annotated[str, Meta(min_length=1, max_length=200, pattern=PRINTABLE)]
Money = Annotated[int, Meta(ge=0, le=10**12, description="Minor units of the currency")]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}(?!\n)$")]
Moment = Annotated[datetime, Meta(tz=True)]
AcceptedAt = Annotated[str, Meta(extra_json_schema={"format": "date-time"}, description="The order store's clock")]
"""Milliseconds, the same text wherever an order is shown."""
OrderStatus = Literal["accepted", "pending", "confirmed", "processing", "shipped", "delivered", "cancelled", "refunded"]
