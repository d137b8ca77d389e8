"""What an endpoint was sent, is sent again, or is sent as a test. Owns these resources; a shift of workers sends."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import msgspec

from db.webhooks import deliveries, replays
from doorbuster.contract.webhooks import DeliveryView, ReplayRequest, ReplayView, WebhookTest
from doorbuster.errors import InvalidError
from intake.ops.change_log import note
from intake.ops.webhooks.lookup import existing, held
from intake.orders.lookup import parse_order_id
from intake.web.paging import limit_of, number_cursor_of, write_page
from intake.web.query_parameters import refuse_unknown_params
from intake.web.requests import body_of
from intake.web.responses import write

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from db.webhooks.deliveries import LogLine, State
    from intake.database import Database

_replay = msgspec.json.Decoder(ReplayRequest)


class WebhookDeliveries:
    """Resource of an endpoint's log of deliveries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def on_get(self, req: Request, resp: Response, webhook: str) -> None:
        """List them, newest first."""
        refuse_unknown_params(req, "state", "cursor", "limit")
        limit, state = limit_of(req), _state(req.get_param("state"))
        async with self._database.working() as connection:
            found = await existing(connection, webhook)
            lines = await deliveries.list_log(
                connection, found.webhook_id, before=number_cursor_of(req), state=state, limit=limit
            )
        write_page(resp, [_show(line) for line in lines], str(lines[-1].delivery_id) if len(lines) == limit else None)


class SendTest:
    """Resource of a test."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def on_post(self, req: Request, resp: Response, webhook: str) -> None:
        """Put a test before all else; also an endpoint that is paused or disabled gets it, once."""
        event_id = f"test:{uuid.uuid4()}"
        async with self._database.working() as connection, connection.transaction():
            found = await held(connection, webhook)
            number = await deliveries.add_test(connection, found.webhook_id, event_id)
            await note(connection, req, "test", f"webhook:{found.webhook_id}", {"event_id": event_id})
        write(resp, WebhookTest(found.webhook_id, number, event_id), 202)


class ReplayWebhook:
    """Resource of events that come once more."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def on_post(self, req: Request, resp: Response, webhook: str) -> None:
        """Ask for them; they come as the events of now do, under the ids that they had."""
        request = await body_of(req, _replay)
        order_id = None if request.order_id is None else parse_order_id(request.order_id)
        if request.order_id is not None and order_id is None:
            raise InvalidError.naming([("order_id", "is no order's id")])
        if request.until is not None and request.until <= request.since:
            raise InvalidError.naming([("until", "must be after since")])
        async with self._database.working() as connection, connection.transaction():
            found = await held(connection, webhook)
            until = await replays.add(connection, found.webhook_id, request.since, request.until, order_id)
            if until <= request.since:
                raise InvalidError.naming([("since", "must be past, where there is no until")])
            await note(connection, req, "replay", f"webhook:{found.webhook_id}")
        named = None if order_id is None else str(order_id)
        write(resp, ReplayView(found.webhook_id, request.since, until, named), 202)


def _show(line: LogLine) -> DeliveryView:
    return DeliveryView(
        **{name: getattr(line, name) for name in DeliveryView.__struct_fields__},
    )


def _state(text: str | None) -> State | None:
    if text is None:
        return None
    chosen = next((state for state in deliveries.STATES if state == text), None)
    if chosen is None:
        raise InvalidError.naming([("state", f"must be one of {', '.join(deliveries.STATES)}")])
    return chosen
