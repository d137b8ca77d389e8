"""`POST /payments/{provider}/events`: the payment provider's callback. Owns its answer; believes none of its content.

A callback is a hint. It is checked for its signature, its order is found, and the provider is asked what it has of that
order; so a callback that comes twice, late or out of order does no harm. Wrong signatures are counted by address.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import msgspec

from doorbuster.contract.payments import CallbackTaken
from doorbuster.contract.problems import JSON
from intake.payments.signatures import SignatureInvalidError
from intake.server.asgi import BODY
from intake.web.client_address import counted
from intake.web.problems import RefusedError
from intake.web.query_parameters import refuse_unknown_params
from intake.web.rate_limit import RateLimit

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from intake.payments.news import NewsDesk
    from intake.payments.providers import CallbackReader
    from intake.web.client_address import Addresses

WRONG_PER_MINUTE = 60
"""Wrong signatures of one address and process that are told apart and logged."""
MANY = "many"
"""What is counted for an address that stands for many."""

log = logging.getLogger("doorbuster.intake.payments")
_TAKEN = msgspec.json.encode(CallbackTaken())


class PaymentEvents:
    """Resource of a provider's callbacks."""

    def __init__(self, reader: CallbackReader, desk: NewsDesk, addresses: Addresses) -> None:
        self._reader = reader
        self._desk = desk
        self._addresses = addresses
        self._wrong = RateLimit(WRONG_PER_MINUTE)

    async def on_post(self, req: Request, resp: Response, provider: str) -> None:
        """Take a callback; what is unknown, or old news, is taken as well, so that nobody sends it again."""
        refuse_unknown_params(req)
        if provider != self._reader.provider:
            raise RefusedError("not_found", "No callbacks of that payment provider are taken here")
        headers = {name.lower(): value for name, value in req.headers.items()}
        try:
            news = self._reader.read(headers, req.scope[BODY], time.time())
        except SignatureInvalidError as error:
            self._count_wrong(req, error)
            raise
        if news is not None:
            await self._desk.take(news)
        resp.content_type = JSON
        resp.data = _TAKEN

    def _count_wrong(self, req: Request, error: SignatureInvalidError) -> None:
        """Count a wrong signature; a right one always passes, whoever shares its sender's address.

        Raises:
            RefusedError: there were too many from this address.
        """
        address = self._addresses.of(req) or MANY
        wait_s = max(self._wrong.wait_s(name, homes=homes) for name, homes in counted(address))
        if wait_s:
            text = "Too many wrong signatures; try again later"
            raise RefusedError("rate_limited", text, retry_after_s=wait_s) from error
        log.warning("payment callback refused", extra={"address": address, "detail": error.detail})
