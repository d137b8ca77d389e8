"""Sessions of the page of ops: what their cookie holds, and whether one is good. Owns both; never sees an ops key.

A cookie names the id of the key that it was begun with, and is signed; nothing of the key is in it. It is good until
its end or until it is signed out, and as long as the key is: one that is revoked or has run out ends it at once.
"""

from __future__ import annotations

import hmac
import secrets
import time
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from itsdangerous import BadData, URLSafeSerializer

from doorbuster.errors import StoreUnavailableError
from intake.room.cookies import value_of
from intake.web.ops_keys import HOLDER

if TYPE_CHECKING:
    from doorbuster.settings import Settings
    from intake.server.asgi import Scope
    from intake.web.ops_keys import KeyHolder, KnownKeys

COOKIE = "doorbuster_ops"
SESSION = "doorbuster.ops_session"
"""Where in the scope of a request stands the session that it came with, unless an ops key counts."""
ID_BYTES = 16


class Session(NamedTuple):
    """A session: its id, the key that it was begun with, its end in Unix seconds."""

    session_id: bytes
    key_id: int
    ends_at: int


def sessions_key(settings: Settings) -> bytes:
    """Return what sessions are signed with: a change of OPS_KEY or ORDER_ID_KEY ends all of them."""
    purpose = hmac.digest(settings.order_id_key.get_secret_value().encode(), b"doorbuster ops sessions", "sha256")
    return hmac.digest(purpose, settings.ops_key.get_secret_value().encode(), "sha256")


class OpsSessions:
    """Begins sessions, and says of requests whether they have a good one."""

    def __init__(self, key: bytes, known: KnownKeys, *, life_s: int) -> None:
        self._key, self._known, self.life_s = key, known, life_s
        signing = {"key_derivation": "hmac", "digest_method": sha256}
        self._serializer = URLSafeSerializer(key, salt="session", signer_kwargs=signing)

    def begin(self, holder: KeyHolder) -> tuple[Session, str]:
        """Return a new session, and what its cookie holds."""
        made = Session(secrets.token_bytes(ID_BYTES), holder.key_id, int(time.time()) + self.life_s)
        return made, str(self._serializer.dumps([made.session_id.hex(), made.key_id, made.ends_at]))

    def csrf_of(self, session: Session) -> str:
        """Return what calls that change something show beside the cookie, which no other site can know."""
        return hmac.digest(self._key, b"csrf " + session.session_id, "sha256").hex()

    def end(self, session: Session) -> None:
        """Take it for ended at once, in this process."""
        self._known.end_session(session.session_id)

    def read(self, scope: Scope) -> Session | None:
        """Return the session of a request's cookie that is signed and not over; its key is not looked at."""
        value = value_of(scope["headers"], COOKIE.encode())
        if value is None:
            return None
        try:
            session_id, key_id, ends_at = self._serializer.loads(value)
        except BadData:
            return None
        return Session(bytes.fromhex(session_id), key_id, ends_at) if ends_at > time.time() else None

    async def find(self, scope: Scope) -> tuple[Session, KeyHolder] | None:
        """Return the request's session and whose key it was begun with, None if there is none that is good.

        Raises:
            StoreUnavailableError: Postgres does not say.
        """
        session = self.read(scope)
        holder = None if session is None else await self._known.find_session(session.key_id, session.session_id)
        return None if session is None or holder is None else (session, holder)

    async def wait_s(self, scope: Scope) -> float | None:
        """Return None if the request has a good session, else 0; whose it is stands in the scope then.

        Raises:
            StoreUnavailableError: Postgres does not say.
        """
        found = await self.find(scope)
        if found is None:
            return 0.0
        scope[SESSION], scope[HOLDER] = SignedIn(*found, self.csrf_of(found[0])), found[1]
        return None

    async def is_likely(self, scope: Scope) -> bool:
        """Say whether the page is to be shown, on which nothing stands yet: also while Postgres does not say."""
        try:
            return await self.find(scope) is not None
        except StoreUnavailableError:
            return True


class SignedIn(NamedTuple):
    """A session that is good, whose it is, and what its calls that change something must show."""

    session: Session
    holder: KeyHolder
    csrf: str
