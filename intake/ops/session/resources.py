"""`/ops/session`: sign in, who is signed in, sign out. Owns the resource and the cookie's attributes."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from db.ops_sessions import end_session
from doorbuster.contract.ops_keys import SessionRequest, SessionView
from intake.ops.session.required import require_token
from intake.ops.session.sessions import COOKIE
from intake.web.forms import is_foreign
from intake.web.ops_keys import HOLDER, KeyHolder
from intake.web.problems import RefusedError
from intake.web.requests import body_of
from intake.web.responses import write

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from intake.database import Database
    from intake.ops.session.sessions import OpsSessions, Session
    from intake.ops.session.totp import TotpCodes
    from intake.web.ops_keys import OpsKeys

log = logging.getLogger("doorbuster.intake.ops")

PATH = "/ops/"
_request = msgspec.json.Decoder(SessionRequest)


class SessionTerms(NamedTuple):
    """What the page is told beside who is signed in."""

    second_key_for: tuple[str, ...]


class SignIn:
    """Resource of the session that a browser has."""

    def __init__(
        self, keys: OpsKeys, sessions: OpsSessions, codes: TotpCodes, database: Database, terms: SessionTerms
    ) -> None:
        self._keys, self._sessions, self._codes = keys, sessions, codes
        self._database, self._terms = database, terms

    async def on_post(self, req: Request, resp: Response) -> None:
        """Sign in with an ops key, and with a code where the key has a second factor."""
        if is_foreign(req):
            raise RefusedError("csrf_invalid", "Another site's page asks to sign in here")
        wanted = await body_of(req, _request)
        holder = await self._keys.look(req.scope, b"Bearer " + wanted.key.encode())
        if not isinstance(holder, KeyHolder):
            if holder:
                raise RefusedError("rate_limited", "Too many wrong ops keys; try again later", retry_after_s=holder)
            raise RefusedError("ops_key_required", "The ops key is not a good one")
        await self._codes.check(holder.key_id, wanted.totp)
        session, value = self._sessions.begin(holder)
        log.info("signed in to the page of ops", extra={"key": holder.name, "role": holder.role})
        _set(req, resp, value, self._sessions.life_s)
        resp.set_header("Cache-Control", "no-store")
        write(resp, self._view(holder, session), 201)

    async def on_get(self, req: Request, resp: Response) -> None:
        """Say who is signed in, or whose key it is."""
        resp.set_header("Cache-Control", "no-store")
        found = await self._sessions.find(req.scope)
        if found is not None:
            write(resp, self._view(found[1], found[0]))
            return
        wait_s = await self._keys.wait_s(req.scope)
        if wait_s:
            raise RefusedError("rate_limited", "Too many wrong ops keys; try again later", retry_after_s=wait_s)
        if wait_s is not None:
            raise RefusedError("ops_key_required", "Nobody is signed in here")
        write(resp, self._view(req.scope[HOLDER], None))

    async def on_delete(self, req: Request, resp: Response) -> None:
        """Sign out: the cookie is good no more, wherever it was copied to; without one nothing is done."""
        session = self._sessions.read(req.scope)
        if session is not None:
            require_token(req, self._sessions.csrf_of(session))
            resp.unset_cookie(COOKIE, path=PATH)
            self._sessions.end(session)
            async with self._database.working() as connection:
                ends_at = datetime.fromtimestamp(session.ends_at, UTC)
                await end_session(connection, session.session_id, ends_at)
        resp.status = 204

    def _view(self, holder: KeyHolder, session: Session | None) -> SessionView:
        verbs = list(self._terms.second_key_for)
        if session is None:
            return SessionView(name=holder.name, role=holder.role, second_key_for=verbs)
        return SessionView(
            name=holder.name,
            role=holder.role,
            csrf=self._sessions.csrf_of(session),
            ends_at=datetime.fromtimestamp(session.ends_at, UTC),
            second_key_for=verbs,
        )


def _set(req: Request, resp: Response, value: str, life_s: int) -> None:
    secure = req.forwarded_scheme == "https"
    resp.set_cookie(COOKIE, value, max_age=life_s, path=PATH, secure=secure, http_only=True, same_site="Strict")
