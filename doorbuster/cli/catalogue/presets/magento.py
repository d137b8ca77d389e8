"""Magento's (Adobe Commerce's) product export. Owns what its rows mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from doorbuster.cli.catalogue.presets.preset import Preset, Skipped, pairs_of

_VIEWS = Skipped("rows of store views")
_PARENTS = Skipped("configurable, grouped or bundle products")
_ENABLED = "1"


class Magento(Preset):
    """A row a product, then a row a store view that says something else; simple products say all of themselves."""

    name = "magento"
    sources = {  # noqa: RUF012
        "product_id": ("sku",),
        "name": ("name",),
        "brand": ("manufacturer", "brand"),
        "category": ("categories",),
        "description": ("short_description", "description"),
        "price": ("price",),
        "stock": ("qty",),
    }

    def read(self, record: Mapping[str, str]) -> dict[str, Any] | Skipped:
        """Leave out store views, and what is sold by its parts only."""
        self.take(record)
        if self.get("store_view_code"):
            return _VIEWS
        if self.get("product_type") in ("configurable", "grouped", "bundle"):
            return _PARENTS
        more = _additional(self.get("additional_attributes"))
        value = self.common()
        value["brand"] = value["brand"] or more.pop("manufacturer", "") or more.pop("brand", "")
        value["category"] = value["category"].partition(",")[0]
        if online := self.get("product_online"):
            value["active"] = online == _ENABLED
        value["attributes"] = more | pairs_of(categories=self.get("categories"), image=self.get("base_image"))
        return value


def _additional(text: str) -> dict[str, str]:
    """Read `color=Red,size=M`; what has no name belongs to the value before it."""
    found: dict[str, str] = {}
    last = ""
    for part in text.split(",") if text else ():
        name, equals, chosen = part.partition("=")
        if equals and name:
            last = name
            found[name] = chosen
        elif last:
            found[last] += f",{part}"
    return found
