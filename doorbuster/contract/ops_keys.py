"""The keys of ops in the HTTP contract: their roles and bodies. Owns shapes; never does I/O."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from doorbuster.contract.fields import PRINTABLE, Bounded, Moment, id_problem

Role = Literal["view", "operate", "admin"]
ROLES: tuple[Role, ...] = ("view", "operate", "admin")
"""From the one that may least; each may what those before it may."""
SETTINGS_KEY = "OPS_KEY"
"""What the key of the settings is called in the log; no other is called so."""
KEY_PREFIX = "dbops_"
"""What a key begins with, so that it is known for one wherever it turns up."""

KeyName = Annotated[str, Meta(min_length=1, max_length=100, pattern=PRINTABLE, extra={"check": id_problem})]

TotpCode = Annotated[str, Meta(pattern=r"^[0-9]{6}(?!\n)$")]


class KeyRequest(Bounded, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /ops/keys`."""

    name: KeyName
    role: Role
    expires_at: Moment | None = None


class OpsKeyView(Struct, kw_only=True):
    """A key; never the key itself."""

    key_id: int
    name: str
    role: Role
    state: Literal["active", "expired", "revoked"]
    created_at: Moment
    created_by: str
    """Name of the key that it was made with."""
    expires_at: Moment | None
    revoked_at: Moment | None
    totp: Literal["off", "unconfirmed", "on"]
    """Whether signing in to the page with it takes a code of a second factor."""


class MadeKeyView(OpsKeyView, kw_only=True):
    """A key that was just made: the only time that it is shown."""

    key: str


class SessionRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /ops/session`: an ops key, and a code where the key has a second factor."""

    key: Annotated[str, Meta(min_length=1, max_length=512, pattern=PRINTABLE)]
    totp: TotpCode | None = None


class SessionView(Struct, kw_only=True):
    """Who is signed in, or whose key it is."""

    name: str
    role: Role
    csrf: str | None = None
    """What calls that change something send as `X-CSRF-Token`; null with a key, which needs none."""
    ends_at: Moment | None = None
    second_key_for: list[str] = []
    """Verbs of a sale that take a second key."""


class TotpView(Struct, kw_only=True):
    """A second factor that was just made: the only time that its secret is shown."""

    key_id: int
    name: str
    secret: str
    """In base 32, to be typed into an authenticator."""
    uri: str
    qr: list[str]
    """The URI as a QR code: a text of `0` and `1` a row, without the margin."""


class TotpConfirmation(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /ops/keys/{id}/totp/confirm`."""

    code: TotpCode


def allows(role: Role | None, needed: Role) -> bool:
    """Say whether a key of the role may what needs another; None may nothing."""
    return role is not None and ROLES.index(role) >= ROLES.index(needed)
