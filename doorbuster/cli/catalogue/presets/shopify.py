"""Shopify's product export, in its older and its present column names. Owns what its rows mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from doorbuster.cli.catalogue.presets.preset import Preset, Skipped, normal, pairs_of

_OF_PRODUCT = tuple(
    normal(name)
    for name in (
        "Title", "Body (HTML)", "Description", "Vendor", "Type", "Product Category", "Tags", "Published",
        "Published on online store", "Status", "Image Src", "Product image URL", "Option1 Name", "Option2 Name",
        "Option3 Name",
    )
)  # fmt: skip
"""What stands in a product's first row alone and holds for all of its variants."""
_IMAGES = Skipped("image rows")


class Shopify(Preset):
    """A row a variant: the first of a product has its title, further ones and those of images only the handle."""

    name = "shopify"
    sources = {  # noqa: RUF012
        "product_id": ("Variant SKU", "SKU", "Handle", "URL handle"),
        "name": ("Title",),
        "brand": ("Vendor",),
        "category": ("Type", "Product Category"),
        "description": ("Body (HTML)", "Description"),
        "price": ("Variant Price", "Price"),
        "stock": ("Variant Inventory Qty", "Inventory quantity"),
    }

    def __init__(self) -> None:
        super().__init__()
        self._first: dict[str, str] = {}
        self._handle = ""

    def read(self, record: Mapping[str, str]) -> dict[str, Any] | Skipped:
        """Fill down what the product's first row said, and tell images from variants."""
        self.take(record)
        handle = self.get("Handle", "URL handle")
        if handle and handle == self._handle:
            for name in _OF_PRODUCT:
                if not self.record.get(name):
                    self.record[name] = self._first.get(name, "")
        else:
            self._first, self._handle = self.record, handle
        if not self.get("Variant SKU", "SKU", "Variant Price", "Price", "Option1 Value") and self.get(
            "Image Src", "Product image URL"
        ):
            return _IMAGES
        return self._variant(handle)

    def _variant(self, handle: str) -> dict[str, Any]:
        options = self._options()
        value = self.common()
        sku = self.get("Variant SKU", "SKU").removeprefix("'")
        value["product_id"] = sku or "-".join([handle, *options.values()]).replace("/", "-")
        if options and "name" in value:
            value["name"] = f"{value['name']} - {' / '.join(options.values())}"
        if (active := self._active()) is not None:
            value["active"] = active
        value["attributes"] = options | pairs_of(
            handle=handle,
            barcode=self.get("Variant Barcode", "Barcode").removeprefix("'"),
            tags=self.get("Tags"),
            image=self.get("Variant Image", "Variant image URL", "Image Src", "Product image URL"),
        )
        return value

    def _options(self) -> dict[str, str]:
        found = {}
        for place in (1, 2, 3):
            name, chosen = self.get(f"Option{place} Name"), self.get(f"Option{place} Value")
            if chosen and (name, chosen) != ("Title", "Default Title") and chosen != "Default Title":
                found[name or f"option{place}"] = chosen
        return found

    def _active(self) -> bool | None:
        published, status = self.get("Published", "Published on online store"), self.get("Status")
        if not published and not status:
            return None
        return published.lower() != "false" and status.lower() in ("", "active")
