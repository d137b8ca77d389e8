"""How errors leave the house: everything becomes problem+json here, or a page for people.

Owns the mapping from exceptions alone, and who is shown a page; what stands on it is the pages' own.

Refusals that happen all day are written with `write`; exceptions are for the rest. Causes are logged, never shown.
"""

from __future__ import annotations

import logging
import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import falcon
import msgspec
from falcon.util.mediatypes import quality
from redis.exceptions import RedisError

from doorbuster.contract.problems import FAULTS, JSON, PROBLEM_JSON, FieldProblem, problem
from doorbuster.errors import (
    DoorbusterError,
    IllegalTransitionError,
    InvalidError,
    PaymentOpenError,
    RefundTooLargeError,
    SoldOutError,
)
from doorbuster.failures import STORE_FAILED, VALUE_REFUSED
from doorbuster.log import current_request_id
from intake.server.asgi import METHOD, OPS, BodyError
from intake.server.connection.early_response import NOT_KEPT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from falcon.asgi import App, Request, Response

log = logging.getLogger("doorbuster.intake")

RETRY_AFTER = frozenset({"overloaded", "store_unavailable", "rate_limited", "room_full"})
_BY_STATUS = {
    400: "malformed",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
}

INSTANCE = "urn:doorbuster:request:"
FIELDS_MAX, NAME_MAX, WORDS_MAX = 20, 200, 2_000
"""Wrong fields that a problem names, and characters of a name and of words."""
REPEAT = "the request is safe to repeat"
UNKNOWN = "whether it was done is not known: read before you repeat it"
_ONCE = re.compile("/ops/(?!orders/[^/]+/refunds$)|/orders/[^/]+/cancel$")
"""Posts that do something once more when repeated: receiving units, cancelling, moving on. Refunds have a key."""

_encode = msgspec.json.Encoder().encode


