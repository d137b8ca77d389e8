"""Orders of a file into a sale, many at once: `python examples/python/batch.py --sale spring orders.jsonl`.

Each line of the file is an order with its `idempotency_key`. Prints a verdict a line, in their order, `line` counted
over the whole file. Sends again what nobody knows the outcome of, with the same keys: run twice it makes no second
order.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import httpx

AT_ONCE = 256
"""Lines of a post; the server's bound is BATCH_POST_LINES_MAX."""
TRIES = 5
WAIT_S = 1.0


def post(http: httpx.Client, sale: str, orders: list[str]) -> list[dict[str, Any]]:
    """Post orders, those again that may be taken later; return a verdict each, the last that there was.

    Raises:
        httpx.HTTPError: the whole was refused, or there was no answer in all tries.
    """
    verdicts: list[dict[str, Any]] = [{} for _ in orders]
    left = list(range(len(orders)))
    for attempt in range(1, TRIES + 1):
        body = "".join(orders[place] + "\n" for place in left)
        try:
            headers = {"Content-Type": "application/x-ndjson"}
            answer = http.post(f"/sales/{sale}/orders:batch", content=body, headers=headers).raise_for_status()
        except httpx.HTTPError as error:
            is_final = isinstance(error, httpx.HTTPStatusError) and error.response.status_code < 500
            if is_final or attempt == TRIES:
                raise
            time.sleep(WAIT_S)
            continue
        for place, verdict in zip(left, answer.text.splitlines(), strict=True):
            verdicts[place] = json.loads(verdict)
        left = [place for place in left if verdicts[place]["status"] >= 500]
        if not left or attempt == TRIES:
            break
        time.sleep(max(verdicts[place].get("retry_after_s", WAIT_S) for place in left))
    return verdicts


def verdicts_of(http: httpx.Client, sale: str, lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Yield a verdict for each line that is not blank."""
    numbered = ((number, line.strip()) for number, line in enumerate(lines, 1) if line.strip())
    while some := list(islice(numbered, AT_ONCE)):
        for (number, _), verdict in zip(some, post(http, sale, [line for _, line in some]), strict=True):
            yield verdict | {"line": number}


def main() -> int:
    """Return 0 if every order is taken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--api", default="http://127.0.0.1:8000")
    parser.add_argument("--sale", required=True)
    parser.add_argument("--key", help="X-Storefront-Key")
    asked = parser.parse_args()
    headers = {"X-Storefront-Key": asked.key} if asked.key else {}
    refused = 0
    with httpx.Client(base_url=asked.api, headers=headers, timeout=30) as http, asked.file.open() as lines:
        for verdict in verdicts_of(http, asked.sale, lines):
            refused += verdict["status"] != 202
            print(json.dumps(verdict))
    print(f"{refused} not taken", file=sys.stderr)
    return int(refused > 0)


if __name__ == "__main__":
    raise SystemExit(main())
