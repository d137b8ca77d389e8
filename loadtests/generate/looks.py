"""What shoppers look at in a sale: product pages above all, some searches, few category pages. Pure; sends nothing.

Popularity is skewed as shops see it: the sale's products take most looks, the rest has a long tail (Zipf). Searches are
made of the catalogue's own words, a few hundred of them, skewed too.
"""

from __future__ import annotations

from array import array
from random import Random
from urllib.parse import quote_plus

import msgspec

from loadtests.generate.catalogue import Product, popularity
from loadtests.scene.stage import IN_SALE, weights

KINDS = ("product", "search", "category")
SHARES = (0.95, 0.04, 0.01)
SALE_SHARE = 0.6
"""Share of the product pages that are those of the sale."""
QUERIES = 300


class Looks(msgspec.Struct, frozen=True):
    """Paths, and which of them each look is at."""

    paths: list[str]
    kinds: list[int]
    """Each path's place in `KINDS`."""
    order: array[int]
    """Places in `paths`, an array('I')."""

    def kind_of(self, look: int) -> int:
        """Return a look's place in `KINDS`."""
        return self.kinds[self.order[look]]


def draw(products: list[Product], count: int, *, seed: int = 1) -> Looks:
    """Return `count` looks at a catalogue whose first products are on sale; the same seed gives the same looks."""
    random = Random(seed)
    pages, queries, lists = _products(products), _searches(products, random), _categories(products)
    paths = [path for path, _ in (*pages, *queries, *lists)]
    weighed: list[float] = []
    for some, share in zip((pages, queries, lists), SHARES, strict=True):
        total = sum(weight for _, weight in some)
        weighed += (weight * share / total for _, weight in some)
    kinds = [kind for kind, some in enumerate((pages, queries, lists)) for _ in some]
    return Looks(paths, kinds, array("I", random.choices(range(len(paths)), weighed, k=count)))


def _products(products: list[Product]) -> list[tuple[str, float]]:
    tail = popularity(len(products) - IN_SALE)
    whole = sum(tail)
    weighed = [*(weight * SALE_SHARE for weight in weights()), *(one / whole * (1 - SALE_SHARE) for one in tail)]
    return [(f"/products/{product.product_id}", weight) for product, weight in zip(products, weighed, strict=True)]


def _searches(products: list[Product], random: Random) -> list[tuple[str, float]]:
    """Return what is searched for: what is wanted most is searched for most."""
    texts: dict[str, None] = {}
    while len(texts) < min(QUERIES, len(products) * 2):
        product = products[int(random.paretovariate(0.4)) % len(products)]
        name, _, colour = product.name.removeprefix(f"{product.brand} ").partition(", ")
        style, _, kind = name.partition(" ")
        parts = random.choice(((kind,), (product.brand, kind), (style, kind), (colour, kind), (style, kind, colour)))
        texts[" ".join(parts).lower()] = None
    return [
        (f"/search?q={quote_plus(text)}", weight) for text, weight in zip(texts, popularity(len(texts)), strict=True)
    ]


def _categories(products: list[Product]) -> list[tuple[str, float]]:
    """Return the first three pages of every category, and of everything: most do not turn the page."""
    found: list[tuple[str, float]] = []
    for category in (None, *sorted({product.category for product in products})):
        listed = sorted(one.product_id for one in products if category in (None, one.category))
        named = "" if category is None else f"category={quote_plus(category)}&"
        for page in range(min(3, 1 + len(listed) // 25)):
            after = f"cursor={quote_plus(listed[24 * page - 1])}&" if page else ""
            found.append((f"/products?{named}{after}limit=24", 0.2**page))
    return found
