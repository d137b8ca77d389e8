"""The door of ops: no request passes without the ops key, whatever it asks for. Owns the check, knows no route."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from intake.refusing import send_last_problem

if TYPE_CHECKING:
    from intake.limits import Application, Receive, Scope, Send


class OpsDoor:
    """ASGI application before the ops application."""

    def __init__(self, application: Application, ops_key: str) -> None:
        self._application = application
        self._expected = b"Bearer " + ops_key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        # Schemes are told apart without case (RFC 9110 section 11.1), keys are not.
        scheme, _, key = given.partition(b" ")
        if hmac.compare_digest(scheme.title() + b" " + key.strip(), self._expected):
            await self._application(scope, receive, send)
            return
        challenge = (b"www-authenticate", b'Bearer realm="doorbuster ops"')
        detail = "Send the ops key as Authorization: Bearer"
        await send_last_problem(send, "ops_key_required", detail, (challenge,))
