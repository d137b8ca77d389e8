"""What every kind of dead letter can do, and how one is named in a path. Owns that; knows no kind's rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, get_args

from doorbuster.errors import ConflictError
from intake.web.problems import RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from db.connections.pool import Connection
    from db.orders.dead_letters import LetterFilter, State
    from doorbuster.contract.ops import DeadLetterView

KindName = Literal["order", "delivery", "payment"]
KINDS: tuple[KindName, ...] = get_args(KindName)
_ID = re.compile(r"(?:(delivery|payment)-)?(\d{1,18})", re.ASCII)


class LetterId(NamedTuple):
    """A dead letter's kind and its number there."""

    kind: KindName
    number: int

    def __str__(self) -> str:
        return str(self.number) if self.kind == "order" else f"{self.kind}-{self.number}"

    @property
    def shown(self) -> int | str:
        """The id as the contract shows it: of an order a number, as it always was."""
        return self.number if self.kind == "order" else str(self)


class LetterKind(Protocol):
    """One kind of dead letters."""

    async def page(self, connection: Connection, chosen: LetterFilter, *, limit: int) -> Sequence[DeadLetterView]:
        """Return dead letters, newest first."""

    async def read(self, connection: Connection, number: int) -> DeadLetterView | None:
        """Return one with all there is to it."""

    async def retry(self, connection: Connection, number: int) -> str | None:
        """Have it tried again, in the caller's transaction; return where it waits, if that has a name.

        Raises:
            ConflictError: it is not one that can be tried again.
        """

    async def discard(self, connection: Connection, number: int, reason: str) -> None:
        """Give it up, in the caller's transaction.

        Raises:
            ConflictError: it is not open.
        """


def id_of(letter: str) -> LetterId:
    """Return the id of a path.

    Raises:
        RefusedError: no dead letter can have it.
    """
    found = _ID.fullmatch(letter)
    if found is None:
        raise not_found(letter)
    kind: KindName = next((one for one in KINDS if one == found[1]), "order")
    return LetterId(kind, int(found[2]))


def not_found(letter: object) -> RefusedError:
    """Return the refusal of a dead letter that is not there."""
    return RefusedError("not_found", f"There is no dead letter {str(letter)[:64]!r}")


def conflict(letter: LetterId, state: State) -> ConflictError:
    """Return the refusal of what cannot be done in a state."""
    sentences = {
        "retried": "is to be tried again and not decided yet",
        "resolved": "is resolved",
        "discarded": "was discarded",
        "open": "is open",
    }
    return ConflictError(f"the dead letter {letter} {sentences[state]}")
