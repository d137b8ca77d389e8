"""How a query is folded: by `search_fold` of the database, the very function that folds what is indexed.

Owns what is sent there, in bounded size, and the shortcut for plain ASCII; never knows a rule of Unicode. Whichever
backend searches, its query and its documents went through this one function, so they cannot differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalogue.search.query_terms import QUERY_MAX
from db.products import search as rows

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from db.connections.replicas import Replicas

_UNSENDABLE = {0: " "} | dict.fromkeys(range(0xD800, 0xE000), " ")
"""What Postgres takes in no text."""


def clean(text: str) -> str:
    """Return the part of a query that counts, as it may be sent to Postgres."""
    return text[: QUERY_MAX * 2].translate(_UNSENDABLE).strip()


class Folding:
    """Folds queries for a backend that keeps its index outside Postgres."""

    def __init__(self, replicas: Replicas) -> None:
        self._replicas = replicas

    async def __call__(self, text: str) -> str:
        """Return the folded query; plain ASCII asks nobody.

        Raises:
            StoreUnavailableError: no database answered in time.
        """
        cleaned = clean(text)
        if cleaned.isascii():
            return fold_ascii(cleaned)

        async def fold(connection: Connection, _lsn: int) -> str:
            return await rows.fold(connection, cleaned)

        return await self._replicas.read(fold, purpose="search")


def fold_ascii(text: str) -> str:
    """Fold plain ASCII as `search_fold` does."""
    return text.lower().replace("\x01", " ")
