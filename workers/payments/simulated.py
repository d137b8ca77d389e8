"""A simulated payment gateway, which answers by what the payment token says. Owns its tokens; holds no money.

What the token alone tells is kept nowhere: a plain payment costs nothing but the call. The rest is in its books
(`simulated_books.py`), which every shift finds: what is coming or needs an action, what was captured in parts, voided
or refunded. With `everything` all payments are there, as a provider's own list would have them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import datetime
from functools import lru_cache
from typing import Final

from db.payments.simulated_books import Book
from doorbuster.failures import POSTGRES_FAILED
from workers.payments.gateway import (
    NOTHING,
    GatewayDownError,
    GatewayError,
    ListedPayment,
    NotListedError,
    OutcomeUnknownError,
    PaymentRefusedError,
    PaymentRequest,
    ProviderPayment,
    ProviderStatus,
    RateLimitedError,
)
from workers.payments.simulated_books import Books, Change, MemoryBooks

SLOW_MS: Final = 500
_DECLINED: Final = ProviderPayment(ProviderStatus.DECLINED)

_SPECIAL = re.compile("timeout|slow|flaky|(?<![a-z0-9])(?:late|down|429|action|card:)")
_SLOW = re.compile(r"slow(?::(\d{1,6}))?")
_FLAKY = re.compile(r"flaky(?::(\d{1,2}))?")
_DOWN = re.compile(r"(?<![a-z0-9])down(?::(\d{1,2}))?")
_LATE = re.compile(r"(?<![a-z0-9])late(?::(\d{1,6}))?")
_LIMITED = re.compile(r"(?<![a-z0-9])429(?::(\d{1,3}))?")
_ACTION = re.compile(r"(?<![a-z0-9])action(?::(succeed|fail)(?::(\d{1,6}))?)?")
_CARD = re.compile(r"(?<![a-z0-9])card:([A-Za-z0-9_-]{1,64})")


class SimulatedGateway:
    """Answers by what the token says, always the same; docs/payments.md has the tokens.

    Keeps nothing itself, so every shift can have its own; without `books` they end with it.
    """

    def __init__(self, books: Books | None = None, *, everything: bool = False) -> None:
        self._books = books or MemoryBooks()
        self._everything = everything
        self._limited: set[bytes] = set()
        """Who was told to come again."""

    def answers_at_once(self, payment: PaymentRequest) -> bool:
        """Say that the token names nothing that takes time or is kept."""
        return not self._everything and (payment.token is None or _is_plain(payment.token))

    async def authorise(self, payment: PaymentRequest) -> ProviderPayment:
        """Answer as the token says, and take the time that it says: what is kept is there when half of it is over."""
        if self.answers_at_once(payment):
            return _plain(payment)
        loop = asyncio.get_running_loop()
        slow = _SLOW.search(payment.token or "")
        takes_s = int(slow[1] or SLOW_MS) / 1000 if slow else 0.0
        answers_at = loop.time() + takes_s
        if slow:
            await asyncio.sleep(takes_s / 2)
        try:
            answer = await self._answer(payment)
        except GatewayError:
            await asyncio.sleep(answers_at - loop.time())
            raise
        if (rest_s := answers_at - loop.time()) > 0:
            await asyncio.sleep(rest_s)
        return answer

    async def _answer(self, payment: PaymentRequest) -> ProviderPayment:
        await self._hinder(payment)
        token = payment.token or ""
        card = found[1] if (found := _CARD.search(token)) else None
        book = Book("authorised", payment.total, payment.currency, payment.capture, card=card)
        if "decline" in token:
            return await self._open(payment, book._replace(status="declined"))
        if late := _LATE.search(token):
            comes_after_s = int(late[1] or 0) / 1000
            answer = await self._open(payment, book._replace(status="coming"), turns_after_s=comes_after_s)
            if payment.attempts and answer.status is not ProviderStatus.NOTHING:
                return answer
            raise OutcomeUnknownError("the answer was lost")
        if action := _ACTION.search(token):
            book = book._replace(status="requires_action", succeeds=action[1] != "fail")
            after_s = None if action[1] is None else int(action[2] or 0) / 1000
            return await self._open(payment, book, turns_after_s=after_s)
        return await self._open(payment, _succeeded(book))

    async def _hinder(self, payment: PaymentRequest) -> None:
        """Be away, busy or silent, as the token says."""
        token = payment.token or ""
        if "timeout" in token:
            await asyncio.get_running_loop().create_future()
        if (down := _DOWN.search(token)) and payment.attempts < int(down[1] or 100):
            raise GatewayDownError("the provider is away")
        if (limited := _LIMITED.search(token)) and payment.order_id.bytes not in self._limited:
            self._limited.add(payment.order_id.bytes)
            raise RateLimitedError("too many", float(limited[1] or 1))
        if (flaky := _FLAKY.search(token)) and payment.attempts < int(flaky[1] or 1):
            raise OutcomeUnknownError(f"failed attempt {payment.attempts + 1}")

    async def capture(self, payment: PaymentRequest, amount: int, *, key: str, final: bool) -> ProviderPayment:
        """Take some of what is held."""

        def take(book: Book) -> Book:
            if key in book.keys:
                return book
            if book.status != "authorised" or amount > book.total - book.captured:
                raise PaymentRefusedError("less than that is held")
            captured = book.captured + amount
            status = "captured" if final or captured == book.total else "authorised"
            return book._replace(status=status, captured=captured, keys=(*book.keys, key))

        return await self._change(payment, take)

    async def void(self, payment: PaymentRequest, *, key: str) -> ProviderPayment:  # noqa: ARG002 - voided is voided
        """Let go what is held, and let nothing be held from now on."""

        def let_go(book: Book) -> Book:
            if book.status not in ("coming", "requires_action", "authorised"):
                return book
            return book._replace(status="captured" if book.captured else "voided")

        return await self._change(payment, let_go)

    async def refund(self, payment: PaymentRequest, amount: int, *, key: str) -> ProviderPayment:
        """Give back some of what was taken."""

        def give_back(book: Book) -> Book:
            if key in book.keys:
                return book
            if amount > book.captured - book.refunded:
                raise PaymentRefusedError("less than that was taken")
            return book._replace(refunded=book.refunded + amount, keys=(*book.keys, key))

        return await self._change(payment, give_back)

    async def look_up(self, payment: PaymentRequest) -> ProviderPayment:
        """Say what its books have, or else what the token tells of a payment that was asked for."""
        try:
            book = await self._books.read(payment.order_id)
        except POSTGRES_FAILED as error:
            raise OutcomeUnknownError(f"the books cannot be read: {error!r}") from error
        if book is not None:
            return _shown(payment, _turned(book))
        if payment.attempts == 0 or not self.answers_at_once(payment):
            return NOTHING
        return _plain(payment)

    async def list(self, since: datetime) -> AsyncIterator[ListedPayment]:
        """Go through all payments, if all are kept."""
        if not self._everything:
            raise NotListedError("the simulated provider keeps a list only with SIMULATED_BOOKS=true")
        async for order_id, book in self._books.list(since):
            payment = PaymentRequest(order_id, book.total, book.currency, None)
            yield ListedPayment(order_id, _shown(payment, _turned(book)))

    async def close(self) -> None:
        """Close the books."""
        await self._books.close()

    async def _open(
        self, payment: PaymentRequest, book: Book, *, turns_after_s: float | None = None
    ) -> ProviderPayment:
        try:
            found = await self._books.open(payment.order_id, book, turns_after_s=turns_after_s)
        except POSTGRES_FAILED as error:
            raise OutcomeUnknownError(f"the books cannot be written: {error!r}") from error
        return _shown(payment, _turned(found))

    async def _change(self, payment: PaymentRequest, change: Change) -> ProviderPayment:
        """Change a payment's book, or what the token alone told of it so far."""
        known = _plain(payment) if payment.attempts and self.answers_at_once(payment) else NOTHING
        status = "voided" if known is NOTHING else str(known.status)
        book = Book(status, payment.total, payment.currency, payment.capture, captured=known.captured)
        try:
            changed = await self._books.change(payment.order_id, book, lambda found: change(_turned(found)))
        except POSTGRES_FAILED as error:
            raise OutcomeUnknownError(f"the books cannot be written: {error!r}") from error
        return _shown(payment, changed)


