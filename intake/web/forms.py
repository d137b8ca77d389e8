"""Forms of our own pages, and where a browser goes after one. Owns the check that no other site sent it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from intake.server.asgi import BODY
from intake.server.bodies import is_form as is_form_sent
from intake.web.problems import RefusedError

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

FIELDS_MAX = 20
"""Of a form: more than any of ours has."""


def is_form(req: Request) -> bool:
    """Say whether a browser's form was sent."""
    return is_form_sent(req.scope)


def form_of(req: Request) -> dict[str, str]:
    """Return the fields of a form of our own pages.

    Raises:
        RefusedError: it is no form, or another site's.
    """
    if not is_form(req):
        raise RefusedError("unsupported_media_type", "The body must be a form")
    if is_foreign(req):
        raise RefusedError("ticket_invalid", "The form is another site's")
    try:
        fields = parse_qs(req.scope[BODY].decode("utf-8", "replace"), max_num_fields=FIELDS_MAX)
    except ValueError as error:
        raise RefusedError("malformed", f"The form has more than {FIELDS_MAX} fields") from error
    return {name: values[0] for name, values in fields.items()}


def is_foreign(req: Request) -> bool:
    """Say whether another site's page sent the request."""
    site, origin = req.get_header("Sec-Fetch-Site"), req.get_header("Origin")
    if site not in (None, "same-origin", "none") or origin == "null":  # a sandboxed frame's, or a redirect's
        return True
    return site is None and origin is not None and origin.partition("://")[2] not in (req.forwarded_host, req.netloc)


def go_to(resp: Response, url: str) -> None:
    """Send the browser on."""
    resp.status = 303
    resp.set_header("Location", url)
    resp.set_header("Cache-Control", "no-store")
    resp.set_header("Referrer-Policy", "no-referrer")
