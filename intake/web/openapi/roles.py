"""Which role a key needs for each operation of ops. Owns the table; who has which role is `intake/web/ops_keys.py`'s.

Whatever only reads, a key of any role may call. Everything else stands here by name; what does not needs an admin.
An admin is needed for keys and for what cannot be undone: the command line asks before it does any of it.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doorbuster.contract.ops_keys import Role

READING = frozenset({"GET", "HEAD", "OPTIONS"})
CHANGING: Mapping[str, Role] = MappingProxyType(
    {
        "post /ops/keys": "admin",
        "delete /ops/keys/{key}": "admin",
        "post /ops/sales": "operate",
        "patch /ops/sales/{sale}": "operate",
        "post /ops/sales/{sale}/clone": "operate",
        "post /ops/sales/{sale}/open": "operate",
        "post /ops/sales/{sale}/hold": "operate",
        "post /ops/sales/{sale}/resume": "operate",
        "post /ops/sales/{sale}/drain": "operate",
        "post /ops/sales/{sale}/close": "admin",
        "post /ops/sales/{sale}/prewarm": "operate",
        "post /ops/sales/{sale}/room/revoke": "admin",
        "put /ops/products/{product}": "operate",
        "post /ops/products/{product}/stock": "operate",
        "put /ops/products/{product}/prices": "operate",
        "post /ops/products:import": "operate",
        "post /ops/orders/{order}/transitions": "operate",
        "post /ops/orders:transition": "operate",
        "post /ops/orders/{order}/shipments": "operate",
        "patch /ops/orders/{order}/shipments/{shipment}": "operate",
        "post /ops/orders/{order}/refunds": "operate",
        "post /ops/webhooks": "operate",
        "post /ops/webhooks/{webhook}/rotate": "operate",
        "post /ops/webhooks/{webhook}/test": "operate",
        "post /ops/webhooks/{webhook}/resume": "operate",
        "post /ops/webhooks/{webhook}/replay": "operate",
        "delete /ops/webhooks/{webhook}": "admin",
        "post /ops/dead-letters/{letter}/retry": "operate",
        "post /ops/dead-letters/{letter}/discard": "admin",
    }
)


def needed_role(method: str, path: str) -> Role:
    """Return the role that an operation needs; `path` as the contract writes it."""
    return "view" if method.upper() in READING else CHANGING.get(f"{method.lower()} {path}", "admin")
