"""WooCommerce's product export. Owns what its rows mean, and the parents that variations refer to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from doorbuster.cli.catalogue.presets.preset import Preset, Skipped, normal, pairs_of

PARENTS_MAX = 16 * 2**20
"""Characters of what is remembered of parents."""
_OF_PARENT = tuple(
    normal(name) for name in ("Name", "Categories", "Brands", "Short description", "Description", "Tags")
)
_PARENTS = Skipped("parents of variations")
_ELSEWHERE = Skipped("grouped or external products")
_ATTRIBUTES_MAX = 20


class WooCommerce(Preset):
    """A row a product; a variable one stands for its variations, which name it in `Parent`."""

    name = "woocommerce"
    sources = {  # noqa: RUF012
        "product_id": ("SKU", "ID"),
        "name": ("Name",),
        "brand": ("Brands", "Brand"),
        "category": ("Categories",),
        "description": ("Short description", "Description"),
        "price": ("Regular price",),
        "stock": ("Stock",),
    }

    def __init__(self) -> None:
        super().__init__()
        self._parents: dict[str, dict[str, str]] = {}
        self._room = PARENTS_MAX

    def read(self, record: Mapping[str, str]) -> dict[str, Any] | Skipped:
        """Keep parents, give variations what theirs said."""
        self.take(record)
        types = {one.strip().lower() for one in self.get("Type").split(",")}
        if "variable" in types:
            self._keep()
            return _PARENTS
        if types & {"grouped", "external"}:
            return _ELSEWHERE
        parent = self._parents.get(self.get("Parent")) if "variation" in types else None
        value = self._filled(parent)
        if self.get("Stock").lower() == "parent":
            value.pop("stock", None)
        return value

    def _keep(self) -> None:
        told = {name: self.record.get(name, "") for name in (*_OF_PARENT, "published")}
        size = sum(map(len, told.values()))
        if size > self._room:
            return  # its variations then have what their own rows say
        self._room -= size
        for name in (self.get("SKU"), f"id:{self.get('ID')}"):
            if name:
                self._parents[name] = told

    def _filled(self, parent: dict[str, str] | None) -> dict[str, Any]:
        chosen = self._chosen()
        if parent:
            same = self.get("Name") in ("", parent["name"])
            for name in _OF_PARENT:
                self.record[name] = self.record.get(name) or parent[name]
            if same and chosen:
                self.record["name"] = f"{parent['name']} - {', '.join(chosen.values())}"
        value = self.common()
        value["category"] = value["category"].partition(",")[0].strip()
        published = self.get("Published")
        if published:
            value["active"] = published in ("1", "true", "yes") and (not parent or parent["published"] in ("1", ""))
        value["attributes"] = chosen | pairs_of(
            categories=self.get("Categories"),
            tags=self.get("Tags"),
            image=self.get("Images").partition(",")[0].strip(),
            parent=self.get("Parent"),
        )
        return value

    def _chosen(self) -> dict[str, str]:
        found = {}
        for place in range(1, _ATTRIBUTES_MAX + 1):
            name = self.get(f"Attribute {place} name")
            if name and (chosen := self.get(f"Attribute {place} value(s)")):
                found[name] = chosen
        return found
