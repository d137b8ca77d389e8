"""Loads SQL from `db/queries/*.sql`: every statement stands there under a `-- name: x` header. Never builds SQL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

_QUERIES = Path(__file__).with_name("queries")
_HEADER = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


@cache
def load(file: str) -> Mapping[str, str]:
    """Return the statements of `queries/{file}.sql` by name.

    Raises:
        ValueError: a name stands twice.
    """
    _, *parts = _HEADER.split((_QUERIES / f"{file}.sql").read_text())
    names, texts = parts[::2], parts[1::2]
    if len(set(names)) != len(names):
        raise ValueError(f"queries/{file}.sql names a statement twice")
    return MappingProxyType({name: text.strip().rstrip(";") for name, text in zip(names, texts, strict=True)})
