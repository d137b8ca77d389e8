"""A Lua script of one verb, as the server knows it. Owns its text and digest, and one call; never repeats a call."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoScriptError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis


class Script:
    """A script, sent by its digest, and whole only to a server that does not have it."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()

    @classmethod
    def beside(cls, module: str, verb: str) -> Script:
        """Read a verb from the folder `scripts/` beside a module, which is named by its `__file__`."""
        return cls(Path(module).with_name("scripts").joinpath(f"{verb}.lua").read_text())

    async def run(self, redis: Redis, names: Sequence[str], *arguments: str | int | float | bytes) -> Any:
        """Run it on these keys."""
        try:
            return await redis.evalsha(self.sha, len(names), *names, *arguments)
        except NoScriptError:  # nothing was run, so running it now is no repetition
            return await redis.eval(self.source, len(names), *names, *arguments)
