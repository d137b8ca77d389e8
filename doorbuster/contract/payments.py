"""Bodies of what payment providers call. Owns their form; never reads a provider's own."""

from __future__ import annotations

from msgspec import Struct


class CallbackTaken(Struct):
    """Answer to a provider's callback, also to one that says nothing new."""

    received: bool = True
