"""Endpoints as ops make, see, rotate, resume and delete them. Owns these resources; a secret is shown once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from db.webhooks import deliveries, endpoints
from doorbuster.contract.webhooks import WebhookRequest, WebhookSecret, event_types_problems, url_problem
from doorbuster.errors import InvalidError
from intake.ops.change_log import note
from intake.ops.webhooks.lookup import existing, held, new_secret, show
from intake.web.paging import limit_of, number_cursor_of, write_page
from intake.web.query_parameters import refuse_unknown_params
from intake.web.requests import body_of
from intake.web.responses import write

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from intake.database import Database

BOTH_S = 86_400.0
"""How long a former secret signs beside the new one."""
_new = msgspec.json.Decoder(WebhookRequest)


class WebhookList:
    """Resource of all endpoints."""

    def __init__(self, database: Database, *, allow_private: bool) -> None:
        self._database = database
        self._allow_private = allow_private

    async def on_post(self, req: Request, resp: Response) -> None:
        """Make an endpoint; it is told what happens from now on."""
        request = await body_of(req, _new)
        wrong = event_types_problems(request.events or ())
        if problem := url_problem(request.url, allow_private=self._allow_private):
            wrong.insert(0, ("url", problem))
        if wrong:
            raise InvalidError.naming(wrong)
        secret = new_secret()
        async with self._database.working() as connection, connection.transaction():
            made = await endpoints.create(
                connection, request.url, secret, events=request.events, description=request.description
            )
            await note(connection, req, "create", f"webhook:{made.webhook_id}")
        resp.set_header("Location", f"/ops/webhooks/{made.webhook_id}")
        write(resp, WebhookSecret(made.webhook_id, secret), 201)

    async def on_get(self, req: Request, resp: Response) -> None:
        """List endpoints, newest first."""
        refuse_unknown_params(req, "cursor", "limit")
        limit = limit_of(req)
        async with self._database.working() as connection:
            found = await endpoints.list_endpoints(connection, before=number_cursor_of(req), limit=limit)
        write_page(resp, [show(one) for one in found], str(found[-1].webhook_id) if len(found) == limit else None)


class OneWebhook:
    """Resource of an endpoint."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def on_get(self, _req: Request, resp: Response, webhook: str) -> None:
        """Show it."""
        async with self._database.working() as connection:
            write(resp, show(await existing(connection, webhook)))

    async def on_delete(self, req: Request, resp: Response, webhook: str) -> None:
        """Delete it, and what waits for it."""
        async with self._database.working() as connection, connection.transaction():
            found = await held(connection, webhook)
            await endpoints.delete(connection, found.webhook_id)
            await note(connection, req, "delete", f"webhook:{found.webhook_id}", {"url": found.url})
        resp.status = 204


class RotateSecret:
    """Resource of a new secret."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def on_post(self, req: Request, resp: Response, webhook: str) -> None:
        """Make a new secret; for a day the former one signs too."""
        secret = new_secret()
        async with self._database.working() as connection, connection.transaction():
            found = await held(connection, webhook)
            until = await endpoints.rotate(connection, found.webhook_id, secret, both_s=BOTH_S)
            await note(connection, req, "rotate", f"webhook:{found.webhook_id}", {})
        write(resp, WebhookSecret(found.webhook_id, secret, until))


class ResumeWebhook:
    """Resource of sending to an endpoint again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def on_post(self, req: Request, resp: Response, webhook: str) -> None:
        """Send again what waits, at once; one that is active already has its back-off ended."""
        async with self._database.working() as connection, connection.transaction():
            found = await held(connection, webhook)
            resumed = await endpoints.resume(connection, found.webhook_id)
            await deliveries.send_at_once(connection, found.webhook_id)
            await note(connection, req, "resume", f"webhook:{found.webhook_id}", {"was": found.state})
        write(resp, show(resumed))
