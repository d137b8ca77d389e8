"""`/docs`: the contract as a page for people. Owns its form; asks no third party for anything, needs no script."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Any

import msgspec

STYLE = b"""
:root{color-scheme:light dark;--line:#8884;--soft:#8882;--link:#0b57d0}
@media (prefers-color-scheme:dark){:root{--link:#8ab4f8}}
*{box-sizing:border-box}
html{scroll-padding-top:1rem}
body{font:16px/1.55 system-ui,sans-serif;margin:0;display:grid;grid-template-columns:19rem minmax(0,56rem);gap:2rem}
a{color:var(--link)}
nav{position:sticky;top:0;height:100vh;overflow:auto;padding:1.5rem 1rem;border-right:1px solid var(--line);
 font-size:.85rem}
nav h2{font-size:.8rem;margin:1.1rem 0 .2rem}
nav ul{list-style:none;margin:0;padding:0}
nav a{text-decoration:none;display:block;padding:.15rem 0}
main{padding:1.5rem 1rem 6rem}
section{border-top:1px solid var(--line);padding:1rem 0}
h1,h2,h3{line-height:1.25}
h3 code{background:none;padding:0}
.method{display:inline-block;min-width:3.6rem;font:700 .8rem ui-monospace,monospace}
code,pre{font-family:ui-monospace,monospace;font-size:.85rem;background:var(--soft);border-radius:.25rem}
code{padding:.05rem .25rem}
pre{padding:.75rem;overflow:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem;display:block;overflow:auto}
th,td{text-align:left;vertical-align:top;padding:.3rem .75rem .3rem 0;border-top:1px solid var(--line)}
summary{cursor:pointer}
@media (max-width:60rem){body{display:block}nav{position:static;height:auto;border:0}}
"""


def page(document: dict[str, Any]) -> str:
    """Return the document as a page for people."""
    by_tag: dict[str, list[tuple[str, str, dict[str, Any]]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            by_tag[operation["tags"][0]].append((method, path, operation))
    about = {tag["name"]: tag["description"] for tag in document["tags"]}
    groups = "".join(_group(tag, about[tag], operations) for tag, operations in by_tag.items() if operations)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Doorbuster: the contract</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<link rel="stylesheet" href="/docs/style.css"></head><body>'
        f"{_navigation(by_tag)}<main><h1>Doorbuster: the contract</h1>{_text(document['info']['description'])}"
        '<p>The same as a document for programs: <a href="/openapi.json">openapi.json</a></p>'
        f"{_schemes(document['components']['securitySchemes'])}{groups}{_schemas(document['components']['schemas'])}"
        "</main></body></html>"
    )


def _navigation(by_tag: dict[str, list[tuple[str, str, dict[str, Any]]]]) -> str:
    parts = ['<nav aria-label="Contents"><a href="/docs#keys">Keys and admissions</a>']
    for tag, operations in by_tag.items():
        if operations:
            links = "".join(
                f'<li><a href="/docs#{operation["operationId"]}">{escape(operation["summary"])}</a></li>'
                for *_, operation in operations
            )
            parts.append(f"<h2>{escape(tag)}</h2><ul>{links}</ul>")
    return "".join([*parts, '<h2><a href="/docs#schemas">Schemas</a></h2></nav>'])


def _schemes(schemes: dict[str, Any]) -> str:
    rows = [(f"<code>{escape(name)}</code>", _inline(scheme["description"])) for name, scheme in schemes.items()]
    return f'<section id="keys"><h2>Keys and admissions</h2>{_table(("scheme", "what it is"), rows)}</section>'


def _group(tag: str, about: str, operations: list[tuple[str, str, dict[str, Any]]]) -> str:
    inside = "".join(_operation(*operation) for operation in operations)
    return f'<section><h2 id="{_slug(tag)}">{escape(tag)}</h2>{_text(about)}{inside}</section>'


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    return (
        f'<section id="{operation["operationId"]}">'
        f'<h3><span class="method">{method.upper()}</span> <code>{escape(path)}</code></h3>'
        f"<p><strong>{escape(operation['summary'])}.</strong> {_inline(operation['description'])}</p>"
        f"{_needs(operation)}{_parameters(operation['parameters'])}{_body(operation.get('requestBody'))}"
        f"{_answers(operation['responses'])}</section>"
    )


def _needs(operation: dict[str, Any]) -> str:
    names = [name for requirement in operation.get("security", []) for name in requirement]
    if not names:
        return ""
    listed = " or ".join(f"<code>{escape(name)}</code>" for name in names)
    always = {} not in operation["security"]
    return f'<p>{"Needs" if always else "May need"} {listed}, see <a href="/docs#keys">keys</a>.</p>'


def _parameters(parameters: list[dict[str, Any]]) -> str:
    rows = [
        (
            f"<code>{escape(parameter['name'])}</code>",
            f"{parameter['in']}{', required' if parameter['required'] else ''}",
            _inline(parameter.get("description", "")),
        )
        for parameter in parameters
    ]
    return _table(("parameter", "where", "what it is"), rows) if rows else ""


def _body(body: dict[str, Any] | None) -> str:
    if body is None:
        return ""
    return "".join(
        f"<p>Body{_kind(media, content)}</p>{_example(content)}" for media, content in body["content"].items()
    )


def _answers(answers: dict[str, Any]) -> str:
    rows = [(f"<strong>{status}</strong>", _answer(answer)) for status, answer in answers.items()]
    return _table(("answer", ""), rows)


def _answer(answer: dict[str, Any]) -> str:
    headers = ", ".join(f"<code>{escape(name)}</code>" for name in answer.get("headers", {}))
    parts = [_inline(answer["description"]), f"<br>Headers: {headers}" if headers else ""]
    for media, content in answer.get("content", {}).items():
        if "problem" not in media:
            parts.append(f"<br>Body{_kind(media, content)}{_example(content)}")
    return "".join(parts)


def _kind(media: str, content: dict[str, Any]) -> str:
    schema = content.get("schema", {})
    ref = schema.get("$ref") or schema.get("properties", {}).get("items", {}).get("items", {}).get("$ref")
    if ref is None:
        return f" <code>{escape(media)}</code>"
    name = ref.rpartition("/")[2]
    page_of = "" if "$ref" in schema else "a page of "
    return f': {page_of}<a href="/docs#schema-{escape(name)}">{escape(name)}</a>'


def _example(content: dict[str, Any]) -> str:
    return f"<pre>{escape(_pretty(content['example']))}</pre>" if "example" in content else ""


def _schemas(schemas: dict[str, Any]) -> str:
    parts = "".join(
        f'<details id="schema-{escape(name)}"><summary><code>{escape(name)}</code> '
        f"{_inline(schema.get('description', ''))}</summary><pre>{escape(_pretty(schema))}</pre></details>"
        for name, schema in sorted(schemas.items())
    )
    return f'<section id="schemas"><h2>Schemas</h2>{parts}</section>'


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{titles}</tr>{lines}</table>"


def _text(text: str) -> str:
    return f"<p>{_inline(text)}</p>"


def _inline(text: str) -> str:
    """Return a text with its code in backticks marked as such."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))


def _slug(tag: str) -> str:
    return "tag-" + re.sub(r"[^a-z]+", "-", tag.lower())


def _pretty(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value)).decode()
