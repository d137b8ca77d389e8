"""Keys of ops, and what no request of ops passes without: one, or another credential. Owns the check, knows no route.

The key of the settings is an admin's and needs no store. The others are in Postgres; a process asks for them when one
is shown and what it knows is older than `KNOWN_S`, so that a revoked key is good for so long at most.

Wrong keys are counted by address. An address that has used its tries up is refused before anything is compared. Where
an address stands for many (this machine, or a proxy that names nobody) a right key still passes, so that a stranger
there locks nobody out.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from doorbuster.contract.ops_keys import KEY_PREFIX, SETTINGS_KEY
from doorbuster.errors import StoreUnavailableError
from doorbuster.failures import STORE_FAILED
from intake.server.connection.early_response import send_last_problem, send_page
from intake.web.client_address import counted
from intake.web.rate_limit import RateLimit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from db.ops_keys import LiveKey
    from doorbuster.contract.ops_keys import Role
    from intake.server.asgi import Application, Headers, Receive, Scope, Send
    from intake.web.client_address import Addresses

    Credential = Callable[[Scope], Awaitable[float | None]]
    RefusalPage = Callable[[Scope, str], tuple[bytes, Headers] | None]

log = logging.getLogger("doorbuster.intake.ops")

MANY = "many"
"""What wrong keys are counted under that come from an address which stands for many."""
HOLDER = "doorbuster.ops_key_holder"
"""Where in the scope of a request stands whose key it carries."""
SECOND = "doorbuster.ops_second_key_holder"
"""Where whose second key it carries, if its call takes one."""
KNOWN_S = 1.0
"""How old what a process knows of the keys may be: a revoked one is good for so long at most."""


class KeyHolder(NamedTuple):
    """Whose key a request carries, and what it may."""

    name: str
    role: Role
    key_id: int = 0
    """0 for the key of the settings, which is in no table."""


_SETTINGS = KeyHolder(SETTINGS_KEY, "admin")


class StoredKeys(NamedTuple):
    """What Postgres says of the keys: those that are good, and the sessions that were signed out before their end."""

    keys: Sequence[LiveKey]
    ended_sessions: Sequence[bytes] = ()


def digest_of(key: bytes) -> bytes:
    """Return what is stored of a key; it has 256 bits of chance, so that one plain digest is enough."""
    return hashlib.sha256(key).digest()


class KnownKeys:
    """The keys that are good, and the sessions that were signed out, as a process knows them."""

    def __init__(self, read: Callable[[], Awaitable[StoredKeys]]) -> None:
        self._read = read
        self._lock = asyncio.Lock()
        self._known: dict[bytes, tuple[KeyHolder, float]] = {}
        self._by_id: dict[int, tuple[KeyHolder, float]] = {}
        self._ended: set[bytes] = set()
        self._read_at = self._failed_at = -math.inf

    async def find(self, key: bytes, *, look_again: bool) -> KeyHolder | None:
        """Return whose key it is, None if it is no good one; with `look_again` one made just now is found, too.

        Raises:
            StoreUnavailableError: Postgres does not say.
        """
        came = time.monotonic()
        digest = digest_of(key)
        await self._know_since(came - KNOWN_S)
        if digest not in self._known and look_again:
            await self._know_since(came)
        holder, until = self._known.get(digest, (None, 0.0))
        return holder if until > time.monotonic() else None

    async def find_session(self, key_id: int, session_id: bytes) -> KeyHolder | None:
        """Return whose key a session was begun with, None if the key is good no more or the session was signed out.

        A session of the settings' key goes on while Postgres is away, as that key does.

        Raises:
            StoreUnavailableError: Postgres does not say.
        """
        try:
            await self._know_since(time.monotonic() - KNOWN_S)
        except StoreUnavailableError:
            if key_id != _SETTINGS.key_id:
                raise
        if session_id in self._ended:
            return None
        holder, until = (_SETTINGS, math.inf) if key_id == _SETTINGS.key_id else self._by_id.get(key_id, (None, 0.0))
        return holder if until > time.monotonic() else None

    def end_session(self, session_id: bytes) -> None:
        """Take a session for ended at once; other processes do once they have read it."""
        self._ended.add(session_id)

    async def _know_since(self, moment: float) -> None:
        """Read the keys unless that began after the moment; many who want it at once make one read, or two."""
        if self._read_at >= moment:
            return
        async with self._lock:
            if self._read_at >= moment:
                return
            if self._failed_at >= moment:
                raise StoreUnavailableError("Postgres does not answer, where the keys of ops are")
            began = time.monotonic()
            try:
                found = await self._read()
            except STORE_FAILED as error:
                self._failed_at = began
                raise StoreUnavailableError("Postgres does not answer, where the keys of ops are") from error
            self._read_at = began
            by_id = {one.key_id: (KeyHolder(one.name, one.role, one.key_id), _until(one, began)) for one in found.keys}
            self._by_id, self._known = by_id, {one.digest: by_id[one.key_id] for one in found.keys}
            self._ended = set(found.ended_sessions)


def _until(key: LiveKey, began: float) -> float:
    return math.inf if key.good_for_s is None else began + key.good_for_s


class OpsKeys:
    """Says whose key a request carries."""

    def __init__(self, ops_key: str, known: KnownKeys, addresses: Addresses, *, tries_per_minute: int) -> None:
        self._expected = b"Bearer " + ops_key.encode()
        self._known = known
        self._addresses = addresses
        self._wrong = RateLimit(tries_per_minute)

    async def is_in(self, scope: Scope) -> bool:
        """Say whether the request may pass.

        Raises:
            StoreUnavailableError: Postgres does not say.
        """
        return await self.wait_s(scope) is None

    async def wait_s(self, scope: Scope) -> float | None:
        """Return None if a key is in the request, else in how many seconds another is looked at: 0 if at once.

        Whose key it is stands in the scope then.

        Raises:
            StoreUnavailableError: Postgres does not say.
        """
        authorization = next((value for name, value in scope["headers"] if name == b"authorization"), None)
        if authorization is None:
            return 0.0
        found = await self.look(scope, authorization)
        if isinstance(found, KeyHolder):
            scope[HOLDER] = found
            return None
        return found

    async def look(self, scope: Scope, authorization: bytes) -> KeyHolder | float:
        """Return whose key it is, else in how many seconds another is looked at: 0 if at once; a wrong one is counted.

        `authorization` is as the header of that name holds it; the scope says where it comes from.

        Raises:
            StoreUnavailableError: Postgres does not say.
        """
        address = self._addresses.of_scope(scope)
        wait_s = self._count(address, 0.0)
        if wait_s and address:
            return wait_s
        holder = await self._holder(authorization, look_again=not wait_s)
        if holder is not None:
            return holder
        if not wait_s:
            log.warning("ops key refused: wrong key", extra={"address": address or MANY})
        return wait_s or self._count(address, 1.0)

    async def _holder(self, authorization: bytes, *, look_again: bool) -> KeyHolder | None:
        # Schemes are told apart without case (RFC 9110 section 11.1), keys are not.
        scheme, _, rest = authorization.partition(b" ")
        scheme, key = scheme.title(), rest.strip()
        if hmac.compare_digest(scheme + b" " + key, self._expected):
            return _SETTINGS
        if scheme != b"Bearer" or not key.startswith(KEY_PREFIX.encode()):
            return None
        return await self._known.find(key, look_again=look_again)

    def _count(self, address: str, cost: float) -> float:
        names = counted(address or MANY)
        return max(self._wrong.wait_s(name, cost, homes=homes) for name, homes in names)


class OpsAuth:
    """ASGI application before the ops application: a request passes that shows one of the credentials."""

    def __init__(
        self,
        application: Application,
        *credentials: Credential,
        open_paths: Collection[str] = (),
        open_under: str | None = None,
        page: RefusalPage | None = None,
        retry_after_s: int = 1,
    ) -> None:
        """Take the credentials, the paths that need none, what others that need none begin with, and a page.

        The page is what a person is shown instead of a problem.

        A credential returns what `OpsKeys.wait_s` does, and leaves a `KeyHolder` in the scope; so can one that reads a
        session of a cookie. The page is asked with the request's scope and the problem's code; None: send the problem.
        """
        self._application = application
        self.credentials = credentials
        self._open_paths = frozenset(open_paths)
        self._open_under = open_under
        self._page = page
        self._away = (b"retry-after", b"%d" % retry_after_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        try:
            wait_s = None if self._is_open(scope["path"]) else await self._wait_s(scope)
        except StoreUnavailableError as error:
            log.warning("ops key cannot be looked up", extra={"error": error.__cause__ or error})
            await self._refuse(scope, send, "store_unavailable", f"{error.detail}; nothing was done", self._away)
            return
        if wait_s is None:
            await self._application(scope, receive, send)
        elif wait_s:
            again = (b"retry-after", b"%d" % math.ceil(wait_s))
            await self._refuse(scope, send, "rate_limited", "Too many wrong ops keys; try again later", again)
        else:
            challenge = (b"www-authenticate", b'Bearer realm="doorbuster ops"')
            await self._refuse(scope, send, "ops_key_required", "Send an ops key as Authorization: Bearer", challenge)

    def _is_open(self, path: str) -> bool:
        return path in self._open_paths or (self._open_under is not None and path.startswith(self._open_under))

    async def _wait_s(self, scope: Scope) -> float | None:
        """Return None if any credential is shown, else in how many seconds another is looked at."""
        longest_s = 0.0
        for credential in self.credentials:
            wait_s = await credential(scope)
            if wait_s is None:
                return None
            longest_s = max(longest_s, wait_s)
        return longest_s

    async def _refuse(self, scope: Scope, send: Send, code: str, detail: str, header: tuple[bytes, bytes]) -> None:
        shown = None if self._page is None else self._page(scope, code)
        if shown is None:
            await send_last_problem(send, code, detail, (header,))
        else:
            await send_page(send, code, shown[0], [*shown[1], header, (b"connection", b"close")])
