"""Calls of the command line to the ops API; translates its problems into the domain's errors.

A call that is not answered soon is looked into: when a store is away, that is told within seconds, by its name.
"""

from __future__ import annotations

import getpass
import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx

from doorbuster.cli.sendable import check_sendable, header
from doorbuster.embedded.data.instance import Instance
from doorbuster.errors import ConflictError, DoorbusterError, InvalidError, NotFoundError, StoreUnavailableError

_TIMEOUT = httpx.Timeout(60.0, connect=3.0)
_NO_URL = (httpx.InvalidURL, httpx.UnsupportedProtocol)
_PATIENCE_S = 1.0
"""How long an answer may take before somebody looks why."""
_OPERATOR_MAX = 128
_BY_STATUS: dict[int, type[DoorbusterError]] = {404: NotFoundError, 409: ConflictError}


def operator() -> str:
    """Return the name of whoever runs the command, for the log of ops; empty where the system has none."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""
    return name[:_OPERATOR_MAX] if name.isprintable() else ""


class Call(NamedTuple):
    """A call of the API."""

    method: str
    path: str
    body: object = None
    params: dict[str, str] | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    is_storefronts: bool = False
    """It is one of the storefront's API, not of ops'."""


def call(
    instance: Instance,
    method: str,
    path: str,
    *,
    body: object = None,
    params: dict[str, str] | None = None,
    within_s: float | None = None,
) -> Any:
    """Call the ops API and return its JSON answer; with `within_s`, an answer that is late is none.

    Raises:
        NotFoundError, ConflictError, InvalidError: the API refused, with its own words.
        StoreUnavailableError: it does not answer, or not well; a store that is away is named.
    """
    return make(instance, Call(method, path, body, params), within_s=within_s)


def make(instance: Instance, wanted: Call, *, within_s: float | None = None) -> Any:
    """Make a call and return its JSON answer; raises what `call` does."""
    check_sendable(wanted.body)
    check_sendable(wanted.params)
    base = instance.base if wanted.is_storefronts else instance.ops_base
    headers = [*credentials(instance), *wanted.headers]
    url = base.rstrip("/") + wanted.path

    def send() -> httpx.Response:
        return httpx.request(
            wanted.method, url, json=wanted.body, params=wanted.params, headers=headers, timeout=within_s or _TIMEOUT,
            trust_env=False,
        )  # fmt: skip

    try:
        answer = send() if within_s else _patiently(send, instance.ops_base, wanted.method)
    except _NO_URL as error:
        raise InvalidError(f"OPS_URL: {error}") from error
    except httpx.HTTPError as error:
        raise StoreUnavailableError(f"the intake at {base} does not answer: {_words(error)}") from error
    if answer.is_success:
        return _json(answer)
    raise _refusal(answer, instance)


def credentials(instance: Instance) -> list[tuple[bytes, bytes]]:
    """Return the headers that let a call in, and say who makes it; and the key of a second person, if one is given."""
    key = header(f"Bearer {instance.ops_key}", "OPS_KEY")
    headers = [(b"Authorization", key), (b"X-Operator", operator().encode())]
    second = os.environ.get("OPS_SECOND_KEY")
    return [*headers, (b"Ops-Second-Key", header(second, "OPS_SECOND_KEY"))] if second else headers


@contextmanager
def streamed(
    instance: Instance, path: str, params: dict[str, str], *, accept: str = "*/*", within_s: float | None = None
) -> Iterator[Iterator[bytes]]:
    """Give the bytes of a long answer as they come, in the form that is named.

    Raises:
        NotFoundError, ConflictError, InvalidError: the API refused, with its own words.
        StoreUnavailableError: it does not answer, or the answer breaks off.
    """
    check_sendable(params)
    url = instance.ops_base.rstrip("/") + path
    headers = [*credentials(instance), (b"Accept", accept.encode())]
    try:
        with httpx.stream(
            "GET", url, params=params, headers=headers, timeout=within_s or _TIMEOUT, trust_env=False
        ) as answer:
            if not answer.is_success:
                answer.read()
                raise _refusal(answer, instance)
            yield answer.iter_bytes()
    except _NO_URL as error:
        raise InvalidError(f"OPS_URL: {error}") from error
    except httpx.HTTPError as error:
        raise StoreUnavailableError(f"the answer of {instance.ops_base} broke off: {_words(error)}") from error


def pages(instance: Instance, path: str, params: dict[str, str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield every item of a list of the ops API."""
    asked = dict(params or {})
    while True:
        page = call(instance, "GET", path, params=asked)
        yield from page["items"]
        if not page.get("next_cursor"):
            return
        asked["cursor"] = page["next_cursor"]


def _patiently(send: Callable[[], httpx.Response], base: str, method: str) -> httpx.Response:
    """Return the answer; when it is late, look whether a store is away, and give up if so."""
    answers: queue.SimpleQueue[httpx.Response | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(send())
        except Exception as error:  # noqa: BLE001  raised again by who waits
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        found = answers.get(timeout=_PATIENCE_S)
    except queue.Empty:
        from doorbuster.cli.instance.trouble import readiness

        looked = readiness(base)
        if not looked.ready and answers.empty():
            doubt = "" if method == "GET" else "; whether it was done is not known"
            raise StoreUnavailableError(f"{looked.reason}{doubt}", checks=looked.checks) from None
        found = answers.get()
    if isinstance(found, Exception):
        raise found
    return found


def _json(answer: httpx.Response) -> Any:
    if not answer.content:
        return None
    try:
        return answer.json()
    except ValueError as error:
        raise StoreUnavailableError(f"{answer.request.url} does not answer as Doorbuster does") from error


def _words(error: httpx.HTTPError) -> str:
    return str(error) or type(error).__name__


def _refusal(answer: httpx.Response, instance: Instance) -> DoorbusterError:
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    problem = problem if isinstance(problem, dict) else {}
    detail = problem.get("detail") or problem.get("title") or f"{answer.request.url} answered {answer.status_code}"
    if answer.is_server_error:
        from doorbuster.cli.instance.trouble import readiness

        looked = readiness(instance.ops_base)
        return StoreUnavailableError(detail if looked.ready else f"{looked.reason}: {detail}", checks=looked.checks)
    if problem.get("code") == "ops_key_required" or (answer.status_code == httpx.codes.UNAUTHORIZED and not problem):
        why = "the ops key is not that of {}, or is good no more: set OPS_KEY, or name --data"
        return InvalidError(why.format(instance.ops_base))
    fields = [(str(item.get("field")), str(item.get("problem"))) for item in problem.get("errors") or []]
    kind = _BY_STATUS.get(answer.status_code)
    return kind(detail) if kind else InvalidError(detail, fields)
