"""Who is behind a customer: e-mail, card, address, device, folded to one form and hashed. Owns both; keeps nothing.

What is kept of an identity is an HMAC-SHA256 of its folded form under a key of the sale, its first 16 bytes: it tells
whether two orders of a sale have the same, and nothing else, to nobody without the key. So the same e-mail is another
value in another sale.

Several forms of one identity are one. An e-mail: capitals do not count; at hosts known for it neither do dots, nor what
stands behind a sign of its own (`+` mostly) in front of the `@`. A card: spaces and hyphens do not count. An address:
capitals, punctuation and spaces do not count. Of all: Unicode's compatible forms (NFKC) are one, unseen signs and
spaces at the ends do not count.
"""

from __future__ import annotations

import re
import unicodedata
from hmac import digest
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = ("email", "card", "address", "device")
"""In this order they are packed; the first is kind 1."""
SIZE = 17
"""Bytes of a packed identity: its kind, then its hash."""


class _Mailbox(NamedTuple):
    """How a host reads what stands in front of the `@`."""

    alias: str = ""
    """From this sign on it is the owner's own."""
    dots_count: bool = True
    host: str = ""
    """The host's name that stands for all of its names; empty: its own."""


_PLUS = _Mailbox("+")
_GOOGLE = _Mailbox("+", dots_count=False, host="gmail.com")
_YAHOO = _Mailbox("-")
MAIL_HOSTS: dict[str, _Mailbox] = {
    "gmail.com": _GOOGLE,
    "googlemail.com": _GOOGLE,
    **dict.fromkeys(("msn.com", "fastmail.com", "fastmail.fm"), _PLUS),
    **dict.fromkeys(("proton.me", "protonmail.com", "pm.me"), _PLUS._replace(host="proton.me")),
    **dict.fromkeys(("icloud.com", "me.com", "mac.com"), _PLUS._replace(host="icloud.com")),
    **dict.fromkeys(("ymail.com", "rocketmail.com"), _YAHOO),
}
MAIL_FAMILIES = {"outlook": _PLUS, "hotmail": _PLUS, "live": _PLUS, "yahoo": _YAHOO}
"""The same of hosts that have a name in each country: `yahoo.com`, `yahoo.de`, `yahoo.co.uk`."""
_ASCII_WORDS = {code: " " for code in range(128) if not chr(code).isalnum()}
_COUNTRY = re.compile(r"(?:com?\.)?[a-z]{2}|com")
_UNSEEN = ("Cc", "Cf")


def fold(kind: str, text: str) -> str:
    """Return the one form of an identity."""
    if text.isascii() and text.isprintable():  # mostly: its NFKC is itself, and all of it is seen
        return _FOLDS[kind](text.strip() or text) or text
    seen = "".join(sign for sign in unicodedata.normalize("NFKC", text) if unicodedata.category(sign) not in _UNSEEN)
    return _FOLDS[kind](seen.strip() or text) or text


def pack(key: bytes, values: tuple[str | None, ...]) -> bytes | None:
    """Return what is kept of the identities, which are given in the order of `KINDS`; None: there are none."""
    found = b"".join(
        bytes((number,)) + _hashed(key, number, fold(kind, value))
        for number, (kind, value) in enumerate(zip(KINDS, values, strict=True), 1)
        if value is not None
    )
    return found or None


def hashed(key: bytes, kind: str, text: str) -> bytes:
    """Return the 16 bytes that stand for one identity in the sale of this key."""
    return _hashed(key, KINDS.index(kind) + 1, fold(kind, text))


def unpack(packed: bytes) -> list[tuple[int, bytes]]:
    """Return kind, from 1, and hash of each packed identity."""
    return [(packed[at], packed[at + 1 : at + SIZE]) for at in range(0, len(packed), SIZE)]


def _hashed(key: bytes, number: int, folded: str) -> bytes:
    return digest(key, b"%d\x00%b" % (number, folded.encode()), "sha256")[:16]


def _email(text: str) -> str:
    name, at, host = text.casefold().rpartition("@")
    host = host.strip().rstrip(".")
    name = name.strip()
    mailbox = MAIL_HOSTS.get(host) or _of_family(host)
    if not at or mailbox is None:
        return f"{name}{at}{host}"
    if mailbox.alias:
        name = name.split(mailbox.alias, 1)[0] or name
    if not mailbox.dots_count:
        name = name.replace(".", "") or name
    return f"{name}@{mailbox.host or host}"


def _of_family(host: str) -> _Mailbox | None:
    family, _, country = host.partition(".")
    return MAIL_FAMILIES.get(family) if _COUNTRY.fullmatch(country) else None


def _card(text: str) -> str:
    if text.isascii():
        return "".join(text.replace("-", "").split()) or text
    return "".join(sign for sign in text if not sign.isspace() and unicodedata.category(sign) != "Pd") or text


def _address(text: str) -> str:
    if text.isascii():
        words = text.lower().translate(_ASCII_WORDS)
    else:
        words = "".join(sign if unicodedata.category(sign)[0] in "LNM" else " " for sign in text.casefold())
    return " ".join(words.split()) or text


_FOLDS: dict[str, Callable[[str], str]] = {"email": _email, "card": _card, "address": _address, "device": str}
