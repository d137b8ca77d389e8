"""What a call must show beside its key or session: the page's token, a second key. Owns these refusals alone."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from doorbuster.contract.ops_keys import allows
from intake.ops.session.sessions import SESSION
from intake.web.forms import is_foreign
from intake.web.openapi.roles import READING
from intake.web.ops_keys import HOLDER, SECOND, KeyHolder
from intake.web.problems import RefusedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from falcon.asgi import Request, Response

    from doorbuster.contract.sales import SaleChange
    from intake.ops.session.sessions import SignedIn
    from intake.web.ops_keys import OpsKeys

CSRF = "X-CSRF-Token"
SECOND_KEY = "Ops-Second-Key"
_ASK = "doorbuster.ask_second_key"
"""Where in the scope of a request the middleware stands, for resources that find out by the body what is done."""
_PLANNED = {"open": "open", "hold": "hold", "drain": "drain", "closed": "close"}
"""What a phase of a sale's timeline comes to."""
_ENDS = frozenset({"drain", "close"})
"""What a new end of a sale comes to."""
_VERB = "/ops/sales/{sale}/{verb}"
_REVOKE = "/ops/sales/{sale}/room/revoke"


def require_token(req: Request, csrf: str) -> None:
    """Refuse what another site's page may have had a browser send.

    Raises:
        RefusedError: `csrf_invalid`.
    """
    shown = req.get_header(CSRF) or ""
    if is_foreign(req) or not hmac.compare_digest(shown.encode(), csrf.encode()):
        raise RefusedError("csrf_invalid", f"A call by cookie that changes something needs {CSRF} of GET /ops/session")


class CsrfRequired:
    """Middleware of ops' application: a call by cookie that changes something shows the page's token."""

    async def process_resource(self, req: Request, _resp: Response, _resource: object, _params: dict[str, Any]) -> None:
        """Let through what shows it, and all that comes with a key."""
        signed_in: SignedIn | None = req.scope.get(SESSION)
        if signed_in is not None and req.method not in READING:
            require_token(req, signed_in.csrf)


class SecondKey:
    """Middleware of ops' application: some verbs take the key of a second person."""

    def __init__(self, keys: OpsKeys, verbs: Collection[str]) -> None:
        self._keys = keys
        self._verbs = frozenset(verbs)

    async def process_resource(self, req: Request, _resp: Response, _resource: object, params: dict[str, Any]) -> None:
        """Let through what needs none, or shows one; the scope has whose it is."""
        req.scope[_ASK] = self
        verb = {_VERB: params.get("verb"), _REVOKE: "revoke"}.get(req.uri_template or "")
        if req.method == "POST" and verb in self._verbs:
            req.scope[SECOND] = await self._second(req, str(verb))

    async def require(self, req: Request, verbs: Iterable[str]) -> None:
        """Let through what comes to none of the verbs that take a second key, or shows one."""
        if named := sorted(self._verbs & set(verbs)):
            req.scope[SECOND] = await self._second(req, named[0])

    async def _second(self, req: Request, verb: str) -> KeyHolder:
        """Return whose the second key is.

        Raises:
            RefusedError: `second_key_required`, or `rate_limited` after too many wrong ones.
        """
        shown = req.get_header(SECOND_KEY)
        if not shown:
            raise RefusedError("second_key_required", f"To {verb} takes a second ops key, in the header {SECOND_KEY}")
        found = await self._keys.look(req.scope, b"Bearer " + shown.strip().encode("latin-1", "replace"))
        if not isinstance(found, KeyHolder):
            if found:
                raise RefusedError("rate_limited", "Too many wrong ops keys; try again later", retry_after_s=found)
            raise RefusedError("second_key_required", "The second ops key is not a good one")
        if found == req.scope[HOLDER]:
            raise RefusedError("second_key_required", "The second ops key must be another one than the first")
        if not allows(found.role, "operate"):
            raise RefusedError("second_key_required", f"The second ops key, {found.name!r}, may only view")
        return found


def closes_by_plan(change: SaleChange) -> set[datetime]:
    """Return the moments at which a change's timeline closes the sale, which is for good."""
    timeline = (None if change.timeline is UNSET else change.timeline) or []
    return {entry.at for entry in timeline if entry.phase == "closed"}


async def require_for_change(req: Request, change: SaleChange) -> None:
    """Refuse to bring about by a plan or a new end what takes a second key, without one."""
    timeline = (None if change.timeline is UNSET else change.timeline) or []
    verbs = {_PLANNED[str(entry.phase)] for entry in timeline if entry.phase is not UNSET}
    if change.ends_at is not UNSET and change.ends_at is not None:
        verbs |= _ENDS
    ask: SecondKey = req.scope[_ASK]
    await ask.require(req, verbs)
