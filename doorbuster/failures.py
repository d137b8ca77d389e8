"""The failures of Postgres and Redis, sorted once by what their handler may do. Owns the sets, handles nothing.

No other module lists a driver's exceptions: it catches one of these sets by name, perhaps beside exceptions of its own.
The drivers are named here alone, so that a new version's new exception is sorted in one place.
"""

from __future__ import annotations

import struct
from typing import TypeAlias

import asyncpg
from asyncpg.exceptions import _base
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from doorbuster.errors import ConflictError, DoorbusterError, InvalidError, StoreUnavailableError
from doorbuster.redis_roles.meaning import may_pass

Failures: TypeAlias = tuple[type[Exception], ...]

REDIS_FAILED: Failures = (RedisError, OSError, TimeoutError)
"""A Redis store did not answer, or not as it must. Whether a write was done is unknown: read before you repeat it.

Which of them say that nothing was run is `redis_roles/meaning.py`'s table.
"""

REDIS_REFUSED: Failures = (ResponseError,)
"""A Redis store answered that it does not do what it was asked: of one command, or a script's first write, nothing is
done."""

POSTGRES_FAILED: Failures = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,  # the connection is closed
    asyncpg.InternalClientError,  # it was closed while a call was on its way
    OSError,
    TimeoutError,
)
"""Postgres did not answer, or not as it must. Whether a commit was done is unknown: read before you repeat it."""

STORE_FAILED: Failures = (RedisError, *POSTGRES_FAILED)
"""One of the stores failed, whichever it was."""

NOT_THE_DATABASE: Failures = (RedisError, StoreUnavailableError)
"""A failure that says nothing of how much Postgres can take at a time."""

ANTICIPATED: Failures = (DoorbusterError, *STORE_FAILED)
"""What a request may meet without a defect: a refusal of ours, or a store that failed."""

TRANSIENT: Failures = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,  # the connection is closed
    asyncpg.InternalClientError,
    asyncpg.TransactionRollbackError,  # deadlock, serialization
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,  # shutdown, cancelled statement
    asyncpg.ObjectNotInPrerequisiteStateError,  # lock not available
    asyncpg.InvalidTransactionStateError,  # idle in transaction for too long, a primary demoted
    asyncpg.PostgresSystemError,  # I/O, disk
    asyncpg.CannotConnectNowError,
    RedisError,
    StoreUnavailableError,
    OSError,
    TimeoutError,
)
"""A store is away or busy. What was under way is unknown: read back what is committed, then go on from there."""

VALUE_REFUSED: Failures = (asyncpg.DataError, _base.DataError)
"""A value that the database cannot hold: said by the server (class 22) or, before sending, by the driver."""

DATA_FAULT: Failures = (
    *VALUE_REFUSED,
    asyncpg.IntegrityConstraintViolationError,
    UnicodeError,
    OverflowError,
    struct.error,  # a number too large for its column, found before sending
)
"""The rows themselves cannot be written: trying again changes nothing."""

ROW_REFUSED: Failures = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    ValueError,
    InvalidError,
    ConflictError,
)
"""What a row of an import is refused with, by us, the driver or the server: the other rows go in without it."""

FUNCTION_REFUSED: Failures = (
    asyncpg.InsufficientPrivilegeError,
    asyncpg.UndefinedFunctionError,
    asyncpg.FeatureNotSupportedError,
)
"""A function of Postgres that a managed server keeps to itself."""

POSTGRES_STARTING: Failures = (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError)
"""A Postgres of our own is not ready yet."""

REDIS_STARTING: Failures = (RedisConnectionError, RedisTimeoutError)
"""A Redis of our own is not ready yet, or loads its data still."""


def is_broken(error: Exception) -> bool:
    """Say whether it is the data, or a defect, that failed, and not a store that is away or busy."""
    if isinstance(error, DATA_FAULT) or _is_refusal(error) or _is_refusal(error.__cause__):
        return True
    return not isinstance(error, TRANSIENT)


def _is_refusal(error: BaseException | None) -> bool:
    """Say whether a Redis store would refuse the same again, whatever becomes of its servers."""
    return type(error) is ResponseError and not may_pass(error)
