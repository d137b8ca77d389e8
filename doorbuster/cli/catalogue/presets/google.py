"""A product feed of Google Merchant Center, as CSV or TSV. Owns what its rows mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from doorbuster.cli.catalogue.presets.preset import Preset, Skipped, pairs_of

_ATTRIBUTES = (
    "color", "size", "material", "pattern", "gender", "age_group", "gtin", "mpn", "condition", "item_group_id", "link",
)  # fmt: skip


class Google(Preset):
    """A row a product that says all of itself; the price has its currency with it."""

    name = "google"
    sources = {  # noqa: RUF012
        "product_id": ("id",),
        "name": ("title",),
        "brand": ("brand",),
        "category": ("product_type", "google_product_category"),
        "description": ("description",),
        "price": ("price",),
        "stock": ("quantity", "sell_on_google_quantity"),
    }
    currency_in_price = True

    def read(self, record: Mapping[str, str]) -> dict[str, Any] | Skipped:
        """Return the product."""
        self.take(record)
        value = self.common()
        value["attributes"] = pairs_of(
            **{name: self.get(name) for name in _ATTRIBUTES}, image=self.get("image_link").partition(",")[0]
        )
        return value
