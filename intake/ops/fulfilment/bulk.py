"""`POST /ops/orders:transition`: many orders moved by one file. Owns the file's way; each line is moved as by itself.

The file is kept on disk until it is whole. Then each line is a transaction of its own and its answer goes out at once.
The file may be sent again: lines whose orders stand there already say so.
"""

from __future__ import annotations

import tempfile
from typing import IO, TYPE_CHECKING

import msgspec

from db.orders.fulfilment.shipments import Label
from db.orders.states import Status
from db.orders.transitions import HandTerms
from doorbuster.contract.bodies.decoding import read
from doorbuster.contract.fulfilment import BulkAnswer, BulkTransition
from doorbuster.contract.problems import FAULTS
from doorbuster.errors import DoorbusterError, IllegalTransitionError, InvalidError
from doorbuster.failures import STORE_FAILED
from intake.ops.change_log import author_of, note
from intake.orders.lookup import order_id_of
from intake.orders.transition import require_terms_of_payment
from intake.web.json_lines import MEDIA, keep, lines_of, require_json_lines
from intake.web.problems import RefusedError
from intake.web.query_parameters import refuse_unknown_params

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from falcon.asgi import Request, Response

    from db.connections.pool import Connection
    from intake.orders.transition import OrderTransitions
    from intake.web.json_lines import BodyLine

LINE_MAX = 4 * 1024
"""Bytes of a line."""
FILES_MAX = 2
"""Files that one process works off at a time."""

_line = msgspec.json.Decoder(BulkTransition)
_encode = msgspec.json.Encoder().encode


class BulkTransitions:
    """Resource of transitions by file."""

    def __init__(self, moving: OrderTransitions) -> None:
        self._moving = moving
        self._running = 0

    async def on_post(self, req: Request, resp: Response) -> None:
        """Move the order of each line, in their order; answer each with a line."""
        require_json_lines(req)
        refuse_unknown_params(req)
        author_of(req)  # refused before anything is done
        if self._running >= FILES_MAX:
            raise RefusedError("overloaded", f"{FILES_MAX} files are under way already")
        self._running += 1
        try:
            file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the last line is answered
            try:
                await keep(req, file)
            except BaseException:
                file.close()
                raise
        except BaseException:
            self._running -= 1
            raise
        resp.content_type = MEDIA
        resp.stream = self._answers(req, file)

    async def _answers(self, req: Request, file: IO[bytes]) -> AsyncIterator[bytes]:
        try:
            for line in lines_of(file, most=LINE_MAX):
                answer = await self._answer(req, line)
                yield _encode(answer) + b"\n"
                if answer.code == "store_unavailable":
                    return  # what follows is not tried: the file is sent again
        finally:
            file.close()
            self._running -= 1

    async def _answer(self, req: Request, line: BodyLine) -> BulkAnswer:
        """Work a line off; return what became of it."""
        order_id: str | msgspec.UnsetType = msgspec.UNSET
        try:
            if line.text is None:
                raise InvalidError.naming([("line", f"must have at most {LINE_MAX} bytes")])
            request = read(line.text, _line)
            order_id = request.order_id
            return await self._move(req, line.number, request)
        except STORE_FAILED as error:
            detail = f"a store did not answer ({type(error).__name__}); this line and those after it may be sent again"
            return BulkAnswer(line=line.number, order_id=order_id, code="store_unavailable", problem=detail)
        except DoorbusterError as error:
            if error.code not in FAULTS:
                raise
            answer = BulkAnswer(line=line.number, order_id=order_id, code=error.code, problem=error.detail)
            if isinstance(error, IllegalTransitionError):
                answer.allowed = error.context.get("allowed", [])  # type: ignore[assignment] # by `LockedOrder.refusal`
            return answer

    async def _move(self, req: Request, number: int, request: BulkTransition) -> BulkAnswer:
        if request.restock and request.to != "refunded":
            raise InvalidError.naming([("restock", "only with to 'refunded'")])
        if request.to != "shipped" and (request.carrier or request.tracking):
            raise InvalidError.naming([("carrier", "only with to 'shipped', as tracking")])
        require_terms_of_payment(paid_elsewhere=request.paid_elsewhere, to=request.to, reason=request.reason)
        order_id = order_id_of(request.order_id)

        async def by(connection: Connection) -> None:
            await note(connection, req, "transition", f"order:{order_id}", msgspec.to_builtins(request))

        terms = HandTerms(
            restock=request.restock,
            label=Label(request.carrier, request.tracking),
            paid_elsewhere=request.paid_elsewhere,
        )
        try:
            view = await self._moving.move(order_id, Status(request.to), request.reason, terms=terms, by=by)
        except IllegalTransitionError as error:
            if error.context.get("status") != request.to:
                raise
            return BulkAnswer(line=number, order_id=str(order_id), status=request.to, changed=False)
        return BulkAnswer(line=number, order_id=view.order_id, status=view.status, changed=True)
