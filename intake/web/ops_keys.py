"""The ops key, and what no request of ops passes without: it, or another credential. Owns the check, knows no route.

Wrong keys are counted by address. An address that has used its tries up is refused before anything is compared. Where
an address stands for many (this machine, or a proxy that names nobody) a right key still passes, so that a stranger
there locks nobody out.
"""

from __future__ import annotations

import hmac
import logging
import math
from typing import TYPE_CHECKING

from intake.server.connection.early_response import send_last_problem, send_page
from intake.web.client_address import counted
from intake.web.rate_limit import RateLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from intake.server.asgi import Application, Headers, Receive, Scope, Send
    from intake.web.client_address import Addresses

    Credential = Callable[[Scope], float | None]
    RefusalPage = Callable[[Scope, str], tuple[bytes, Headers] | None]

log = logging.getLogger("doorbuster.intake.ops")

MANY = "many"
"""What wrong keys are counted under that come from an address which stands for many."""


class OpsKey:
    """Says whether a request carries the key."""

    def __init__(self, ops_key: str, addresses: Addresses, *, tries_per_minute: int) -> None:
        self._expected = b"Bearer " + ops_key.encode()
        self._addresses = addresses
        self._wrong = RateLimit(tries_per_minute)

    def is_in(self, scope: Scope) -> bool:
        """Say whether the request may pass."""
        return self.wait_s(scope) is None

    def wait_s(self, scope: Scope) -> float | None:
        """Return None if the key is in the request, else in how many seconds another is looked at: 0 if at once."""
        authorization = next((value for name, value in scope["headers"] if name == b"authorization"), None)
        if authorization is None:
            return 0.0
        address = self._addresses.of_scope(scope)
        wait_s = self._count(address, 0.0)
        if wait_s and address:
            return wait_s
        # Schemes are told apart without case (RFC 9110 section 11.1), keys are not.
        scheme, _, key = authorization.partition(b" ")
        if hmac.compare_digest(scheme.title() + b" " + key.strip(), self._expected):
            return None
        if not wait_s:
            log.warning("ops key refused: wrong key", extra={"address": address or MANY})
        return wait_s or self._count(address, 1.0)

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
        page: RefusalPage | None = None,
    ) -> None:
        """Take the credentials, the paths that need none, and what a person is shown instead of a problem.

        A credential returns what `OpsKey.wait_s` does; so can one that reads a session of a cookie. The page is asked
        with the request's scope and the problem's code; None: the problem is sent.
        """
        self._application = application
        self.credentials = credentials
        self._open_paths = frozenset(open_paths)
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        wait_s = None if scope["path"] in self._open_paths else self._wait_s(scope)
        if wait_s is None:
            await self._application(scope, receive, send)
        elif wait_s:
            again = (b"retry-after", b"%d" % math.ceil(wait_s))
            await self._refuse(scope, send, "rate_limited", "Too many wrong ops keys; try again later", again)
        else:
            challenge = (b"www-authenticate", b'Bearer realm="doorbuster ops"')
            await self._refuse(scope, send, "ops_key_required", "Send the ops key as Authorization: Bearer", challenge)

    def _wait_s(self, scope: Scope) -> float | None:
        """Return None if any credential is shown, else in how many seconds another is looked at."""
        longest_s = 0.0
        for credential in self.credentials:
            wait_s = credential(scope)
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
