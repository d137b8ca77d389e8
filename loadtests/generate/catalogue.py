"""A shop's catalogue made from a seed: believable names, skewed popularity. Owns no file but the one it is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import msgspec

PRODUCTS = 2_000
ZIPF = 1.05
"""Exponent of popularity: the n-th product is wanted 1/n**ZIPF as often as the first."""

_BRANDS = (
    "Alvern",
    "Birkhall",
    "Corvino",
    "Dunmore",
    "Estrel",
    "Fjordal",
    "Granit",
    "Halcyon",
    "Ilmar",
    "Juniper & Co",
)
_STYLES = ("Classic", "Compact", "Everyday", "Field", "Heritage", "Light", "Studio", "Summit", "Trail", "Urban")
_COLOURS = ("black", "blue", "cream", "forest", "graphite", "oak", "red", "sand", "silver", "white")
_KINDS: dict[str, tuple[tuple[str, int], ...]] = {
    "Audio": (("Headphones", 9900), ("Earbuds", 5900), ("Speaker", 7900), ("Turntable", 24900)),
    "Kitchen": (("Espresso Machine", 34900), ("Kettle", 4900), ("Cast-Iron Pan", 6900), ("Knife Set", 11900)),
    "Outdoor": (("Backpack", 8900), ("Two-Person Tent", 19900), ("Sleeping Bag", 12900), ("Head Torch", 3900)),
    "Wardrobe": (("Rain Jacket", 14900), ("Trainers", 10900), ("Wool Jumper", 8900), ("Scarf", 2900)),
    "Office": (("Desk Lamp", 5900), ("Mechanical Keyboard", 12900), ("Monitor", 27900), ("Chair", 22900)),
}


class Product(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the catalogue file."""

    product_id: str
    name: str
    brand: str
    category: str
    price: int
    currency: str
    stock: int
    description: str = ""


def generate(*, count: int = PRODUCTS, seed: int = 1) -> list[Product]:
    """Return products in order of popularity; the same seed gives the same catalogue."""
    return list(make_products(count=count, seed=seed))


def make_products(*, count: int, seed: int = 1) -> Iterator[Product]:
    """Yield the products of `generate` one by one: any number of them in no memory."""
    random = Random(seed)
    kinds = [(category, kind, price) for category, entries in _KINDS.items() for kind, price in entries]
    for number in range(1, count + 1):
        yield _product(number, random, kinds)


def popularity(count: int) -> list[float]:
    """Return the weights of the `count` most wanted products, Zipf-like, the most wanted first."""
    return [1.0 / rank**ZIPF for rank in range(1, count + 1)]


def write(products: list[Product], path: Path) -> None:
    """Write the catalogue as JSON Lines."""
    path.write_bytes(b"".join(msgspec.json.encode(product) + b"\n" for product in products))


def _product(number: int, random: Random, kinds: list[tuple[str, str, int]]) -> Product:
    category, kind, price = random.choice(kinds)
    brand, style, colour = random.choice(_BRANDS), random.choice(_STYLES), random.choice(_COLOURS)
    return Product(
        product_id=f"p-{number:05d}",
        name=f"{brand} {style} {kind}, {colour}",
        brand=brand,
        category=category,
        price=round(price * random.uniform(0.7, 1.4) / 100) * 100 - 1,
        currency="EUR",
        stock=random.randint(50, 500),
        description=f"{kind} of the {style} line in {colour}.",
    )