class RefusedError(DoorbusterError):
    """A request that ends here with an error code of the contract."""

    def __init__(
        self,
        code: str,
        detail: str,
        fields: list[tuple[str, str]] | None = None,
        *,
        members: Mapping[str, Any] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        """Take the code, words for developers, wrong fields, more members of the problem, and when to try again.

        `room` among the members is where to wait for leave.
        """
        super().__init__(detail)
        self.code = code
        self.fields = fields or []
        self.members = members
        self.retry_after_s = retry_after_s

    @property
    def room(self) -> str | None:
        """Where to wait for leave, None where that would not help."""
        room: str | None = (self.members or {}).get("room")
        return room


def prefers_html(req: Request) -> bool:
    """Say whether who asks would rather have a page than JSON: a browser, not a program that takes anything."""
    return accepts_page((req.get_header("Accept") or "")[:ACCEPT_MAX])


ACCEPT_MAX = 512


@lru_cache(maxsize=256)
def accepts_page(accept: str) -> bool:
    """Say whether an Accept header names HTML and likes JSON, if it names that, less."""
    if "text/html" not in accept:
        return False
    try:
        html = quality("text/html", accept)
        return html > 0 and all(html > quality(media, accept) for media in (JSON, PROBLEM_JSON) if media in accept)
    except ValueError:  # no header that could be read
        return False


class ProblemAnswer(NamedTuple):
    """A problem as it is answered."""

    status: int
    headers: dict[str, str]
    body: bytes


class Problems:
    """Writes problems; knows how long callers are to wait before they try again."""

    def __init__(self, retry_after_s: int, refused: Callable[[str], None]) -> None:
        self._retry_after = str(retry_after_s)
        self._refused = refused
        self.page: Callable[[Request, Response, str], None] | None = None
        """Writes a problem as a page for people."""
        self.on_refused: Callable[[str, str, str], None] = _uncounted
        """Called with method, path and code of every problem that answers a request here."""

    def write(
        self,
        resp: Response,
        code: str,
        detail: str,
        fields: list[tuple[str, str]] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        """Make the response a problem, with more members; `room` among them is where to wait for leave."""
        answer = self.answer(code, detail, fields, members)
        resp.status = answer.status
        resp.set_headers(answer.headers)
        resp.data = answer.body

    def answer(
        self,
        code: str,
        detail: str,
        fields: list[tuple[str, str]] | None = None,
        members: Mapping[str, Any] | None = None,
        *,
        identity: str = "",
    ) -> ProblemAnswer:
        """Return a problem as it is answered, and count it; `identity` is the request's id, if not that of the task."""
        self._refused(code)
        # Whatever somebody sends, the answer is short.
        named = [FieldProblem(name[:NAME_MAX], what[:WORDS_MAX]) for name, what in (fields or [])[:FIELDS_MAX]]
        document = problem(code, detail[:WORDS_MAX], named)
        headers = {"content-type": PROBLEM_JSON, **NOT_KEPT}
        if identity := identity or current_request_id():
            document.instance = INSTANCE + identity
        for name, value in (members or {}).items():
            setattr(document, name, value)
        if document.room is not None:
            headers["link"] = f'<{document.room}>; rel="waiting-room"'
        if code in RETRY_AFTER:
            headers["retry-after"] = self._retry_after
        elif document.status == 401:
            headers["www-authenticate"] = 'Bearer realm="doorbuster"'
        return ProblemAnswer(document.status, headers, _encode(document))

    def answer_lines(self, refused: DoorbusterError, identity: str) -> tuple[int, bytes, bytes]:
        """Return status, header lines and body of a problem for a program whose request has this id, and count it."""
        fields = refused.fields if isinstance(refused, RefusedError | InvalidError) else None
        told = self.answer(refused.code, refused.detail, fields, _members(refused), identity=identity)
        headers = told.headers | {"vary": "Accept"}  # who asks for a page gets one, by the full path
        if isinstance(refused, RefusedError) and refused.retry_after_s is not None:
            headers["retry-after"] = str(math.ceil(refused.retry_after_s))
        return told.status, "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode(), told.body

    def install(self, app: App[Any, Any]) -> None:
        """Map every exception of the application to a problem."""
        app.add_error_handler(Exception, self._failed)
        app.add_error_handler(BodyError, self._body)
        app.add_error_handler(falcon.HTTPError, self._falcon)

    def _answer(self, req: Request, resp: Response, code: str, detail: str, *more: Any) -> None:
        """Write a problem as whoever asks can read it."""
        self.on_refused(req.method, req.path, code)
        self.write(resp, code, detail, *more)
        if self.page is None or req.path.startswith(OPS):
            return
        resp.set_header("Vary", "Accept")
        if prefers_html(req):
            self.page(req, resp, code)

    async def _failed(self, req: Request, resp: Response, failure: Exception, _params: dict[str, Any]) -> None:
        error = refusal_of(failure, req.method, req.path)
        fields = error.fields if isinstance(error, RefusedError | InvalidError) else None
        self._answer(req, resp, error.code, error.detail, fields, _members(error))
        if isinstance(error, RefusedError) and error.retry_after_s is not None:
            resp.set_header("Retry-After", str(math.ceil(error.retry_after_s)))

    async def _body(self, req: Request, resp: Response, error: BodyError, _params: dict[str, Any]) -> None:
        resp.set_header("Connection", "close")
        self._answer(req, resp, error.code or "malformed", error.detail)

    async def _falcon(self, req: Request, resp: Response, error: falcon.HTTPError, _params: dict[str, Any]) -> None:
        method = req.scope.get(METHOD, req.method)
        code = _BY_STATUS.get(error.status_code, "malformed" if error.status_code < 500 else "internal")
        for name, value in dict(error.headers or {}).items():
            resp.set_header(name, value)
        self._answer(req, resp, code, error.description or f"{method} {req.path}: {error.title}")


def refusal_of(failure: Exception, method: str, path: str) -> DoorbusterError:
    """Return what a request's failure is to its sender; what is no refusal of ours is logged."""
    if isinstance(failure, DoorbusterError) and failure.code in FAULTS:
        return failure
    about: dict[str, object] = {"method": method, "path": path}
    if isinstance(failure, VALUE_REFUSED):
        # The last line: what is known to be out of bounds is refused by name before. To repeat it would not help.
        log.warning("request failed: the database cannot hold a value", extra=about | {"error": failure})
        return RefusedError("invalid", "A value is one that the database cannot hold")
    if isinstance(failure, STORE_FAILED):
        log.warning("request failed: store unavailable", extra=about | {"error": failure})
        unsafe = method == "POST" and _ONCE.match(path)
        store = "A Redis store" if isinstance(failure, RedisError) else "Postgres"
        return RefusedError("store_unavailable", f"{store} did not answer; {UNKNOWN if unsafe else REPEAT}")
    log.error("request failed: internal error", extra=about, exc_info=failure)
    return RefusedError("internal", "The cause is in the log of the server")


def _uncounted(_method: str, _path: str, _code: str) -> None:
    pass


def _members(error: DoorbusterError) -> Mapping[str, Any] | None:
    if isinstance(error, IllegalTransitionError):
        return {"allowed": error.context.get("allowed", [])}
    if isinstance(error, SoldOutError | RefundTooLargeError | PaymentOpenError):
        return error.context
    return error.members if isinstance(error, RefusedError) else None
