"""Stripe as a payment gateway: an order is a PaymentIntent, made under the order's id as idempotency key.

Owns which calls make each verb. Never retries by itself, and keeps nothing: what Stripe has is asked of Stripe.

Where the intent's id is not known (a reply was lost) it is found by making it again: the same parameters under the same
key return the first one. To void what may never have come to be, another intent is made under the key, one that nobody
can pay, and cancelled. Either the key was free, and no payment can be made under it any more, or Stripe says that it
was used, and then the first one is found as above. Stripe keeps a key for a day; what is older is searched for before.
"""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import aiohttp
import stripe

from workers.payments.gateway import (
    NOTHING,
    ListedPayment,
    OutcomeUnknownError,
    PaymentRefusedError,
    ProviderPayment,
    ProviderStatus,
)
from workers.payments.stripe import answers, requests
from workers.payments.stripe.failures import declines, gateway_error, is_unexpected_state, reference_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from stripe.params import PaymentIntentCreateParams, PaymentIntentRetrieveParams, RefundListParams

    from workers.payments.gateway import PaymentRequest

T = TypeVar("T")
Listed = TypeVar("Listed", bound=stripe.StripeObject)

KEYS_LAST = timedelta(hours=23)
"""Stripe forgets idempotency keys after 24 hours."""

stripe.enable_telemetry = False


