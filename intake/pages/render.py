"""Pages for people: templates, what goes with them, headers. Owns rendering; decides nothing.

A folder of the operator's comes before the built-in one, file by file: `templates/*.html`, `texts/<language>.toml`
(each text by itself falls back to the built-in one), `static/*`.
"""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined

from intake.pages.locale import tongue_of
from intake.pages.texts import PageTexts, read_texts
from intake.web.static_files import StaticFiles

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from intake.pages.locale import Tongue

HERE = Path(__file__).parent
MINUTE_S, HOUR_S, LONG_S = 60, 3600, 12 * 3600
HTML = "text/html; charset=utf-8"
PERMISSIONS = ", ".join(
    f"{name}=()" for name in ("camera", "display-capture", "geolocation", "microphone", "payment", "usb")
)
"""What the pages never ask a browser for, nor anything that they might be made to load."""


def csp(form_target: str = "", images: str = "", ancestors: str = "'none'") -> str:
    """Return the page's content security policy: nothing inline, nobody else.

    Forms may lead to the order page, images come from where the operator's catalogue says.
    """
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'{images}; connect-src 'self'; "
        f"form-action 'self'{form_target}; base-uri 'none'; frame-ancestors {ancestors}"
    )


@cache
def _environment(*folders: Path) -> Environment:
    """Return the templates of these folders, each compiled once a process and again when its file changes."""
    return Environment(
        loader=ChoiceLoader([FileSystemLoader(one / "templates") for one in folders]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


class Pages:
    """The pages of one process."""

    def __init__(self, folder: str | None, framed_by: tuple[str, ...] = ()) -> None:
        """Take the operator's folder, if there is one, and the origins that may have the pages in a frame."""
        self._ancestors = " ".join("'self'" if one == "self" else one for one in framed_by) or "'none'"
        # Of browsers that know no frame-ancestors; it cannot name an origin, so where any is named it is left out.
        self._frame_options = {"'none'": "DENY", "'self'": "SAMEORIGIN"}.get(self._ancestors)
        self._folders = [HERE] if folder is None else [Path(folder), HERE]
        self._environment = _environment(*self._folders)
        self.texts = read_texts(reversed(self._folders))
        self.static_files = StaticFiles((folder / "static" for folder in self._folders), "/room/static")

    def tongue(self, accept_language: str) -> Tongue:
        """Return how to speak to who likes these languages."""
        return tongue_of(accept_language, tuple(self.texts))

    def words(self, tongue: Tongue) -> PageTexts:
        """Return the texts for a visitor."""
        return PageTexts(self.texts[tongue.language], tongue)

    def written(self, tongue: Tongue, template: str, values: dict[str, Any]) -> str:
        """Return a page as text."""
        texts, say = self.texts[tongue.language], self.words(tongue)
        shown = {"standing": None, "refresh": None, "refresh_to": "", "orders": (), "now_s": time.time()} | values
        return self._environment.get_template(template).render(
            t=texts,
            lang=tongue.language,
            locale=str(tongue.words).replace("_", "-"),
            static=self.static_files.address,
            say=say,
            eta=lambda seconds: wait_of(seconds, say, tongue),
            tongue=tongue,
            **shown,
        )

    def plain(self, template: str, values: dict[str, Any]) -> str:
        """Return a page that has no texts of a language in it."""
        return self._environment.get_template(template).render(**values)

    def render(self, req: Request, resp: Response, template: str, values: dict[str, Any]) -> None:
        """Write a page in the visitor's language."""
        tongue = self.tongue(req.get_header("Accept-Language") or "")
        resp.content_type = HTML
        # What a form was answered with is asked for anew at the page's own address.
        to = {} if req.method in ("GET", "HEAD") else {"refresh_to": values["page_url"]}
        resp.text = self.written(tongue, template, values | to)
        resp.set_headers(
            {
                "Cache-Control": "no-store",
                "Content-Language": tongue.language,
                "Vary": "Accept, Accept-Language, Cookie",
                "Content-Security-Policy": csp(
                    values.get("form_target", ""), values.get("image_sources", ""), self._ancestors
                ),
                # Not `no-referrer`: with that browsers send forms as from nowhere (`Origin: null`), which is refused.
                "Referrer-Policy": "same-origin",
                "Permissions-Policy": PERMISSIONS,
                "X-Content-Type-Options": "nosniff",
                "Cross-Origin-Opener-Policy": "same-origin",
            }
        )
        if self._frame_options is not None:
            resp.set_header("X-Frame-Options", self._frame_options)

    @property
    def policy(self) -> str:
        """The content security policy of a page that leads nowhere and shows nobody's images."""
        return csp(ancestors=self._ancestors)


def wait_of(seconds: tuple[float, float] | None, say: PageTexts, tongue: Tongue) -> str:
    """Return how long a wait is going to be: from the least to the most."""
    if seconds is None or seconds[1] > LONG_S:
        return say("eta_unknown" if seconds is None or seconds[0] > LONG_S else "eta_long")
    if seconds[1] < MINUTE_S:
        return say("eta_soon")
    most = tongue.duration(seconds[1], rough=True)
    if seconds[0] < MINUTE_S:
        return say("eta_most", most=most)
    least = tongue.duration(seconds[0] // MINUTE_S * MINUTE_S, rough=True)
    if least == most:
        return say("eta_about", time=most)
    if seconds[1] <= HOUR_S - MINUTE_S:  # the unit once
        least = tongue.number(int(seconds[0] // MINUTE_S))
    return say("eta_range", least=least, most=most)
