"""HTML that a catalogue's descriptions carry, as plain text. Pure; what it returns is still to be escaped.

Shops export descriptions as HTML. A page that shows them as they are shows tags; one that puts them in trusts whoever
wrote the catalogue.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html.parser import HTMLParser

_UNSEEN = frozenset({"script", "style", "template", "noscript", "iframe", "object"})
_INLINE = frozenset(
    (
        "a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "del", "dfn", "em", "font", "i", "ins", "kbd", "mark",
        "q", "s", "samp", "small", "span", "strong", "sub", "sup", "u", "var", "wbr",
    )
)  # fmt: skip
_SPACES = re.compile(r"\s+")


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unseen: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        if tag in _UNSEEN:
            self._unseen.append(tag)
        if tag not in _INLINE:
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if self._unseen and tag == self._unseen[-1]:
            self._unseen.pop()
        if tag not in _INLINE:
            self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(data)


@lru_cache(maxsize=500)
def plain(text: str) -> str:
    """Return what a reader of the HTML would read, in one line."""
    if "<" not in text and "&" not in text:
        return _SPACES.sub(" ", text).strip()
    reader = _Text()
    reader.feed(text)
    reader.close()
    return _SPACES.sub(" ", "".join(reader.parts)).strip()
