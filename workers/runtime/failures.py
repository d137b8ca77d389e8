"""Tells failures apart: what passes by itself, and what lies in the data. Owns the two lists, handles nothing."""

from __future__ import annotations

import struct

import asyncpg
import redis.exceptions
from asyncpg.exceptions import _base

from doorbuster.errors import StoreUnavailableError

DATA: tuple[type[Exception], ...] = (
    asyncpg.DataError,  # class 22, said by the server
    _base.DataError,  # the same, found by the driver before sending
    asyncpg.IntegrityConstraintViolationError,
    UnicodeError,
    OverflowError,
    struct.error,  # a number too large for its column, found before sending
)
"""The rows themselves cannot be written: trying again changes nothing."""

TRANSIENT: tuple[type[Exception], ...] = (
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
    redis.exceptions.RedisError,
    StoreUnavailableError,
    OSError,
    TimeoutError,
)
"""A store is away or busy. What was under way is unknown: read back what is committed, then go on from there."""
