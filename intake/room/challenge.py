"""What a visitor must do before joining: the hook, the built-in proof of work, and a verifier elsewhere.

Owns the challenges of this process; keeps nothing of any visitor. Who has an access code is not asked.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple, Protocol

from doorbuster.contract.room import ChallengeView
from doorbuster.errors import StoreUnavailableError

if TYPE_CHECKING:
    import httpx

    from doorbuster.settings import Settings

log = logging.getLogger("doorbuster.intake.room")

_NONCE = re.compile(r"[\x21-\x39\x3b-\x7e]{1,64}")
"""Printable, without the colon that stands before it: one text has one reading as salt, visitor and nonce."""
HELD_MAX = 100_000
"""Solutions remembered with whose place they bought, about 20 MB; beyond it the oldest is forgotten."""


class ChallengeAsked(NamedTuple):
    """Who is to have solved a challenge."""

    sale_number: int
    visitor_id: str
    customer_id: str | None
    """Whose the place will be, whatever the visitor id; None: the visitor's."""
    address: str


class Challenge(Protocol):
    """A kind of challenge."""

    def view(self, sale_number: int) -> ChallengeView:
        """Return what the status document says of it."""

    async def passed(self, asked: ChallengeAsked, answer: str | None) -> bool:
        """Say whether a visitor's answer is right.

        Raises:
            StoreUnavailableError: that cannot be found out now.
        """


class NoChallenge:
    """Asks for nothing."""

    def view(self, sale_number: int) -> ChallengeView:  # noqa: ARG002
        """Return that."""
        return ChallengeView("none")

    async def passed(self, asked: ChallengeAsked, answer: str | None) -> bool:  # noqa: ARG002
        """Say yes."""
        return True


class ProofOfWork:
    """Asks for a nonce so that SHA-256(salt:visitor_id:nonce) begins with `bits` zero bits.

    The salt is a keyed hash of the sale and a window of time: nobody can work ahead, and one solution is good for one
    visitor id alone, which has one place however often it joins. It holds in its window and the next. Where places are
    customers', this process remembers for whom a solution was used, until it holds no longer.
    """

    def __init__(self, key: bytes, *, bits: int, window_s: int) -> None:
        self._key = hmac.digest(key, b"doorbuster proof of work", "sha256")
        self._bits = bits
        self._window_s = window_s
        self._held: OrderedDict[bytes, bytes] = OrderedDict()

    def view(self, sale_number: int) -> ChallengeView:
        """Return the salt of this window and the difficulty."""
        return ChallengeView("proof_of_work", salt=self._salt(sale_number, self._window()), bits=self._bits)

    async def passed(self, asked: ChallengeAsked, answer: str | None) -> bool:
        """Say whether the answer, `salt:nonce`, is a solution of this window or the last, and nobody else's place."""
        salt, _, nonce = (answer or "").partition(":")
        if not _NONCE.fullmatch(nonce):
            return False
        window, number = self._window(), asked.sale_number
        if salt not in (self._salt(number, window), self._salt(number, window - 1)):  # no secret: it is shown
            return False
        digest = hashlib.sha256(f"{salt}:{asked.visitor_id}:{nonce}".encode()).digest()
        if int.from_bytes(digest, "big") >> (256 - self._bits) != 0:
            return False
        return asked.customer_id is None or self._is_first(digest, asked.customer_id)

    def _is_first(self, solution: bytes, customer_id: str) -> bool:
        """Say whether a solution bought no place yet, or this customer's."""
        holder = hashlib.blake2b(customer_id.encode(), digest_size=16).digest()
        if len(self._held) >= HELD_MAX and solution not in self._held:
            self._held.popitem(last=False)
        return self._held.setdefault(solution, holder) == holder

    def _window(self) -> int:
        return int(time.time()) // self._window_s

    def _salt(self, sale_number: int, window: int) -> str:
        return hmac.digest(self._key, b"%d:%d" % (sale_number, window), "sha256")[:12].hex()


class Verifier:
    """Asks a verifier elsewhere about the token that its widget gave the visitor, as Turnstile's siteverify does."""

    def __init__(self, url: str, secret: str, *, site_key: str, timeout_s: float) -> None:
        self._url = url
        self._secret = secret
        self._site_key = site_key
        self._timeout_s = timeout_s
        self._http: httpx.AsyncClient | None = None

    def view(self, sale_number: int) -> ChallengeView:  # noqa: ARG002
        """Return the site key for the widget."""
        return ChallengeView("verifier", site_key=self._site_key)

    async def passed(self, asked: ChallengeAsked, answer: str | None) -> bool:
        """Say what the verifier says; without its answer in time nobody gets in."""
        import httpx  # here: it would take an eighth of every intake's start, and few ask a verifier

        if not answer:
            return False
        if self._http is None:  # no client at import or before the process's loop runs
            self._http = httpx.AsyncClient(timeout=self._timeout_s, limits=httpx.Limits(max_connections=50))
        form = {"secret": self._secret, "response": answer} | ({"remoteip": asked.address} if asked.address else {})
        try:
            said = (await self._http.post(self._url, data=form)).raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            log.warning("the verifier of challenges did not answer", extra={"error": error})
            raise StoreUnavailableError("The challenge cannot be checked now; try again") from error
        return isinstance(said, dict) and said.get("success") is True

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()


class Challenges:
    """The challenges that rooms may name."""

    def __init__(self, settings: Settings, key: bytes) -> None:
        self._kinds: dict[str, Challenge] = {
            "none": NoChallenge(),
            "proof_of_work": ProofOfWork(
                key, bits=settings.room_challenge_bits, window_s=settings.room_challenge_window_s
            ),
        }
        self._verifier: Verifier | None = None
        if settings.room_verify_url and settings.room_verify_secret:
            self._verifier = Verifier(
                settings.room_verify_url,
                settings.room_verify_secret.get_secret_value(),
                site_key=settings.room_verify_site_key or "",
                timeout_s=settings.room_verify_timeout_s,
            )
            self._kinds["verifier"] = self._verifier

    def of(self, kind: str | None) -> Challenge:
        """Return a kind; a verifier without its settings is the proof of work, never nothing."""
        return self._kinds.get(kind or "none") or self._kinds["proof_of_work"]

    def is_none(self, kind: str | None) -> bool:
        """Say whether a kind asks for nothing."""
        return isinstance(self.of(kind), NoChallenge)

    async def close(self) -> None:
        """Close what is open."""
        if self._verifier is not None:
            await self._verifier.close()
