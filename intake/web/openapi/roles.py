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
        "post /ops/keys/{key}/totp": "admin",
        "post /ops/keys/{key}/totp/confirm": "admin",
        "delete /ops/keys/{key}/totp": "admin",
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
        "post /ops/sales/{sale}/rehearsals": "operate",
        "patch /ops/sales/{sale}/rehearsals/{rehearsal}": "operate",
        "delete /ops/sales/{sale}/rehearsals/{rehearsal}": "operate",
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
        "post /ops/losses/{loss}/acknowledge": "admin",
    }
)


OPS_PAGE, OPS_SESSION, OPS_FILES = "/ops/", "/ops/session", "/ops/static"
REPORT_FILES = f"{OPS_FILES}/report"
OPEN = frozenset(
    {
        OPS_PAGE,
        OPS_SESSION,
        f"{OPS_FILES}/{{version}}/{{name:path}}",
        f"{REPORT_FILES}/{{version}}/{{name}}",
    }
)
"""Paths that anybody may ask: they show the page to sign in, and change nothing but who is signed in."""


def needed_role(method: str, path: str) -> Role | None:
    """Return the role that an operation needs, None if it needs no key; `path` as the contract writes it."""
    if path in OPEN:
        return None
    return "view" if method.upper() in READING else CHANGING.get(f"{method.lower()} {path}", "admin")
