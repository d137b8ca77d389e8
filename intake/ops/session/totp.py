"""A key's second factor: codes by time (RFC 6238). Owns their secrets and their use; each code is good once.

A secret is made of the salt that Postgres has and of a key of the settings: who reads the database alone knows no code.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import time
from typing import TYPE_CHECKING

import msgspec
import pyotp
import segno

from db import ops_sessions as rows
from doorbuster.contract.ops_keys import TotpConfirmation, TotpView
from intake.ops.access.keys import key_id_of
from intake.ops.change_log import note
from intake.web.problems import RefusedError
from intake.web.rate_limit import RateLimit
from intake.web.requests import body_of
from intake.web.responses import write

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from db.connections.pool import Connection
    from doorbuster.settings import Settings
    from intake.database import Database

STEP_S = 30
SALT_BYTES = 20
TRIES_PER_MINUTE = 10
"""Wrong codes of one key and process; beyond it none is looked at, whoever shows it."""
ISSUER = "Doorbuster"
_confirmation = msgspec.json.Decoder(TotpConfirmation)


def totp_key(settings: Settings) -> bytes:
    """Return what the secrets are made with; a change of ORDER_ID_KEY makes all of them void."""
    return hmac.digest(settings.order_id_key.get_secret_value().encode(), b"doorbuster ops second factor", "sha256")


class TotpCodes:
    """The codes of all keys."""

    def __init__(self, key: bytes, database: Database) -> None:
        self._key = key
        self._database = database
        self._wrong = RateLimit(TRIES_PER_MINUTE)

    def otp(self, salt: bytes) -> pyotp.TOTP:
        """Return what makes the codes of a salt."""
        secret = hmac.digest(self._key, salt, "sha1")
        return pyotp.TOTP(base64.b32encode(secret).decode(), interval=STEP_S)

    async def check(self, key_id: int, code: str | None) -> None:
        """Let a sign-in through whose key has no second factor, or whose code is one of now that was not used yet.

        Raises:
            RefusedError: `totp_required`, `totp_invalid`, or `rate_limited` after too many wrong ones.
        """
        if not key_id:
            return
        async with self._database.working() as connection:
            factor = await rows.totp_of(connection, key_id)
            if factor is None or not factor.confirmed:
                return
            if code is None:
                raise RefusedError("totp_required", "The key has a second factor: send its code as totp, too")
            await self.use(connection, key_id, factor.salt, code)

    async def use(self, connection: Connection, key_id: int, salt: bytes, code: str) -> str:
        """Use a code up, which confirms the factor; return the key's name.

        Raises:
            RefusedError: `totp_invalid`, or `rate_limited` after too many wrong ones.
        """
        wait_s = self._wrong.wait_s(str(key_id), 0.0)
        if wait_s:
            raise RefusedError("rate_limited", "Too many wrong codes; try again later", retry_after_s=wait_s)
        step = self._step_of(salt, code)
        name = None if step is None else await rows.use_totp(connection, key_id, step, salt)
        if name is None:
            self._wrong.wait_s(str(key_id))
            was = "is wrong, or of another time" if step is None else "was used already; wait for the next one"
            raise RefusedError("totp_invalid", f"The code {was}")
        return name

    def _step_of(self, salt: bytes, code: str) -> int | None:
        """Return the time step that a code is of: this one, or for slow hands and clocks the one before or after."""
        otp, now = self.otp(salt), int(time.time()) // STEP_S
        found = [step for step in (now - 1, now, now + 1) if hmac.compare_digest(otp.generate_otp(step), code)]
        return found[-1] if found else None


class KeyTotp:
    """Resource of a key's second factor."""

    def __init__(self, codes: TotpCodes, database: Database) -> None:
        self._codes, self._database = codes, database

    async def on_post(self, req: Request, resp: Response, key: str) -> None:
        """Make one, and show its secret this once; signing in takes a code once one was confirmed."""
        key_id, salt = key_id_of(key), secrets.token_bytes(SALT_BYTES)
        async with self._database.working() as connection, connection.transaction():
            name = await rows.begin_totp(connection, key_id, salt)
            if name is None:
                raise RefusedError("not_found", f"There is no ops key {key[:64]!r} that is not revoked")
            await note(connection, req, "make_totp", f"ops_key:{key_id}", {"name": name})
        otp = self._codes.otp(salt)
        uri = otp.provisioning_uri(name=name, issuer_name=ISSUER)
        rows_of_code = ["".join(str(int(dot)) for dot in row) for row in segno.make(uri, micro=False).matrix]
        resp.set_header("Cache-Control", "no-store")
        write(resp, TotpView(key_id=key_id, name=name, secret=otp.secret, uri=uri, qr=rows_of_code), 201)

    async def on_delete(self, req: Request, resp: Response, key: str) -> None:
        """Take it off the key; again changes nothing."""
        key_id = key_id_of(key)
        async with self._database.working() as connection, connection.transaction():
            name = await rows.drop_totp(connection, key_id)
            if name is not None:
                await note(connection, req, "remove_totp", f"ops_key:{key_id}", {"name": name})
        resp.status = 204


class ConfirmTotp:
    """Resource of the first code of a key's second factor."""

    def __init__(self, codes: TotpCodes, database: Database) -> None:
        self._codes, self._database = codes, database

    async def on_post(self, req: Request, resp: Response, key: str) -> None:
        """Show that the authenticator makes its codes; from then on signing in takes one."""
        wanted = await body_of(req, _confirmation)
        key_id = key_id_of(key)
        async with self._database.working() as connection, connection.transaction():
            factor = await rows.totp_of(connection, key_id)
            if factor is None:
                raise RefusedError("not_found", f"The ops key {key[:64]!r} has no second factor")
            name = await self._codes.use(connection, key_id, factor.salt, wanted.code)
            await note(connection, req, "confirm_totp", f"ops_key:{key_id}", {"name": name})
        resp.status = 204
