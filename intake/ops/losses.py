"""Losses of the order store as ops see and acknowledge them. Owns the resources; what is a loss others find."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from db.work import store_losses
from db.work.store_losses import STATES, LossFilter
from doorbuster.contract.ops import AcknowledgeRequest, LossIntake, LossView
from doorbuster.errors import ConflictError, InvalidError
from intake.ops.change_log import author_of, note
from intake.web.paging import limit_of, number_cursor_of, write_page
from intake.web.problems import RefusedError
from intake.web.query_parameters import refuse_unknown_params
from intake.web.requests import body_of
from intake.web.responses import write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from falcon.asgi import Request, Response

    from db.work.store_losses import KnownLoss, State
    from intake.database import Database

ALL = "all"
_ID = re.compile(r"[0-9]{1,18}")
_acknowledge = msgspec.json.Decoder(AcknowledgeRequest)


class Losses:
    """Resource of all losses."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def on_get(self, req: Request, resp: Response) -> None:
        """List them, newest first: those that need somebody, or of the state that is asked for."""
        refuse_unknown_params(req, "sale", "state", "cursor", "limit")
        limit = limit_of(req)
        chosen = LossFilter(number_cursor_of(req), req.get_param("sale"), _states(req.get_param("state")))
        async with self._database.working() as connection:
            found = await store_losses.list_losses(connection, chosen, limit=limit)
        write_page(resp, [_view(one) for one in found], str(found[-1].loss_id) if len(found) == limit else None)


class OneLoss:
    """Resource of a loss."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def on_get(self, _req: Request, resp: Response, loss: str) -> None:
        """Show it."""
        chosen = LossFilter(loss_id=_id_of(loss))
        async with self._database.working() as connection:
            found = await store_losses.list_losses(connection, chosen, limit=1)
        if not found:
            raise _not_found(loss)
        write(resp, _view(found[0]))


class AcknowledgeLoss:
    """Resource of knowing of a loss."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def on_post(self, req: Request, resp: Response, loss: str) -> None:
        """Note who knows of it, and why nobody need be woken any more; the audit counts it for ever."""
        loss_id = _id_of(loss)
        request = await body_of(req, _acknowledge)
        author = author_of(req)
        async with self._database.working() as connection, connection.transaction():
            found = await store_losses.hold_loss(connection, loss_id)
            if found is None:
                raise _not_found(loss)
            if found.state != "open":
                raise ConflictError(_SETTLED[found.state].format(loss_id=loss_id))
            by = author.operator or author.key_name or ""
            await store_losses.acknowledge(connection, loss_id, by, request.reason)
            lost = {"orders": found.lost_orders, "is_unknown": found.is_unknown, "reason": request.reason}
            await note(connection, req, "acknowledge", f"loss:{loss_id}", lost)
            acknowledged = await store_losses.hold_loss(connection, loss_id)
        assert acknowledged is not None
        write(resp, _view(acknowledged))


_SETTLED: dict[State, str] = {
    "settled": "Nothing was lost with the loss {loss_id}: there is nothing to acknowledge",
    "acknowledged": "The loss {loss_id} is acknowledged already",
}


def _id_of(loss: str) -> int:
    if not _ID.fullmatch(loss):
        raise _not_found(loss)
    return int(loss)


def _not_found(loss: str) -> RefusedError:
    return RefusedError("not_found", f"There is no loss {loss[:64]!r}")


def _states(text: str | None) -> Sequence[State]:
    if text is None:
        return ("open",)
    chosen = STATES if text == ALL else tuple(state for state in STATES if state == text)
    if not chosen:
        raise InvalidError.naming([("state", f"must be one of {', '.join(STATES)} or {ALL}")])
    return chosen


def _view(loss: KnownLoss) -> LossView:
    facts = msgspec.structs.asdict(loss)
    intakes = [LossIntake(**msgspec.structs.asdict(one)) for one in facts.pop("intakes")]
    return LossView(intakes_asked=facts.pop("asked"), intakes_heard=facts.pop("said"), intakes=intakes, **facts)
