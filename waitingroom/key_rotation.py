"""Rotating the keys of tickets and admissions: what a list of keys becomes. Pure: a time and a secret in, lists out.

A new key may not sign before every process verifies it. So a rotation has two steps: first the new key stands last, for
verifying; once all know it, it stands first and signs. The keys before it verify for an overlap and are then dropped,
at the next rotation. A key's id says when it was made.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from waitingroom.keyring import KeyRing

OVERLAP_S = 7 * 86_400
"""By default a ticket outlives the key that signed it by so long, as long as the page's cookie keeps it."""
_MADE = re.compile(r"k([0-9a-f]{8,10})")


class Rotation(NamedTuple):
    """The two lists of a rotation, as ROOM_KEYS has them, one after the other."""

    known: str
    """The new key verifies, the former one still signs."""
    signing: str
    """The new key signs; keys beyond their overlap are gone."""
    kid: str
    dropped: tuple[str, ...]


def make_kid(now_s: float) -> str:
    """Return the id of a key made at a time (Unix seconds)."""
    return f"k{int(now_s):08x}"


def rotate(keys: str, *, secret: str, now_s: float, overlap_s: float = OVERLAP_S) -> Rotation:
    """Return both steps from a list of keys to one whose first key is new; an overlap of 0 drops all the others.

    Raises:
        InvalidError: the list, or the secret, is not what a key ring takes.
    """
    former = [part.strip() for part in keys.split(",") if part.strip()]
    KeyRing.parse(keys)
    kid = _unused(now_s, {part.partition(":")[0] for part in former})
    fresh = f"{kid}:{secret}"
    kept = [part for part, since in zip(former, _since(former, now_s), strict=True) if now_s - since < overlap_s]
    known, signing = ",".join([*former, fresh]), ",".join([fresh, *kept])
    KeyRing.parse(known)
    gone = tuple(part.partition(":")[0] for part in former if part not in kept)
    return Rotation(known, signing, kid, gone)


def _unused(now_s: float, taken: set[str]) -> str:
    while (kid := make_kid(now_s)) in taken:
        now_s += 1
    return kid


def _since(former: list[str], now_s: float) -> list[float]:
    """Return since when each key signs no more: since the one before it in the list was made."""
    made = [made_s(part.partition(":")[0]) for part in former]
    return [now_s, *(now_s if successor is None else successor for successor in made[:-1])]


def made_s(kid: str) -> float | None:
    """Return when a key was made, by its id (Unix seconds); None where the id does not say."""
    found = _MADE.fullmatch(kid)
    return int(found[1], 16) if found else None
