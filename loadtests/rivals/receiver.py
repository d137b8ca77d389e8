"""A receiver of webhooks that takes everything at once, and one that never answers. Checks nothing it is sent."""

from __future__ import annotations

import asyncio
from typing import Any

import falcon
import falcon.asgi


class Take:
    """Takes whatever is posted."""

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, number: str) -> None:  # noqa: ARG002
        """Read it and say so."""
        await req.stream.read()
        resp.status = falcon.HTTP_204


class Hang:
    """Takes a request and never answers."""

    async def on_post(self, req: falcon.asgi.Request, _resp: falcon.asgi.Response) -> None:
        """Wait for longer than anybody does."""
        await req.stream.read()
        await asyncio.sleep(3_600)


def create_app() -> falcon.asgi.App[Any, Any]:
    """Return the receivers' application."""
    app = falcon.asgi.App()
    app.add_route("/take/{number}", Take())
    app.add_route("/hang", Hang())
    return app
