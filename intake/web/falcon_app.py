"""Makes the Falcon applications: what holds for every route of theirs. Owns no route."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from falcon.asgi import App, Request, Response

from doorbuster.errors import InvalidError
from intake.web.problems import RefusedError

if TYPE_CHECKING:
    from intake.web.problems import Problems


class Routes(App[Request, Response]):
    """An application that answers HEAD wherever it answers GET (RFC 9110 section 9.1), but for endless streams."""

    def add_route(self, uri_template: str, resource: Any, **options: Any) -> None:
        """Add a resource; one that says `streams` has no HEAD."""
        if hasattr(resource, "on_get") and not hasattr(resource, "on_head") and not hasattr(resource, "streams"):
            resource.on_head = resource.on_get
        super().add_route(uri_template, resource, **options)


class AsDeclared:
    """Middleware of every answer: it is what its media type says, whatever a browser would rather take it for."""

    async def process_response(self, _req: Request, resp: Response, _resource: object, _succeeded: bool) -> None:
        """Say so."""
        resp.set_header("X-Content-Type-Options", "nosniff")


class PlainText:
    """Middleware of ops: paths are UTF-8, and nothing in path or parameters holds U+0000, which no store takes."""

    async def process_request(self, req: Request, _resp: Response) -> None:
        """Refuse what is not so.

        Raises:
            RefusedError: the path is not UTF-8, or names nothing.
            InvalidError: naming each parameter.
        """
        if "\x00" in req.path:
            raise RefusedError("not_found", "There is nothing here")
        if "\ufffd" in req.path and not _is_utf8(req.scope.get("raw_path", b"")):
            raise RefusedError("malformed", "The path is not UTF-8")
        wrong = [(name, "must not hold U+0000") for name, value in req.params.items() if "\x00" in "".join(value)]
        if wrong:
            raise InvalidError.naming(wrong)


def _is_utf8(raw_path: bytes) -> bool:
    try:
        unquote_to_bytes(raw_path).decode()
    except UnicodeDecodeError:
        return False
    return True


def make_app(problems: Problems, *middleware: Any) -> Routes:
    """Make an application: a blank parameter is an absent one, as a plain HTML form sends it."""
    app = Routes(middleware=[*middleware, AsDeclared()])
    app.req_options.keep_blank_qs_values = False
    problems.install(app)
    return app
