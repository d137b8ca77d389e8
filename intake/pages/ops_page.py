"""`/ops/`, the page of ops: its document and its files. Owns what is shown to whom; every figure comes by the API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from intake.pages.render import HTML, PERMISSIONS, csp
from intake.web.static_files import StaticFiles

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from falcon.asgi import Request, Response

    from intake.pages.render import Pages
    from intake.server.asgi import Scope

FILES = Path(__file__).parent / "static" / "ops"
RUNBOOKS = (Path(__file__).parent, Path(__file__).parents[2] / "docs")
"""Where the wheel has it, and where a checkout has."""
_HEADERS = {
    "Cache-Control": "no-store",
    "Vary": "Cookie",
    # No script can make markup out of text either, whoever wrote the text (Trusted Types).
    "Content-Security-Policy": csp() + "; require-trusted-types-for 'script'; trusted-types 'none'",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": PERMISSIONS,
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


class OpsPage:
    """Resource of the page: the form to sign in, or for who is signed in the frame that the scripts fill."""

    def __init__(self, pages: Pages, is_signed_in: Callable[[Scope], Awaitable[bool]], files: str) -> None:
        self.static_files = StaticFiles([FILES], files, deep=True)
        address = self.static_files.address
        self._page = pages.plain("ops.html", {"files": address})
        self._sign_in = pages.plain("ops_sign_in.html", {"files": address})
        self._is_signed_in = is_signed_in

    async def on_get(self, req: Request, resp: Response) -> None:
        """Show it; nothing of the shop stands on it."""
        resp.content_type = HTML
        resp.text = self._page if await self._is_signed_in(req.scope) else self._sign_in
        resp.set_headers(_HEADERS)


class ToOpsPage:
    """Resource of the address without its last slash."""

    def __init__(self, page: str) -> None:
        self._page = page

    async def on_get(self, _req: Request, resp: Response) -> None:
        """Lead there."""
        resp.status = 308
        resp.set_header("Location", self._page)


class Runbook:
    """Resource of the runbook, which alerts lead to: the one that came with this version."""

    def __init__(self) -> None:
        folder = next(path for path in RUNBOOKS if (path / "runbook.md").is_file())
        symptoms = (folder / "symptoms.md").read_text()
        # One document: the symptoms' sections follow the alerts', without their own title.
        self._text = ((folder / "runbook.md").read_text() + symptoms[symptoms.index("\n## ") :]).encode()

    async def on_get(self, _req: Request, resp: Response) -> None:
        """Show it as it is written."""
        resp.content_type = "text/markdown; charset=utf-8"
        resp.data = self._text
        resp.set_header("Cache-Control", "no-store")
