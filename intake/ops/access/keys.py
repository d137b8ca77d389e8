"""The keys of ops as resources: made, listed, revoked. Owns these; the check of a key is `intake/web/ops_keys.py`'s."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from db import ops_keys as rows
from doorbuster.contract.ops_keys import KEY_PREFIX, SETTINGS_KEY, KeyRequest, MadeKeyView, OpsKeyView
from doorbuster.errors import InvalidError
from intake.ops.change_log import author_of, note
from intake.web.ops_keys import digest_of
from intake.web.paging import limit_of, number_cursor_of, write_page
from intake.web.problems import RefusedError
from intake.web.query_parameters import refuse_unknown_params
from intake.web.requests import body_of
from intake.web.responses import write

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from intake.database import Database

KEY_BYTES = 32
_request = msgspec.json.Decoder(KeyRequest)


class OpsKeyList:
    """Resource of all keys but that of the settings."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def on_get(self, req: Request, resp: Response) -> None:
        """List keys, newest first, also those that are good no more."""
        refuse_unknown_params(req, "cursor", "limit")
        limit = limit_of(req)
        async with self._database.working() as connection:
            found = await rows.list_keys(connection, before=number_cursor_of(req), limit=limit)
        write_page(
            resp, [OpsKeyView(**_shown(key)) for key in found], str(found[-1].key_id) if len(found) == limit else None
        )

    async def on_post(self, req: Request, resp: Response) -> None:
        """Make a key, and show it this once."""
        wanted = await body_of(req, _request)
        _check(wanted)
        key = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
        new = rows.NewKey(
            name=wanted.name,
            role=wanted.role,
            digest=digest_of(key.encode()),
            created_by=author_of(req).key_name or "",
            expires_at=wanted.expires_at,
        )
        async with self._database.working() as connection, connection.transaction():
            made = await rows.make_key(connection, new)
            await note(connection, req, "make", f"ops_key:{made.key_id}")
        resp.set_header("Cache-Control", "no-store")
        write(resp, MadeKeyView(**_shown(made), key=key), 201)


class OneOpsKey:
    """Resource of a key."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def on_delete(self, req: Request, resp: Response, key: str) -> None:
        """Revoke it; again changes nothing."""
        number = key_id_of(key)
        async with self._database.working() as connection, connection.transaction():
            name = await rows.revoke_key(connection, number)
            if name is not None:
                await note(connection, req, "revoke", f"ops_key:{number}", {"name": name})
            elif not await rows.has_key(connection, number):
                raise RefusedError("not_found", f"There is no ops key {key[:64]!r}")
        resp.status = 204


def key_id_of(text: str) -> int:
    """Return the id of a key as a path names it, 0 for what is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0


def _check(wanted: KeyRequest) -> None:
    wrong = []
    if wanted.name == SETTINGS_KEY:
        wrong.append(("name", f"{SETTINGS_KEY} is the key of the settings"))
    if wanted.expires_at is not None and wanted.expires_at <= datetime.now(UTC):
        wrong.append(("expires_at", "is past already"))
    if wrong:
        raise InvalidError.naming(wrong)


def _shown(key: rows.StoredKey) -> dict[str, Any]:
    expired = key.expires_at is not None and key.expires_at <= datetime.now(UTC)
    state = "revoked" if key.revoked_at else "expired" if expired else "active"
    totp = "on" if key.totp_confirmed_at else "unconfirmed" if key.has_totp else "off"
    fields = msgspec.structs.asdict(key)
    del fields["has_totp"], fields["totp_confirmed_at"]
    return fields | {"state": state, "totp": totp}