@lru_cache(maxsize=4096)
def _is_plain(token: str) -> bool:
    return "decline" in token or _SPECIAL.search(token) is None


def _plain(payment: PaymentRequest) -> ProviderPayment:
    """Return what becomes of a payment at once, by its token alone."""
    if payment.token is not None and "decline" in payment.token:
        return _DECLINED
    return _paid(payment.total, payment.capture)


@lru_cache(maxsize=4096)
def _paid(total: int, is_captured: bool) -> ProviderPayment:
    if is_captured:
        return ProviderPayment(ProviderStatus.CAPTURED, total, total)
    return ProviderPayment(ProviderStatus.AUTHORISED, total)


def _succeeded(book: Book) -> Book:
    return book._replace(status="captured", captured=book.total) if book.capture else book._replace(status="authorised")


def _turned(book: Book) -> Book:
    """Return what a book says now that time has passed."""
    if book.status not in ("coming", "requires_action") or not book.turned:
        return book
    return _succeeded(book) if book.succeeds else book._replace(status="declined")


def _shown(payment: PaymentRequest, book: Book) -> ProviderPayment:
    if book.status == "coming":
        return NOTHING
    asks = {"type": "simulated", "order_id": str(payment.order_id)} if book.status == "requires_action" else None
    return ProviderPayment(
        ProviderStatus(book.status),
        book.total if book.status in ("authorised", "captured") else 0,
        book.captured,
        book.refunded,
        reference=f"sim_{payment.order_id}",
        next_action=asks,
        card=book.card,
    )
