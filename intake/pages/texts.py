"""The words of the pages: read from `texts/<language>.toml`, put together for one visitor. Owns their form, no wording.

A text is a line, or a table of lines by plural category (`one`, `few`, `other`, ...), of which `other` must be there.
"""

from __future__ import annotations

import tomllib
from functools import cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from doorbuster.errors import SettingsError
from intake.pages.locale import FALLBACK, OTHER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from intake.pages.locale import Tongue

Text = str | dict[str, str]


def read_texts(folders: Iterable[Path]) -> dict[str, dict[str, Text]]:
    """Return the texts by language, of several folders: a later one's stand before; what a language lacks is English.

    Raises:
        SettingsError: a file is no TOML, or a text is neither a line nor a table with `other`.
    """
    found: dict[str, dict[str, Text]] = {}
    for folder in folders:
        for path in sorted((folder / "texts").glob("*.toml")):
            found[path.stem] = found.get(path.stem, {}) | _read(path, path.stat().st_mtime_ns)
    return {language: found[FALLBACK] | texts for language, texts in found.items()}


@cache
def _read(path: Path, _changed_ns: int) -> dict[str, Text]:
    """Return a file's texts, read once a process and again when it is changed."""
    try:
        texts = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SettingsError(f"ROOM_PAGES: {path.name} cannot be read: {error}") from error
    wrong = sorted(name for name, text in texts.items() if not _is_text(text))
    if wrong:
        raise SettingsError(f"ROOM_PAGES: {path.name}: neither a text nor a table with 'other': {', '.join(wrong)}")
    return texts


def _is_text(value: object) -> bool:
    if isinstance(value, dict):
        return OTHER in value and all(isinstance(one, str) for one in value.values())
    return isinstance(value, str)


class PageTexts:
    """The texts as one visitor reads them."""

    def __init__(self, texts: Mapping[str, Text], tongue: Tongue) -> None:
        self._texts = texts
        self._tongue = tongue

    def __contains__(self, name: str) -> bool:
        """Say whether there is such a text."""
        return name in self._texts

    def __call__(self, name: str, /, count: int | None = None, **said: Any) -> str:
        """Return a text with what is put in; `count` picks the plural form and stands for `{n}`."""
        text, said = self._chosen(name, count, said)
        return text.format_map(_Kept(said))

    def marked(self, name: str, /, count: int | None = None, **said: Any) -> Markup:
        """Return a text into which markup is put, such as a time that a script shows in the visitor's zone."""
        text, said = self._chosen(name, count, said)
        return escape(text).format_map(_Kept(said))

    def _chosen(self, name: str, count: int | None, said: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        text = self._texts[name]
        if count is not None:
            said = said | {"n": self._tongue.number(count)}
        if isinstance(text, dict):
            text = text.get(self._tongue.form(count or 0), text[OTHER])
        return text, said

    def first(self, *names: str) -> str:
        """Return the first of these texts that there is."""
        return self(next(name for name in names if name in self._texts))

    def only(self, *beginnings: str) -> dict[str, Text]:
        """Return the texts whose names begin so, as a script needs them."""
        return {name: text for name, text in self._texts.items() if name.startswith(beginnings)}


class _Kept(dict[str, Any]):
    """What is put into a text; a name that nothing is given for stays as it is written."""

    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"
