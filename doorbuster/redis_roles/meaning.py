"""What a failed call to a Redis server means: nothing was run, or it is not known. Owns that one table.

| said or met                                              | meaning     | may the client send it again            |
|----------------------------------------------------------|-------------|-----------------------------------------|
| `MOVED`, `ASK`                                           | not run     | yes, where the answer points            |
| `CLUSTERDOWN`, `MASTERDOWN`, `READONLY`, `NOREPLICAS`    | not run     | yes, after asking who is primary        |
| `TRYAGAIN`, `LOADING`, `BUSY`, `UNBLOCKED`               | not run     | yes, after a pause                      |
| `NOSCRIPT`                                               | not run     | yes, with the whole script              |
| no connection could be made; sentinels name no primary   | not run     | yes, after asking who is primary        |
| the connection was lost after sending, no answer in time | **unknown** | never without its idempotency key       |
| `WAIT` counted fewer replicas than asked for             | **unknown** | never without its idempotency key       |
| any other answer that is an error                        | **unknown** | never                                   |

A script that meets `READONLY` or `NOREPLICAS` meets it at its first write, so that it has changed nothing. All else is
unknown, so that what a new server version says is never taken for leave to repeat.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from redis.exceptions import (
    AskError,
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    MovedError,
    NoScriptError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError


class NotConnectedError(RedisConnectionError):
    """No connection could be made: nothing was sent."""


class PrimaryUnknownError(NotConnectedError):
    """It is not known which server is the primary now."""


class TopologyChangedError(RedisConnectionError):
    """What was gone through node by node lies elsewhere by now: begin anew."""


class UnroutableError(Exception):
    """A defect of ours: a command that no single node of a Cluster can run, or one that is not in the table."""


class Meaning(Enum):
    """What is known of a call that failed."""

    NOT_RUN = "not run"
    UNKNOWN = "unknown"


_NOT_RUN: Final = (
    MovedError,
    AskError,
    ClusterDownError,  # MASTERDOWN is one
    ReadOnlyError,
    TryAgainError,
    BusyLoadingError,
    NoScriptError,
    NotConnectedError,
)
_NOT_RUN_CODES: Final = frozenset({"NOREPLICAS", "MASTERDOWN", "UNBLOCKED", "BUSY"})
"""First words of answers that the driver has no exception for."""


def meaning_of(error: BaseException) -> Meaning:
    """Return what an error of a call means."""
    if isinstance(error, _NOT_RUN):
        return Meaning.NOT_RUN
    if isinstance(error, ResponseError) and str(error).partition(" ")[0] in _NOT_RUN_CODES:
        return Meaning.NOT_RUN
    return Meaning.UNKNOWN


def may_pass(error: BaseException) -> bool:
    """Say whether nothing was run and the same call may go through in a moment, or elsewhere."""
    return meaning_of(error) is Meaning.NOT_RUN and not isinstance(error, NoScriptError)


def is_pointer(error: BaseException) -> bool:
    """Say whether a key has moved ahead of its slot: this once another server is to be asked, which has to be told."""
    return isinstance(error, AskError) and not isinstance(error, MovedError)


def not_connected(error: Exception) -> Exception:
    """Return what it is that no connection could be made: wrong credentials stay what they are."""
    if isinstance(error, AuthenticationError | NotConnectedError | BusyLoadingError):
        return error
    return NotConnectedError(f"no connection could be made: {error or type(error).__name__}")
