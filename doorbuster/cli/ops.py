"""Calls of the command line to the ops API; translates its problems into the domain's errors."""

from __future__ import annotations

import getpass
from typing import Any

import httpx

from doorbuster.embedded.instance import Instance
from doorbuster.errors import ConflictError, DoorbusterError, InvalidError, NotFoundError, StoreUnavailableError

_TIMEOUT_S = 60.0
_OPERATOR_MAX = 128
_BY_STATUS: dict[int, type[DoorbusterError]] = {404: NotFoundError, 409: ConflictError}


def operator() -> str:
    """Return the name of whoever runs the command, for the log of ops; empty where the system has none."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""
    return name[:_OPERATOR_MAX] if name.isprintable() else ""


def call(
    instance: Instance, method: str, path: str, *, body: object = None, params: dict[str, str] | None = None
) -> Any:
    """Call the ops API and return its JSON answer.

    Raises:
        NotFoundError, ConflictError, InvalidError: the API refused, with its own words.
        StoreUnavailableError: it does not answer, or not well.
    """
    headers = [(b"Authorization", f"Bearer {instance.ops_key}".encode()), (b"X-Operator", operator().encode())]
    url = instance.ops_base.rstrip("/") + path
    try:
        answer = httpx.request(
            method, url, json=body, params=params, headers=headers, timeout=_TIMEOUT_S, trust_env=False
        )
    except httpx.HTTPError as error:
        raise StoreUnavailableError(f"{url} does not answer: {error}") from error
    if answer.is_success:
        return answer.json() if answer.content else None
    raise _refusal(answer)


def _refusal(answer: httpx.Response) -> DoorbusterError:
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    detail = problem.get("detail") or problem.get("title") or f"{answer.request.url} answered {answer.status_code}"
    if answer.is_server_error:
        return StoreUnavailableError(detail)
    fields = [(str(item.get("field")), str(item.get("problem"))) for item in problem.get("errors") or []]
    kind = _BY_STATUS.get(answer.status_code)
    return kind(detail) if kind else InvalidError(detail, fields)
