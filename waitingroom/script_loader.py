"""The room's scripts: how they are put together and called. Owns loading and one call; never repeats a call.

A script is one verb. What verbs share stands in files of its own in `scripts/shared/` and is put in where a script says

    -- include: advance

on a line alone; a shared file may include others, each is put in once. The simulator alone replaces a shared file:
`clock`, by one that reads the virtual time from the room's hash.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doorbuster.errors import StoreUnavailableError
from doorbuster.failures import REDIS_FAILED
from doorbuster.lua_script import Script

if TYPE_CHECKING:
    from redis.asyncio import Redis

FOLDER = Path(__file__).with_name("scripts")
_INCLUDE = re.compile(r"^-- include: (\w+)$", re.MULTILINE)

Argument = str | bytes | int | float


def source_of(verb: str, replaced: Mapping[str, str] | None = None) -> str:
    """Return a verb's whole script; `replaced` stands in for shared files by name."""
    seen: set[str] = set()

    def put_in(match: re.Match[str]) -> str:
        name = match.group(1)
        if name in seen:
            return ""
        seen.add(name)
        text = replaced[name] if replaced and name in replaced else (FOLDER / "shared" / f"{name}.lua").read_text()
        return _INCLUDE.sub(put_in, text)

    return _INCLUDE.sub(put_in, (FOLDER / f"{verb}.lua").read_text())


class Scripts:
    """Calls verbs on one store."""

    def __init__(self, redis: Redis, *, timeout_s: float, replaced: Mapping[str, str] | None = None) -> None:
        self._redis = redis
        self._timeout_s = timeout_s
        self._replaced = replaced
        self._loaded: dict[str, Script] = {}

    async def run(self, verb: str, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        """Return a verb's answer.

        Raises:
            StoreUnavailableError: no answer in time, or an error; whether the verb ran is unknown.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self.loaded(verb).run(self._redis, keys, *arguments)
        except REDIS_FAILED as error:
            raise StoreUnavailableError(f"the room's store did not answer {verb}: {error!r}") from error

    def loaded(self, verb: str) -> Script:
        """Return a verb's script."""
        if verb not in self._loaded:
            self._loaded[verb] = Script(source_of(verb, self._replaced))
        return self._loaded[verb]
