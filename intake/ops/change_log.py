"""The log of what ops changed: how a call notes its change, and the list of them. Owns both, changes nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from db import ops_log as rows
from doorbuster.contract.ops import LogEntryView
from doorbuster.errors import InvalidError
from intake.server.asgi import BODY
from intake.web.ops_keys import HOLDER, SECOND
from intake.web.paging import limit_of, number_cursor_of, write_page
from intake.web.query_parameters import refuse_unknown_params

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from db.connections.pool import Connection
    from intake.database import Database
    from intake.web.ops_keys import KeyHolder

OPERATOR = "X-Operator"
OPERATOR_MAX = 128
_raw = msgspec.json.Decoder(dict[str, Any]).decode


def operator_of(req: Request) -> str:
    """Return how whoever holds the ops key names itself; empty when it does not.

    Raises:
        InvalidError: that is no name.
    """
    header = req.get_header(OPERATOR) or ""
    name = header.encode("latin-1").decode(errors="replace").strip()
    if len(name) > OPERATOR_MAX or not name.isprintable():
        raise InvalidError.naming([(OPERATOR, f"must be at most {OPERATOR_MAX} printable characters")])
    return name


def author_of(req: Request) -> rows.Author:
    """Return who makes a change: the name that it gives itself, and that of its key.

    Raises:
        InvalidError: the first is no name.
    """
    holder: KeyHolder | None = req.scope.get(HOLDER)
    return rows.Author(operator_of(req), None if holder is None else holder.name)


async def note(
    connection: Connection, req: Request, action: str, target: str, change: dict[str, Any] | None = None
) -> None:
    """Write down a change in the transaction of its making; `change` is the request's body, unless given."""
    noted = _raw(req.scope[BODY]) if change is None else change
    second: KeyHolder | None = req.scope.get(SECOND)
    if second is not None:
        noted = noted | {"second_key": second.name}
    await rows.note(connection, action, target, noted, author=author_of(req))


class OpsLog:
    """Resource of what ops changed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def on_get(self, req: Request, resp: Response) -> None:
        """List changes, newest first; `target` is like `sale:friday`."""
        refuse_unknown_params(req, "target", "cursor", "limit")
        limit = limit_of(req)
        async with self._database.working() as connection:
            entries = await rows.entries(
                connection, target=req.get_param("target"), before=number_cursor_of(req), limit=limit
            )
        items = [
            LogEntryView(
                entry.entry_id, entry.at, entry.action, entry.target, entry.change, entry.operator, entry.key_name
            )
            for entry in entries
        ]
        write_page(resp, items, str(entries[-1].entry_id) if len(entries) == limit else None)
