"""Where a command's keys stand, hence which node of a Cluster runs it. Owns that table; sends nothing.

A command that is not in it is refused: a guess would send it to a node that has not the key.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from redis.crc import key_slot

from doorbuster.redis_roles.meaning import UnroutableError

if TYPE_CHECKING:
    from collections.abc import Sequence

SLOTS: Final = 16_384

ONE_KEY: Final = frozenset({
    "APPEND", "DECR", "DECRBY", "EXPIRE", "EXPIREAT", "GET", "GETDEL", "GETEX", "GETRANGE", "HDEL", "HEXISTS", "HGET",
    "HGETALL", "HINCRBY", "HINCRBYFLOAT", "HKEYS", "HLEN", "HMGET", "HSCAN", "HSET", "HSETNX", "HVALS", "INCR",
    "INCRBY", "LINDEX", "LLEN", "LPOP", "LPUSH", "LRANGE", "LREM", "LTRIM", "PERSIST", "PEXPIRE", "PTTL", "RPOP",
    "RPUSH", "SADD", "SCARD", "SET", "SETBIT", "SETEX", "PSETEX", "SETNX", "SISMEMBER", "SMISMEMBER", "SMEMBERS",
    "SREM", "STRLEN", "TTL", "TYPE", "XADD", "XDEL", "XINFO GROUPS", "XINFO STREAM", "XLEN", "XRANGE", "XREVRANGE",
    "XSETID", "XTRIM", "ZADD", "ZCARD", "ZCOUNT", "ZINCRBY", "ZRANGE", "ZRANGEBYSCORE", "ZREM", "ZREMRANGEBYSCORE",
    "ZSCORE",
})  # fmt: skip
"""The key comes first."""
ALL_KEYS: Final = frozenset({"DEL", "EXISTS", "MGET", "TOUCH", "UNLINK"})
"""Every argument is a key."""
COUNTED: Final = frozenset({"EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO"})
"""The second argument says how many keys follow."""
STREAMS: Final = "XREAD"
"""Behind `STREAMS` come the keys, then as many ids."""
SUBCOMMANDS: Final = frozenset({"MEMORY USAGE", "OBJECT ENCODING"})
"""The key comes behind the subcommand's name."""
SPEAKS_OF_OTHERS: Final = frozenset({"WAIT", "TIME"})
"""Without a key, and about the commands before it on the same connection or the server that they were run by."""
PAUSES_S: Final = (0.01, 0.1)
"""Between two tries of what was not run: the first, and the longest."""


class Keyless(Enum):
    """What a command without a key is sent to."""

    ANY = "any node; in a pipeline it keeps its place"
    EVERY = "every primary; the first one's answer stands for all"
    BESIDE = "the node of the command before it in a pipeline, else of the one behind it; alone it is refused"
    SCAN = "every primary in turn"


KEYLESS: Final = {
    "PUBLISH": Keyless.ANY,
    "PING": Keyless.EVERY,
    "SCRIPT LOAD": Keyless.EVERY,
    "FLUSHALL": Keyless.EVERY,
    "FLUSHDB": Keyless.EVERY,
    "TIME": Keyless.BESIDE,
    "WAIT": Keyless.BESIDE,
    "SCAN": Keyless.SCAN,
}


def keys_in(words: Sequence[Any]) -> Sequence[Any] | Keyless:
    """Return the keys that a command names, or what one without is sent to.

    Raises:
        UnroutableError: it is not in the table, or has no key.
    """
    name = str(words[0]).upper()
    if name in ONE_KEY or name in SUBCOMMANDS:
        found: Sequence[Any] = words[1:2]
    elif name in ALL_KEYS:
        found = words[1:]
    elif name in COUNTED:
        found = words[3 : 3 + int(words[2])]
    elif name == STREAMS:
        begin = next(at for at, word in enumerate(words) if str(_text(word)).upper() == "STREAMS") + 1
        found = words[begin : begin + (len(words) - begin) // 2]
    elif name in KEYLESS:
        return KEYLESS[name]
    else:
        raise UnroutableError(f"{name} is not in the table of commands: which node of a Cluster runs it is not known")
    if not found:
        raise UnroutableError(f"{name} names no key: no node of a Cluster runs it")
    return found


def slot_of(key: Any) -> int:
    """Return the slot of a key."""
    return int(key_slot(key if isinstance(key, bytes) else str(key).encode()))


def place_of(words: Sequence[Any]) -> int | Keyless:
    """Return the slot of a command's keys, or what one without is sent to.

    Raises:
        UnroutableError: its keys lie in several, or it is not in the table.
    """
    found = keys_in(words)
    if isinstance(found, Keyless):
        return found
    slots = {slot_of(key) for key in found}
    if len(slots) > 1:
        raise UnroutableError(f"{words[0]} names keys of {len(slots)} slots: no single node of a Cluster runs it")
    return slots.pop()


def _text(word: Any) -> Any:
    return word.decode(errors="replace") if isinstance(word, bytes) else word
