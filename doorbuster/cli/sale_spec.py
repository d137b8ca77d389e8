"""Reads the options of `doorbuster sale create` into the body of the ops call. Pure."""

from __future__ import annotations

import json
from typing import Any

from doorbuster.errors import InvalidError

_TERMS = {"quantity": "quantity", "limit": "limit_per_customer", "limit_per_customer": "limit_per_customer"}
_TERMS["price"] = "price"


def read_product(text: str) -> dict[str, Any]:
    """Return a product of a sale from `ID[:quantity=N,limit=N,price=N]`.

    Raises:
        InvalidError: the terms cannot be read.
    """
    product_id, colon, tail = text.rpartition(":")
    if not colon or "=" not in tail:
        return {"product_id": text}
    product: dict[str, Any] = {"product_id": product_id}
    for term in tail.split(","):
        name, _, value = term.partition("=")
        if name not in _TERMS or not value.isdecimal():
            raise InvalidError(f"--product {text}: '{term}' is none of quantity=N, limit=N, price=N")
        product[_TERMS[name]] = int(value)
    return product


def read_body(text: str) -> dict[str, Any]:
    """Return a sale's body from a JSON text.

    Raises:
        InvalidError: it is no JSON object.
    """
    try:
        body = json.loads(text)
    except ValueError as error:
        raise InvalidError(f"--json: no JSON: {error}") from error
    if not isinstance(body, dict):
        raise InvalidError("--json: must be a JSON object")
    return body
