"""The room's scripts: how they are put together and called. Owns loading and one call; never repeats a call.

A script is one verb. What verbs share stands in files of its own in `scripts/shared/` and is put in where a script says

    -- include: advance

on a line alone; a shared file may include others, each is put in once. The simulator alone replaces a shared file:
`clock`, by one that reads the virtual time from the room's hash.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoScriptError, RedisError

from doorbuster.errors import StoreUnavailableError

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
        self._loaded: dict[str, tuple[str, str]] = {}

    async def run(self, verb: str, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        """Return a verb's answer.

        Raises:
            StoreUnavailableError: no answer in time, or an error; whether the verb ran is unknown.
        """
        source, sha = self.loaded(verb)
        try:
            async with asyncio.timeout(self._timeout_s):
                try:
                    return await self._evaluate("EVALSHA", sha, keys, arguments)
                except NoScriptError:  # nothing was run, so running it now is no repetition
                    return await self._evaluate("EVAL", source, keys, arguments)
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreUnavailableError(f"the room's store did not answer {verb}: {error!r}") from error

    async def _evaluate(self, command: str, script: str, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        call: Any = self._redis.execute_command(command, script, len(keys), *keys, *arguments)  # type: ignore[no-untyped-call]
        return await call

    def loaded(self, verb: str) -> tuple[str, str]:
        """Return a verb's source and the SHA-1 the server knows it by."""
        if verb not in self._loaded:
            source = source_of(verb, self._replaced)
            self._loaded[verb] = source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
        return self._loaded[verb]
