"""The floors: the same server decodes an order and answers 202, answers a constant, or has Redis count a request first.

Keeps nothing but that count.
"""

from __future__ import annotations

import os
from typing import Any

import falcon
import falcon.asgi
import msgspec
from redis.asyncio import Redis

from doorbuster.contract.orders import OrderRequest
from doorbuster.lua_script import Script

FLOOR = "loadtests.rivals.floor:create_app()"
COUNTING_URL = "FLOOR_REDIS_URL"
"""In the environment: the Redis that requests are counted in."""
COUNTED = "floor:counted"
_count = Script.beside(__file__, "count")
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


class Constant:
    """Answers the same body to anyone, of the length that is asked for."""

    def __init__(self) -> None:
        self._bodies: dict[str, bytes] = {}

    async def on_get(self, _req: falcon.asgi.Request, resp: falcon.asgi.Response, length: str) -> None:
        """Answer."""
        self._answer(resp, length)

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, length: str) -> None:
        """Read what was sent and answer."""
        await req.stream.read()
        self._answer(resp, length)

    def _answer(self, resp: falcon.asgi.Response, length: str) -> None:
        body = self._bodies.get(length)
        if body is None:
            body = self._bodies[length] = b'"' + b"x" * (min(int(length), 100_000) - 2) + b'"'
        resp.content_type = falcon.MEDIA_JSON
        resp.data = body


class Counting:
    """Answers as `Constant` does, once a script of Redis counted the request: what asking a store costs at least."""

    def __init__(self, constant: Constant, url: str) -> None:
        self._constant = constant
        self._redis = Redis.from_url(url, max_connections=256)

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, length: str) -> None:
        """Count, and answer."""
        await _count.run(self._redis, [COUNTED])
        await self._constant.on_post(req, resp, length)
        resp.status = falcon.HTTP_201


def create_app() -> falcon.asgi.App[Any, Any]:
    """Return the floor's application."""
    app = falcon.asgi.App()
    app.add_route("/sales/{sale}/orders", Floor())
    app.add_route("/constant/{length}", constant := Constant())
    if url := os.environ.get(COUNTING_URL):
        app.add_route("/counting/{length}", Counting(constant, url))
    return app
