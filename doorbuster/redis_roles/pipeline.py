"""A pipeline over the primaries of a role. Owns which command goes to which, and the answers' order; decides no place.

Commands of one slot go to one server in their order, in one transmission; those of several servers at the same time.
What was not run is sent again like a single command, in its order, but behind what of the slot went through; a `WAIT`
goes with what it speaks of. A transaction lies in one slot, and is sent again as a whole.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from redis.asyncio.client import Pipeline
from redis.exceptions import AskError

from doorbuster.failures import REDIS_FAILED
from doorbuster.redis_roles.commands import PAUSES_S, SPEAKS_OF_OTHERS, Keyless
from doorbuster.redis_roles.meaning import UnroutableError, is_pointer, may_pass

if TYPE_CHECKING:
    from redis.asyncio import ConnectionPool, Redis

    from doorbuster.redis_roles.router import Router

_IN_PLACE = (Keyless.ANY, Keyless.BESIDE)


class _Command(NamedTuple):
    """A command that waits."""

    words: tuple[Any, ...]
    options: dict[str, Any]


class RolePipeline(Pipeline):
    """Collects commands, and runs them where their keys are."""

    def __init__(self, router: Router, pool: ConnectionPool, callbacks: Any, *, transaction: bool) -> None:
        """Take what the base class wants of a client, too: a pool, which is not asked, and how answers are read."""
        super().__init__(pool, callbacks, transaction, None)
        self._router = router
        self._slots: list[int | None] = []

    def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        """Put a command behind the others.

        Raises:
            UnroutableError: no single node could run it, or it cannot stand in a pipeline.
        """
        place = self._router.place_of(args)
        if isinstance(place, Keyless) and place not in _IN_PLACE:
            raise UnroutableError(f"{args[0]} goes to every node, and cannot stand in a pipeline")
        self._slots.append(place if isinstance(place, int) else None)
        return self.pipeline_execute_command(*args, **kwargs)  # type: ignore[no-untyped-call]

    async def reset(self) -> None:  # type: ignore[override]
        """Forget what was collected."""
        self._slots = []
        await super().reset()  # type: ignore[no-untyped-call]

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Run everything; return the answers in the order of the commands.

        Not to raise leaves among the answers also that a server failed: what its commands did is unknown.

        Raises:
            RedisError, OSError, TimeoutError: a server failed, or a command did.
        """
        commands = [_Command(words, dict(options)) for words, options in self.command_stack]
        places = self._places()
        try:
            if not commands:
                return []
            if self.is_transaction:
                return await self._transaction(commands, places, raise_on_error)
            answers = await self._spread(commands, places)
        finally:
            await self.reset()
        if raise_on_error:
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer
        return answers

    def _places(self) -> list[int | None]:
        """Return the slot of each command; what has none goes with the one before it, or the first behind it."""
        first = next((slot for slot in self._slots if slot is not None), None)
        places: list[int | None] = []
        for slot in self._slots:
            places.append(slot if slot is not None else places[-1] if places else first)
        return places

    async def _transaction(self, commands: list[_Command], places: list[int | None], raise_on_error: bool) -> list[Any]:
        if len(set(places)) > 1:
            raise UnroutableError(f"a transaction names keys of {len(set(places))} slots: no single node can run it")

        async def run(node: Redis) -> list[Any]:
            pipe = node.pipeline(transaction=True)
            pipe.command_stack = [(one.words, dict(one.options)) for one in commands]
            return await pipe.execute(raise_on_error)

        return await self._router.insist(places[0], run)

    async def _spread(self, commands: list[_Command], places: list[int | None]) -> list[Any]:
        """Send the commands to their servers, all servers at once."""
        nodes = await self._router.nodes_of(places)
        groups: dict[Redis | None, list[int]] = {}
        for at, slot in enumerate(places):
            groups.setdefault(nodes[slot], []).append(at)
        answers: list[Any] = [None] * len(commands)

        async def run(node: Redis | None, group: list[int]) -> None:
            try:
                said = await self._router.at_once(node, [commands[at] for at in group])
            except REDIS_FAILED as error:  # of this server: what the others say is known
                said = [error] * len(group)
            for at, answer in zip(group, said, strict=True):
                answers[at] = answer
            for slot in dict.fromkeys(places[at] for at in group):
                await self._rest(slot, [at for at in group if places[at] == slot], commands, answers)

        done = await asyncio.gather(*(run(node, group) for node, group in groups.items()), return_exceptions=True)
        for failure in done:
            if isinstance(failure, BaseException):
                raise failure
        return answers

    async def _rest(self, slot: int | None, group: list[int], commands: list[_Command], answers: list[Any]) -> None:
        """Send again what of a slot was not run, for as long as one command may take."""
        ends, pause = self._router.ends(), PAUSES_S[0]
        while rest := self._not_run(group, commands, answers):
            error = answers[rest[0]]
            points = isinstance(error, AskError) and is_pointer(error)
            if isinstance(error, AskError) and points:
                node: Redis | None = self._router.at_pointed(error)
            else:
                try:
                    await self._router.missed(slot, error, pause, ends)
                except REDIS_FAILED:  # its time is over: it stands among the answers
                    return
                node = (await self._router.nodes_of([slot]))[slot]
                pause = min(pause * 2, PAUSES_S[1])
            try:
                said = await self._router.at_once(node, [commands[at] for at in rest], asking=points)
            except REDIS_FAILED as error:
                said = [error] * len(rest)
            for at, answer in zip(rest, said, strict=True):
                answers[at] = answer

    @staticmethod
    def _not_run(group: list[int], commands: list[_Command], answers: list[Any]) -> list[int]:
        """Return the commands that were not run, and behind the first of them what speaks of those before: WAIT."""
        rest: list[int] = []
        for at in group:
            answer = answers[at]
            if (isinstance(answer, Exception) and may_pass(answer)) or (
                rest and commands[at].words[0] in SPEAKS_OF_OTHERS
            ):
                rest.append(at)
        return rest
