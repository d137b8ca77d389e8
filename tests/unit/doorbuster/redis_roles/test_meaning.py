"""The table of failed calls: what was not run, and what is unknown."""

from __future__ import annotations

import pytest
from redis._parsers.base import BaseParser
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from doorbuster.failures import is_broken
from doorbuster.redis_roles.meaning import (
    Meaning,
    NotConnectedError,
    PrimaryUnknownError,
    may_pass,
    meaning_of,
    not_connected,
)

NOT_RUN = [
    "MOVED 7 10.0.0.1:7000",
    "ASK 7 10.0.0.1:7000",
    "CLUSTERDOWN Hash slot not served",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "READONLY You can't write against a read only replica. script: 0, on @user_script:1.",
    "NOREPLICAS Not enough good replicas to write.",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "LOADING Valkey is loading the dataset in memory",
    "BUSY Valkey is busy running a script.",
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
    "NOSCRIPT No matching script.",
]


@pytest.mark.parametrize("answer", NOT_RUN)
def test_nothing_was_run(answer: str) -> None:
    error = BaseParser.parse_error(answer)
    assert meaning_of(error) is Meaning.NOT_RUN
    assert may_pass(error) == (not answer.startswith("NOSCRIPT"))
    assert not is_broken(error)


@pytest.mark.parametrize(
    "error",
    [
        RedisConnectionError("Connection closed by server."),
        RedisTimeoutError("Timeout reading"),
        TimeoutError(),
        ConnectionResetError(),
        RedisError("the batch reached 0 of 1 replicas"),
        BaseParser.parse_error("ERR something new"),
        BaseParser.parse_error("NEWCODE something new"),
        BaseParser.parse_error("OOM command not allowed when used memory > 'maxmemory'."),
        ResponseError("wrong BUSY"),
    ],
)
def test_it_is_unknown(error: Exception) -> None:
    assert meaning_of(error) is Meaning.UNKNOWN
    assert not may_pass(error)


def test_nothing_was_sent_where_no_connection_could_be_made() -> None:
    for error in (
        RedisConnectionError("refused"),
        RedisTimeoutError("in vain"),
        OSError(),
        PrimaryUnknownError("none"),
    ):
        assert meaning_of(not_connected(error)) is Meaning.NOT_RUN
    assert isinstance(not_connected(RedisConnectionError("refused")), NotConnectedError)
    wrong = AuthenticationError("invalid password")
    assert not_connected(wrong) is wrong
    assert not may_pass(wrong)
