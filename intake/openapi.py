"""`/openapi.json`, made from the types that validate, and `/docs`. Owns the document's form alone.

The table of operations is `operations.py`. The page asks no third party for anything.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

import msgspec

from catalogue.search.interface import SORTS
from doorbuster.contract import FAULTS, JSON, PROBLEM_JSON, Problem
from intake.operations import OPERATIONS, Media, Operation, Page

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

VERSION = "3.1.0"
CSP = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_REQUIRED_HEADERS = frozenset({"Idempotency-Key"})
_TEXT: dict[str, Any] = {"type": "string"}
_QUERY: dict[str, dict[str, Any]] = {
    "limit": {"type": "integer", "minimum": 1},
    "min_price": {"type": "integer", "minimum": 0},
    "max_price": {"type": "integer", "minimum": 0},
    "sort": {"enum": list(SORTS)},
    "price_unit": {"enum": ["minor", "major"]},
}
"""What a parameter of the query may be, where it is not any text."""
_STYLE = (
    b"body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    b"code,pre{background:#f3f3f3;color:#111}pre{padding:.75rem;overflow:auto}"
    b"section{border-top:1px solid #999;padding:.5rem 0}"
)


def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    types = [Problem, *_types()]
    refs, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(map(repr, types), refs, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, schema_of)
    return {
        "openapi": VERSION,
        "info": {"title": "Doorbuster", "version": "1", "description": "Takes a shop's orders during a flash sale."},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "ops_key": {"type": "http", "scheme": "bearer"},
                "storefront_key": {"type": "apiKey", "in": "header", "name": "X-Storefront-Key"},
            },
        },
    }


def _types() -> list[Any]:
    found: list[Any] = []
    for operation in OPERATIONS:
        for one in (operation.body, *operation.answers.values()):
            plain = one.item if isinstance(one, Page) else one
            if plain is not None and not isinstance(plain, Media) and plain not in found:
                found.append(plain)
    return found


def _operation(operation: Operation, schema_of: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": _name(operation),
        "parameters": _parameters(operation),
        "responses": _responses(operation, schema_of),
    }
    if operation.body is not None:
        said["requestBody"] = {"required": True, "content": _content(operation.body, schema_of)}
    if operation.path.startswith("/ops/"):
        said["security"] = [{"ops_key": []}]
    elif "X-Storefront-Key" in operation.headers:
        said["security"] = [{}, {"storefront_key": []}]
    return said


def _name(operation: Operation) -> str:
    words = re.findall(r"[a-z]+", operation.path)
    return "_".join([operation.method, *words])


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    text = {"schema": _TEXT}
    inside = [{"name": name, "in": "path", "required": True, **text} for name in re.findall(r"{(\w+)}", operation.path)]
    query = [_query(name) for name in operation.query]
    headers = [
        {"name": name, "in": "header", "required": name in _REQUIRED_HEADERS, **text}
        for name in operation.headers
        if name != "X-Storefront-Key"
    ]
    if _is_noted(operation):
        headers.append({"name": "X-Operator", "in": "header", "required": False, **text})
    return inside + query + headers


def _query(name: str) -> dict[str, Any]:
    plain = name.removesuffix("*")
    schema = _QUERY.get(plain, _TEXT)
    several = {"type": "array", "items": schema}
    return {"name": plain, "in": "query", "required": False, "schema": schema if plain == name else several}


def _is_noted(operation: Operation) -> bool:
    """Tell whether the call is noted under the name that `X-Operator` gives, which may be a wrong one."""
    return operation.path.startswith("/ops/") and operation.method != "get"


def _responses(operation: Operation, schema_of: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for status, answer in operation.answers.items():
        said[str(status)] = {"description": operation.summary}
        if answer is not None:
            said[str(status)]["content"] = _content(answer, schema_of)
    problems = {*operation.problems, "invalid"} if _is_noted(operation) else set(operation.problems)
    for status in sorted({FAULTS[code].status for code in problems}):
        codes = [code for code in FAULTS if code in problems and FAULTS[code].status == status]
        schema = {"allOf": [schema_of[repr(Problem)], {"properties": {"code": {"enum": codes}}}]}
        said[str(status)] = {
            "description": "; ".join(f"`{code}`: {FAULTS[code].title}" for code in codes),
            "content": {PROBLEM_JSON: {"schema": schema}},
        }
        if status in (429, 503):
            said[str(status)]["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return said


def _content(answer: Any, schema_of: dict[str, Any]) -> dict[str, Any]:
    if isinstance(answer, Media):
        return {answer.name: {"schema": {"type": "object"} if "json" in answer.name else {"type": "string"}}}
    if isinstance(answer, Page):
        items = {"type": "array", "items": schema_of[repr(answer.item)]}
        page = {
            "type": "object",
            "required": ["items"],
            "properties": {"items": items, "next_cursor": {"type": "string"}},
        }
        return {JSON: {"schema": page}}
    return {JSON: {"schema": schema_of[repr(answer)]}}


def page(said: dict[str, Any]) -> str:
    """Return the document as a page for people."""
    parts = []
    for path, methods in said["paths"].items():
        for method, operation in methods.items():
            rows = "".join(
                f"<li><strong>{status}</strong> {escape(answer['description'])}</li>"
                for status, answer in operation["responses"].items()
            )
            body = operation.get("requestBody", {}).get("content", {})
            sent = f"<pre>{escape(_pretty(body))}</pre>" if body else ""
            parts.append(
                f"<section><h2><code>{method.upper()} {escape(path)}</code></h2>"
                f"<p>{escape(operation['summary'])}</p>{sent}<ul>{rows}</ul></section>"
            )
    schemas = escape(_pretty(said["components"]["schemas"]))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Doorbuster: the contract</title>'
        '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/docs/style.css"></head>'
        f'<body><main><h1>Doorbuster: the contract</h1><p><a href="/openapi.json">openapi.json</a></p>{"".join(parts)}'
        f"<section><h2>Schemas</h2><pre>{schemas}</pre></section></main></body></html>"
    )


def _pretty(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value)).decode()


class Constant:
    """Resource that always answers the same bytes."""

    def __init__(self, data: bytes, media: str) -> None:
        self._data = data
        self._media = media

    async def on_get(self, _req: Request, resp: Response) -> None:
        """Answer them."""
        resp.content_type = self._media
        resp.data = self._data
        resp.set_headers({"Content-Security-Policy": CSP, "X-Content-Type-Options": "nosniff"})


def resources() -> dict[str, Constant]:
    """Return the contract's resources by path."""
    said = document()
    return {
        "/openapi.json": Constant(msgspec.json.encode(said), JSON),
        "/docs": Constant(page(said).encode(), "text/html; charset=utf-8"),
        "/docs/style.css": Constant(_STYLE, "text/css; charset=utf-8"),
    }
