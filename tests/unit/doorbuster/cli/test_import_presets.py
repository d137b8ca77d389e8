"""Files as shop systems export them become products. The samples have each system's columns and oddities."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from db.products.products import ImportedProduct
from doorbuster.cli.catalogue.check import check_header
from doorbuster.cli.catalogue.file import CatalogueFile
from doorbuster.cli.catalogue.mapping import make_mapping, to_row
from doorbuster.cli.catalogue.presets import PRESETS
from doorbuster.cli.catalogue.presets.preset import Skipped
from doorbuster.errors import InvalidError

SAMPLES = Path(__file__).parents[3] / "samples"


class Read:
    """What became of a sample."""

    def __init__(self, name: str, preset: str, *, maps: tuple[str, ...] = (), currency: str | None = "EUR") -> None:
        defaults = (f"currency={currency}",) if currency else ()
        mapping = make_mapping(maps, defaults, None, PRESETS[preset]())
        self.products: dict[str, ImportedProduct] = {}
        self.stock: dict[str, int | None] = {}
        self.wrong: dict[int, str] = {}
        self.skipped: Counter[str] = Counter()
        path = SAMPLES / name
        with path.open("rb") as raw:
            file = CatalogueFile(path, raw)
            csv = file.header()
            assert csv is not None
            check_header(csv.header or [], mapping)
            csv.close()
            for line in file.lines():
                assert line.record is not None, line
                try:
                    row = to_row(line.number, line.record, mapping, cells=line.cells)
                except InvalidError as error:
                    self.wrong[line.number] = error.detail
                    continue
                if isinstance(row, Skipped):
                    self.skipped[row.rows] += 1
                    continue
                assert isinstance(row.product, ImportedProduct)
                self.products[row.product.product_id] = row.product
                self.stock[row.product.product_id] = row.stock

    def attributes(self, product: str) -> Any:
        said = self.products[product].attributes
        assert isinstance(said, bytes)
        return msgspec.json.decode(said)


def test_shopify_fills_titles_down_and_leaves_image_rows_out() -> None:
    read = Read("shopify.csv", "shopify")
    assert {one.product_id: (one.name, one.price, one.active) for one in read.products.values()} == {
        "NL-RJ-S-YE": ("Rain Jacket - S / Yellow", 12_900, True),
        "NL-RJ-M-YE": ("Rain Jacket - M / Yellow", 12_900, True),
        "NL-RJ-M-BL": ("Rain Jacket - M / Blue", 13_450, True),
        "gift-wrap": ("Gift Wrap", 500, True),
    }
    assert read.skipped == {"image rows": 1}
    assert list(read.wrong) == [8]  # a line more than rows: the description has one inside
    assert "stock: must be at least 0: -2" in read.wrong[8]
    blue = read.products["NL-RJ-M-BL"]
    assert (blue.brand, blue.category, read.stock["NL-RJ-M-BL"]) == ("Nordlys", "Jackets", 0)
    assert str(blue.description).startswith("<p>Keeps out rain")
    assert read.attributes("NL-RJ-M-BL") == {
        "Size": "M", "Color": "Blue", "handle": "rain-jacket", "barcode": "5901234123471", "tags": "outdoor, rain",
        "image": "https://cdn.example/rain-blue.jpg",
    }  # fmt: skip
    assert read.products["gift-wrap"].description is None
    assert read.stock["gift-wrap"] is None


def test_shopify_renamed_its_columns() -> None:
    read = Read("shopify_2025.csv", "shopify")
    assert {one.product_id: (one.name, one.price) for one in read.products.values()} == {
        "MUG-W": ("Enamel Mug - White", 1_490),
        "MUG-G": ("Enamel Mug - Green", 1_490),
    }
    assert read.stock == {"MUG-W": 40, "MUG-G": 25}
    assert (read.wrong, read.skipped) == ({}, {"image rows": 1})


def test_woocommerce_gives_variations_what_their_parent_says() -> None:
    read = Read("woocommerce.csv", "woocommerce")
    assert {one.product_id: (one.name, one.price, one.active) for one in read.products.values()} == {
        "woo-beanie": ("Beanie", 2_000, True),
        "woo-album": ("Album", 101_550, False),
        "woo-vneck-tee-red": ("V-Neck T-Shirt - Red", 2_000, True),
        "77": ("V-Neck T-Shirt - Green", 2_000, True),
    }
    assert read.stock == {"woo-beanie": 30, "woo-album": None, "woo-vneck-tee-red": None, "77": 10}
    red = read.products["woo-vneck-tee-red"]
    assert (red.brand, red.category) == ("Nordlys", "Clothing > Tshirts")
    assert red.description == "<p>This is a variable product.</p>"
    assert read.attributes("woo-vneck-tee-red")["Color"] == "Red"
    assert read.products["woo-beanie"].category == "Clothing > Accessories"
    assert read.skipped == {"parents of variations": 1, "grouped or external products": 1}
    assert read.wrong == {}


def test_magento_leaves_store_views_and_configurable_products_out() -> None:
    read = Read("magento.csv", "magento", currency="USD")
    assert {one.product_id: (one.name, one.price, one.active) for one in read.products.values()} == {
        "24-MB01": ("Joust Duffle Bag", 3_400, True),
        "WSH12-28-Red": ("Erika Short-28-Red", 4_550, True),
        "24-UG07": ("Dual Handle Cardio Ball", 1_200, False),
    }
    assert read.stock == {"24-MB01": 100, "WSH12-28-Red": 100, "24-UG07": 0}
    assert read.products["24-MB01"].brand == "Nordlys"
    assert read.attributes("24-MB01")["material"] == "Nylon, cotton"
    assert read.skipped == {"rows of store views": 1, "configurable, grouped or bundle products": 1}


def test_google_has_the_currency_in_the_price() -> None:
    read = Read("google.tsv", "google", currency=None)
    assert {one.product_id: (one.name, one.price, one.currency) for one in read.products.values()} == {
        "TV-1": ('Orro 42" Television', 39_900, "EUR"),
        "SHIRT-S": ("Shirt", 129_950, "EUR"),
        "YEN-1": ("Tea bowl", 12_800, "JPY"),
    }
    assert read.products["SHIRT-S"].category == "Apparel & Accessories > Clothing"
    assert read.attributes("TV-1")["gtin"] == "4006381333931"


def test_a_map_goes_before_the_preset() -> None:
    read = Read("woocommerce.csv", "woocommerce", maps=("Sale price=price", "Tags="))
    assert read.products["woo-beanie"].price == 1_800
    assert read.products["woo-album"].price == 101_550  # it has no other


@pytest.mark.parametrize(("name", "preset"), [("shopify.csv", "magento"), ("magento.csv", "google")])
def test_a_wrong_preset_is_refused_at_the_header(name: str, preset: str) -> None:
    with pytest.raises(InvalidError) as caught:
        Read(name, preset)
    assert f"(--preset {preset} takes" in caught.value.fields[0][1]


def test_a_missing_currency_is_told_once() -> None:
    with pytest.raises(InvalidError) as caught:
        Read("shopify.csv", "shopify", currency=None)
    assert "--default currency=EUR" in caught.value.fields[0][1]
