"""Purging CDNs of what changed. Owns the adapters' interface and Varnish's; never decides when.

A purge is safe to repeat. What a CDN fetches after it must be new: the relay purges only once no process can have an
older copy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from doorbuster.errors import StoreUnavailableError

TAGS_MAX = 50
"""Tags in one request: header fields have an end."""
TIMEOUT_S = 5.0


class Purge(Protocol):
    """A CDN that can be told what to fetch anew."""

    name: str

    async def purge(self, tags: Sequence[str]) -> None:
        """Let go of every page with one of these surrogate keys.

        Raises:
            StoreUnavailableError: it is not certain that all are gone.
        """

    async def close(self) -> None:
        """Close what is open."""


class VarnishPurge:
    """Varnish servers that run `deploy/varnish.vcl`: `PURGE` with the tags in `Xkey-Purge` and the key they ask for."""

    name = "varnish"

    def __init__(self, urls: Sequence[str], key: str | None = None) -> None:
        import httpx  # here: it would take an eighth of every worker's start, and few purge Varnish

        self._urls = urls
        self._key = {} if key is None else {"Purge-Key": key}
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False)
        self._failed = httpx.HTTPError

    async def purge(self, tags: Sequence[str]) -> None:
        """Purge every server; each of them keeps copies of its own."""
        for start in range(0, len(tags), TAGS_MAX):
            header = " ".join(tags[start : start + TAGS_MAX])
            await asyncio.gather(*(self._tell(url, header) for url in self._urls))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _tell(self, url: str, tags: str) -> None:
        try:
            answer = await self._client.request("PURGE", url, headers={"Xkey-Purge": tags, **self._key})
        except self._failed as error:
            raise StoreUnavailableError(f"Varnish was not purged: {error!r}") from error
        if not answer.is_success:
            raise StoreUnavailableError(f"Varnish refused a purge: {answer.status_code}")
