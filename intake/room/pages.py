"""Pages for people: templates, texts by language, what goes with them. Owns rendering and its headers; decides nothing.

A folder of the operator's comes before the built-in one, file by file: `templates/*.html`, `texts/<language>.toml`
(each text by itself falls back to the built-in one), `static/*`.
"""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined

from intake.problems import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from falcon.asgi import Request, Response

HERE = Path(__file__).parent
HTML = "text/html; charset=utf-8"
FALLBACK = "en"
LANGUAGES_MAX, LANGUAGES_CHARACTERS_MAX = 10, 400
PERMISSIONS = ", ".join(
    f"{name}=()" for name in ("camera", "display-capture", "geolocation", "microphone", "payment", "usb")
)
"""What the pages never ask a browser for, nor anything that they might be made to load."""
_MEDIA = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


def csp(form_target: str = "", ancestors: str = "'none'") -> str:
    """Return the page's content security policy: nothing inline, nobody else; forms may lead to the order page."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        f"form-action 'self'{form_target}; base-uri 'none'; frame-ancestors {ancestors}"
    )


class Pages:
    """The pages of one process."""

    def __init__(self, folder: str | None, framed_by: tuple[str, ...] = ()) -> None:
        """Take the operator's folder, if there is one, and the origins that may have the pages in a frame."""
        self._ancestors = " ".join("'self'" if one == "self" else one for one in framed_by) or "'none'"
        # Of browsers that know no frame-ancestors; it cannot name an origin, so where any is named it is left out.
        self._frame_options = {"'none'": "DENY", "'self'": "SAMEORIGIN"}.get(self._ancestors)
        self._folders = [HERE] if folder is None else [Path(folder), HERE]
        loaders = [FileSystemLoader(one / "templates") for one in self._folders]
        self._environment = Environment(
            loader=ChoiceLoader(loaders),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.texts = self._read_texts()
        self.statics = self._read_statics()
        self._version = version_of({name: data for name, (data, _) in self.statics.items()})

    def language(self, req: Request) -> str:
        """Return the language of ours that the browser likes best."""
        return preferred(req.get_header("Accept-Language") or "", tuple(self.texts))

    def render(self, req: Request, resp: Response, template: str, values: dict[str, Any]) -> None:
        """Write a page in the visitor's language."""
        language = self.language(req)
        texts = self.texts[language]
        page = self._environment.get_template(template).render(
            t=texts,
            lang=language,
            static=f"/room/static/{self._version}",
            say=lambda name, /, **said: texts[name].format(**said),
            clock=lambda seconds: clock(texts, seconds),
            number=lambda value: grouped(value, language),
            **values,
        )
        resp.content_type = HTML
        resp.text = page
        resp.set_headers(
            {
                "Cache-Control": "no-store",
                "Content-Language": language,
                "Vary": "Accept-Language, Cookie",
                "Content-Security-Policy": csp(values.get("form_target", ""), self._ancestors),
                # Not `no-referrer`: with that browsers send forms as from nowhere (`Origin: null`), which is refused.
                "Referrer-Policy": "same-origin",
                "Permissions-Policy": PERMISSIONS,
                "X-Content-Type-Options": "nosniff",
                "Cross-Origin-Opener-Policy": "same-origin",
            }
        )
        if self._frame_options is not None:
            resp.set_header("X-Frame-Options", self._frame_options)

    def _read_texts(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for folder in reversed(self._folders):
            for path in sorted((folder / "texts").glob("*.toml")):
                found[path.stem] = found.get(path.stem, {}) | tomllib.loads(path.read_text(encoding="utf-8"))
        return {language: found[FALLBACK] | texts for language, texts in found.items()}

    def _read_statics(self) -> dict[str, tuple[bytes, str]]:
        found: dict[str, tuple[bytes, str]] = {}
        for folder in reversed(self._folders):
            for path in sorted((folder / "static").glob("*")):
                if path.suffix in _MEDIA:
                    found[path.name] = path.read_bytes(), _MEDIA[path.suffix]
        return found


def version_of(files: Mapping[str, bytes]) -> str:
    """Return a digest of files with their names: each part with its length, so that no two sets of them look alike."""
    digest = hashlib.blake2b(digest_size=6)
    for name, data in sorted(files.items()):
        digest.update(b"%d:%b%d:" % (len(name.encode()), name.encode(), len(data)) + data)
    return digest.hexdigest()


class Statics:
    """Resource of scripts and styles; their address changes with them."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    async def on_get(self, _req: Request, resp: Response, version: str, name: str) -> None:  # noqa: ARG002
        """Show one."""
        if name not in self._pages.statics:
            raise RefusedError("not_found", "There is no such file")
        resp.data, resp.content_type = self._pages.statics[name]
        resp.set_headers({"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"})


def clock(texts: dict[str, str], seconds: float | None) -> str:
    """Return a time to wait in words, as coarse as it is certain; the page's script says the same."""
    if seconds is None:
        return texts["eta_unknown"]
    if seconds < 60:
        return texts["eta_soon"]
    minutes = round(seconds / 60)
    if minutes < 90:
        return texts["eta_minutes"].format(n=minutes)
    return texts["eta_hours"].format(h=minutes // 60, m=minutes % 60)


def grouped(value: int, language: str) -> str:
    """Return a number with its thousands set apart as the language does."""
    text = f"{value:,}"
    return text.replace(",", {"de": ".", "es": "."}.get(language, ","))


def preferred(header: str, known: tuple[str, ...]) -> str:
    """Return the known language that an Accept-Language header likes best.

    Nothing is kept of the header, which is whatever somebody sends; reading the beginning of it costs little.
    """
    wishes: list[tuple[float, int, str]] = []
    for place, part in enumerate(header[:LANGUAGES_CHARACTERS_MAX].split(",")[:LANGUAGES_MAX]):
        tag, _, parameter = part.strip().partition(";")
        wishes.append((-_quality(parameter), place, tag.partition("-")[0].strip().lower()))
    for quality, _, language in sorted(wishes):
        if quality < 0 and language in known:
            return language
    return FALLBACK


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    try:
        return float(value) if name.strip().lower() == "q" else 1.0
    except ValueError:
        return 0.0
