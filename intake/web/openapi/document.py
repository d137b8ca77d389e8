"""`/openapi.json`, made from the types that validate. Owns the document's form alone.

The table of operations is `operations.py`, the words are `words.py`, the page `/docs` is `page.py`.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from catalogue.search.interface import SORTS
from doorbuster.contract.problems import FAULTS, JSON, PROBLEM_JSON, Problem
from intake.server.asgi import OPS
from intake.web.openapi.examples import EXAMPLES
from intake.web.openapi.operations import JSON_LINES, OPERATIONS, LinesOf, Media, Operation, PageOf
from intake.web.openapi.page import STYLE, page
from intake.web.openapi.roles import needed_role
from intake.web.openapi.words import DESCRIPTIONS, HEADERS, PARAMETERS, SCHEMES, TAGS, tag_of

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

VERSION = "3.1.0"
CSP = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_REQUIRED_HEADERS = frozenset({"Idempotency-Key"})
_MAKING = frozenset({"/ops/sales", "/ops/sales/{sale}/rehearsals"})
"""Whose 201 says where what was made is."""
_TEXT: dict[str, Any] = {"type": "string"}
_NUMBER: dict[str, Any] = {"type": "integer"}
_ABOUT = (
    "Takes a shop's orders during a flash sale. JSON in and out, times RFC 3339 in UTC, money in minor units with an "
    "ISO currency. Every refusal is a problem document (RFC 9457) with a stable `code`; unknown fields are "
    "refused by name."
)
_SUCCESS = {204: "Done; there is nothing to show", 304: "Not changed since the `ETag` that was sent"}
_QUERY: dict[str, dict[str, Any]] = {
    "limit": {"type": "integer", "minimum": 1},
    "min_price": {"type": "integer", "minimum": 0},
    "max_price": {"type": "integer", "minimum": 0},
    "sort": {"enum": list(SORTS)},
    "history_s": {"type": "integer", "minimum": 1, "maximum": 900},
    "format": {"enum": ["csv", "jsonl"]},
    "from": {"type": "string", "format": "date-time"},
    "to": {"type": "string", "format": "date-time"},
    "price_unit": {"enum": ["minor", "major"]},
    **{name: {"type": "boolean"} for name in ("preview", "fresh", "shadows", "standalone")},
}
"""What a parameter of the query may be, where it is not any text."""


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
        "info": {"title": "Doorbuster", "version": "1", "description": _ABOUT},
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": SCHEMES,
        },
    }


def _types() -> list[Any]:
    bodies: list[Any] = []
    for operation in OPERATIONS:
        for body in (operation.body, *operation.answers.values()):
            plain = body.item if isinstance(body, PageOf | LinesOf) else body
            if plain is not None and not isinstance(plain, Media) and plain not in bodies:
                bodies.append(plain)
    return bodies


def _operation(operation: Operation, schema_of: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "tags": [tag_of(operation.path)],
        "summary": operation.summary,
        "description": _description(operation),
        "operationId": _name(operation),
        "parameters": _parameters(operation),
        "responses": _responses(operation, schema_of),
    }
    if operation.body is not None:
        described["requestBody"] = {
            "required": operation.body_required,
            "content": _content(operation.body, schema_of),
        }
    if operation.path.startswith("/ops/"):
        described["security"] = [{"ops_key": []}]
    elif "X-Storefront-Key" in operation.headers:
        keys = ["admission", "admission_cookie"] if "Idempotency-Key" in operation.headers else []
        described["security"] = [{}, *({name: []} for name in [*keys, "storefront_key"])]
    return described


def _description(operation: Operation) -> str:
    said = DESCRIPTIONS.get(f"{operation.method} {operation.path}", f"{operation.summary}.")
    if not operation.path.startswith(OPS):
        return said
    return f"{said} Takes a key of the role `{needed_role(operation.method, operation.path)}`."


def _name(operation: Operation) -> str:
    words = re.findall(r"[a-z]+", operation.path)
    return "_".join([operation.method, *words])


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    inside = [_parameter(name, "path", required=True) for name in re.findall(r"{(\w+)}", operation.path)]
    query = [_query(name) for name in operation.query]
    headers = [
        _parameter(name, "header", required=name in _REQUIRED_HEADERS)
        for name in operation.headers
        if name != "X-Storefront-Key"
    ]
    if _is_noted(operation):
        headers.append(_parameter("X-Operator", "header"))
    return inside + query + headers


def _parameter(name: str, place: str, *, required: bool = False) -> dict[str, Any]:
    parameter: dict[str, Any] = {"name": name, "in": place, "required": required, "schema": _TEXT}
    return parameter | ({"description": PARAMETERS[name]} if name in PARAMETERS else {})


def _query(name: str) -> dict[str, Any]:
    plain = name.removesuffix("*")
    schema = _QUERY.get(plain, _TEXT)
    several = {"type": "array", "items": schema}
    return _parameter(plain, "query") | {"schema": schema if plain == name else several}


def _is_noted(operation: Operation) -> bool:
    """Tell whether the call is noted under the name that `X-Operator` gives, which may be a wrong one."""
    return operation.path.startswith("/ops/") and operation.method != "get"


def _responses(operation: Operation, schema_of: dict[str, Any]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, answer in operation.answers.items():
        responses[str(status)] = {"description": _SUCCESS.get(status, operation.summary)}
        if headers := _headers(operation, status):
            responses[str(status)]["headers"] = headers
        if answer is not None:
            responses[str(status)]["content"] = _content(answer, schema_of)
    problems = {*operation.problems, "invalid", "role_required"} if _is_noted(operation) else set(operation.problems)
    for status in sorted({FAULTS[code].status for code in problems}):
        codes = [code for code in FAULTS if code in problems and FAULTS[code].status == status]
        schema = {"allOf": [schema_of[repr(Problem)], {"properties": {"code": {"enum": codes}}}]}
        responses[str(status)] = {
            "description": "; ".join(f"`{code}`: {FAULTS[code].title}" for code in codes),
            "content": {PROBLEM_JSON: {"schema": schema}},
        }
        if headers := _headers(operation, status):
            responses[str(status)]["headers"] = headers
    return responses


def _headers(operation: Operation, status: int) -> dict[str, Any]:
    """Return the headers of an answer that a caller should look at."""
    keyed, cached = "Idempotency-Key" in operation.headers, "If-None-Match" in operation.headers
    orders = keyed and not operation.path.startswith("/ops/")
    rules = {
        "Location": (orders and status in (201, 202, 409)) or (operation.path in _MAKING and status == 201),
        "Idempotency-Replayed": keyed and status in (201, 202, 409),
        "Preference-Applied": orders and status in (201, 202, 409),
        "Link": orders and status in (401, 409),
        "ETag": cached and status in (200, 304),
        "Cache-Control": cached and status in (200, 304),
        "Retry-After": status in (429, 503) or (operation.path.endswith("/admissions") and status == 202),
        "WWW-Authenticate": status == 401,
    }
    named = [name for name, there in rules.items() if there]
    return {
        name: {"description": HEADERS[name], "schema": _NUMBER if name == "Retry-After" else _TEXT} for name in named
    }


def _content(answer: Any, schema_of: dict[str, Any]) -> dict[str, Any]:
    if isinstance(answer, Media):
        return {answer.name: {"schema": {"type": "object"} if "json" in answer.name else {"type": "string"}}}
    if isinstance(answer, LinesOf):
        return {JSON_LINES.name: {"schema": schema_of[repr(answer.item)]}}
    if isinstance(answer, PageOf):
        items = {"type": "array", "items": schema_of[repr(answer.item)]}
        page = {
            "type": "object",
            "required": ["items"],
            "properties": {"items": items, "next_cursor": {"type": "string"}},
        }
        return {JSON: {"schema": page}}
    media: dict[str, Any] = {"schema": schema_of[repr(answer)]}
    return {JSON: media | ({"example": EXAMPLES[answer]} if answer in EXAMPLES else {})}


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


@cache
def resources() -> dict[str, Constant]:
    """Return the contract's resources by path; every application of a process has the same."""
    contract = document()
    return {
        "/openapi.json": Constant(msgspec.json.encode(contract), JSON),
        "/docs": Constant(page(contract).encode(), "text/html; charset=utf-8"),
        "/docs/style.css": Constant(STYLE, "text/css; charset=utf-8"),
    }
