"""The floor of accepting: the same server decodes the same body and answers 202. Never stores anything."""

from __future__ import annotations

from typing import Any

import falcon
import falcon.asgi
import msgspec

from doorbuster.contract import OrderRequest

_read = msgspec.json.Decoder(OrderRequest).decode
_BODY = (
    b'{"order_id":"00000000-0000-8000-8000-000000000000","sale_id":"floor","status":"accepted",'
    b'"accepted_at":"2026-01-01T00:00:00.000Z","links":{"self":"/orders/0","events":"/orders/0/events"}}'
)


class Floor:
    """Takes any order and answers what an accepted one would be answered."""

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, sale: str) -> None:  # noqa: ARG002
        """Decode and answer."""
        _read(await req.stream.read())
        resp.status = falcon.HTTP_202
        resp.content_type = falcon.MEDIA_JSON
        resp.data = _BODY


def create_app() -> falcon.asgi.App[Any, Any]:
    """Return the floor's application."""
    app = falcon.asgi.App()
    app.add_route("/sales/{sale}/orders", Floor())
    return app
