"""Scripts and styles of pages, from memory. Owns their addresses, which change with what is in them; no page's content.

Whoever serves a page adds this resource to its application; it needs none of the rooms that the pages are about.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from intake.web.problems import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from falcon.asgi import Request, Response

_MEDIA = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_HEADERS = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


class StaticFiles:
    """Resource of the files of some folders; of files with one name the first folder's."""

    def __init__(self, folders: Iterable[Path], prefix: str, *, deep: bool = False) -> None:
        """Take the folders and what the files' addresses begin with, like `/room/static`.

        `deep`: with the folders in them; a file's name is its path there.
        """
        self._files: dict[str, tuple[bytes, str]] = {}
        for folder in folders:
            for path in sorted(folder.glob("**/*" if deep else "*")):
                name = path.relative_to(folder).as_posix()
                if path.suffix in _MEDIA and name not in self._files:
                    self._files[name] = path.read_bytes(), _MEDIA[path.suffix]
        version = version_of({name: data for name, (data, _) in self._files.items()})
        self.address = f"{prefix}/{version}"
        """What the address of a file begins with; its name follows."""
        self.route = f"{prefix}/{{version}}/{{name:path}}" if deep else f"{prefix}/{{version}}/{{name}}"
        """Under which the resource is added to an application."""

    async def on_get(self, _req: Request, resp: Response, version: str, name: str) -> None:  # noqa: ARG002
        """Show one."""
        if name not in self._files:
            raise RefusedError("not_found", "There is no such file")
        resp.data, resp.content_type = self._files[name]
        resp.set_headers(_HEADERS)


def version_of(files: Mapping[str, bytes]) -> str:
    """Return a digest of files with their names: each part with its length, so that no two sets of them look alike."""
    digest = hashlib.blake2b(digest_size=6)
    for name, data in sorted(files.items()):
        digest.update(b"%d:%b%d:" % (len(name.encode()), name.encode(), len(data)) + data)
    return digest.hexdigest()
