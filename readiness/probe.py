"""`python -m readiness.probe ROLE QUESTION [URL]`: what a platform asks a process of its host, by exit code 0 or 1.

Owns what each answer means: `started` and `ready` fail while a store is away that the process cannot do without;
`alive` fails for nothing that a restart would not mend. Started every few seconds: imports no more than it needs.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import socket
import sys
from typing import Any
from urllib.parse import urlsplit

from doorbuster.told import told

ROLES, QUESTIONS = ("intake", "worker", "scheduler"), ("started", "ready", "alive")
URL = "http://127.0.0.1:8000"
WITHIN_S = 4.0
"""How long an intake may take to answer; it gives its stores three seconds."""
STORE_S = 3.0
SPARED = frozenset({"postgres"})
"""Checks of an intake that do not make it unready: it takes orders without Postgres."""


def main(arguments: list[str]) -> int:
    """Answer one question: 0 yes, 1 no with the reason on stderr, 2 for what is no question."""
    match arguments:
        case ["intake", ("started" | "ready" | "alive") as question, *rest] if len(rest) < 2:
            reason = _intake(question, rest[0] if rest else URL)
        case [("worker" | "scheduler") as role, ("started" | "ready" | "alive") as question]:
            reason = asyncio.run(_behind(role, question))
        case _:
            print(f"ask {'|'.join(ROLES)} {'|'.join(QUESTIONS)}; for an intake, its URL may follow", file=sys.stderr)
            return 2
    if reason:
        print(reason, file=sys.stderr)
    return 1 if reason else 0


def _intake(question: str, url: str) -> str:
    """Return why the answer of an intake on this host is no."""
    path = "/healthz" if question == "alive" else "/readyz"
    key = told("OPS_KEY")
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port or 80, timeout=WITHIN_S)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        return f"{url}{path} does not answer: {error or type(error).__name__}"
    finally:
        connection.close()
    if question != "alive" and answer.status in (200, 503):
        return _failing(body, frozenset() if question == "started" else SPARED)
    return "" if answer.status == 200 else f"{url}{path} answers {answer.status}"


def _failing(body: bytes, spared: frozenset[str]) -> str:
    """Return which checks fail of those that count."""
    try:
        checks: dict[str, Any] = json.loads(body)["checks"]
        return "; ".join(
            str(check.get("reason", name)) for name, check in checks.items() if name not in spared and not check["ok"]
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return "/readyz does not answer as Doorbuster does"


async def _behind(role: str, question: str) -> str:
    """Return why the answer of a worker or scheduler of this host is no, by what the jobs store last heard of it."""
    from doorbuster.failures import REDIS_FAILED
    from doorbuster.redis_clients import plain_client
    from readiness.processes import SILENT_S, silent_s

    url = told("JOBS_REDIS_URL")
    if url is None:
        return "JOBS_REDIS_URL: is missing"
    jobs = plain_client(url, timeout_s=STORE_S, connections=1)
    try:
        async with asyncio.timeout(STORE_S):
            silent = await silent_s(jobs, role, re.compile(rf"{re.escape(socket.gethostname())}-\d+(?:-[0-9a-f]+)?"))
    except REDIS_FAILED as error:
        return "" if question == "alive" else f"the jobs store does not answer: {type(error).__name__}"
    finally:
        await jobs.aclose()
    if silent is None:
        return f"the jobs store knows of no {role} of this host"
    return "" if silent < SILENT_S else f"the {role} has said nothing for {silent:.0f} s, and the jobs store answers"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