class StripeGateway:
    """Speaks to Stripe; see `workers.payments.gateway.Gateway`."""

    def __init__(self, api_key: str, api_base: str, *, timeout_s: float, connections: int) -> None:
        self._api_key, self._api_base = api_key, api_base
        self._timeout_s, self._connections = timeout_s, connections
        self._session: aiohttp.ClientSession | None = None
        self._opened: stripe.StripeClient | None = None

    def answers_at_once(self, payment: PaymentRequest) -> bool:  # noqa: ARG002
        """Say no: it is elsewhere."""
        return False

    async def authorise(self, payment: PaymentRequest) -> ProviderPayment:
        """Make the order's intent and confirm it; made before, it is read as it stands now."""
        if payment.attempts and (found := await self._search_if_old(payment)) is not None:
            return await self._answer(found)
        try:
            intent = await self._make(requests.asking(payment), payment)
        except stripe.IdempotencyError:
            # Voided before it was asked for; or asked for on other terms, which this raises.
            with _understood():
                intent = await self._make(requests.instead(payment), payment)
        except stripe.StripeError as error:
            if not declines(error):
                raise gateway_error(error) from error
            return answers.declined(str(error), reference_in(error))
        return await self._answer(intent)

    async def capture(self, payment: PaymentRequest, amount: int, *, key: str, final: bool) -> ProviderPayment:
        """Take a part of what is held, once for a key: the intent's metadata remember it longer than Stripe the key."""
        intent = await self._existing(payment)
        if not answers.has_mark(intent, requests.capture_mark(payment.order_id, key)):
            params = requests.capturing(payment, amount, key=key, final=final)
            with _understood():
                await self._client.v1.payment_intents.capture_async(intent.id, params, _under(key))
            intent = await self._read(intent.id)
        return await self._answer(intent)

    async def void(self, payment: PaymentRequest, *, key: str) -> ProviderPayment:
        """Cancel the order's intent, or see to it that there can be none; what was taken stays taken."""
        intent = await self._find_or_forestall(payment)
        if intent is None:
            return ProviderPayment(ProviderStatus.DECLINED)
        if intent.status not in ("succeeded", "canceled"):
            intent = await self._let_go(intent, key)
        return await self._answer(intent)

    async def refund(self, payment: PaymentRequest, amount: int, *, key: str) -> ProviderPayment:
        """Give a part back, once for a key: the refunds' metadata remember it longer than Stripe the key."""
        intent = await self._existing(payment)
        refund = answers.refund_by(await self._refunds(intent.id), key)
        if refund is None:
            params = requests.refunding(payment, intent.id, amount, key=key)
            with _understood():
                refund = await self._client.v1.refunds.create_async(params, _under(key))
            intent = await self._read(intent.id)
        if refund.status in ("failed", "canceled"):
            raise PaymentRefusedError(f"the refund {refund.id} is {refund.status}")
        return await self._answer(intent)

    async def look_up(self, payment: PaymentRequest) -> ProviderPayment:
        """Read the order's intent.

        Without its id, one whose authorisation was tried before is made again, which returns it. Any other is searched
        for, which does not find what is a moment old.
        """
        if payment.reference:
            intent: stripe.PaymentIntent | None = await self._read(payment.reference)
        elif payment.attempts and payment.since is not None:
            intent = await self._find(payment)
        else:
            intent = await self._search(payment)
        return NOTHING if intent is None else await self._answer(intent)

    async def list(self, since: datetime) -> AsyncIterator[ListedPayment]:
        """Go through the intents that were made since then, newest first."""
        with _understood():
            first = await self._client.v1.payment_intents.list_async(requests.listing(since))
        async for intent in _pages(first):
            yield ListedPayment(answers.order_of(intent), await self._answer(intent))

    async def close(self) -> None:
        """Close the connections."""
        session, self._session, self._opened = self._session, None, None
        if session is not None:
            await session.close()

    @property
    def _client(self) -> stripe.StripeClient:
        """The client, made at the first call: its connections belong to the loop that makes it."""
        if self._opened is None:
            tls = ssl.create_default_context(cafile=stripe.ca_bundle_path)
            timeout = aiohttp.ClientTimeout(total=self._timeout_s)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections, ssl=tls), timeout=timeout, trust_env=False
            )
            http = stripe.AIOHTTPClient(timeout=timeout, session=self._session)
            self._opened = stripe.StripeClient(
                self._api_key, base_addresses={"api": self._api_base}, max_network_retries=0, http_client=http
            )
        return self._opened

    async def _make(self, params: PaymentIntentCreateParams, payment: PaymentRequest) -> stripe.PaymentIntent:
        """Make an intent under the order's key; if one was made by the same parameters, read how it stands now."""
        intent = await self._client.v1.payment_intents.create_async(params, _under(str(payment.order_id)))
        return await self._read(intent.id) if _is_replay(intent) else intent

    async def _find(self, payment: PaymentRequest) -> stripe.PaymentIntent | None:
        """Return the intent of an order that was asked for before, None if it was declined without one.

        The sale may have taken its money otherwise then: where the key was used by other terms, those are tried.
        """
        if (found := await self._search_if_old(payment)) is not None:
            return found
        for terms in (payment, payment._replace(capture=not payment.capture)):
            try:
                return await self._make(requests.asking(terms), payment)
            except stripe.IdempotencyError:
                continue
            except stripe.StripeError as error:
                reference = reference_in(error)
                if not declines(error):
                    raise gateway_error(error) from error
                return None if reference is None else await self._read(reference)
        with _understood():
            return await self._make(requests.instead(payment), payment)

    async def _find_or_forestall(self, payment: PaymentRequest) -> stripe.PaymentIntent | None:
        """Return the order's intent, or one in its place, which can never be paid; None if it was declined."""
        if payment.reference:
            return await self._read(payment.reference)
        if (found := await self._search_if_old(payment)) is not None:
            return found
        try:
            return await self._make(requests.instead(payment), payment)
        except stripe.IdempotencyError:
            return await self._find(payment)
        except stripe.StripeError as error:
            raise gateway_error(error) from error

    async def _existing(self, payment: PaymentRequest) -> stripe.PaymentIntent:
        """Return the order's intent.

        Raises:
            PaymentRefusedError: there is none, and there never will be.
        """
        intent = await self._find_or_forestall(payment)
        if intent is None or answers.has_mark(intent, requests.VOIDED):
            raise PaymentRefusedError("Stripe has no payment of the order")
        return intent

    async def _let_go(self, intent: stripe.PaymentIntent, key: str) -> stripe.PaymentIntent:
        """Cancel an intent, or what is left of one that was captured in part; it may have moved on meanwhile."""
        intents = self._client.v1.payment_intents
        try:
            if intent.status == "requires_capture" and intent.amount_received:
                await intents.capture_async(intent.id, requests.releasing(), _under(key))
            else:
                await intents.cancel_async(intent.id, {}, _under(key))
        except stripe.StripeError as error:
            if not is_unexpected_state(error):
                raise gateway_error(error) from error
        intent = await self._read(intent.id)
        if intent.status not in ("succeeded", "canceled"):
            raise OutcomeUnknownError(f"the payment {intent.id} is {intent.status}, and was not cancelled")
        return intent

    async def _search_if_old(self, payment: PaymentRequest) -> stripe.PaymentIntent | None:
        """Search for a payment whose key Stripe may have forgotten; None: it is younger, or there is none."""
        is_old = payment.since is None or datetime.now(UTC) - payment.since > KEYS_LAST
        return await self._search(payment) if is_old else None

    async def _search(self, payment: PaymentRequest) -> stripe.PaymentIntent | None:
        """Return the order's intent if the search knows it; one that stood in for it only where there is no other."""
        params = requests.searching(payment.order_id)
        with _understood():
            found = (await self._client.v1.payment_intents.search_async(params)).data
        found.sort(key=lambda intent: answers.has_mark(intent, requests.VOIDED))
        return await self._read(found[0].id) if found else None

    async def _read(self, reference: str) -> stripe.PaymentIntent:
        params: PaymentIntentRetrieveParams = {"expand": requests.EXPAND}
        with _understood():
            return await self._client.v1.payment_intents.retrieve_async(reference, params)

    async def _refunds(self, reference: str) -> Sequence[stripe.Refund]:
        params: RefundListParams = {"payment_intent": reference, "limit": requests.PAGE}
        with _understood():
            first = await self._client.v1.refunds.list_async(params)
        return [one async for one in _pages(first)]

    async def _answer(self, intent: stripe.PaymentIntent) -> ProviderPayment:
        """Read an intent; what it let go at a capture is told from what it gave back by the refunds themselves."""
        released, charge = 0, answers.charge_of(intent)
        if answers.is_partly_captured(intent) and charge is not None and charge.amount_refunded:
            released = answers.released(await self._refunds(intent.id))
        return answers.payment_of(intent, released_as_refund=released)


@contextmanager
def _understood() -> Iterator[None]:
    """Say what the failure of a call means.

    Raises:
        GatewayError: it failed.
    """
    try:
        yield
    except stripe.StripeError as error:
        raise gateway_error(error) from error


async def _pages(page: stripe.ListObject[Listed]) -> AsyncIterator[Listed]:
    """Go through a list, page by page."""
    while True:
        for one in page.data:
            yield one
        if not page.has_more:
            return
        with _understood():
            page = await page.next_page_async()


def _under(key: str) -> stripe.RequestOptions:
    return {"idempotency_key": key}


def _is_replay(intent: stripe.PaymentIntent) -> bool:
    """Say whether an answer is that of an earlier call: then what it says may have changed since."""
    response = intent.last_response
    return response is not None and response.headers.get("Idempotent-Replayed") == "true"
