"""A Lua script of one verb, as servers know it. Owns its text and digest, and one call of it or several at once.

Never repeats a call: a server that does not have the script has run nothing, and is sent the whole of it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoScriptError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from redis.asyncio import Redis
    from redis.asyncio.client import Pipeline

    Call = tuple[Sequence[str], Sequence[Any]]
    """Keys and arguments."""


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

    async def run_each(self, redis: Redis, calls: Sequence[Call], *more: Callable[[Pipeline], Any]) -> list[Any]:
        """Return the answers of several calls in one transmission, and of more commands behind them.

        Raises:
            RedisError, OSError, TimeoutError: what was run is unknown.
        """
        async with redis.pipeline(transaction=False) as pipe:
            for names, arguments in calls:
                pipe.evalsha(self.sha, len(names), *names, *arguments)
            for queue in more:
                queue(pipe)
            answers: list[Any] = await pipe.execute(raise_on_error=False)
        for at, (names, arguments) in enumerate(calls):
            if isinstance(answers[at], NoScriptError):
                answers[at] = await redis.eval(self.source, len(names), *names, *arguments)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers
