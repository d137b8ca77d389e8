"""The stage of a load run: which products of the generated catalogue are on sale, and who wants what.

Owns the sale's make-up; the catalogue itself is `generate/catalogue.py`, the system `system.py`.
"""

from __future__ import annotations

import msgspec

from doorbuster.contract.room import RoomRequest
from doorbuster.contract.sales import SaleProductRequest, SaleRequest
from loadtests.generate.catalogue import Product, generate, popularity
from loadtests.traffic.plan import Mix

SALE = "friday-drop"
IN_SALE = 10
HOT_SHARE = 0.4
"""Share of the orders that want the hot product."""
TOKENS = {"decline": 0.02, "slow:300": 0.02}
EVENTFUL = TOKENS | {"action:succeed:500": 0.02, "action": 0.02}
"""As above, and shoppers whom their bank asks: half of them act, the others have gone."""
STANDBY = 0.1

NO_ROOM = RoomRequest(mode="off")


def catalogue(*, hot_stock: int, other_stock: int) -> list[Product]:
    """Return a catalogue whose first product is scarce; the sale's other products have `other_stock` each."""
    hot, *rest = generate()
    stocked = [msgspec.structs.replace(product, stock=other_stock) for product in rest[: IN_SALE - 1]]
    return [msgspec.structs.replace(hot, stock=hot_stock), *stocked, *rest[IN_SALE - 1 :]]


def sale(products: list[Product], room: RoomRequest = NO_ROOM) -> SaleRequest:
    """Return the sale of the catalogue's first products: the first at half its price, two a customer."""
    hot, *others = products[:IN_SALE]
    lines = [SaleProductRequest(product_id=hot.product_id, price=hot.price // 2, limit_per_customer=2)]
    lines += [SaleProductRequest(product_id=product.product_id) for product in others]
    return SaleRequest(sale_id=SALE, name="The Friday drop", products=lines, room=room)


def weights() -> list[float]:
    """Return how wanted each product of the sale is."""
    others = popularity(IN_SALE - 1)
    return [HOT_SHARE, *(weight / sum(others) * (1 - HOT_SHARE) for weight in others)]


def mix(products: list[Product], *, eventful: bool = False) -> Mix:
    """Return the shoppers of the sale; eventful: also those who must act for their payment, and who stand by."""
    return Mix(
        products=[product.product_id for product in products[:IN_SALE]],
        weights=weights(),
        second_line=0.15,
        tokens=EVENTFUL if eventful else TOKENS,
        standby=STANDBY if eventful else 0.0,
        path=f"/sales/{SALE}/orders",
        prefix="shopper",
    )
